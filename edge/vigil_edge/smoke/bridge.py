"""Zigbee2MQTT's own topics: which devices it has, whose a topic is. Pure.

Source: zigbee2mqtt.io, "MQTT topics and messages" (``bridge/devices``, ``bridge/health``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from vigil_edge.smoke import sirens, words
from vigil_edge.smoke.phrases import snake_case
from vigil_edge.smoke.sirens import Siren
from vigil_edge.smoke.words import Kind
from vigil_edge.text import well_formed

_NO_ATTRIBUTE: Final = ("set", "get", "request")


class Listed(NamedTuple):
    """A device as ``bridge/devices`` describes it."""

    is_alarm: bool
    measured: frozenset[Kind]
    """Kinds of which the key is a number with a unit."""
    settable: Mapping[str, Any]
    """What can be asked of it: by property, the value that means yes."""
    siren: Siren | None = None
    """How it is told to sound; ``None``: it cannot be."""


class Address(NamedTuple):
    """Whose message a topic is. ``attribute`` is ``None`` for the device's own topic."""

    name: str
    attribute: str | None = None


def listed(payload: bytes) -> dict[str, Listed] | None:
    """By friendly name; ``None`` where it cannot be read."""
    try:
        devices = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(devices, list):
        return None
    found: dict[str, Listed] = {}
    for device in devices:
        name = device.get("friendly_name") if isinstance(device, dict) else None
        if isinstance(name, str):
            found[well_formed(name)] = _described(device)
    return found


def _described(device: Mapping[str, Any]) -> Listed:
    definition = device.get("definition")
    exposes = definition.get("exposes") if isinstance(definition, dict) else None
    measured: set[Kind] = set()
    is_alarm = False
    for name, numeric in _exposed(exposes, 0):
        kind = words.kind_of(name)
        if kind is None:
            continue
        if numeric and words.may_be_measured(name):
            measured.add(kind)
        else:
            is_alarm |= words.is_plainly_fire(name) or name in ("co", "gas")
    siren = sirens.of(exposes) if isinstance(exposes, list) else sirens.UNLISTED
    return Listed(is_alarm, frozenset(measured), dict(_settable(exposes, 0)), siren)


def _exposed(exposes: Any, depth: int) -> Iterator[tuple[str, bool]]:
    """Property and whether it is a number, of each feature."""
    for one in exposes if isinstance(exposes, list) else ():
        if not isinstance(one, dict):
            continue
        name = one.get("property", one.get("name"))
        if isinstance(name, str):
            yield snake_case(name), one.get("type") == "numeric"
        if depth < 4:
            yield from _exposed(one.get("features"), depth + 1)


_SET: Final = 2
"""Bit of ``access``: the property can be set by ``/set``."""


def _settable(exposes: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Properties that can be set to one value that means yes: switches, and buttons of one word."""
    for one in exposes if isinstance(exposes, list) else ():
        if not isinstance(one, dict):
            continue
        name, access = one.get("property", one.get("name")), one.get("access")
        if isinstance(name, str) and isinstance(access, int) and access & _SET:
            words = one.get("values")
            if one.get("type") == "binary" and "value_on" in one:
                yield name, one["value_on"]
            elif one.get("type") == "enum" and isinstance(words, list) and len(words) == 1:
                yield name, words[0]
        if depth < 4:
            yield from _settable(one.get("features"), depth + 1)


def said_time(payload: bytes) -> datetime | None:
    """The bridge's own time in ``bridge/health``."""
    try:
        milliseconds = json.loads(payload)["response_time"]
        return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, OSError, RecursionError):
        return None


_NOT_REACHED: Final = re.compile(r"failed|no converter|not supported|timed? ?out", re.IGNORECASE)


def not_reached(payload: bytes, names: Iterable[str]) -> list[str]:
    """Whom ``bridge/logging`` says that something could not be sent to."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return []
    if not isinstance(said, dict) or said.get("level") not in ("error", "warning"):
        return []
    message = said.get("message")
    if not isinstance(message, str) or not _NOT_REACHED.search(message):
        return []
    return [name for name in names if f"'{name}'" in message]


def address(rest: str, names: Iterable[str]) -> Address | None:
    """Of the topic below the base topic, with the longest name that fits; ``None`` of none.

    ``names`` are tried in their order: give the longest first.
    """
    for name in names:
        if rest == name:
            return Address(name)
        if rest.startswith(f"{name}/"):
            return _attribute(name, rest[len(name) + 1 :])
    return None


def _attribute(name: str, attribute: str) -> Address | None:
    if attribute.split("/")[0] in _NO_ATTRIBUTE:
        return None
    return Address(name, attribute)


def guessed(rest: str, payload: bytes) -> Address | None:
    """The same for a device that nobody has named to us: by what its message looks like."""
    if rest.rpartition("/")[2] in _NO_ATTRIBUTE or any(
        f"/{word}/" in rest for word in _NO_ATTRIBUTE
    ):
        return None
    name, _, attribute = rest.rpartition("/")
    if name and not payload.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return Address(name, attribute) if words.is_plainly_fire(snake_case(attribute)) else None
    return Address(rest)
