"""The radios of one station: each with a watch of its own, all of them heard together."""

from __future__ import annotations

from typing import Final

from vigil_edge.checkin.ble import Radio
from vigil_edge.checkin.errors import RadioFailed
from vigil_edge.checkin.settings import BleSettings
from vigil_edge.checkin.track import Sighting
from vigil_edge.device.seam import PipelineContext

_AGAIN_S: Final = 30.0
"""A radio that cannot be opened while another one works is tried again this often."""


class Radios:
    """One or several adapters of one station.

    While one of them works the station works; what is wrong with the others is said. An advert
    that two of them hear is two sightings of one visit.
    """

    def __init__(self, settings: BleSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._radios = [Radio(settings, context, adapter) for adapter in settings.radios]
        self._closed: dict[Radio, tuple[float, RadioFailed]] = {}
        """Those that could not be opened: when they are tried again, and why."""
        self._counted = 0

    async def open(self) -> None:
        """Begin to scan. Raises ``SourceError`` where no radio can."""
        for radio in self._radios:
            await self._open(radio)
        self._raise_if_none()

    @property
    def deaf(self) -> bool:
        """No radio delivers, and at least one of them should."""
        working = [radio for radio in self._radios if radio not in self._closed]
        stalled = [one for one in working if one.watchdog.silent and one.watchdog.stalled]
        return bool(working) and len(stalled) == len(working)

    def take(self) -> tuple[list[Sighting], int]:
        """Sightings in the order of their times, and how many adverts there were."""
        taken = [sighting for radio in self._radios for sighting in radio.take()]
        if len(self._radios) > 1:
            taken.sort(key=lambda sighting: sighting.time)
        adverts = sum(radio.adverts for radio in self._radios)
        new, self._counted = adverts - self._counted, adverts
        return taken, new

    async def watch(self) -> tuple[str, str] | None:
        """Do what is due; code and words of what is wrong. Raises ``SourceError``."""
        hearing = {radio for radio in self._radios if self._hears(radio)}
        for radio in self._radios:
            if radio in self._closed:
                if self._context.monotonic() >= self._closed[radio][0]:
                    await self._open(radio)
                continue
            try:
                await radio.watch(others_hear=bool(hearing - {radio}))
            except RadioFailed as error:
                self._give_up(radio, error)
        self._raise_if_none()
        return self._trouble()

    async def close(self) -> None:
        """Stop scanning."""
        for radio in self._radios:
            await radio.close()

    def _hears(self, radio: Radio) -> bool:
        return radio not in self._closed and not radio.watchdog.silent

    async def _open(self, radio: Radio) -> None:
        try:
            await radio.open()
            self._closed.pop(radio, None)
        except RadioFailed as error:
            await radio.close()
            self._give_up(radio, error)

    def _give_up(self, radio: Radio, error: RadioFailed) -> None:
        self._context.count("ble-adapter-failed")
        self._closed[radio] = (self._context.monotonic() + _AGAIN_S, error)

    def _raise_if_none(self) -> None:
        if len(self._closed) == len(self._radios):
            raise next(iter(self._closed.values()))[1]

    def _trouble(self) -> tuple[str, str] | None:
        for radio, (_, error) in self._closed.items():
            return "ble-adapter-failed", f"{radio.name} does not scan, others do: {error}"
        for radio in self._radios:
            if radio.watchdog.silent:
                return self._silence(radio)
        return self._heartbeat()

    def _silence(self, radio: Radio) -> tuple[str, str]:
        said = f"{radio.name}: no advert of any device for {self._settings.silence_s:g} s"
        if radio.refused is not None:
            return (
                "ble-recovery-refused",
                f"{said}; a step of its recovery was refused: {radio.refused}",
            )
        if radio.watchdog.stalled:
            return "ble-stalled", f"{said}: the radio has stalled and is being brought back"
        return (
            "ble-silent",
            f"{said}: the radio may have stalled, or the place is quiet (a heartbeat beacon would"
            " tell)",
        )

    def _heartbeat(self) -> tuple[str, str] | None:
        if self._settings.heartbeat is None:
            return None
        last = max((radio.heartbeat or 0.0 for radio in self._radios), default=0.0)
        if self._context.monotonic() - last < self._settings.silence_s:
            return None
        return (
            "heartbeat-missing",
            f"others are heard, and the station's own beacon {self._settings.heartbeat} is not:"
            " is its battery empty?",
        )
