"""Readings that the gateway calls suspect (QARTOD flag 3) call nobody by themselves. Pure.

They are judged, since a strong discharge is what quality control doubts first; but what they alone
show waits until a reading that is not suspect says the same, or until four in a row do: then it is
the water's, as it is for a bound on the gateway. What has returned before was a spike. Signals
that show it in the same row confirm each other, and what nothing has refuted for an hour is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, Final

from vigil_cloud.water.detection.ledger import OVER_S
from vigil_cloud.water.detection.verdict import Finding, Verdict, verdict_of

BELIEVED: Final = 4
"""So many suspect readings in a row are believed."""
AGREED_S: Final = 600.0
"""So are two that lie so far apart."""
_SEVERAL: Final = 2
_STAYED: Final = 0.5
"""Share of the change that has to be left of it."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A finding that waits, and what the signal showed before it."""

    finding: Finding
    base: float
    at_s: float
    """Since when it waits."""


class Doubts:
    """Of one station: how many suspect readings each signal gave in a row, and what waits."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._runs = [0] * len(self._names)
        self._began = [inf] * len(self._names)
        """When the first of them was, s."""
        self._held: dict[str, _Held] = {}

    def take(
        self, at_s: float, values: Sequence[float | None], suspect: Collection[int]
    ) -> frozenset[int]:
        """Count a row; the places of the signals whose reading is doubted."""
        if not suspect and not any(self._runs):
            return frozenset()
        for place, value in enumerate(values):
            if value is None:
                continue
            if place not in suspect:
                self._runs[place] = 0
                continue
            if not self._runs[place]:
                self._began[place] = at_s
            self._runs[place] += 1
        return frozenset(
            place
            for place in suspect
            if 0 < self._runs[place] < BELIEVED and at_s - self._began[place] < AGREED_S
        )

    def weigh(
        self,
        at_s: float,
        verdict: Verdict,
        values: Sequence[float | None],
        doubted: Collection[int],
    ) -> Verdict:
        """The verdict without what suspect readings alone say, and with what was confirmed."""
        if not doubted and not self._held:
            return verdict
        names = {self._names[place] for place in doubted}
        showing = {one.signal for one in verdict.findings if one.type == "water"} & names
        if len(showing) >= _SEVERAL:
            names -= showing
        now = dict(zip(self._names, values, strict=True))
        found = [one for one in verdict.findings if one.type != "water" or one.signal not in names]
        told = {one.signal for one in found}
        for name in list(self._held):
            found += self._again(at_s, name, now[name], doubted=name in names, told=name in told)
        for one in verdict.findings:
            if one.type == "water" and one.signal in names and one.signal not in self._held:
                value = now[one.signal]
                base = (value - one.by) if value is not None and isfinite(one.by) else one.by
                self._held[one.signal] = _Held(one, base, at_s)
        return verdict_of(found)

    def _again(
        self, at_s: float, name: str, value: float | None, *, doubted: bool, told: bool
    ) -> list[Finding]:
        """What a further reading makes of a finding that waits; ``told``: it is one again."""
        held = self._held[name]
        if value is None or not isfinite(value):
            if at_s - held.at_s <= OVER_S:
                return []
            del self._held[name]
            return [] if told else [held.finding]
        size = held.finding.by
        stays = isfinite(size) and (value - held.base) * size >= _STAYED * size * size
        if doubted and stays:
            return []
        del self._held[name]
        if told:
            return []
        if not stays:
            return [replace(held.finding, type="sensor", reason="spike")]
        return [replace(held.finding, by=value - held.base)]

    def state(self) -> dict[str, Any]:
        """To be stored, as JSON: nothing while nothing is doubted."""
        runs = {name: run for name, run in zip(self._names, self._runs, strict=True) if run}
        held = {
            name: [*_row(one.finding), str(one.base), str(one.at_s)]
            for name, one in self._held.items()
        }
        began = {
            name: at
            for name, at, run in zip(self._names, self._began, self._runs, strict=True)
            if run and isfinite(at)
        }
        return {"runs": runs, "began": began, "held": held}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As it was stored; of a state of before there was any, nothing."""
        runs = state.get("runs", {})
        self._runs = [int(runs.get(name, 0)) for name in self._names]
        began = state.get("began", {})
        self._began = [float(began.get(name, inf)) for name in self._names]
        held = state.get("held", {})
        self._held = {
            name: _Held(_finding(name, row), float(row[4]), float((row[5:] or row[2:])[0]))
            for name, row in held.items()
            if name in self._names
        }


def _row(one: Finding) -> list[str]:
    """JSON has no nan and no infinity."""
    return [one.reason, *map(str, (one.score, one.since_s, one.by))]


def _finding(name: str, row: Sequence[str]) -> Finding:
    return Finding(name, row[0], "water", *map(float, row[1:4]))
