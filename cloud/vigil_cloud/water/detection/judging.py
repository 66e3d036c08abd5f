"""What a row of a station is, once its signals have taken their values: rules of physics over their
scores. Pure.

A jump waits for the next value, unless several signals jump at once; what lasts away from its level
is an excursion where a discharge moves a signal like that; the rest is a fault of the sensor, a
calibration, or rain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf, isnan, nan
from typing import Final

from vigil_cloud.water.detection.at_once import TOLD_S, AtOnce, Counts
from vigil_cloud.water.detection.kinds import CONDUCTIVITY, PH
from vigil_cloud.water.detection.series import Series, Tuning
from vigil_cloud.water.detection.verdict import Finding, Verdict, verdict_of
from vigil_cloud.water.detection.weather import Weather

_SERVICE: Final = 4
"""Intervals after a probe was out of the water: steps of the others are of the same visit."""
VISIT_S: Final = 3600.0
_SETTLING_S: Final = 6 * 3600.0
_QUIET_S: Final = 12 * 3600.0
_LOUDER: Final = 2.0
"""So much higher are thresholds while one is told anyhow."""
_LOWER: Final = 0.5
"""In the intervals of a service."""
_LONGEST_S: Final = 12 * 3600.0
"""What is away for longer is the new level."""
_ONSET_S: Final = 3 * 3600.0
"""So long what goes away from its level slowly is held against where it began."""
_LASTS_S: Final = 240.0
"""So long a jump has to stay before it is more than a spike."""
_RETURNED: Final = 0.35
_STAYED: Final = 0.5
_STRONG: Final = 2.0
"""Times the threshold: a step by itself is worth a word."""
_A_LITTLE: Final = 0.5
_LISTED: Final = 0.6
_AGREE: Final = 1.3
"""Sum of the shares of their thresholds from which several signals count as one event."""
_SUPPORTS: Final = 0.7
"""Share of its own threshold from which another signal says the same."""
_COLLAPSED: Final = 0.5
"""Conductance does not fall by half within an interval: the probe is out, fouled or broken."""
_COLLAPSED_IN_FLOOD: Final = 0.1
"""The same while a flood dilutes it."""
_SHORTEST_STILL: Final = 3


class Judge:
    """Of one station: its signals, and what is remembered of visits and of the weather."""

    _tuning: Tuning

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self.interval_s = 0.0
        self.series: list[Series] = []
        self.lasting: list[str] = []
        """Signals whose excursion was told and lasts."""
        self._together = 0.0
        self._last = nan
        self._served = self._out = -inf
        self._before = -inf
        """Time of the row before."""
        self._emptied: dict[int, float] = {}
        """Since when a probe shows nothing but zero, by place."""
        self._weather = Weather()
        self._at_once: AtOnce | None = None
        """Where samples are close."""

    def _verdict(self, at_s: float, there: list[int], found: list[Finding]) -> Verdict:
        self._filled(there)
        service = at_s - self._served <= max(
            min(_SERVICE * self.interval_s, VISIT_S), self.interval_s
        )
        settling = at_s - self._out <= _SETTLING_S
        self._weather.watch(at_s, (self.series[number] for number in there))
        self._joined(there)
        jumped = self._jumped(at_s, there, service)
        service = service or any(self._collapses(self.series[number]) for number in jumped)
        self._moved_at_once(at_s, there, quiet=service, settling=settling)
        for number in there:
            one = self._judged(at_s, number, jumped, service, settling)
            if one is not None:
                found.append(one)
            if (one is None or one.type == "water") and not service and not settling:
                self.series[number].rise()
        if any(one.reason == "collapsed" for one in found):
            self._served = at_s
        water = {one.signal for one in found if one.type == "water"}
        found += self._told_at_once(at_s, there, water | set(self.lasting))
        return verdict_of(found)

    def _filled(self, there: list[int]) -> None:
        """Whatever is in the water again was out of it until the row before."""
        for number in [one for one in self._emptied if one in there]:
            empty = self.series[number].kind.empty
            if empty is None or self.series[number].value > empty:
                del self._emptied[number]
                self._served = self._out = max(self._out, self._before)

    def _empties(self, at_s: float, number: int) -> None:
        """A visit has an end: a cell that is broken for good hides nothing of the others."""
        if at_s - self._emptied.setdefault(number, at_s) <= VISIT_S:
            self._served = self._out = at_s

    def _joined(self, there: list[int]) -> None:
        """How far all signals are away together: a discharge moves several a little."""
        shares = []
        basic = any(self.series[n].away > 1 and self.series[n].kind == PH for n in there)
        for number in there:
            one = self.series[number]
            away, kind = one.away, one.kind
            if (kind.rises if away > 0 else kind.falls) or (basic and kind == CONDUCTIVITY):
                shares.append(abs(away) / one.away_by.threshold)
        shares.sort()
        self._together = sum(shares[-3:]) if len(shares) > 1 and shares[-2] > _A_LITTLE else 0.0

    def _moved_at_once(self, at_s: float, there: list[int], *, quiet: bool, settling: bool) -> None:
        """Where samples are close: what goes on of signals that left together where they were."""
        if self._at_once is not None:
            self._at_once.take(
                at_s, there, self.series, self._counts, quiet=quiet, settling=settling
            )

    @property
    def _counts(self) -> Counts:
        return Counts(self._counts_together, self._counts_alone)

    def _counts_alone(self, one: Series, off: float, base: float) -> bool:
        """The same of one by itself: beyond what a calibration sets it, where that is known."""
        if not self._weather.treated:
            return self._weather.is_water(one, off, base)
        kind = one.kind
        known = kind.accurate > 0 or kind.accurate_share > 0
        return known and abs(off) > max(kind.calibration, kind.calibration_share * abs(base))

    def _counts_together(self, one: Series, off: float) -> bool:
        """Whether a signal that went so far says anything of a discharge: what no rain explains,
        in a direction of its own. In treated water everything does that is no flow and no
        warmth."""
        kind = one.kind
        if self._weather.treated:
            return kind.rises or kind.falls
        if not (kind.rises if off > 0 else kind.falls) or abs(off) <= one.little:
            return False
        return not self._weather.explains(one, off)

    def _told_at_once(self, at_s: float, there: list[int], told: set[str]) -> Iterator[Finding]:
        """What that says of this row, where nothing else did of the signal."""
        at_once = self._at_once
        if at_once is None or at_once.event is None:
            return
        event = at_once.event
        for number in at_once.away(there, self.series):
            name, one = self.names[number], self.series[number]
            if name in told:
                continue
            if at_s - event.found_s >= TOLD_S:
                self.lasting.append(name)
                continue
            by = one.value - event.signals[number][0]
            if event.jitter:
                yield Finding(name, "noise", "sensor", event.score, event.since_s, by)
            else:
                yield Finding(name, "excursion", "water", event.score, event.since_s, by)

    def _jumped(self, at_s: float, there: list[int], service: bool) -> list[int]:
        """Signals that have jumped just now; their tails learn of it."""
        jumped = []
        for number in there:
            one = self.series[number]
            threshold = one.jumping.threshold * (
                _LOWER if service else (_LOUDER if at_s < one.quiet_until else 1.0)
            )
            if one.jump > threshold and one.jump > 4:
                jumped.append(number)
            if not service:
                tail = one.jumping
                if one.jump > tail.highest and one.teaches:
                    tail.highest = one.jump
        return jumped

    def _judged(
        self, at_s: float, number: int, jumped: list[int], service: bool, settling: bool
    ) -> Finding | None:
        one, name = self.series[number], self.names[number]
        x, kind = one.value, one.kind
        quick = self._tuning.persistent == 1
        if kind.empty is not None and x <= kind.empty:
            self._empties(at_s, number)
            if isnan(one.normal) and one.count > 1 and x != one.change:
                one.normal, one.base_at = x - one.change, at_s
            one.base = nan
            return Finding(name, "empty", "sensor", 1.0, at_s, x)
        finding: Finding | None = None
        if quick:
            finding = self._step(at_s, number, jumped, service)
        away: Finding | None = None
        if not service or not isnan(one.away_since):  # steps of a visit are no excursion
            away = self._away(at_s, number, jumped, settling)
        if finding is None or (away is not None and away.type == "water"):
            finding = away or finding
        if finding is None:
            finding = self._sensor(at_s, number, settling)
        if finding is not None and finding.reason != "missing":
            one.quiet_until = at_s + _QUIET_S
        return finding

    def _step(self, at_s: float, number: int, jumped: list[int], service: bool) -> Finding | None:
        """Jumps: what becomes of the last one, and what a new one is taken for."""
        one = self.series[number]
        score = max(one.jump / one.jumping.threshold, 1.0)
        if not isnan(one.normal):
            return self._collapsed(at_s, number, score)
        if not isnan(one.base) and (found := self._after_jump(at_s, number, service, score)):
            return found
        return self._new_jump(at_s, number, jumped, service, score) if number in jumped else None

    def _collapsed(self, at_s: float, number: int, score: float) -> Finding | None:
        one, name = self.series[number], self.names[number]
        if abs(one.value - one.normal) < _RETURNED * abs(one.normal):
            one.normal = nan
            one.anew(one.value)
            return Finding(name, "spike", "sensor", score, at_s, one.change)
        if at_s - one.base_at > _LONGEST_S:
            one.normal = nan
            one.anew(one.value)
            return None
        return Finding(name, "collapsed", "sensor", 1.0, one.base_at, one.value - one.normal)

    def _after_jump(self, at_s: float, number: int, service: bool, score: float) -> Finding | None:
        """One value later: it was a spike, or it lasts."""
        one, name = self.series[number], self.names[number]
        base, size = one.base, one.size
        one.base = nan
        back = one.value - base
        if abs(back) < _RETURNED * abs(size):
            one.anew(one.value)
            if abs(size) <= one.inaccuracy or self._weather.flooding(size, base):
                return None
            return Finding(name, "spike", "sensor", score, at_s, size)
        if abs(back) <= _STAYED * abs(size) or service or not self._quality(number):
            return None
        if at_s - one.base_at < _LASTS_S:  # it is read more often than usual: wait and see
            one.base = base
            return None
        if self._weather.is_water(one, back, base, supported=self._supported(number)):
            return Finding(name, "excursion", "water", score, at_s, back)
        one.left, one.left_at = base, at_s
        return None  # a calibration, or rain

    def _new_jump(
        self, at_s: float, number: int, jumped: list[int], service: bool, score: float
    ) -> Finding | None:
        one, name = self.series[number], self.names[number]
        kind, size = one.kind, one.change
        base = one.value - size
        one.base, one.size, one.base_at, one.strong = base, size, at_s, bool(score > _STRONG)
        if self._collapses(one):
            self._served = at_s
            one.normal, one.base = base, nan
            return Finding(name, "step", "sensor", score, at_s, size)
        if self._came_back(one, at_s):
            one.left = one.base = nan
            one.anew(one.value)
            return Finding(name, "spike", "sensor", score, at_s, size)
        if service and kind.name != "flow":
            one.anew(one.value)
            return Finding(name, "step", "sensor", score, at_s, size)
        together = [other for other in jumped if other != number and self._quality(other)]
        if together and self._quality(number):
            if any(self._beyond(self.series[other]) for other in (number, *together)):
                return Finding(name, "excursion", "water", score, at_s, size)
            if self._weather.flooded or self._weather.diluted or not one.strong:
                return None  # rain moves them together
            return Finding(name, "step", "sensor", score, at_s, size)
        if not self._weather.is_water(one, size, base):
            gone = self._since_onset(one, at_s, size, begins=kind.rises if size > 0 else kind.falls)
            if gone != size and self._weather.is_water(one, gone, one.onset):
                one.away_since = at_s
                return Finding(name, "excursion", "water", score, at_s, gone)
            one.level += size  # a calibration or rain: the level goes along
        return None  # whether it returns, the next value tells

    def _came_back(self, one: Series, at_s: float) -> bool:
        """Whether it jumps back to where it was within a visit, from where no discharge takes it:
        neither a calibration nor rain is over at once."""
        if isnan(one.left) or at_s - one.left_at > VISIT_S:
            return False
        size = abs(one.change)
        if size <= one.inaccuracy or self._weather.flooding(-one.change, one.left):
            return False
        return abs(one.value - one.left) < _RETURNED * size

    def _collapses(self, one: Series) -> bool:
        """Whether it falls as conductance does when the probe leaves the water."""
        base = one.value - one.change
        left = _COLLAPSED_IN_FLOOD if self._weather.flooded else _COLLAPSED
        return one.kind.share_of > 0 and one.value < left * min(one.usual, base)

    def _supported(self, number: int) -> bool:
        """Whether another signal moves as a discharge moves it at the same time, and by more than
        rain does: a calibration is of one sensor, and rain moves several a little."""
        for other, one in enumerate(self.series):
            if other == number or not self._quality(other) or one.since < self._last:
                continue
            if not (one.kind.rises if one.residual > 0 else one.kind.falls):
                continue
            if abs(one.residual) <= one.little or self._weather.explains(one, one.residual):
                continue
            share = max(abs(one.z) / one.away_by.threshold, one.jump / one.jumping.threshold)
            if share > _SUPPORTS:
                return True
        return False

    def _quality(self, number: int) -> bool:
        kind = self.series[number].kind
        return kind.rises or kind.falls

    def _beyond(self, one: Series) -> bool:
        return self._weather.is_water(one, one.change, one.value - one.change)

    def _away(self, at_s: float, number: int, jumped: list[int], settling: bool) -> Finding | None:
        """Away from the level for a while."""
        one, name = self.series[number], self.names[number]
        kind = one.kind
        away, tail = one.away, one.away_by
        apart = one.residual
        size = abs(away)
        eligible = kind.rises if away > 0 else kind.falls
        if not isnan(one.away_since):
            if at_s - one.away_since > _LONGEST_S:
                one.anew(one.value)
                return None
            if size > tail.threshold * _LOWER:
                if at_s - one.away_since >= TOLD_S:
                    self.lasting.append(name)
                    return None
                score = size / tail.threshold
                return Finding(name, "excursion", "water", score, one.away_since, apart)
            one.away_since = nan
            return None
        waits = self._tuning.persistent == 1 and not isnan(one.base)
        if not eligible or jumped == [number] or (waits and at_s - one.base_at < _LASTS_S):
            return None  # one value by itself may be a spike: the next one tells
        louder = _LOUDER if settling or at_s < one.quiet_until else 1.0
        alone = size / tail.threshold
        joint = self._together / _AGREE if alone > _LISTED else 0.0
        apart = self._since_onset(one, at_s, apart, begins=max(alone, joint) > louder)
        if (max(alone, joint) > louder or apart != one.residual) and self._weather.moved(
            one, apart, joint > louder, supported=self._supported(number)
        ):
            one.away_since, one.onset = at_s, nan
            if one.teaches:
                tail.highest = max(tail.highest, size)
            return Finding(name, "excursion", "water", max(alone, joint), at_s, apart)
        if not settling and one.teaches and size > tail.highest:
            tail.highest = size
        return None

    def _since_onset(self, one: Series, at_s: float, apart: float, *, begins: bool) -> float:
        """How far it has gone since it first was away by more than it usually does, if it still is
        by half of that: the level follows what grows slowly."""
        if at_s - one.onset_at > _ONSET_S or abs(one.away) < _LOWER * one.away_by.threshold:
            one.onset = nan
        now = one.value - one.hourly
        if isnan(one.onset):
            if begins:
                one.onset, one.onset_at = now - apart, at_s
            return apart
        gone = now - one.onset
        return gone if gone * apart > 0 and abs(gone) > abs(apart) else apart

    def _stuck(self, one: Series) -> bool:
        """Whether it has stood still for longer than it ever does by itself."""
        if one.kind.still is not None and abs(one.value) <= one.kind.still:
            return False
        usual = one.kind.rests_s / self.interval_s
        return one.run > max(one.still.threshold, usual, _SHORTEST_STILL)

    def _sensor(self, at_s: float, number: int, settling: bool) -> Finding | None:
        one, name = self.series[number], self.names[number]
        kind = one.kind
        loud = one.noisy
        louder = _LOUDER if settling or at_s < one.quiet_until else 1.0
        noisy = one.noise > loud.threshold * louder and one.jitter > one.inaccuracy
        if not settling and one.teaches and one.noise > loud.highest:
            loud.highest = one.noise
        if kind.still is None or abs(one.value) > kind.still:
            still, run = one.still, float(one.run)
            if self._stuck(one):
                since = at_s - (run - 1) * self.interval_s
                return Finding(name, "stuck", "sensor", run / still.threshold, since, 0.0)
            if one.teaches and run > still.highest:
                still.highest = run
        if noisy and self._quality(number) and not self._weather.flooded:
            return Finding(name, "noise", "sensor", one.noise / loud.threshold, at_s, one.jitter)
        return None
