"""One signal of a station: what it usually does, and how unusual its newest value is. Pure.

Four scores, none of which looks ahead: how far the value is from where the last ones pointed to
(``jump``), how far from the level of the last hours (``away``), for how long it has not moved
(``still``), how much it jitters (``noise``). Each has a threshold that keeps a rate (``tail``).
Means are of clipped values, so one wild value teaches little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, inf, nan, sqrt
from typing import Any, Final

from vigil_cloud.water.detection.course import Course, away
from vigil_cloud.water.detection.kinds import Kind
from vigil_cloud.water.detection.tail import Tail

_LEARNING: Final = 24
"""Values before anything is scored."""
_CLIP: Final = 3.0
_STEPS: Final = 300
"""Over so many steps the size of a step that is not zero is averaged."""
_FINEST: Final = 0.5
"""Of that size: less is not told from rounding."""
_TREND: Final = 0.25
_DAMPED: Final = 0.98
_JITTER: Final = 6
_MOST_RISE: Final = 500.0
"""Per cent: no water rises by more without anything that comes into it."""
_LONGEST_COURSE: Final = 24
"""Intervals: further ahead values point nowhere."""
_ABOUT_ONE: Final = 1.5
_SOON: Final = 0.5
"""Intervals: what comes sooner after the last is of a probe that is read more often for a while."""
_STANDING: Final = 12
_PACE: Final = 0.3
"""Of its size, in the time over which spreads are learnt, the middle of the values moves."""
BINS: Final = 48
"""Of a day: what is usual at an hour (warmth, light, tides of use) is no event."""
PROFILE_S: Final = 5 * 86400.0 / BINS
"""Over five days the profile of a day is learnt."""
PROFILE_MOST: Final = 0.2
_KEPT = (
    *("value", "run", "slope", "spread", "level", "apart", "step", "steps", "count"),
    *(
        "before",
        "jitter",
        "usual_jitter",
        "since",
        "quiet_until",
        "away_since",
        "base",
        "size",
        "strong",
        "normal",
        "usual",
        "base_at",
    ),
    *("left", "left_at", "onset", "onset_at", "hourly", "mean"),
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What all signals of a detector share."""

    memory: float
    """Intervals over which spreads are learnt."""
    level: float
    """Intervals over which the level follows."""
    persistent: int
    """So many values in a row have to be away."""
    granted: int
    """Days of four weeks on which a threshold may be crossed."""
    profile: float
    """By so much of a value the profile of the day follows it."""
    granted_away: int
    """The same of what lasts, which calls inspectors."""
    y: float
    """Reduced variate of the wanted rate of false alarms (``Tail``)."""


