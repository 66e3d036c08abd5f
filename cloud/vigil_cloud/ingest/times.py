"""Whether a time that a device told can be believed, and what stands in its place if not.

Nothing true is refused for its time but a reading, whose key it is. An event whose time cannot
be is taken with the time of receipt, and so is every time inside it but those that lie ahead by
what they mean (``FORETOLD``); what was claimed is kept beside it. This is the one place where that
is decided, before any room sees the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from vigil_schemas.envelope import Envelope
from vigil_schemas.types import FORETOLD, ClockQuality, Model, isoformat_utc

TimeQuality = Literal["ahead", "behind"]

AHEAD: Final = timedelta(seconds=60)
"""Nothing is said before it happens: so far two clocks that are kept may lie apart."""
UNKEPT_BEHIND: Final = timedelta(minutes=10)
"""An alarm whose sender calls its own clock unsynchronised may be so old: a gateway without a
clock of its own goes on at the hour at which it was switched off."""
MOST_CLAIMED: Final = 16
"""So many of the times that were replaced are kept; a health report may name hundreds."""
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a device's clock may lie from ours."""

    stale_after: timedelta = timedelta(days=400)
    future_after: timedelta = timedelta(minutes=10)
    """Of readings, which are refused beyond it."""


@dataclass(frozen=True, slots=True)
class _Judge:
    received: datetime
    ahead: timedelta
    behind: timedelta
    said: datetime
    """What stands in the place of a time that cannot be moved."""
    shift: timedelta = timedelta(0)
    """The sender's clock, where it is known to be wrong, is put right by this much."""
    claimed: dict[str, str] = field(default_factory=dict)
    qualities: set[TimeQuality] = field(default_factory=set)

    def quality(self, moment: datetime) -> TimeQuality | None:
        if moment > self.received + self.ahead:
            return "ahead"
        return "behind" if moment < self.received - self.behind else None

    def believable(self, moment: datetime, where: str) -> datetime:
        found = self.quality(moment)
        if found is None:
            return moment
        self.qualities.add(found)
        if len(self.claimed) < MOST_CLAIMED:
            self.claimed[where] = isoformat_utc(moment)
        try:
            moved = moment + self.shift
        except OverflowError:
            return self.said
        # Together with the clock a passage keeps its length and two times their order.
        return moved if self.shift and self.quality(moved) is None else self.said


def judged(
    envelope: Envelope, data: Model, received: datetime, limits: Limits, *, alarm: bool
) -> tuple[Envelope, Model, Mapping[str, Any]]:
    """Envelope and data with times that can be believed, and the marks of what was doubtful.

    ``alarm`` holds the sender's own doubt in its clock against it: an alarm is to be seen as one
    of now rather than as one of the day on which a gateway was switched off.
    """
    behind = limits.stale_after
    if alarm and envelope.clockquality is ClockQuality.UNSYNCHRONISED:
        behind = UNKEPT_BEHIND
    behind = min(behind, received - _EARLIEST)
    first = _Judge(received, AHEAD, behind, received)
    time = first.believable(envelope.time, "time")
    judge = _Judge(
        received,
        AHEAD,
        behind,
        time,
        received - envelope.time if first.claimed else timedelta(0),
        first.claimed,
        first.qualities,
    )
    data = _believable(data, "", judge)
    if not judge.claimed:
        return envelope, data, {}
    worst = "ahead" if "ahead" in judge.qualities else "behind"
    marks = {"time_quality": worst, "claimed_times": dict(judge.claimed)}
    return envelope.model_copy(update={"time": time}), data, marks


def _believable(value: Any, where: str, judge: _Judge) -> Any:
    """The same with every time in it replaced that cannot be."""
    if isinstance(value, datetime):
        return judge.believable(value, where)
    if isinstance(value, Model):
        prefix = f"{where}." if where else ""
        changed = {}
        for name, described in type(value).model_fields.items():
            if FORETOLD in described.metadata:
                continue
            old = getattr(value, name)
            new = _believable(old, f"{prefix}{name}", judge)
            if new is not old:
                changed[name] = new
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, list) and value and isinstance(value[0], Model | datetime):
        new = [_believable(one, f"{where}.{number}", judge) for number, one in enumerate(value)]
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value
