"""systemd's units of the cloud: those of Debian's package, and of an installation elsewhere.

They are files beside this one, as the package has them; what they share stands in two more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_ONCE: Final = "Type=oneshot\nRemainAfterExit=yes\nRestart=on-failure\nRestartSec=10\n"
_HOMES: Final = ("/home", "/root", "/run/user")
_PLAIN: Final = re.compile(r"/[\w/.@+:,=-]*")


class UnitImpossible(ValueError):
    """A path that systemd would read otherwise than it is written."""


@dataclass(frozen=True)
class Place:
    """Where an installation has its program and its files."""

    program: Path = Path("/usr/bin/vigil-cloud")
    config: Path = Path("/etc/vigil-cloud/cloud.toml")
    data: Path = Path("/var/lib/vigil-cloud")
    secrets: Path | None = Path("/etc/vigil-cloud/secrets")
    """A folder of secrets as files, where there is one."""
    interpreter: Path | None = field(default=None, compare=False)
    """What the program is run by: an environment's leads to one that may lie elsewhere."""

    @property
    def environment(self) -> Path:
        """The file of variables, which need not be there."""
        return self.config.with_name("environment")


PACKAGE: Final = Place()


def texts(place: Place = PACKAGE) -> dict[str, str]:
    """Each unit by its file's name. Raises ``UnitImpossible``."""
    paths = (place.program, place.config, place.data, *([place.secrets] if place.secrets else []))
    for path in paths:
        if not _PLAIN.fullmatch(str(path)):
            raise UnitImpossible(f"{path}: a unit takes letters, digits and /.@+:,=_- alone")
    common = (_HERE / "hardened.conf").read_text("utf-8").rstrip("\n")
    service = (_HERE / "service.conf").read_text("utf-8")
    found = {}
    for unit in sorted(_HERE.glob("*.service")):
        text = unit.read_text("utf-8")
        text = text.replace("%HARDENED%", service + common).replace("%ONCE%", _ONCE + common)
        found[unit.name] = text if place == PACKAGE else _moved(text, place)
    return found


def _moved(text: str, place: Place) -> str:
    """The package's unit with the other places in it."""
    lines = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "Documentation":  # the package's own file
            continue
        if name == "ExecStart":
            line = line.replace(str(PACKAGE.program), str(place.program))
        if name == "StateDirectoryMode" and place.data != PACKAGE.data:
            continue
        if name == "StateDirectory" and place.data != PACKAGE.data:
            line = f"ReadWritePaths={place.data}"
        if name == "ProtectHome" and _in_homes(place):
            line = "ProtectHome=read-only"
        if name == "EnvironmentFile":
            line = f"EnvironmentFile=-{place.environment}"
        if value.startswith("VIGIL_SECRETS_DIR="):
            if place.secrets is None:
                continue
            line = f"Environment=VIGIL_SECRETS_DIR={place.secrets}"
        lines.append(line.replace(str(PACKAGE.config), str(place.config)))
    return "\n".join(lines) + "\n"


def _in_homes(place: Place) -> bool:
    """Also through a link."""
    named = (place.program, place.config, place.data, place.secrets, place.interpreter)
    paths = {one for path in named if path is not None for one in (path, path.resolve())}
    return any(path.is_relative_to(home) for path in paths for home in _HOMES)
