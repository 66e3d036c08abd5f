"""Signals that leave together where they were, where samples are minutes apart or closer. Pure.

What is discharged comes as a plug: signals leave within the same minutes, stay away while it
passes, and come back. Several are held against the middle of the last quarter of an hour, in terms
of how far each goes on an ordinary day; the three farthest are summed, none of them beyond three
such days, since one sensor that fails goes any distance by itself. The sum has a threshold of its
own, which knows how far they go together by themselves. A signal alone is held against the middle
of the last two hours, and has to go farther than a calibration sets it, and than it does by itself.
Several that jitter at once have a cause in common that is not the water. While an event lasts
nothing of it is learnt: its end is its end, and no further event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any, Final, NamedTuple

from vigil_cloud.water.detection.series import Series
from vigil_cloud.water.detection.tail import Tail

_SHORT, _LONGER, _JITTER = range(3)
SCORES: Final = 3
"""Away from a quarter of an hour, from two hours, and jittering."""
_BASES: Final = 2
_SHORT_S: Final = 900.0
_SHORT_LEAST, _SHORT_MOST = 8, 16
_BLOCK_S: Final = 300.0
"""Of so long one middle is kept for the longer scale."""
_LONG: Final = 24
_FEWEST: Final = 8
"""Values, or middles, from which one is foretold."""
_GAP: Final = 8
"""After so many intervals without a value nothing is foretold."""
_DAYS: Final = 28
_FEWEST_DAYS: Final = 3
_SUMMED: Final = 3
_MOST: Final = 3.0
"""Ordinary days' farthest that one signal counts for in a sum."""
_SHARE: Final = 1.0
"""Of an ordinary day's farthest: from here a signal is part of an event."""
_SEVERAL: Final = 2
_LEFT: Final = 0.5
"""Share of its way out that a signal still has to be away by."""
_FIRST: Final = 6.0
"""Threshold of the sum until days are learnt."""
_WIDTH: Final = 0.12
_LOUDER: Final = 2.0
TOLD_S: Final = 3600.0
"""An event is news for so long; then it lasts."""
LONGEST_S: Final = 6 * 3600.0
"""What is away for longer is where it is from now on."""


class Ordinary:
    """How far a signal goes on an ordinary day: the middle of its daily maxima of four weeks."""

    __slots__ = ("days", "highest", "middle")

    def __init__(self) -> None:
        self.days: deque[float] = deque(maxlen=_DAYS)
        self.highest = 0.0
        self.middle = inf
        """Infinite until some days are known: it is part of nothing."""

    def end_day(self) -> None:
        """Learn from the day that is over; one without a value is none."""
        if self.highest > 0:
            self.days.append(self.highest)
            self.highest = 0.0
        self._learn()

    def _learn(self) -> None:
        if len(self.days) >= _FEWEST_DAYS:
            self.middle = _middle(self.days)

    def state(self) -> list[float]:
        """To be stored."""
        return [self.highest, *self.days]

    def restore(self, state: Sequence[float]) -> None:
        """As it was stored."""
        self.highest, self.days = state[0], deque(state[1:], maxlen=_DAYS)
        self._learn()


