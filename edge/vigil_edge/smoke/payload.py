"""From the bytes of a message to values: JSON, however it was wrapped, broken or cut off. Pure.

A fire that a message says must not be hidden by what else is wrong with the message: a byte
order mark, text that is not UTF-8, two values under one key, NaN, a message cut in the middle.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from vigil_edge.smoke import words
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.phrases import snake_case
from vigil_edge.text import well_formed

_BLANK: Final = "\ufeff\x00 \t\r\n"
_SAID: Final = re.compile(
    r"""["']?([A-Za-z\u3400-\u9fff][A-Za-z0-9_ \u3400-\u9fff-]{0,40})["']?\s*[:=]\s*"""
    r"""(?:"([^"]{0,60})"|'([^']{0,60})'|([A-Za-z0-9_.+-]{1,40}))"""
)
_CUT_OFF: Final = re.compile(
    r"""["']([A-Za-z\u3400-\u9fff][A-Za-z0-9_ \u3400-\u9fff-]{0,40})["']\s*:\s*["'][^"']{0,60}$"""
)
_OPENED: Final = re.compile(
    r"""["']([A-Za-z\u3400-\u9fff][A-Za-z0-9_ \u3400-\u9fff-]{0,40})["']\s*:\s*[\[{]"""
)
_ILLEGIBLE: Final = "…"
_LONGEST: Final = 65_536
"""Characters of a broken message that are searched."""
_DEEPEST: Final = 8


class Pairs:
    """A JSON object with all its pairs, also those whose key comes twice."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def as_json(self) -> Any:
        """As JSON can show it again."""
        return {key: _shown(value) for key, value in self.pairs}


def _shown(value: Any) -> Any:
    if isinstance(value, Pairs):
        return value.as_json()
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def shown(value: Any) -> str:
    """A value as a short text, for people."""
    try:
        return well_formed(json.dumps(_shown(value), ensure_ascii=False))
    except (ValueError, RecursionError):
        return "…"


def text_of(payload: bytes | str) -> str:
    """Any bytes as text, UTF-8 unless a mark or the pattern of zeros says otherwise."""
    if isinstance(payload, bytes):
        payload = payload.decode(json.detect_encoding(payload), errors="replace")
    return payload.strip(_BLANK)


def value_of(text: str) -> Any:
    """The JSON value. Raises ``PayloadMalformed``."""
    try:
        value = json.loads(text, object_pairs_hook=Pairs)
        if isinstance(value, str) and value.lstrip(_BLANK)[:1] in ("{", "["):
            value = json.loads(value.strip(_BLANK), object_pairs_hook=Pairs)  # JSON within JSON
    except (ValueError, RecursionError) as error:
        raise PayloadMalformed(f"the payload is not JSON: {error}") from error
    return value


def is_cut_off(text: str) -> bool:
    """Whether a broken message ends before an object in it does."""
    return text.count("{") > text.count("}")


def salvaged(text: str) -> Pairs:
    """What can be made out of a message that is no JSON: its pairs of a word and a value."""
    found: list[tuple[str, Any]] = []
    for match in _SAID.finditer(text[:_LONGEST]):
        key, double, single, bare = match.groups()
        word = next(part for part in (double, single, bare) if part is not None)
        cut = double is None and single is None and match.end() == len(text)
        found.append((key, _completed(word) if cut else word))
    found += [(match[1], _ILLEGIBLE) for match in _OPENED.finditer(text[:_LONGEST])]
    if (cut_off := _CUT_OFF.search(text[-_LONGEST:])) is not None:
        found.append((cut_off[1], _ILLEGIBLE))
    return Pairs(found)


def _completed(word: str) -> Any:
    """The one value that a bare word at the very end can be the beginning of."""
    whole = next((one for one in ("true", "false", "null") if one.startswith(word.lower())), None)
    if whole is not None:
        return {"true": True, "false": False, "null": None}[whole]
    number = words.as_number(word)
    return _ILLEGIBLE if number == 0 else word


def flattened(value: Any) -> list[tuple[str, Any]]:
    """All pairs of an object, and of those inside it, with keys in ``snake_case``.

    What describes a fire key's own state (``{"smoke": {"state": …}}``) stays with that key.
    """
    found: list[tuple[str, Any]] = []
    _flatten(value, found, 0)
    return found


_APART: Final = frozenset(
    ("update", "device", "definition", "options", "settings", "config", "previous", "last")
)
"""Objects that tell of something else than how things stand now."""


def _flatten(
    value: Any, found: list[tuple[str, Any]], depth: int, *, of_fire: bool = False
) -> None:
    if isinstance(value, list):
        for inner in value:
            if depth < _DEEPEST:
                _flatten(inner, found, depth + 1, of_fire=of_fire)
        return
    if not isinstance(value, Pairs):
        return
    for name, inner in value.pairs:
        key = snake_case(name)
        if key in words.INSIDE and of_fire:
            continue  # the state of the fire key around it
        found.append((key, inner))
        if isinstance(inner, str) and inner.lstrip(_BLANK)[:1] == "{":
            inner = _unwrapped(inner)
        if isinstance(inner, Pairs | list) and key not in _APART and depth < _DEEPEST:
            _flatten(inner, found, depth + 1, of_fire=words.kind_of(key) is not None)


def _unwrapped(text: str) -> Any:
    """JSON within JSON, as a bridge between brokers sends it; the text where it is none."""
    try:
        return value_of(text)
    except PayloadMalformed:
        return text
