"""Sightings of tags merged into visits. Pure: time comes in, facts come out.

A tag has arrived once it was seen ``min_sightings`` times, and has departed when it was not
seen for ``absence_s``. One that only passed by is told of as well, a few seconds later, with as
many sightings as there were: nobody who was heard is left out. Visits that were announced
survive a restart. More tags than ``limit`` at once are forgotten, strangers first, so that any
number of them takes bounded memory.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from vigil_edge.checkin.track import Sighting, Track, time_us
from vigil_schemas.checkin import CheckinVisit, visit_model
from vigil_schemas.senml import instant, microseconds

NAMESPACE: Final = UUID("6b6c5f0e-5d0e-5c8b-8f5f-2f0d3a5be7c1")
Carrier = Literal["ble", "uhf"]
_STALE_ABSENCES: Final = 20
"""A visit kept over a restart that took this many absences is over, not going on."""
REFRESH: Final = timedelta(minutes=10)
"""A visit that goes on is told of again this often, so that people see its last sign."""
_REFRESH_US: Final = REFRESH // timedelta(microseconds=1)
PASSING_S: Final = 5.0
"""A tag that was not seen again for so long has passed by, and is told of."""
_STILL_US: Final = 3600 * 1_000_000
"""Stillness is told from here on."""


class Visits:
    """The tags at one station.

    ``limit`` bounds the tags that are known at once; ``forgotten`` counts strangers that
    were dropped for it, and ``cut_short`` visits that had to be ended for it. ``hold_off_s``:
    reads of a tag that lie this far apart are two passages of one visit; ``None``: passages are
    not told apart.
    """

    def __init__(  # noqa: PLR0913 - rules of a visit, by name
        self,
        station: str,
        carrier: Carrier,
        *,
        absence_s: float,
        min_sightings: int,
        hold_off_s: float | None = None,
        limit: int = 10_000,
        state: bytes | None = None,
        now: datetime | None = None,
    ) -> None:
        self._station = station
        self._carrier: Carrier = carrier
        self._absence_us = round(absence_s * 1e6)
        self._passing_us = min(round(PASSING_S * 1e6), self._absence_us)
        self._hold_off_us = None if hold_off_s is None else round(hold_off_s * 1e6)
        self._min_sightings = min_sightings
        self._limit = limit
        self._present: OrderedDict[str, Track] = OrderedDict()
        self._passing: OrderedDict[str, Track] = OrderedDict()
        """Not announced yet, the one that was heard of longest ago first."""
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
        kept = [track.as_json(tag) for tag, track in self._present.items()]
        return json.dumps(kept, separators=(",", ":")).encode()

    def take(self, sightings: Iterable[Sighting]) -> list[CheckinVisit]:
        """Sightings in about the order of their times; arrivals (and visits cut short) out."""
        found: list[CheckinVisit] = []
        for sighting in sightings:
            found.extend(self._one(sighting))
        return found

    def sweep(self, now: datetime) -> list[CheckinVisit]:
        """Departures due by ``now``, and who has passed by meanwhile."""
        now_us = microseconds(now)
        found = list(self._passed(now_us))
        for tag, track in list(self._present.items()):
            if track.heard_us + self._absence_us <= now_us:
                del self._present[tag]
                found.append(self._visit(tag, track, "departed"))
        return found

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by so much (or nobody listened for so long), forwards positive.

        How long a tag has been away does not change by that.
        """
        step_us = round(step.total_seconds() * 1e6)
        for track in (*self._present.values(), *self._passing.values()):
            track.shift(step_us)

    def unheard(self, span: timedelta) -> None:
        """Nobody could be heard for so long: that is no absence."""
        span_us = round(span.total_seconds() * 1e6)
        for track in (*self._present.values(), *self._passing.values()):
            track.heard_us += span_us

    def _one(self, sighting: Sighting) -> Iterable[CheckinVisit]:
        at_us, tag = time_us(sighting), sighting.tag
        track = self._present.get(tag)
        if track is not None:
            over = at_us - track.heard_us > self._absence_us
            if not over and not track.crosses_anew(at_us, self._hold_off_us):
                track.add(sighting, at_us, self._hold_off_us)
                if track.last_us - track.told_us >= _REFRESH_US:
                    yield self._visit(tag, track, "arrived")
                return
            del self._present[tag]
            yield self._visit(tag, track, "departed")
        track = self._passing.pop(tag, None)
        if track is not None and at_us - track.heard_us > self._absence_us:
            yield self._visit(tag, track, "departed")
            track = None
        track = track or Track.begun(at_us)
        track.add(sighting, at_us, self._hold_off_us)
        if track.sightings < self._min_sightings:
            self._passing[tag] = track  # at the end: the oldest is at the front
            yield from self._bound()
            return
        self._present[tag] = track
        yield from self._bound()
        yield self._visit(tag, track, "arrived")

    def _bound(self) -> Iterable[CheckinVisit]:
        while len(self._present) + len(self._passing) > self._limit:
            if self._passing:
                self._passing.popitem(last=False)
                self.forgotten += 1
                continue
            tag = min(self._present, key=lambda name: self._present[name].heard_us)
            self.cut_short += 1
            yield self._visit(tag, self._present.pop(tag), "departed")

    def _passed(self, now_us: int) -> Iterable[CheckinVisit]:
        """Whoever was seen too seldom to be announced at once. At most half of the room is theirs:
        however many strangers pass, nobody who is here is put out for them."""
        while self._passing:
            tag, track = next(iter(self._passing.items()))
            if track.heard_us + self._absence_us <= now_us:
                del self._passing[tag]
                yield self._visit(tag, track, "departed")
                continue
            if track.heard_us + self._passing_us > now_us or 2 * self.present >= self._limit:
                return
            self._present[tag] = self._passing.pop(tag)
            yield self._visit(tag, track, "arrived")

    def _visit(self, tag: str, track: Track, phase: Literal["arrived", "departed"]) -> CheckinVisit:
        track.told_us = track.last_us
        rssi = None if track.rssi is None else min(max(track.rssi, -130.0), 20.0)
        still_us = track.still_since_us
        if still_us is not None and track.last_us - still_us < _STILL_US:
            still_us = None
        crossings = track.crossings if self._hold_off_us is not None else []
        return visit_model(tag)(
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
            still_since=None if still_us is None else instant(still_us),
            passages=[crossing.told() for crossing in crossings] or None,
            position=track.place.position,
        )

    def _restore(self, state: bytes, now: datetime | None) -> None:
        """Who was here before the restart gets a whole absence's time to be seen again.

        While nobody listened, nobody can be said to have left.
        """
        now_us = 0 if now is None else microseconds(now)
        for kept in json.loads(state):
            tag, track = Track.restored(kept)
            if now_us - track.last_us <= _STALE_ABSENCES * self._absence_us:
                track.heard_us = now_us
            self._present[tag] = track


def event_id(visit: CheckinVisit) -> str:
    """The id of the message that carries it: the same however often it is derived."""
    name = f"{visit.visit_id}/{visit.phase}"
    going_on = visit.phase == "arrived" and visit.last_seen - visit.arrived >= REFRESH
    return str(uuid5(NAMESPACE, f"{name}/{microseconds(visit.last_seen)}" if going_on else name))
