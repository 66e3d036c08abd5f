#!/usr/lib/vigil-cloud/bin/python3 -I
"""A command of vigil-cloud as the service's own user, with the service's settings and secrets.

    vigil-cloud-admin account add --help
    vigil-cloud-admin backup city.zip

A file that is there may be named from where the command is typed, if the service's user may read
it; one that is not there yet is made in ``/var/backups/vigil-cloud``, which is that user's.
``/etc/vigil-cloud/environment`` is read as systemd reads it for the service, and never by a shell:
a password may hold whatever a shell would act upon.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ENVIRONMENT: Final = Path("/etc/vigil-cloud/environment")
CONFIG: Final = "/etc/vigil-cloud/cloud.toml"
SECRETS: Final = "/etc/vigil-cloud/secrets"  # a folder
FILES: Final = "/var/backups/vigil-cloud"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED: Final = re.compile(r"""(?s)'([^']*)'|"((?:\\.|[^"\\])*)\"""")
_PLAIN: Final = re.compile(r"(?s)(?:\\.|[^\n\\])*")
_LINE_END: Final = re.compile(r"[^\n]*\n?")


def variables(text: str) -> dict[str, str]:
    """What an ``EnvironmentFile`` sets (systemd.exec(5)): lines ``NAME=value``; ``#`` and ``;``
    begin comments, a backslash takes the next character as it is and goes on over the end of a
    line, quotes may stand about the whole value. What names no variable is skipped."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        name, equals, _ = text[at:].partition("\n")[0].partition("=")
        if text[at] in "#;" or not equals:
            at = _end(_LINE_END, text, at)
            continue
        value, at = _value(text, at + len(name) + 1)
        if _NAME.fullmatch(name.strip()):
            found[name.strip()] = value
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where the next line does."""
    while at < len(text) and text[at] in " \t":
        at += 1
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        single, double = quoted.groups()
        value = single if double is None else re.sub(r'(?s)\\(["\\`$\n])', _unescaped, double)
        return value, _end(_LINE_END, text, quoted.end())
    end = _end(_PLAIN, text, at)
    plain = text[at:end]
    kept = re.sub(r"(?<!\\)\s+\Z", "", plain)
    return re.sub(r"(?s)\\(.)", _unescaped, kept), end


def _unescaped(match: "re.Match[str]") -> str:
    return "" if match[1] == "\n" else match[1]


def _end(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    found = pattern.match(text, at)
    return len(text) if found is None else found.end()


def environment(before: Mapping[str, str], file: Path) -> dict[str, str]:
    """Of the command; the file wins, as for the service. Raises ``OSError``."""
    own = variables(file.read_text("utf-8")) if file.exists() else {}
    return {**before, "VIGIL_SECRETS_DIR": SECRETS, **own}


def named(words: Sequence[str], here: Path) -> list[str]:
    """Files with an ending that lie here get their folder: the command runs elsewhere."""
    return [str(here / word) if _is_a_file(here / word) else word for word in words]


def _is_a_file(path: Path) -> bool:
    try:
        return path.suffix != "" and path.is_file()
    except OSError:  # a sentence, longer than a name may be
        return False


def main(words: Sequence[str]) -> None:
    """Becomes the command. Raises ``OSError``."""
    own = environment(os.environ, ENVIRONMENT)
    words = named(words, Path.cwd())
    command = ["runuser", "-u", "vigil-cloud", "--", "/usr/bin/vigil-cloud", *words]
    os.chdir(FILES if Path(FILES).is_dir() else "/")
    os.execvpe("runuser", [*command, "--config", CONFIG], own)  # noqa: S606 - the operator's own words


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"vigil-cloud-admin: {error}")
