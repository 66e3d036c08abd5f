"""The JSON messages that a payload holds, however it was put together.

A gateway, or a bridge between it and us, sends several in a list (CloudEvents' batch) or one
behind the other (NDJSON, RFC 7464), wraps them in an object or a string of its own, writes a
byte-order mark or UTF-16, or is cut off. An alarm counts in each place of all these.

``keys`` throughout: data that holds one of these says something itself (``AlarmReading.keys``).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json

READ_BYTES: Final = 1024 * 1024
"""No more of a message than this is looked at."""
MOST: Final = 1000
"""So many messages in one payload are looked for; the payload itself stays a dead letter."""
_DEPTH: Final = 4
_SCATTERED: Final = 64 * 1024
"""So many characters of what is broken are searched for what stands behind the fault."""
_NAMED: Final = re.compile(
    r"""(?<![A-Za-z0-9_])([a-z_]{2,40})"?\s{0,4}:?\s{0,4}"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.){0,2000})"|"""
    r"""(?P<plain>-?\d{1,16}(?:\.\d{1,16})?|true|false|null)(?=\s{0,4}[,}\]])|"""
    r"""(?P<open>[^\s",:{}\[\]][^",{}\[\]]{0,200})")"""
)
"""A key and a value that needs nothing around it; either may have lost a quote."""
_BETWEEN: Final = re.compile(r"[\0\s,\x1e]*")


def messages(payload: bytes, keys: Collection[str]) -> list[dict[str, Any]]:
    """In the order in which they stand; empty where there is no JSON object."""
    return list(islice((part for one in _found(payload, keys) for part in _apart(one)), MOST))


def parsed(payload: bytes, keys: Collection[str]) -> dict[str, Any] | None:
    """The first of them."""
    return next(_found(payload, keys), None)


def _found(payload: bytes, keys: Collection[str]) -> Iterator[dict[str, Any]]:
    of_data = frozenset(keys)
    for value in _values(readable_text(payload)):
        yield from _within(value, _DEPTH, of_data)


def is_broken(text: str) -> bool:
    """Whether a fault or the end stands in the middle of its JSON: the rest was not read."""
    decoder = json.JSONDecoder(strict=False)
    at = _end_of_gap(text, 0)
    try:
        while at < len(text):
            _, at = decoder.raw_decode(text, at)
            at = _end_of_gap(text, at)
    except (ValueError, RecursionError):
        return True
    return False


def scattered(text: str, names: Collection[str]) -> dict[str, Any]:
    """Texts, numbers and truths that stand behind one of these names, wherever that is: one lost
    quote or comma costs what it stood in, not everything behind it."""
    found: dict[str, Any] = {}
    for match in _NAMED.finditer(text[:_SCATTERED]):
        if match[1] in names and match[1] not in found:
            try:
                found[match[1]] = _scalar(match["plain"], match["quoted"] or match["open"] or "")
            except ValueError:
                continue
    return found


def _scalar(plain: str | None, quoted: str) -> Any:
    """A text that lost its closing quote runs up to the comma before the next one."""
    return _storable(json.loads(plain or f'"{quoted.rstrip(",")}"', strict=False))


def first_value(text: str) -> Any:
    """The first value in the text, or as much of it as stands before the first fault."""
    return next(_values(text), None)


def readable_text(payload: bytes) -> str:
    """As UTF-8 or, where it looks like it, UTF-16; what is neither is replaced."""
    payload = payload[:READ_BYTES]
    if payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return payload.decode("utf-16", errors="replace")
    if payload[1:2] == b"\0" or payload[:1] == b"\0":  # UTF-16 that does not say so
        return payload.replace(b"\0", b"").decode(errors="replace")
    return payload.decode("utf-8-sig", errors="replace")


def _within(value: Any, depth: int, keys: frozenset[str]) -> list[dict[str, Any]]:
    if isinstance(value, str) and depth:
        value = first_value(value)
    if isinstance(value, list) and depth:
        return [found for one in value for found in _within(one, depth - 1, keys)]
    if not isinstance(value, dict):
        return []
    if depth and not _is_message(value, keys):
        inner = [
            found
            for one in value.values()
            if isinstance(one, dict | list | str)
            for found in _within(one, depth - 1, keys)
            if _is_message(found, keys)
        ]
        if inner:
            return inner
    return [value]


def _is_message(found: Mapping[str, Any], keys: frozenset[str]) -> bool:
    """Whether it says something itself, or is the envelope of what does."""
    data = found.get("data")
    if not keys.isdisjoint(found) or (isinstance(data, dict) and not keys.isdisjoint(data)):
        return True
    return not {"data", "data_base64"}.isdisjoint(found) and "type" in found


def _apart(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One envelope around several alarms as one message each; the first keeps id and number."""
    data = message.get("data")
    several = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    if len(several) < 2:
        return [message]
    rest = {key: one for key, one in message.items() if key not in ("id", "sequence")}
    return [{**message, "data": several[0]}, *({**rest, "data": one} for one in several[1:])]


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    at = _end_of_gap(text, 0)
    while at < len(text):
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            before = text[at : error.pos].rstrip().removesuffix(",")
            try:
                found = from_json(before.encode(errors="replace"), allow_partial="trailing-strings")
            except ValueError:
                return
            yield _storable(found)
            return
        except (ValueError, RecursionError):
            return
        yield _storable(found)
        at = _end_of_gap(text, at)


def _end_of_gap(text: str, at: int) -> int:
    gap = _BETWEEN.match(text, at)
    return gap.end() if gap else at


def _storable(found: Any) -> Any:
    """Half a surrogate pair can be escaped and stored nowhere, a NUL not in PostgreSQL."""
    if isinstance(found, str):
        return found.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(found, list):
        return [_storable(one) for one in found]
    if isinstance(found, dict):
        return {_storable(key): _storable(one) for key, one in found.items()}
    return found
