"""What a detector says row by row, kept together: one anomaly of a signal from its first row to its
last. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final, Literal

from vigil_cloud.water.detection.verdict import Verdict

OVER_S: Final = 3600.0
"""What says nothing for so long is over; what begins again earlier goes on."""


@dataclass(slots=True)
class Anomaly:
    """Of one signal."""

    signal: str
    type: Literal["sensor", "water"]
    reason: str
    since_s: float
    """When it began: of a sensor that stands still, when it last moved."""
    found_s: float
    """The row in which it was found."""
    last_s: float
    """The last row of it."""
    value: float | None
    """What the signal showed when it was found."""
    extreme: float | None
    """The value farthest from what was usual."""
    by: float | None
    """So far, in the signal's unit, with its sign."""
    score: float
    """Times the threshold, at most."""
    over: bool = False

    @property
    def key(self) -> str:
        """Names it among those of its station: the same whenever it is worked out."""
        return f"{self.signal}:{self.type}:{round(self.found_s * 1000)}"


class Ledger:
    """Of one station."""

    def __init__(self, kept: Sequence[Mapping[str, Any]] = ()) -> None:
        """``kept``: of ``state``."""
        found = [Anomaly(**one) for one in kept]
        self._open = {(one.signal, one.type): one for one in found}
        self._changed: dict[str, Anomaly] = {}

    def take(
        self,
        at_s: float,
        verdict: Verdict,
        lasting: Sequence[str],
        values: Mapping[str, float | None],
    ) -> None:
        """The verdict on the row of this time, which is later than those before.

        ``lasting``: signals whose water event was told and goes on.
        """
        for found in verdict.findings:
            if found.type == "none":
                continue
            known = self._open.get((found.signal, found.type))
            if known is not None and at_s - known.last_s > OVER_S:
                self._end(known)
                known = None
            by = found.by if isfinite(found.by) else None
            value = values.get(found.signal)
            value = value if value is not None and isfinite(value) else None
            if known is None:
                since = found.since_s if isfinite(found.since_s) else at_s
                known = Anomaly(
                    found.signal, found.type, found.reason, min(since, at_s), at_s, at_s,
                    value, value, by, found.score,
                )  # fmt: skip
                self._open[found.signal, found.type] = known
            known.last_s = at_s
            known.score = max(known.score, min(found.score, 999.0))
            if by is not None and abs(by) > abs(known.by or 0.0):
                known.by, known.extreme = by, value
            self._changed[known.key] = known
        for signal in lasting:
            if (known := self._open.get((signal, "water"))) is not None:
                known.last_s = at_s
        for known in [one for one in self._open.values() if at_s - one.last_s > OVER_S]:
            self._end(known)

    def _end(self, known: Anomaly) -> None:
        known.over = True
        self._changed[known.key] = known
        del self._open[known.signal, known.type]

    @property
    def open(self) -> Iterator[Anomaly]:
        """Those that are not over."""
        yield from self._open.values()

    def changed(self) -> list[Anomaly]:
        """What is new, goes on or is over since this was asked last, by time."""
        found = sorted(self._changed.values(), key=lambda one: (one.found_s, one.key))
        self._changed = {}
        return found

    def state(self) -> list[dict[str, Any]]:
        """To be stored, as JSON."""
        return [asdict(one) for one in self._open.values()]
