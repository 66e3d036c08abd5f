"""What people will do is drawn once, whatever is assumed of it, and follows what is assumed."""

from __future__ import annotations

import pytest

from vigil_sim.week import behaviour, sensitivity
from vigil_sim.week.assumptions import shipped
from vigil_sim.week.behaviour import DAY_S, HOUR_S, HomeFire, Period, by_working_day

WEEK = Period(7 * DAY_S, 0.2)


def test_the_same_seed_is_the_same_week_and_another_is_not() -> None:
    once, again = (behaviour.plan(3, WEEK, shipped()) for _ in range(2))
    assert once == again
    assert once != behaviour.plan(4, WEEK, shipped())


def test_another_assumption_changes_what_it_is_about_and_nothing_else() -> None:
    given = shipped()
    before = behaviour.plan(3, WEEK, given)
    after = behaviour.plan(3, WEEK, given.changed("noise.plate_readable", 0.99))
    assert after.episodes == before.episodes
    assert after.fires == before.fires
    assert [one.at_s for one in after.passages] == [one.at_s for one in before.passages]
    assert sum(one.fined for one in after.passages) > sum(one.fined for one in before.passages)
    nowhere = behaviour.plan(3, WEEK, given.changed("checkin.app_at_hand", 0.0))
    assert not any(one.looks_first for one in nowhere.episodes)


def test_no_elder_is_lost_twice_at_once_and_no_home_burns_twice() -> None:
    plan = behaviour.plan(5, Period(7 * DAY_S, 1.0), shipped())
    over: dict[int, float] = {}
    for one in plan.episodes:
        assert one.left_s >= over.get(one.elder, 0.0)
        over[one.elder] = one.reports_s + one.search_s
    homes = [one.home for one in plan.fires] + [one.home for one in plan.nuisances]
    assert len(homes) == len(set(homes))


def fire(**changed: float | bool | None) -> HomeFire:
    fields = {
        "home": 1,
        "ignited_s": 0.0,
        "rings": True,
        "rings_s": 100.0,
        "growth_s": 300.0,
        "resident_s": None,
        "second_alarm_s": None,
        "neighbour_after_s": None,
        "brigade_after_s": 400.0,
    }
    return HomeFire(**{**fields, **changed})  # type: ignore[arg-type]  # by name


def test_a_fire_is_caught_by_whoever_is_there_first() -> None:
    assert fire().on_the_spot_s == 560.0  # the window, then the brigade
    assert not fire().early
    assert fire(resident_s=150.0).early
    assert fire(resident_s=150.0).called_s == 150.0  # who sees it burn calls at once
    assert fire(second_alarm_s=110.0).called_s == 110.0
    assert fire(neighbour_after_s=100.0).on_the_spot_s == 260.0
    assert fire(rings=False, resident_s=150.0).on_the_spot_s is None  # no alarm told them


@pytest.mark.parametrize("days", [0.0, 0.3, 2.6, 9.0])
def test_reviewers_work_by_day_from_monday_to_friday(days: float) -> None:
    for hour in range(0, 168, 5):
        at = by_working_day(hour * HOUR_S, days)
        assert at >= hour * HOUR_S + days * DAY_S - 1e-6
        assert at // DAY_S % 7 < 5
        assert 8.5 * HOUR_S <= at % DAY_S < 17.5 * HOUR_S + 60.0


def test_each_unsure_assumption_moves_a_figure_or_says_that_it_does_not() -> None:
    given = shipped()
    base = sensitivity.alone(given, 1, seeds=1)
    assert set(base) == {target.key for target in given.targets}
    dearer = sensitivity.alone(given.changed("noise.baseline_median_days", 70.0), 1, seeds=1)
    assert dearer["days_saved"] > base["days_saved"] + 10
    assert dearer["actionable"] == base["actionable"]


def test_no_assumption_is_without_a_source_and_no_range_is_upside_down() -> None:
    given = shipped()
    for key, entry in given.entries.items():
        assert entry.note, key
    for key, low, high in given.unsure():
        assert low <= given[key] <= high, key
    assert sum(one.share for one in given.venues) == pytest.approx(1.0)
