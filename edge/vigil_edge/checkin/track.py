"""One tag at one station while its visit lasts: levels, passages of the antennas, stillness. Pure.

Times are microseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

from vigil_schemas.checkin import MOST_PASSAGES, Passage, StationPosition
from vigil_schemas.senml import instant, microseconds

_WINDOW_US: Final = 600_000_000
_STILL_DB: Final = 4.0
"""The mean level of ten minutes. Whoever carries a tag moves it by more within hours: a body
between tag and station alone costs 10 to 20 dB, people who pass a drawer's tag 1 to 3 dB."""
_LEAST_READS: Final = 5
"""Of ten minutes, for a mean that means something."""
_ORDER_US: Final = 100_000
"""Peaks nearer than this in time say no direction."""


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
    position: StationPosition | None = None
    """Of a station that moves: where it was then."""


@dataclass(slots=True)
class Strongest:
    """Where a station that moves was at its strongest read: a place that is known goes before one
    that is not."""

    position: StationPosition | None = None
    level: float = -200.0

    def add(self, sighting: Sighting) -> None:
        """One read."""
        if sighting.position is None:
            return
        level = -200.0 if sighting.rssi is None else sighting.rssi
        if self.position is None or self._rank(sighting.position, level) > self._rank(
            self.position, self.level
        ):
            self.position, self.level = sighting.position, level

    @staticmethod
    def _rank(position: StationPosition, level: float) -> tuple[bool, float]:
        return position.state == "fixed", level

    def kept(self) -> list[Any] | None:
        """For ``restored``, as JSON."""
        if self.position is None:
            return None
        return [self.position.model_dump(mode="json", exclude_none=True), self.level]

    @classmethod
    def restored(cls, kept: list[Any] | None) -> Strongest:
        """As it was kept."""
        if not kept:
            return cls()
        return cls(StationPosition.model_validate(kept[0]), kept[1])


@dataclass(slots=True)
class Stillness:
    """Since when the level has not moved: a tag that lies in a drawer, and nobody carries."""

    since_us: int
    level: float | None = None
    """Mean of the window that the stillness is measured from, dBm."""
    window_us: int = 0
    total: float = 0.0
    reads: int = 0

    def add(self, time_us: int, rssi: float) -> None:
        """One read; a window that is over is judged first."""
        if time_us - self.window_us >= _WINDOW_US:
            self._judge()
            self.window_us, self.total, self.reads = time_us, 0.0, 0
        self.total += rssi
        self.reads += 1

    def _judge(self) -> None:
        if self.reads < _LEAST_READS:
            return
        mean = self.total / self.reads
        if self.level is None or abs(mean - self.level) > _STILL_DB:
            self.level, self.since_us = mean, self.window_us

    def shift(self, step_us: int) -> None:
        """The wall clock was set."""
        self.since_us += step_us
        self.window_us += step_us


