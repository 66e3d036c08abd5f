"""What an alarm loads: the same however many alarms its fire and its gateway have already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, func, select

from fire_town import HOME, Home, ring
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.smoke import fires
from vigil_cloud.smoke.models import AlarmCondition, Fire, FireAlarm

ALERTS = 40


@contextmanager
def loaded() -> Iterator[Counter[str]]:
    """How many rows of each kind were made objects of, within."""
    found: Counter[str] = Counter()

    def load(one: Any, _context: Any) -> None:
        found[type(one).__name__] += 1

    kinds = (AlertRow, AlarmCondition)
    for kind in kinds:
        event.listen(kind, "load", load)
    yield found
    for kind in kinds:
        event.remove(kind, "load", load)


def rings(home: Home, number: int) -> Counter[str]:
    home.city.later(seconds=2)
    with loaded() as found:
        ring(home, alarm_id=f"alarm-{number:04}")
    return found


def test_an_alarm_loads_as_much_at_any_length_of_its_fire(home: Home) -> None:
    costs = [rings(home, number) for number in range(ALERTS)]
    assert costs[4] == costs[-1]
    with home.city.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(FireAlarm)) == ALERTS
        (fire,) = session.scalars(select(Fire).where(Fire.household == HOME))
        assert {one.called_on for one in fires.alerts_of(session, fire.id)} == {True}


def test_the_end_of_a_long_fire_ends_all_its_calls(home: Home) -> None:
    """Loading what changes alone leaves none behind."""
    for number in range(4):
        rings(home, number)
    home.later(61)
    home.act("dispatcher", "lead/acknowledge")
    home.act("dispatcher", "lead/all-clear")
    with home.city.services.sessions() as session:
        (fire,) = session.scalars(select(Fire).where(Fire.household == HOME))
        assert fire.phase == "over"
        assert {one.called_on for one in fires.alerts_of(session, fire.id)} == {False}
