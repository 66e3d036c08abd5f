"""A self test, an old report, a further sign: who is told, and how urgently."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from city_ingest import CityIngest
from cloud_city import GATEWAY, City
from gateways import event
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1

HOME = ("minor", "home")
FIRE = ("critical", "all")


def said(
    city: City, condition: str = "smoke", *, id: str = "", device: str = "alarm-1", **more: Any
) -> None:
    """As its gateway tells it, in version 2; ``v1=True`` in version 1."""
    model = SmokeAlarmV1 if more.pop("v1", False) else SmokeAlarm
    data = model.model_validate(
        {
            "alarm_id": id or f"{device}-{condition}",
            "condition": condition,
            "active": True,
            "since": city.time,
            **more,
        }
    )
    city.send(data, device)


def _during_test(v1: bool) -> dict[str, Any]:
    """Version 1 cannot say it."""
    return {} if v1 else {"during_test": True}


def told(city: City, id: str = "alarm-1-smoke") -> tuple[str, str]:
    """Severity and audience."""
    with city.services.sessions() as session:
        row = session.query(AlertRow).filter_by(key=f"smoke:{GATEWAY}:{id}").one()
        return row.severity, row.audience


def rounds(city: City) -> list[str]:
    with city.services.sessions() as session:
        found = session.query(AlertHistory).filter_by(action="told-again")
        return [row.comment for row in found.order_by(AlertHistory.id)]


def shown(city: City, condition: str) -> dict[str, Any]:
    (found,) = [one for one in city.alerts("dispatcher") if one["detail"]["condition"] == condition]
    return found


def wait(city: City, ingest: CityIngest | None = None, **span: float) -> None:
    """Time passes, and a process that has just been started looks."""
    city.later(**span)
    (ingest or CityIngest(city)).run_jobs()


def test_smoke_during_a_self_test_is_for_the_home_alone(city: City) -> None:
    said(city, "test")
    said(city, during_test=True)

    assert told(city) == HOME
    assert told(city, "alarm-1-test") == HOME
    alert = shown(city, "smoke")
    assert alert["kind"] == "test", "what every message about it begins with"
    assert alert["title"] == "Self test with smoke at Chen home"
    assert alert["detail"]["during_test"] is True


def test_smoke_that_ends_with_its_test_never_was_a_fire(city: City) -> None:
    said(city, "test")
    said(city, during_test=True)
    city.later(seconds=20)
    said(city, "test", active=False)
    said(city, active=False)
    wait(city, hours=1)

    assert told(city) == HOME
    assert rounds(city) == []


@pytest.mark.parametrize("v1", [False, True])
def test_smoke_that_goes_on_for_a_minute_after_the_test_is_a_fire(city: City, v1: bool) -> None:
    said(city, "test", v1=v1)
    said(city, v1=v1, **_during_test(v1))
    city.later(seconds=30)
    said(city, "test", active=False, v1=v1)
    wait(city, seconds=59)
    assert told(city) == HOME
    wait(city, seconds=1)

    assert told(city) == FIRE
    alert = shown(city, "smoke")
    assert (alert["kind"], alert["title"]) == ("smoke", "Smoke alarm at Chen home")
    assert alert["detail"]["during_test"] is False
    wait(city, hours=1)
    assert len(rounds(city)) == 1


@pytest.mark.parametrize("v1", [False, True])
def test_smoke_for_three_minutes_is_a_fire_though_nothing_more_is_heard(
    city: City, v1: bool
) -> None:
    said(city, "test", v1=v1)
    said(city, v1=v1, **_during_test(v1))
    wait(city, seconds=179)
    assert told(city) == HOME
    wait(city, seconds=1)
    assert told(city) == FIRE


def test_the_gateway_itself_may_find_that_it_is_no_test(city: City) -> None:
    said(city, during_test=True)
    said(city, during_test=False)
    assert told(city) == FIRE
    assert shown(city, "smoke")["detail"]["during_test"] is False

    said(city, during_test=True)  # told once more, late
    assert told(city) == FIRE
    assert shown(city, "smoke")["detail"]["during_test"] is False


@pytest.mark.parametrize("more", [{"signs": ["heat"]}, {"signs": ["density", "second_alarm"]}])
def test_a_sign_of_fire_ends_the_test(city: City, more: dict[str, Any]) -> None:
    said(city, during_test=True)
    said(city, during_test=True, **more)

    assert told(city) == FIRE


def test_heat_is_no_test(city: City) -> None:
    said(city, during_test=True)
    said(city, "heat", during_test=True)

    assert told(city, "alarm-1-heat") == FIRE
    assert told(city) == FIRE, "and neither is the smoke before it"


@pytest.mark.parametrize("v1", [False, True])
def test_a_second_alarm_behind_the_gateway_makes_both_a_fire(city: City, v1: bool) -> None:
    for device in ("alarm-1", "alarm-2"):
        said(city, "test", device=device, v1=v1)
        said(city, device=device, v1=v1, **_during_test(v1))
    assert told(city) == told(city, "alarm-2-smoke") == HOME, "two tests at once are two tests"

    said(city, device="alarm-3", v1=v1)

    assert {told(city, f"alarm-{n}-smoke") for n in (1, 2, 3)} == {FIRE}


@pytest.mark.parametrize("v1", [False, True])
def test_no_test_begins_beside_a_fire(city: City, v1: bool) -> None:
    said(city, device="alarm-3", v1=v1)
    said(city, "test", v1=v1)
    said(city, v1=v1, **_during_test(v1))

    assert told(city) == FIRE


def test_an_old_report_behind_the_gateway_is_no_second_alarm(city: City) -> None:
    said(city, device="alarm-2", unconfirmed_since=city.time - timedelta(days=56))
    said(city, during_test=True)

    assert told(city) == HOME


def test_version_1_knows_a_test_only_while_one_runs(city: City) -> None:
    said(city, "test", v1=True)
    said(city, "test", active=False, v1=True)
    said(city, v1=True)
    assert told(city) == FIRE


def test_a_stuck_test_button_hides_no_fire(city: City) -> None:
    said(city, "test", v1=True)
    city.later(minutes=11)
    said(city, v1=True)
    assert told(city) == FIRE


@pytest.mark.parametrize(("days", "severity"), [(0.01, "critical"), (56, "major")])
def test_an_old_report_says_so(city: City, days: float, severity: str) -> None:
    city.time = datetime.fromisoformat("2026-11-28T04:00:00+00:00")
    reported = city.time - timedelta(days=days)
    said(city, since=reported, unconfirmed_since=reported)

    alert = shown(city, "smoke")
    assert told(city) == (severity, "all")
    if days > 1:
        assert alert["title"] == "Possible fire at Chen home, report of 3 Oct"
        assert alert["title_zh"] == "陳宅 可能發生火災（10 月 3 日的回報）"
    assert alert["detail"]["unconfirmed_since"]

    said(city)
    alert = shown(city, "smoke")
    assert told(city) == FIRE
    assert alert["title"] == "Smoke alarm at Chen home"
    assert alert["detail"]["unconfirmed_since"] is None
    assert len(rounds(city)) == 1, "that it is certain is news"


def test_what_cannot_be_read_goes_to_the_home_and_to_who_can_mend_it(city: City) -> None:
    said(city, "unreadable", raw="smoke_state: 7")

    assert told(city, "alarm-1-unreadable") == ("major", "home-and-maintainers")


def test_a_further_sign_is_told_once(city: City) -> None:
    said(city)
    for signs in (["density"], ["density"], ["density", "second_alarm"]):
        said(city, signs=signs, smoke_density=0.31)

    assert rounds(city) == ["density 0.31", "density 0.31, second_alarm"]


def test_smoke_that_rises_to_one_figure_twice_is_told_twice(city: City) -> None:
    said(city)
    for rises in (1, 1, 2, 2, 3):
        said(city, signs=["density"], smoke_density=0.31, rises=rises)

    assert rounds(city) == ["density 0.31", "density 0.31 #2", "density 0.31 #3"]
    assert shown(city, "smoke")["detail"]["smoke_density"] == 0.31


def test_a_clock_at_1970_neither_hides_a_fire_nor_begins_it_there(city: City) -> None:
    """From the bytes on, with everything that ingest does to them."""
    ingest = CityIngest(city, GATEWAY)
    long_ago = datetime.fromisoformat("1970-01-01T00:02:00+00:00")
    data = SmokeAlarm(alarm_id="fire-0001", condition="smoke", active=True, since=long_ago)
    payload = event(GATEWAY, 1, data, subject="alarm-1", time=long_ago, lane="alarm")

    ingest.store(f"vigil/v1/{GATEWAY}/alarm", payload)

    alert = shown(city, "smoke")
    assert told(city, "fire-0001") == FIRE
    assert alert["event_time"] == alert["detail"]["since"] == "2026-03-01T04:00:00Z"
    assert alert["detail"]["time_quality"] == "behind"
    assert alert["detail"]["claimed_times"]["since"] == "1970-01-01T00:02:00Z"


def test_a_second_gateway_that_hears_the_fire_raises_it_marked(city: City) -> None:
    ingest = CityIngest(city, "gw-new")
    data = SmokeAlarm(alarm_id="fire-0001", condition="smoke", active=True, since=city.time)
    payload = event("gw-new", 1, data, subject="alarm-1", time=city.time, lane="alarm")

    ingest.store("vigil/v1/gw-new/alarm", payload)

    alert = shown(city, "smoke")
    assert (alert["gateway"], alert["severity"]) == ("gw-new", "critical")
    assert alert["detail"]["owner_doubtful"] == GATEWAY
    said(city, id="fire-0001", active=False)
    states = {one["gateway"]: one["state"]["active"] for one in city.alerts("dispatcher")}
    assert states == {"gw-new": True, GATEWAY: False}, "the owner's word ends only its own"
