"""The sirens behind one bridge: what burns there is followed, orders go out, answers come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from vigil_edge.device.seam import CommandRefused
from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke import sirens
from vigil_edge.smoke.alarms import Alarms
from vigil_edge.smoke.condition import FIRES, Known
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.interlink import Burning, HushRefused, Interlink
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.settings import BrokerSettings
from vigil_edge.smoke.sirens import Siren

_REFUSED: Final = {
    "carbon-monoxide": "carbon monoxide or gas: its sound cannot be hushed",
    "growing": "the fire grows, or a second alarm confirms it: it is not silenced",
    "nothing-sounds": "nothing sounds there that could be hushed",
}

Publish = Callable[[str, bytes], None]
"""To a device, by its id: what goes on its ``/set``."""
Read = Callable[[Collection[str]], AlarmReport]
"""A message, without these keys."""


class Sounding:
    """Orders go out before anything is written to disk: a full one must not keep a house asleep."""

    def __init__(
        self,
        settings: BrokerSettings,
        state: bytes | None,
        siren_of: Callable[[str], Siren | None],
    ) -> None:
        groups = {alarm.device: alarm.groups for alarm in settings.alarm}
        confirmed = [group.name for group in settings.group if group.sound == "confirmed"]
        self._links = Interlink(groups, confirmed, state)
        self._siren_of = siren_of
        self._muted: set[str] = set()
        self._devices = [device for device, names in groups.items() if names]

    def state(self) -> bytes:
        """For the constructor of another run."""
        return self._links.state()

    def restart(self, alarms: Alarms, moment: float) -> None:
        """On a new connection: what burnt before goes on sounding."""
        self._links.again()
        self.follow(self._devices, alarms, moment)

    def follow(self, devices: Iterable[str], alarms: Alarms, moment: float) -> None:
        """What these alarms say now; an alarm that is old, or tested, sounds nothing."""
        for device in devices:
            self._links.burns(device, _burning(alarms.known(device)), moment)

    def send(self, publish: Publish, moment: float) -> None:
        """Whatever is to be told now."""
        for order in self._links.orders(moment):
            siren = self._siren_of(order.device)
            if siren is not None:
                publish(order.device, json.dumps(siren.payload(order.sound)).encode())
            else:  # it cannot be told: its own horn is all that it has
                self._links.heard(order.device, order.sound is not None)

    def beside_orders(self, device: str | None, alarms: Alarms, read: Read) -> AlarmReport:
        """What a message says beside what its siren was told: ``alarm: ON`` at our word is no
        fire, or one alarm would have its group confirm it, and sound it for ever. Of an alarm that
        burns and has no other key it is all that can end the fire."""
        siren = self._siren_of(device) if device is not None else None
        if device is None or siren is None or not self._links.is_told(device):
            return read(())
        report = read(siren.keys)
        burns = _burning(alarms.known(device)) is not None
        return read(()) if burns and not report.has_fire_key and not report.doubtful else report

    def answered(
        self, device: str, attribute: str | None, payload: bytes, report: AlarmReport
    ) -> None:
        """What a live message tells of its siren."""
        said = sirens.sounds(_pairs(attribute, payload))
        siren = self._siren_of(device)
        if said is not None:
            self._links.heard(device, said)
        elif report.smoke or report.heat or report.co:
            self._links.heard(device, True)
        elif siren is not None and not siren.tells:
            self._links.believe(device)

    def could_not(self, devices: Iterable[str]) -> None:
        """The bridge says that it could not reach them."""
        for device in devices:
            self._links.failed(device)

    def hush(self, device: str, moment: float) -> None:
        """Raises ``CommandRefused``, also where nothing sounds."""
        try:
            self._links.hush(device, moment)
        except HushRefused as error:
            raise CommandRefused(f"hush-{error.reason}", _REFUSED[error.reason]) from error

    def button(self, device: str, muted: bool, moment: float) -> None:
        """Somebody pressed the button of an alarm: the others are hushed where that is allowed,
        once for each press; a bit that stays set silences nobody for ever."""
        pressed = muted and device not in self._muted
        (self._muted.add if muted else self._muted.discard)(device)
        if not pressed:
            return
        try:
            self._links.hush(device, moment)
        except HushRefused:
            return

    def finding(self, device: str, moment: float) -> str | None:
        """``siren-unconfirmed``, ``fire-stuck``, or nothing."""
        if self._links.unconfirmed(device, moment):
            return "siren-unconfirmed"
        return "fire-stuck" if self._links.stuck(device, moment) else None

    def due(self) -> float | None:
        """When to look again, monotonic."""
        return self._links.due()


def _burning(known: Known | None) -> Burning | None:
    if known is None:
        return None
    fires = {kind: one for kind, one in known.active.items() if kind in FIRES and one.told_as_fire}
    if not fires:
        return None
    growing = {"smoke", "heat"} <= fires.keys() or any(
        one.rises or "heat" in one.signs for one in fires.values()
    )
    return Burning(frozenset(fires), growing, min(one.moment for one in fires.values()))


def _pairs(attribute: str | None, payload: bytes) -> list[tuple[str, Any]]:
    text = payloads.text_of(payload)
    try:
        value = payloads.value_of(text)
    except PayloadMalformed:
        value = text
    if attribute is not None:
        return payloads.flattened(payloads.Pairs([(attribute, value)]))
    return payloads.flattened(value)
