"""From what a chamber measures, through a gateway's own core, to the fire of a home: smoke that
rises after the code asks the home, wherever it had been before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_cloud.smoke import decision
from vigil_cloud.smoke.decision import Alarm, State
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.rising import ANEW, RISE
from vigil_schemas.smoke import SmokeAlarm

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


class Kitchen:
    """One alarm that rings from its first message on, and the fire of its home."""

    def __init__(self) -> None:
        self.edge = Alarms(None, NOON, 0.0)
        self.seconds = 0.0
        self.state: State | None = None

    def measures(self, density: float) -> None:
        self.seconds += 5
        now = NOON + timedelta(seconds=self.seconds)
        report = AlarmReport(smoke=True, smoke_density=density, has_fire_key=True)
        for _, event in self.edge.take("kitchen", report, Receipt(now, self.seconds)):
            told = _alarm(event, now)
            self.state = (
                decision.opened(told, decision.WINDOW)
                if self.state is None
                else decision.rings(self.state, told)
            )

    @property
    def phase(self) -> str:
        assert self.state is not None
        return self.state.phase

    def take_back(self) -> None:
        assert self.state is not None
        self.state = decision.code_given(self.state)


def _alarm(event: SmokeAlarm, now: datetime) -> Alarm:
    return Alarm(
        event.alarm_id,
        "kitchen",
        event.condition,
        event.since,
        now,
        signs=tuple(event.signs),
        density=event.smoke_density,
        rises=event.rises or 0,
    )


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.3, 30), st.booleans()), min_size=2, max_size=16),
)
def test_whatever_rises_clearly_after_the_code_asks_the_home(
    said: list[tuple[float, bool]],
) -> None:
    """``said``: what is measured, and whether somebody takes it back then. Clearly: to more than
    ever before by half; or, from a third of what it was as it was taken back, by as much again."""
    kitchen = Kitchen()
    most, taken_back = 0.0, 0.0
    least = float("inf")
    for density, takes_back in said:
        kitchen.measures(density)
        fell = least <= 0.99 * taken_back / (RISE * ANEW)
        if density > most * RISE**2 or (fell and density >= least * ANEW):
            assert kitchen.phase != "false-alarm"
        most, least = max(most, density), min(least, density)
        if takes_back:
            kitchen.take_back()
            taken_back, least = density, density


def test_smoke_that_only_thins_out_asks_nobody() -> None:
    kitchen = Kitchen()
    for density in (0.3, 0.6, 1.2):
        kitchen.measures(density)
    kitchen.take_back()
    for step in range(60):
        wavers = 1.25 if step % 2 else 0.8
        kitchen.measures(1.2 * 0.95**step * wavers)
        assert kitchen.phase == "false-alarm"
