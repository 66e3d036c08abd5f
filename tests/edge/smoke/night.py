"""The pure core over an invented night: two clocks that a test moves, and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.changes import Told
from vigil_edge.smoke.condition import Known, event_id
from vigil_edge.smoke.report import AlarmReport
from vigil_schemas.smoke import SmokeAlarm

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Night:
    """Alarms behind one bridge. ``t`` is true time; ``ahead_s`` is how wrong our clock is."""

    def __init__(self, state: bytes | None = None, ahead_s: float = 0.0) -> None:
        self.t = 0.0
        self.ahead_s = ahead_s
        self._boot = 1000.0
        self.told: list[SmokeAlarm] = []
        self.ids: list[str] = []
        self.alarms = Alarms(state, self.now, self.moment)

    @property
    def now(self) -> datetime:
        return at(self.t + self.ahead_s)

    @property
    def moment(self) -> float:
        return self._boot + self.t

    def known(self, device: str = "kitchen") -> Known:
        known = self.alarms.known(device)
        assert known is not None
        return known

    def say(
        self,
        device: str = "kitchen",
        *,
        seen: float | None = None,
        retained: bool = False,
        trace: str = "",
        **fields: Any,
    ) -> list[SmokeAlarm]:
        """A message at this moment; ``seen`` is its ``last_seen`` in true seconds."""
        fields.setdefault(
            "has_fire_key", any(fields.get(kind) is not None for kind in ("smoke", "heat", "co"))
        )
        last_seen = None if seen is None else at(seen)
        report = AlarmReport(last_seen=last_seen, **fields)
        receipt = Receipt(self.now, self.moment, retained, trace)
        return self._note(self.alarms.take(device, report, receipt))

    def wait(self, seconds: float) -> list[SmokeAlarm]:
        """Time passes, in the pipeline's sweeps."""
        found: list[SmokeAlarm] = []
        stop = self.t + seconds
        while self.t < stop:
            self.t = min(self.t + 5.0, stop)
            found += self._note(self.alarms.tick(self.moment))
        return found

    def restart(self, away_s: float = 0.0, reboot: bool = True) -> None:
        """The agent ends, and another run begins with what was kept."""
        state = self.alarms.state(self.now, self.moment)
        self.t += away_s
        if reboot:
            self._boot = 5.0 - self.t
        self.alarms = Alarms(state, self.now, self.moment)

    def _note(self, told: Sequence[Told]) -> list[SmokeAlarm]:
        found = [event for _, event in told]
        self.told += found
        self.ids += [event_id(event) for event in found]
        return found


def short(events: Sequence[SmokeAlarm]) -> list[str]:
    """``+smoke`` begins or changes, ``-smoke`` ends; ``?`` unconfirmed, ``T`` during a test."""
    return [
        ("+" if event.active else "-")
        + event.condition
        + ("?" if event.unconfirmed_since else "")
        + ("T" if event.during_test else "")
        + "".join(f" {sign}" for sign in event.signs)
        for event in events
    ]
