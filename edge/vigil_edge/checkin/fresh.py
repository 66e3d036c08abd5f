"""What of an accumulated device state is this advert's own.

BlueZ keeps manufacturer data and service data of one device side by side and hands over all
of it with each change, also when only the signal strength changed: most of it is an earlier
advert's. bleak unpacks each changed property into a new object and passes on the others as
they were, so an object that was there before was not advertised again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

MOST_DEVICES: Final = 20_000
"""Private addresses change every quarter of an hour: the oldest are forgotten."""
_PROPERTIES: Final = ("ManufacturerData", "ServiceData")


class Advertised(NamedTuple):
    """Manufacturer data by company, service data by 128-bit UUID."""

    manufacturer: Mapping[int, bytes]
    services: Mapping[str, bytes]

    def __bool__(self) -> bool:
        return bool(self.manufacturer or self.services)


class FreshAdverts:
    """Remembers, per device, the property objects that were handed over last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def know(self, path: str, properties: Mapping[str, Any]) -> None:
        """What BlueZ remembers of a device from before the scan is no advert."""
        self._remember(path, {name: properties.get(name) for name in _PROPERTIES})

    def of(self, path: str, properties: Mapping[str, Any]) -> Advertised:
        """The parts of ``properties`` (BlueZ's ``Device1``) that were advertised just now."""
        before = self._known.get(path, {})
        now = {name: properties.get(name) for name in _PROPERTIES}
        self._remember(path, now)
        manufacturer, services = (_changed(before.get(name), now[name]) for name in _PROPERTIES)
        return Advertised(manufacturer, services)

    def _remember(self, path: str, state: dict[str, Any]) -> None:
        self._known[path] = state
        self._known.move_to_end(path)
        if len(self._known) > MOST_DEVICES:
            self._known.popitem(last=False)


def _changed(
    before: Mapping[Any, bytes] | None, now: Mapping[Any, bytes] | None
) -> dict[Any, bytes]:
    """Older versions of BlueZ also accumulate inside a property: what did not change there is
    old, unless nothing changed, which is the same advert again."""
    if now is None or now is before:
        return {}
    entries = {key: bytes(value) for key, value in now.items()}
    if not before:
        return entries
    news = {key: value for key, value in entries.items() if bytes(before.get(key, b"")) != value}
    return news or entries
