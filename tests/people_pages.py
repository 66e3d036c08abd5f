"""The pages of docs/people: what they quote, to be tried."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "people"
WHO: Final = ("maintainer", "operator", "inspector", "family", "firmware")
PROGRAMS: Final = ("vigil-edge", "vigil-cloud", "vigil-sim")
_FENCE: Final = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ANY_FENCE: Final = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_VARIABLE: Final = re.compile(r"[A-Z_]+=\S*")
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_SAID: Final = re.compile(r'"([\w.-]+)":\s*\n?\s*"((?:[^"\\]|\\.)*)"')


def page(who: str, language: str = "en") -> str:
    """The page of one person."""
    return (FOLDER / f"{who}{'' if language == 'en' else '.zh-TW'}.md").read_text("utf-8")


def blocks(text: str) -> list[str]:
    """Lines of all its blocks of commands."""
    return [line for block in _FENCE.findall(text) for line in block.splitlines() if line]


def commands(text: str) -> Iterator[list[str]]:
    """Every command that is quoted, in a block or in a sentence, as words."""
    for line in [*blocks(text), *_INLINE.findall(_FENCE.sub("", text))]:
        words = [word for word in shlex.split(line) if not _VARIABLE.fullmatch(word)]
        if len(words) > 1:
            yield words


def all_blocks(text: str) -> Iterator[list[str]]:
    """Commands of every block of any document, as words: of any language, with comments."""
    for block in _ANY_FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # no shell's line
                continue
            words = [word for word in words if not _VARIABLE.fullmatch(word)]
            if words:
                yield words


def interface_words(text: str, language: str) -> list[str]:
    """What the page says that stands on a screen: in italics, in Chinese in corner brackets."""
    bare = _FENCE.sub("", text)
    pattern = r"(?<![*\w])\*([^*\n]+)\*(?!\*)" if language == "en" else r"「([^」\n]+)」"
    return re.findall(pattern, bare)


def screen_words(language: str) -> set[str]:
    """Everything that the pages of the web say in a language."""
    web = ROOT / "cloud/web/src"
    name = "en" if language == "en" else "zh-TW"
    found = set()
    for file in web.glob("**/texts.ts"):
        english, _, chinese = file.read_text("utf-8").partition("export const zh")
        found |= {_unescaped(m[2]) for m in _SAID.finditer(english if name == "en" else chinese)}
    text = (web / "lib/i18n" / f"{name}.ts").read_text("utf-8")
    return found | {_unescaped(match[2]) for match in _SAID.finditer(text)}


def _unescaped(text: str) -> str:
    found: str = json.loads(f'"{text}"')
    return found
