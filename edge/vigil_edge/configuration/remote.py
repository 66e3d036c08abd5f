"""What the cloud wants otherwise than ``gateway.toml``: laid over the file's tables, checked alike.

Pure. A key is written as in the file, nested ones with dots: ``signal.pH.high`` is ``high`` of
the ``[[water.signal]]`` whose ``name`` is ``pH``. Only what a domain lists as adjustable can be
changed from afar: no address, no file, no credential. Devices that the cloud adds (``added``) are
laid in first, so that what is wanted of them is set like that of any other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vigil_edge.configuration.added import Template, lay_in
from vigil_edge.configuration.device import SectionKind
from vigil_edge.configuration.gateway_file import (
    Config,
    ConfigError,
    DeviceSection,
    Document,
    check,
)
from vigil_edge.configuration.mistakes import Mistake, suggestion
from vigil_schemas.control import AddedDevice, Setting
from vigil_schemas.gateway import ChangedSetting
from vigil_schemas.toml_lines import Path as KeyPath

IDENTITY: Final = ("name", "name_zh", "latitude", "longitude")
"""Adjustable of every device: what people call it, and where it is."""

_LONGEST: Final = 400
"""Characters of a setting's text, as the contract has it."""
Wanted = Mapping[str, Mapping[str, Setting]]
"""By device and key."""
Values = dict[str, dict[str, Setting | None]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a device's keys stand in a document."""

    path: KeyPath
    table: dict[str, Any]
    adjustable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What the cloud wants otherwise than the file."""

    settings: Wanted
    devices: Mapping[str, AddedDevice]
    """Beside those of the file."""


def merged(
    document: Document,
    config: Config,
    wanted: Otherwise,
    domains: Sequence[SectionKind],
    templates: Mapping[str, Template],
) -> Config:
    """The configuration with the cloud's devices and values. ``config`` is what the file alone
    means; ``templates`` is what this gateway found.

    Raises ``ConfigError`` with what ``vigil-edge check`` would say of a file that held them;
    mistakes that the file has without them are not the cloud's.
    """
    if not wanted.settings and not wanted.devices:
        return config
    laid = replace(document, tables=copy.deepcopy(document.tables))
    sections = config.sections
    mistakes = list(lay_in(laid.tables, wanted.devices, templates))
    if wanted.devices and not mistakes:
        _refuse_new(document, laid, domains)
        sections = check(laid, domains).sections
    mistakes += _lay_over(_places(laid.tables, sections), wanted.settings)
    if mistakes:
        raise ConfigError(document.file, mistakes)
    _refuse_new(document, laid, domains)
    return check(laid, domains)


def _refuse_new(document: Document, laid: Document, domains: Sequence[SectionKind]) -> None:
    """Raises ``ConfigError`` for mistakes that the file does not have by itself."""
    before = set(_mistakes(document, domains))
    new = [mistake for mistake in _mistakes(laid, domains) if mistake not in before]
    if new:
        raise ConfigError(document.file, [Mistake(0, key, message) for key, message in new])


def _mistakes(document: Document, domains: Sequence[SectionKind]) -> list[tuple[str, str]]:
    try:
        check(document, domains, checking=True)
    except ConfigError as error:
        return [(mistake.key, mistake.message) for mistake in error.mistakes]
    return []


def _lay_over(places: Mapping[str, _Place], wanted: Wanted) -> Iterator[Mistake]:
    for device, keys in wanted.items():
        place = places.get(device)
        if place is None:
            yield Mistake(0, device, "this gateway has no such device")
            continue
        for key, value in keys.items():
            if not _is_adjustable(key, place.adjustable):
                hint = suggestion(key, place.adjustable)
                yield Mistake(0, f"{device}: {key}", f"cannot be changed from the cloud{hint}")
                continue
            leaf = _leaf(place.table, key.split("."))
            if leaf is None:
                yield Mistake(0, f"{device}: {key}", "gateway.toml has no such table")
                continue
            leaf[0][leaf[1]] = value


def _is_adjustable(key: str, patterns: Sequence[str]) -> bool:
    parts = key.split(".")
    return any(
        len(parts) == len(pattern)
        and all(p in ("*", part) for p, part in zip(pattern, parts, strict=True))
        for pattern in (each.split(".") for each in patterns)
    )


def _leaf(table: dict[str, Any], parts: Sequence[str]) -> tuple[dict[str, Any], str] | None:
    """The table that holds the key, and the key's last word."""
    while len(parts) > 1:
        below = table.get(parts[0])
        if isinstance(below, dict):
            table, parts = below, parts[1:]
            continue
        named = below if isinstance(below, list) else []
        found = next((t for t in named if isinstance(t, dict) and t.get("name") == parts[1]), None)
        if found is None or len(parts) < 3:
            return None
        table, parts = found, parts[2:]
    return table, parts[0]


def _places(tables: Mapping[str, Any], sections: Sequence[DeviceSection]) -> dict[str, _Place]:
    found: dict[str, _Place] = {}
    for section in sections:
        key = section.domain.key
        table = tables[key][section.index]
        adjustable = (*IDENTITY, *section.domain.adjustable)
        found[section.settings.device] = _Place((key, section.index), table, adjustable)
        for name, below in table.items():
            for index, each in enumerate(below if isinstance(below, list) else []):
                if isinstance(each, dict) and isinstance(device := each.get("device"), str):
                    path = (key, section.index, name, index)
                    found[device] = _Place(path, each, IDENTITY)
    return found


def in_file(document: Document, config: Config, wanted: Wanted) -> Values:
    """What the file itself says of the keys that the cloud wants otherwise."""
    places = _places(document.tables, config.sections)
    found: Values = {}
    for device, keys in wanted.items():
        for key in keys:
            leaf = _leaf(places[device].table, key.split(".")) if device in places else None
            value = None if leaf is None else leaf[0].get(leaf[1])
            found.setdefault(device, {})[key] = _setting(value)
    return found


def values(config: Config) -> Values:
    """Every adjustable key of every device with the value in force."""
    found: Values = {}
    for section in config.sections:
        table = section.settings.model_dump(mode="json", by_alias=True)
        device = section.settings.device
        found[device] = dict(_enumerated(table, (*IDENTITY, *section.domain.adjustable)))
        for below in table.values():
            for each in below if isinstance(below, list) else []:
                if isinstance(each, dict) and "device" in each:
                    found[each["device"]] = dict(_enumerated(each, IDENTITY))
    return found


def _enumerated(
    table: Mapping[str, Any], patterns: Sequence[str]
) -> Iterator[tuple[str, Setting | None]]:
    for pattern in patterns:
        first, _, rest = pattern.partition(".*.")
        if not rest:
            yield pattern, _setting(table.get(pattern))
            continue
        for each in table.get(first) or []:
            yield f"{first}.{each['name']}.{rest}", _setting(each.get(rest))


def _setting(value: Any) -> Setting | None:
    """``None`` also for what only the file can hold: tables, and texts that are too long."""
    if isinstance(value, list | tuple):
        numbers = [float(each) for each in value if isinstance(each, int | float)]
        return numbers if len(numbers) == len(value) else None
    if isinstance(value, str) and len(value) > _LONGEST:
        return None
    return value if isinstance(value, bool | int | float | str) else None


def differences(now: Values, then: Values | None = None) -> list[ChangedSetting]:
    """One entry per key; with ``then``, only of keys whose value is another than it was."""
    return [
        ChangedSetting(device=device, key=key, file=value)
        for device, keys in now.items()
        for key, value in keys.items()
        if then is None or then.get(device, {}).get(key) != value
    ]
