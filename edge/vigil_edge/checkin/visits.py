"""Sightings of tags merged into visits. Pure: time comes in, facts come out.

A tag has arrived once it was seen ``min_sightings`` times, and has departed when it was
not seen for ``absence_s``. Visits that were announced survive a restart; tags that only
passed by within reach once are forgotten, oldest first, so that any number of strangers
takes bounded memory.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid5

from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.senml import instant, microseconds

NAMESPACE: Final = UUID("6b6c5f0e-5d0e-5c8b-8f5f-2f0d3a5be7c1")
Carrier = Literal["ble", "uhf"]
_STALE_ABSENCES: Final = 20
"""A visit kept over a restart that took this many absences is over, not going on."""
REFRESH: Final = timedelta(minutes=10)
"""A visit that goes on is told of again this often, so that people see its last sign."""
_REFRESH_US: Final = REFRESH // timedelta(microseconds=1)


class TagHealth(NamedTuple):
    """What a tag said of itself: millivolt and degrees Celsius."""

    battery_mv: int | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advert or tag report. ``rssi`` in dBm."""

    tag: str
    time: datetime
    rssi: float | None = None
    antenna: int | None = None
    count: int = 1
    health: TagHealth | None = None


@dataclass(slots=True)
class _Track:
    arrived_us: int
    last_us: int
    sightings: int
    rssi: float | None
    antenna: int | None
    heard_us: int
    """Absence counts from here: the last sighting, or when somebody listened again."""
    health: TagHealth | None = None
    told_us: int = 0
    """When the cloud last heard of it, by the time of the sightings."""