class Past:
    """Of one signal: its newest values, and where it stood before them on both scales."""

    __slots__ = (
        *("_block", "_fed", "at_s", "bases", "last", "long", "off", "ordinary", "short"),
        "steps",
    )

    def __init__(self, persistent: int, short: int, block: int) -> None:
        """All in values: so many have to be away in a row; the shorter scale; after how many one
        middle goes into the longer one."""
        self.last: deque[float] = deque(maxlen=persistent)
        self.steps: deque[float] = deque(maxlen=persistent)
        self.short: deque[float] = deque(maxlen=short)
        self.long: deque[float] = deque(maxlen=_LONG)
        self.bases = [nan] * _BASES
        self.off = [0.0] * SCORES
        """So far all of the newest values are away on the same side, by scale; and by so much at
        least each of them differs from the one before."""
        self.ordinary = [Ordinary() for _ in range(SCORES)]
        self.at_s = nan
        self._block, self._fed = block, 0

    def take(self, x: float) -> None:
        """The next value."""
        last, steps, found = self.last, self.steps, self.off
        if last:
            steps.append(abs(x - last[-1]))
        if len(last) == last.maxlen:
            self._feed(last[0])
        last.append(x)
        low, high = (min(last), max(last)) if len(last) == last.maxlen else (-inf, inf)
        for scale, base in enumerate(self.bases):
            found[scale] = low - base if low > base else (high - base if high < base else 0.0)
        found[_JITTER] = min(steps) if len(steps) == steps.maxlen else 0.0
        for ordinary, off in zip(self.ordinary, found, strict=True):
            if off > ordinary.highest or -off > ordinary.highest:
                ordinary.highest = abs(off)

    def _feed(self, x: float) -> None:
        self.short.append(x)
        if len(self.short) < _FEWEST:
            return
        self.bases[0] = _middle(self.short)
        self._fed += 1
        if self._fed >= self._block:
            self._fed = 0
            self.long.append(self.bases[0])
            if len(self.long) >= _FEWEST:
                self.bases[1] = _middle(self.long)

    def returned(self) -> None:
        """It is back where it stood: what was shown meanwhile is nothing to go by."""
        self.last.clear()
        self.steps.clear()
        self.off = [0.0] * SCORES

    def anew(self) -> None:
        """Nothing of before says where it stands; what an ordinary day does is still known."""
        self.returned()
        self.short.clear()
        self.long.clear()
        self.bases, self._fed = [nan] * _BASES, 0

    def state(self) -> dict[str, Any]:
        """To be stored, as JSON, which has no nan."""
        return {
            "at_s": str(self.at_s),
            "last": list(self.last),
            "steps": list(self.steps),
            "short": list(self.short),
            "long": list(self.long),
            "bases": [str(one) for one in self.bases],
            "fed": self._fed,
            "ordinary": [one.state() for one in self.ordinary],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """As it was stored."""
        self.at_s, self._fed = float(state["at_s"]), int(state["fed"])
        for name in ("last", "steps", "short", "long"):
            of: deque[float] = getattr(self, name)
            of.clear()
            of.extend(state[name])
        self.bases = [float(one) for one in state["bases"]]
        for one, stored in zip(self.ordinary, state["ordinary"], strict=True):
            one.restore(stored)


@dataclass(slots=True)
class Event:
    """What goes on: since when, how strong it was, and where each of its signals stood and how far
    it had gone."""

    found_s: float
    since_s: float
    score: float
    """Times the threshold."""
    signals: dict[int, tuple[float, float]]
    jitter: bool = False
    """It shakes about where it stood."""


class Counts(NamedTuple):
    """What says anything of a discharge."""

    together: Callable[[Series, float], bool]
    """A signal that went so far, beside others."""
    alone: Callable[[Series, float, float], bool]
    """One that went so far by itself, and from where."""


class AtOnce:
    """Of one station."""

    def __init__(
        self, count: int, interval_s: float, persistent: int, y: float, granted: int
    ) -> None:
        """``y``, ``granted``: of the sum's threshold, as of a ``Tail``."""
        short = min(max(round(_SHORT_S / interval_s), _SHORT_LEAST), _SHORT_MOST)
        block = max(round(_BLOCK_S / interval_s), 1)
        self._interval_s, self._persistent = interval_s, persistent
        self._pasts = [Past(persistent, short, block) for _ in range(count)]
        self._tails = {score: Tail(_FIRST, y, _WIDTH, granted) for score in (_SHORT, _JITTER)}
        self._alone = [Tail(_FIRST, y, _WIDTH, granted) for _ in range(count)]
        self.event: Event | None = None

    def end_day(self) -> None:
        """Learn from the day that is over."""
        for past in self._pasts:
            for one in past.ordinary:
                one.end_day()
        for tail in (*self._tails.values(), *self._alone):
            tail.end_day()

    def take(
        self,
        at_s: float,
        there: Collection[int],
        series: Sequence[Series],
        counts: Counts,
        *,
        quiet: bool,
        settling: bool,
    ) -> None:
        """The values of a row, after their series took them: brings ``event`` up to date.

        ``quiet``: steps are a visit's, nothing begins. ``settling``: thresholds are higher after
        one.
        """
        members = {} if self.event is None else self.event.signals
        for number in there:
            past = self._pasts[number]
            if at_s - past.at_s > _GAP * self._interval_s:
                past.anew()
            past.at_s = at_s
            if number not in members:
                past.take(series[number].value)
        if self.event is not None:
            self._goes_on(at_s, there, series, self.event)
        elif not quiet:
            self._begins(at_s, there, series, counts, _LOUDER if settling else 1.0)

    def away(self, there: Collection[int], series: Sequence[Series]) -> list[int]:
        """Signals of the event that are still away in this row."""
        if self.event is None:
            return []
        jitter = self.event.jitter
        found = []
        for number, (base, size) in self.event.signals.items():
            if number in there:
                off = series[number].value - base
                if (abs(off * size) if jitter else off * size) >= _LEFT * size * size:
                    found.append(number)
        return found

    def _goes_on(
        self, at_s: float, there: Collection[int], series: Sequence[Series], event: Event
    ) -> None:
        present = [number for number in event.signals if number in there]
        if at_s - event.found_s > LONGEST_S:
            for number in event.signals:
                self._pasts[number].anew()
            self.event = None
        elif present and 2 * len(self.away(there, series)) < len(present):
            for number in event.signals:
                self._pasts[number].returned()
            self.event = None

    def _begins(
        self,
        at_s: float,
        there: Collection[int],
        series: Sequence[Series],
        counts: Counts,
        louder: float,
    ) -> None:
        shares = self._shares(_LONGER, there, series, counts.together)
        if self._moves_alone(at_s, shares, series, counts.alone, louder):
            return
        for score, tail in self._tails.items():
            shares = self._shares(score, there, series, counts.together)
            if len(shares) < _SEVERAL:
                continue
            if score == _JITTER:
                whole = shares[1][0]
            else:
                whole = sum(min(share, _MOST) for share, _ in shares[:_SUMMED])
            found = whole > tail.threshold * louder and shares[1][0] >= _SHARE
            tail.highest = max(tail.highest, whole)
            if found:
                moved = [number for share, number in shares if share >= _SHARE]
                self._begin(at_s, moved, score, whole / tail.threshold)
                return

    def _shares(
        self,
        score: int,
        there: Collection[int],
        series: Sequence[Series],
        counts: Callable[[Series, float], bool],
    ) -> list[tuple[float, int]]:
        """How far each signal is away, in ordinary days' farthest; the farthest first."""
        shares = []
        for number in there:
            past, one = self._pasts[number], series[number]
            off, usual = past.off[score], past.ordinary[score].middle
            if score == _JITTER:
                usual = 0.0 if usual == inf and past.ordinary[_SHORT].middle < inf else usual
                if not off or not (one.kind.rises or one.kind.falls):
                    continue
            elif not off or not counts(one, off):
                continue
            if usual < inf:
                shares.append((abs(off) / max(usual, one.step, 1e-12), number))
        shares.sort(reverse=True)
        return shares

    def _moves_alone(
        self,
        at_s: float,
        shares: Sequence[tuple[float, int]],
        series: Sequence[Series],
        alone: Callable[[Series, float, float], bool],
        louder: float,
    ) -> bool:
        for share, number in shares:
            past, tail = self._pasts[number], self._alone[number]
            found = share > tail.threshold * louder
            tail.highest = max(tail.highest, share)
            if found and alone(series[number], past.off[_LONGER], past.bases[_LONGER]):
                self._begin(at_s, [number], _LONGER, share / tail.threshold)
                return True
        return False

    def _begin(self, at_s: float, moved: Sequence[int], score: int, times: float) -> None:
        jitter, signals = score == _JITTER, {}
        for number in moved:
            past = self._pasts[number]
            base = past.bases[_SHORT if jitter else score]
            size = past.off[score] / (2 if jitter else 1)
            if base == base:  # known
                signals[number] = (base, size)
        since = at_s - (self._persistent - 1) * self._interval_s
        if signals:
            self.event = Event(at_s, since, times, signals, jitter)

    def state(self, names: Sequence[str]) -> dict[str, Any]:
        """To be stored, as JSON: signals by name."""
        event = self.event
        return {
            "pasts": {name: one.state() for name, one in zip(names, self._pasts, strict=True)},
            "tails": [one.state() for one in self._tails.values()],
            "alone": {name: one.state() for name, one in zip(names, self._alone, strict=True)},
            "event": None
            if event is None
            else {
                "times": [event.found_s, event.since_s, event.score],
                "jitter": event.jitter,
                "signals": {names[number]: list(of) for number, of in event.signals.items()},
            },
        }

    def restore(self, state: Mapping[str, Any], names: Sequence[str]) -> None:
        """As it was stored. Signals that it did not have then begin anew."""
        for name, one in zip(names, self._pasts, strict=True):
            if name in state["pasts"]:
                one.restore(state["pasts"][name])
        for tail, stored in zip(self._tails.values(), state["tails"], strict=True):
            tail.restore(stored)
        for name, tail in zip(names, self._alone, strict=True):
            if name in state["alone"]:
                tail.restore(state["alone"][name])
        event = state["event"]
        if event is None:
            return
        of = {names.index(one): (x, y) for one, (x, y) in event["signals"].items() if one in names}
        found_s, since_s, score = event["times"]
        self.event = Event(found_s, since_s, score, of, event["jitter"]) if of else None


def _middle(values: Collection[float]) -> float:
    ordered = sorted(values)
    count = len(ordered)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