class Series:
    """Its state is some forty numbers and four weeks of daily maxima."""

    __slots__ = (
        *("kind", "tuning", "course", "tails", "jumping", "away_by", "still", "noisy", "rising"),
        *(
            *_KEPT,
            "teaches",
            "recent",
            "profile",
            "z",
            "jump",
            "away",
            "noise",
            "change",
            "residual",
        ),
    )

    def __init__(self, kind: Kind, tuning: Tuning) -> None:
        self.kind, self.tuning = kind, tuning
        self.jumping = Tail(30.0, tuning.y, 0.12, tuning.granted)
        self.away_by = Tail(30.0, tuning.y, 0.12, tuning.granted_away)
        self.still = Tail(48.0, tuning.y, 0.3, 0)
        self.noisy = Tail(16.0, tuning.y, 0.4, 0)
        self.rising = Tail(15.0, tuning.y, 0.12, tuning.granted_away)
        self.tails = (self.jumping, self.away_by, self.still, self.noisy, self.rising)
        self.value = nan
        self.run = self.steps = self.count = 0
        self.slope = self.spread = self.level = self.apart = self.step = 0.0
        self.before = self.jitter = self.usual_jitter = 0.0
        self.since = self.quiet_until = -inf
        self.away_since = self.base = self.normal = nan
        self.size = self.usual = self.base_at = 0.0
        self.left = nan
        """What it showed before it last went where no discharge takes it."""
        self.left_at = -inf
        self.course = Course(min(1 / tuning.level, 1.0))
        self.onset = nan
        """Where it stood when it last went away by more than it usually does, though by too little
        for a discharge yet."""
        self.onset_at = -inf
        self.mean = 0.0
        """Of the values of the last hours, as they were."""
        self.hourly = 0.0
        """By how much the newest value's hour of the day is usually above the level."""
        self.strong = False
        self.teaches = True
        """Whether the newest value says what is usual: one that is doubted does not."""
        self.recent = [0.0] * tuning.persistent
        self.profile = [0.0] * BINS
        self.z = self.jump = self.away = self.noise = self.change = self.residual = 0.0

    def take(self, x: float, intervals: float, hour: int = 0, *, doubted: bool = False) -> None:
        """The next value, so many sampling intervals after the last, in which of the ``BINS`` of
        a day: brings the scores up to date. One that is ``doubted`` does not say what is usual,
        once something is known. One that comes much sooner than usual (a probe is read more often
        around what happens) counts by the time that it stands for."""
        self.teaches = not doubted or self.count <= _LEARNING
        if self.count == 0:
            self.value = self.level = self.usual = self.mean = x
            self.count = self.run = 1
            return
        pace = 1.0 if intervals > _SOON else max(intervals, 0.0)
        gap = intervals if intervals > 1.0 else 1.0
        d = x - self.value
        self.change = d
        self._stepped(d, pace)
        self.count += 1
        count, memory = self.count, self.tuning.memory
        share = pace / (count if count < memory else memory)
        if self.run > _STANDING or not self.teaches:
            share = 0.0  # a value that is held, or doubted, teaches nothing
        finest = _FINEST * self.step
        known = count > _LEARNING
        self._foretell(x, gap, finest, hour, teaches=share > 0 and known and pace == 1.0)
        self._jump(d, gap, pace, share, finest, known)
        self._level(x, gap * pace, share, finest, known, hour)
        self._noise(d, pace, share, finest)
        self.value = x
        if x != self.usual:
            step = pace * (_PACE / memory * abs(self.usual) + finest / memory)
            self.usual += step if x > self.usual else -step
            if count < memory:  # begun with a dry probe, it would creep up for weeks
                self.usual += 8 * pace / memory * (self.level - self.usual)

    def _stepped(self, d: float, pace: float) -> None:
        """How long it has stood still, and the size of its steps."""
        if d == 0.0:
            self.run += pace == 1.0
            return
        self.run = 1
        self.steps += 1
        size = d if d > 0 else -d
        if self.steps > 20 and size > 4 * self.step:
            size = 4 * self.step
        if self.teaches:
            self.step += (size - self.step) / (self.steps if self.steps < _STEPS else _STEPS)

    def _noise(self, d: float, pace: float, share: float, finest: float) -> None:
        """Jitter: how much each step differs from the last."""
        turn = d - self.before
        if turn < 0:
            turn = -turn
        most = 20 * (self.spread + finest)
        self.jitter += pace * ((turn if turn < most else most) - self.jitter) / _JITTER
        self.before = d
        usual = self.usual_jitter
        if self.count > 2 * _LEARNING:
            self.noise = self.jitter / (hypot(usual, finest) + 1e-12)
            usual += share * (min(self.jitter, _CLIP * usual + finest) - usual)
        else:
            self.noise = 0.0
            usual += share * (self.jitter - usual)
        self.usual_jitter = usual

    def _foretell(
        self, x: float, intervals: float, finest: float, hour: int, *, teaches: bool
    ) -> None:
        if teaches and intervals <= _ABOUT_ONE:
            scale = hypot(self.spread, finest) + 1e-12
            self.course.take(x, self.slope, scale, self.profile[hour])
        else:
            self.course.interrupted()

    def _jump(
        self, d: float, intervals: float, pace: float, share: float, finest: float, known: bool
    ) -> None:
        e = d - self.slope * (intervals if intervals < 3 else 3)
        size = min(abs(d), abs(e))
        scale = hypot(self.spread, finest) + 1e-12
        if known:
            self.jump = size / scale / sqrt(intervals)
            most = _CLIP * scale
            e = most if e > most else (-most if e < -most else e)
        else:
            self.jump, most = 0.0, size
        kept = _DAMPED if pace == 1.0 else 1 - pace * (1 - _DAMPED)
        self.slope = kept * (self.slope + _TREND * e * pace / intervals)
        self.spread += share * ((size if size < most else most) - self.spread)

    def _level(
        self, x: float, intervals: float, share: float, finest: float, known: bool, hour: int
    ) -> None:
        usual = self.hourly = self.profile[hour]
        apart = x - self.level - usual
        self.residual = apart
        scale = hypot(self.apart, finest) + 1e-12
        size = apart if apart > 0 else -apart
        self.z = apart / scale
        most = _CLIP * scale if known else size
        follow = intervals / self.tuning.level
        clipped = most if apart > most else (-most if apart < -most else apart)
        self.level += (follow if follow < 1 else 1.0) * (usual + clipped)
        self.mean += (follow if follow < 1 else 1.0) * (x - self.mean)
        if share:
            part = intervals if intervals < 1.0 else 1.0
            self.profile[hour] = usual + part * self.tuning.profile * clipped
        self.apart += share * ((size if size < most else most) - self.apart)
        recent = self.recent
        recent.append(self.z)
        del recent[0]
        low, high = min(recent), max(recent)
        self.away = 0.0 if not known else (low if low > 0 else (high if high < 0 else 0.0))

    @property
    def beyond(self) -> float:
        """How far it is above what is usual at this hour of the day, in its unit."""
        return self.value - self.usual - self.hourly

    @property
    def inaccuracy(self) -> float:
        """What its sensor may be off by without anything being wrong with it, in its unit."""
        return max(self.kind.accurate, self.kind.accurate_share * abs(self.value))

    @property
    def little(self) -> float:
        """Less is no agreement with another signal: a quarter of what its sensor may be off by."""
        return self.inaccuracy / 4

    def away_from_course(self, x: float, hours: Sequence[int]) -> float:
        """How far the next value is from where the last ones and the time of the day pointed to,
        times what is usual in so many intervals; 0 while nothing is known.

        ``hours``: the bin of the day of the last value and of each interval since.
        """
        intervals = len(hours) - 1
        if self.count <= _LEARNING or not 0 < intervals <= _LONGEST_COURSE:
            return 0.0
        change = x - self.value
        follow = min(1 / self.tuning.level, 1.0)
        by_day = sum(self.profile[hour] * follow for hour in hours[:-1])
        by_day += self.profile[hours[-1]] - self.profile[hours[0]]
        scale = hypot(self.spread, _FINEST * self.step) + 1e-12
        return away(change, self.slope, by_day, intervals) / scale / sqrt(intervals)

    def rise(self) -> None:
        """Learn by how much this water rises by itself, from a value that is the water's."""
        if self.kind.share_alone > 0 and self.usual > 0 and self.count > self.tuning.memory:
            # One reading that is high by itself is of a standard or of a sensor, not of this water.
            above = 100 * (min(self.value, self.value - self.change) / self.usual - 1)
            if self.teaches and self.rising.highest < above < _MOST_RISE:
                self.rising.highest = above

    def anew(self, x: float) -> None:
        """What was unusual is the level from now on."""
        self.level = x
        self.recent = [0.0] * len(self.recent)
        self.away, self.away_since = 0.0, nan

    def state(self) -> dict[str, Any]:
        """To be stored, as JSON."""
        kept = {name: _stored(getattr(self, name)) for name in _KEPT}
        return {
            **kept,
            "recent": list(self.recent),
            "profile": list(self.profile),
            "course": self.course.state(),
            "tails": [one.state() for one in self.tails],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """As it was stored."""
        for name in _KEPT:
            if name not in state:  # one of an earlier version
                continue
            value = state[name]
            setattr(self, name, float(value) if isinstance(value, str) else value)
        if "mean" not in state:
            self.mean = self.value
        self.recent = list(state["recent"])
        self.profile = list(state["profile"])
        if "course" in state:
            self.course.restore(state["course"])
        # A state of before there was one of them lacks the last.
        for tail, stored in zip(self.tails, state["tails"], strict=False):
            tail.restore(stored)


def _stored(value: float) -> float | str:
    """JSON has no nan and no infinity."""
    return value if abs(value) < inf else str(value)