@dataclass(slots=True)
class Crossing:
    """One passage of a reader's antennas: when, and where the tag was strongest at each."""

    first_us: int
    last_us: int
    peaks: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Of each antenna: its strongest level, and when."""
    place: Strongest = field(default_factory=Strongest)

    def add(self, time_us: int, sighting: Sighting) -> None:
        """One read."""
        self.first_us, self.last_us = min(self.first_us, time_us), max(self.last_us, time_us)
        self.place.add(sighting)
        if sighting.antenna is None:
            return
        level = -200.0 if sighting.rssi is None else sighting.rssi
        peak = self.peaks.get(sighting.antenna)
        if peak is None or level > peak[0]:
            self.peaks[sighting.antenna] = (level, time_us)

    def told(self) -> Passage:
        """Its antennas in the order in which the tag passed them; without an order where the
        peaks of two of them lie too close together."""
        order = sorted(self.peaks, key=lambda antenna: self.peaks[antenna][1])
        times = [self.peaks[antenna][1] for antenna in order]
        clear = all(b - a >= _ORDER_US for a, b in pairwise(times))
        return Passage(
            first=instant(self.first_us),
            last=instant(self.last_us),
            antennas=order[:16] if clear else sorted(order)[:16],
            ordered=clear and len(order) > 1,
            position=self.place.position,
        )


@dataclass(slots=True)
class Track:
    """A tag that is here, or passed by just now."""

    arrived_us: int
    last_us: int
    heard_us: int
    """Absence counts from here: the last sighting, or when somebody listened again."""
    still: Stillness
    sightings: int = 0
    rssi: float | None = None
    antenna: int | None = None
    health: TagHealth | None = None
    place: Strongest = field(default_factory=Strongest)
    told_us: int = 0
    """When the cloud last heard of it, by the time of the sightings."""
    crossings: list[Crossing] = field(default_factory=list)

    @classmethod
    def begun(cls, time_us: int) -> Track:
        """With its first sighting, which is to be added."""
        return cls(time_us, time_us, time_us, Stillness(time_us, window_us=time_us))

    def add(self, sighting: Sighting, time_us: int, hold_off_us: int | None) -> None:
        """One more sighting; ``hold_off_us``: passages that lie this far apart are two."""
        self.sightings += sighting.count
        self.last_us = max(self.last_us, time_us)
        self.heard_us = max(self.heard_us, time_us)
        self.health = sighting.health or self.health
        self.place.add(sighting)
        if sighting.rssi is not None:
            self.still.add(time_us, sighting.rssi)
        if sighting.rssi is not None and (self.rssi is None or sighting.rssi > self.rssi):
            self.rssi, self.antenna = sighting.rssi, sighting.antenna
        elif self.antenna is None:
            self.antenna = sighting.antenna
        if hold_off_us is not None:
            if not self.crossings or time_us - self.crossings[-1].last_us > hold_off_us:
                self.crossings.append(Crossing(time_us, time_us))
            self.crossings[-1].add(time_us, sighting)

    def crosses_anew(self, time_us: int, hold_off_us: int | None) -> bool:
        """Whether a sighting then would be one passage more than a visit can tell of."""
        return (
            hold_off_us is not None
            and len(self.crossings) >= MOST_PASSAGES
            and time_us - self.crossings[-1].last_us > hold_off_us
        )

    def shift(self, step_us: int) -> None:
        """The wall clock was set by so much; nothing comes to lie before the arrival."""
        self.heard_us += step_us
        self.last_us = max(self.arrived_us, self.last_us + step_us)
        self.told_us = max(self.arrived_us, self.told_us + step_us)
        self.still.shift(step_us)
        for crossing in self.crossings:
            crossing.first_us += step_us
            crossing.last_us += step_us
            crossing.peaks = {
                antenna: (level, at + step_us) for antenna, (level, at) in crossing.peaks.items()
            }

    @property
    def still_since_us(self) -> int | None:
        """Since when its level stands; ``None`` where no ten minutes of it are known."""
        return None if self.still.level is None else self.still.since_us

    def as_json(self, tag: str) -> list[Any]:
        """For ``restored``; the first six as every release wrote them."""
        s = self.still
        return [
            tag, self.arrived_us, self.last_us, self.sightings, self.rssi, self.antenna,
            {
                "still": [s.since_us, s.level, s.window_us, s.total, s.reads],
                "crossings": [
                    [
                        c.first_us, c.last_us, [[a, *peak] for a, peak in c.peaks.items()],
                        c.place.kept(),
                    ]
                    for c in self.crossings
                ],
                "health": self.health,
                "place": self.place.kept(),
            },
        ]  # fmt: skip

    @classmethod
    def restored(cls, kept: list[Any]) -> tuple[str, Track]:
        """The tag and its track; ``heard_us`` is the last sighting."""
        tag, arrived_us, last_us, sightings, rssi, antenna, *rest = kept
        more: dict[str, Any] = rest[0] if rest else {}
        track = cls.begun(arrived_us)
        track.last_us = track.heard_us = track.told_us = last_us
        track.sightings, track.rssi, track.antenna = sightings, rssi, antenna
        if more.get("still"):
            track.still = Stillness(*more["still"])
        if more.get("health"):
            track.health = TagHealth(*more["health"])
        track.place = Strongest.restored(more.get("place"))
        for first_us, then_us, peaks, *place in more.get("crossings", []):
            found = {antenna: (level, at) for antenna, level, at in peaks}
            where = Strongest.restored(place[0] if place else None)
            track.crossings.append(Crossing(first_us, then_us, found, where))
        return tag, track


def time_us(sighting: Sighting) -> int:
    """Of one sighting."""
    return microseconds(sighting.time)