class Visits:
    """The tags at one station.

    ``limit`` bounds the tags that are known at once; ``forgotten`` counts strangers that
    were dropped for it, and ``cut_short`` visits that had to be ended for it.
    """

    def __init__(  # noqa: PLR0913 - rules of a visit, by name
        self,
        station: str,
        carrier: Carrier,
        *,
        absence_s: float,
        min_sightings: int,
        limit: int = 10_000,
        state: bytes | None = None,
        now: datetime | None = None,
    ) -> None:
        self._station = station
        self._carrier: Carrier = carrier
        self._absence_us = round(absence_s * 1e6)
        self._min_sightings = min_sightings
        self._limit = limit
        self._present: OrderedDict[str, _Track] = OrderedDict()
        self._passing: OrderedDict[str, _Track] = OrderedDict()
        self.forgotten = 0
        self.cut_short = 0
        if state:
            self._restore(state, now)

    @property
    def present(self) -> int:
        """Tags whose visit was announced and has not ended."""
        return len(self._present)

    def state(self) -> bytes:
        """Announced visits, for the constructor of another run."""
        kept = [
            [tag, t.arrived_us, t.last_us, t.sightings, t.rssi, t.antenna]
            for tag, t in self._present.items()
        ]
        return json.dumps(kept, separators=(",", ":")).encode()

    def take(self, sightings: Iterable[Sighting]) -> list[CheckinVisit]:
        """Sightings in about the order of their times; arrivals (and visits cut short) out."""
        found: list[CheckinVisit] = []
        for sighting in sightings:
            found.extend(self._one(sighting))
        return found

    def sweep(self, now: datetime) -> list[CheckinVisit]:
        """Departures due by ``now``."""
        now_us = microseconds(now)
        self._forget_until(now_us - self._absence_us)
        gone: list[CheckinVisit] = []
        for tag, track in list(self._present.items()):
            if track.heard_us + self._absence_us <= now_us:
                del self._present[tag]
                gone.append(self._visit(tag, track, "departed"))
        return gone

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by so much (or nobody listened for so long), forwards positive.

        How long a tag has been away does not change by that.
        """
        step_us = round(step.total_seconds() * 1e6)
        for track in (*self._present.values(), *self._passing.values()):
            track.heard_us += step_us
            track.last_us = max(track.arrived_us, track.last_us + step_us)
            track.told_us = max(track.arrived_us, track.told_us + step_us)

    def _one(self, sighting: Sighting) -> Iterable[CheckinVisit]:
        time_us = microseconds(sighting.time)
        track = self._present.get(sighting.tag)
        if track is not None:
            if time_us - track.heard_us <= self._absence_us:
                _add(track, sighting, time_us)
                if track.last_us - track.told_us >= _REFRESH_US:
                    yield self._visit(sighting.tag, track, "arrived")
                return
            del self._present[sighting.tag]
            yield self._visit(sighting.tag, track, "departed")
        track = self._passing.pop(sighting.tag, None)
        if track is None or time_us - track.heard_us > self._absence_us:
            track = _Track(time_us, time_us, 0, None, None, time_us)
        _add(track, sighting, time_us)
        if track.sightings < self._min_sightings:
            self._passing[sighting.tag] = track  # at the end: the oldest is at the front
            yield from self._bound()
            return
        self._present[sighting.tag] = track
        yield from self._bound()
        yield self._visit(sighting.tag, track, "arrived")

    def _bound(self) -> Iterable[CheckinVisit]:
        while len(self._present) + len(self._passing) > self._limit:
            if self._passing:
                self._passing.popitem(last=False)
                self.forgotten += 1
                continue
            tag = min(self._present, key=lambda name: self._present[name].heard_us)
            self.cut_short += 1
            yield self._visit(tag, self._present.pop(tag), "departed")

    def _forget_until(self, heard_us: int) -> None:
        while self._passing:
            tag, track = next(iter(self._passing.items()))
            if track.heard_us > heard_us:
                return
            del self._passing[tag]

    def _visit(
        self, tag: str, track: _Track, phase: Literal["arrived", "departed"]
    ) -> CheckinVisit:
        track.told_us = track.last_us
        rssi = None if track.rssi is None else min(max(track.rssi, -130.0), 20.0)
        return CheckinVisit(
            visit_id=str(uuid5(NAMESPACE, f"{self._station}/{tag}/{track.arrived_us}")),
            phase=phase,
            tag=tag,
            carrier=self._carrier,
            arrived=instant(track.arrived_us),
            last_seen=instant(track.last_us),
            sightings=track.sightings,
            rssi_max_dbm=rssi,
            antenna=track.antenna,
            battery_mv=track.health.battery_mv if track.health else None,
            temperature_c=track.health.temperature_c if track.health else None,
        )

    def _restore(self, state: bytes, now: datetime | None) -> None:
        """Who was here before the restart gets a whole absence's time to be seen again.

        While nobody listened, nobody can be said to have left.
        """
        now_us = 0 if now is None else microseconds(now)
        for tag, arrived_us, last_us, sightings, rssi, antenna in json.loads(state):
            over = now_us - last_us > _STALE_ABSENCES * self._absence_us
            heard_us = last_us if over else now_us
            track = _Track(arrived_us, last_us, sightings, rssi, antenna, heard_us)
            track.told_us = last_us
            self._present[tag] = track


def event_id(visit: CheckinVisit) -> str:
    """The id of the message that carries it: the same however often it is derived."""
    name = f"{visit.visit_id}/{visit.phase}"
    going_on = visit.phase == "arrived" and visit.last_seen - visit.arrived >= REFRESH
    return str(uuid5(NAMESPACE, f"{name}/{microseconds(visit.last_seen)}" if going_on else name))


def _add(track: _Track, sighting: Sighting, time_us: int) -> None:
    track.sightings += sighting.count
    track.last_us = max(track.last_us, time_us)
    track.heard_us = max(track.heard_us, time_us)
    track.health = sighting.health or track.health
    if sighting.rssi is not None and (track.rssi is None or sighting.rssi > track.rssi):
        track.rssi, track.antenna = sighting.rssi, sighting.antenna
    elif track.antenna is None:
        track.antenna = sighting.antenna
