"""What guardians are told: by their rules alone, within bounds, outside of quiet hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from cloud_city import GATEWAY, NOON, TAG, City, visit
from vigil_cloud.alerts.models import AlertRow, OutboxEntry
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.checkin.rule_watch import follow
from vigil_cloud.checkin.rules import within
from vigil_cloud.checkin.silence import follow_stations
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import CheckinVisit

HOME: dict[str, Any] = {"latitude": 23.60, "longitude": 120.44, "radius_m": 500.0}
"""13 km from where the test's stations are."""


@pytest.fixture
def ruled(city: City) -> City:
    """A city whose person has no rule; ``family`` is the guardian and has a consent."""
    with writing(city.services.sessions) as session:
        session.execute(delete(PersonRule))
    city.guardian("family")
    city.consent("family")
    return city


def titles(city: City, active: bool = True) -> list[str]:
    with city.services.sessions() as session:
        query = select(AlertRow.title).where(AlertRow.active.is_(active))
        return list(session.scalars(query))


def watch(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = city.time
        follow(timedelta(minutes=3), session, city.time)


def told(at: datetime, **fields: Any) -> CheckinVisit:
    return visit(at, id=f"visit-{at:%d%H%M}").model_copy(update=fields)


def test_a_visit_alone_is_no_alert(ruled: City) -> None:
    ruled.send(visit(ruled.time), "station-1")
    ruled.send(visit(ruled.time, "departed"), "station-1")
    with ruled.services.sessions() as session:
        assert session.scalars(select(AlertRow)).all() == []
        assert len(session.scalars(select(Visit)).all()) == 1
    shown = ruled.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    assert len(shown) == 0 or shown[0]["name"] == "Temple gate"


def test_not_seen_for_hours_and_seen_again(ruled: City) -> None:
    ruled.rule("unseen", hours=12)
    ruled.send(visit(NOON, "departed"), "station-1")
    ruled.later(hours=11, minutes=55)
    watch(ruled)
    assert titles(ruled) == []
    ruled.later(minutes=5)
    watch(ruled)
    watch(ruled)
    assert [title.partition(" was ")[2] for title in titles(ruled)] == [
        "not seen for 12 hours, last at Temple gate"
    ]
    ruled.send(told(ruled.time), "station-2")
    assert titles(ruled) == []
    assert len(titles(ruled, active=False)) == 1


def test_quiet_hours_keep_it_until_they_end(ruled: City) -> None:
    # Noon in Taipei is the begin; quiet from midnight to seven.
    ruled.rule("unseen", quiet=(0, 7 * 60), hours=13)
    ruled.send(visit(NOON, "departed"), "station-1")
    ruled.later(hours=14)
    watch(ruled)
    assert titles(ruled) == []
    ruled.later(hours=5)
    watch(ruled)
    assert len(titles(ruled)) == 1


def test_a_cloud_that_hears_nobody_says_of_nobody_that_they_were_not_seen(ruled: City) -> None:
    ruled.rule("unseen", hours=12)
    ruled.birth("gw-a")
    ruled.birth("gw-b")
    ruled.send(visit(NOON, "departed"), "station-1")
    ruled.later(hours=20)
    with writing(ruled.services.sessions) as session:
        for gateway in session.scalars(select(Gateway)):
            gateway.last_seen = NOON
        assert follow(timedelta(minutes=3), session, ruled.time) is False
    assert titles(ruled) == []


CASES: list[tuple[str, dict[str, Any], Callable[[datetime], CheckinVisit], str]] = [
    ("left-zone", HOME, told, "is outside of the safe area"),
    (
        "at-night",
        HOME | {"night_from": 11 * 60, "night_until": 13 * 60},
        told,
        "is out at night",
    ),
    ("battery-low", {"below_mv": 2400}, lambda at: told(at, battery_mv=2300), "amulet is low"),
    (
        "not-worn",
        {"hours": 12},
        lambda at: told(at, arrived=at - timedelta(hours=14), still_since=at - timedelta(hours=13)),
        "is it worn?",
    ),
]


@pytest.mark.parametrize(("kind", "settings", "made", "said"), CASES, ids=[c[0] for c in CASES])
def test_what_a_visit_tells(
    ruled: City,
    kind: str,
    settings: dict[str, Any],
    made: Callable[[datetime], CheckinVisit],
    said: str,
) -> None:
    ruled.rule(kind, **settings)
    ruled.send(made(ruled.time), "station-1")
    ruled.later(minutes=1)
    ruled.send(made(ruled.time), "station-1")
    (title,) = titles(ruled)
    assert said in title
    # What is told late says nothing of now.
    with writing(ruled.services.sessions) as session:
        session.execute(delete(PersonRule))
        session.execute(delete(AlertRow))
    ruled.rule(kind, **settings)
    ruled.later(hours=9)
    ruled.send(made(ruled.time - timedelta(hours=3)), "station-2")
    assert titles(ruled) == []


def test_an_unusual_place_needs_a_habit(ruled: City) -> None:
    ruled.rule("unusual")
    for _day in range(25):
        ruled.later(days=1)
        ruled.send(told(ruled.time), "station-1")
    assert titles(ruled) == []
    ruled.later(days=1)
    ruled.send(told(ruled.time), "station-2")
    assert ["is at an unusual place" in title for title in titles(ruled)] == [True]


def test_a_guardian_sets_rules_within_bounds_and_takes_them_back(ruled: City) -> None:
    client = ruled.client("family")
    path = "/api/v1/people/p1/rules"

    def put(rule: dict[str, Any], **more: Any) -> int:
        return client.put(path, json={"rule": rule, **more}).status_code

    assert put({"kind": "unseen", "hours": 12}, quiet_from=0, quiet_until=420) == 204
    assert put({"kind": "left-zone", **HOME}) == 204
    for wrong in (
        {"kind": "unseen", "hours": 0},
        {"kind": "unseen", "hours": 169},
        {"kind": "left-zone", **HOME, "radius_m": 50},
        {"kind": "nothing"},
        {"kind": "battery-low", "below_mv": 100},
        {"kind": "seen", "hours": 1},
    ):
        assert put(wrong) == 422, wrong
    assert put({"kind": "seen"}, quiet_from=3) == 422
    shown = client.get(path).json()["rules"]
    assert [one["rule"]["kind"] for one in shown] == ["unseen", "left-zone"]
    assert (shown[0]["quiet_from"], shown[0]["quiet_until"]) == (0, 420)
    assert client.delete(f"{path}/unseen").status_code == 204
    assert client.delete(f"{path}/unseen").status_code == 204
    assert [one["rule"]["kind"] for one in client.get(path).json()["rules"]] == ["left-zone"]
    audit = client.get("/api/v1/people/p1/audit").json()["entries"]
    assert [line["action"] for line in audit if line["action"].startswith("rule.")] == [
        "rule.removed",
        "rule.set",
        "rule.set",
        "rule.preset",  # as every person begins
    ]


def test_what_stands_ends_with_its_rule(ruled: City) -> None:
    ruled.rule("left-zone", **HOME)
    ruled.send(told(ruled.time), "station-1")
    assert len(titles(ruled)) == 1
    ruled.client("family").delete("/api/v1/people/p1/rules/left-zone")
    assert titles(ruled) == []


def moved(city: City, device: str) -> None:
    """The station stands at home."""
    with writing(city.services.sessions) as session:
        row = session.get_one(Device, device)
        row.latitude, row.longitude = HOME["latitude"], HOME["longitude"]


def test_whoever_left_home_is_not_at_home_again_when_the_station_says_that_they_left(
    ruled: City,
) -> None:
    ruled.rule("left-zone", **HOME)
    moved(ruled, "station-1")
    ruled.send(told(NOON), "station-1")
    ruled.later(hours=1)
    ruled.send(told(ruled.time), "station-2")
    assert len(titles(ruled)) == 1
    # Told as soon as nothing was heard for five minutes: of before the other station.
    left = {"phase": "departed", "last_seen": ruled.time - timedelta(minutes=10)}
    ruled.later(minutes=2)
    ruled.send(told(NOON, **left), "station-1")
    assert len(titles(ruled)) == 1


def test_whoever_is_home_again_is_not_outside_when_the_station_says_that_they_left(
    ruled: City,
) -> None:
    ruled.rule("left-zone", **HOME)
    moved(ruled, "station-1")
    ruled.send(told(NOON), "station-2")
    assert len(titles(ruled)) == 1
    ruled.later(hours=1)
    ruled.send(told(ruled.time), "station-1")
    left = {"phase": "departed", "last_seen": ruled.time - timedelta(minutes=10)}
    ruled.later(minutes=2)
    ruled.send(told(NOON, **left), "station-2")
    assert titles(ruled) == []


def test_a_copy_of_the_amulet_at_home_ends_nothing(ruled: City) -> None:
    ruled.rule("left-zone", **HOME)
    moved(ruled, "station-1")
    ruled.send(told(NOON), "station-2")
    ruled.later(minutes=1)
    ruled.send(told(ruled.time), "station-1")
    with ruled.services.sessions() as session:
        assert {one.doubt for one in session.scalars(select(Visit))} == {"too-fast"}
    assert len(titles(ruled)) == 1
    ruled.rule("seen")
    ruled.later(minutes=1)
    ruled.send(told(NOON, last_seen=ruled.time), "station-2")
    assert any("doubtful" in title for title in titles(ruled))


def test_a_late_word_of_them_ends_that_they_were_not_seen(ruled: City) -> None:
    ruled.rule("unseen", hours=12)
    ruled.send(visit(NOON, "departed"), "station-1")
    ruled.later(hours=13)
    watch(ruled)
    assert len(titles(ruled)) == 1
    ago = {"phase": "departed", "last_seen": ruled.time - timedelta(hours=2)}
    ruled.send(told(ruled.time - timedelta(hours=3), **ago), "station-2")
    assert titles(ruled) == []


def test_an_amulet_that_moves_again_is_worn(ruled: City) -> None:
    ruled.rule("not-worn", hours=12)
    ruled.later(hours=14)
    lay = {"still_since": NOON + timedelta(hours=1), "last_seen": ruled.time}
    ruled.send(told(NOON, **lay), "station-1")
    assert len(titles(ruled)) == 1
    ruled.later(minutes=10)
    ruled.send(told(NOON, last_seen=ruled.time), "station-1")
    assert titles(ruled) == []


def test_a_visit_that_is_told_of_is_over_with_the_rule_of_each_stay(ruled: City) -> None:
    ruled.rule("seen")
    ruled.send(told(NOON), "station-1")
    assert len(titles(ruled)) == 1
    assert ruled.client("family").delete("/api/v1/people/p1/rules/seen").status_code == 204
    assert titles(ruled) == []
    ruled.later(minutes=10)
    ruled.send(told(NOON, last_seen=ruled.time), "station-1")
    assert titles(ruled) == []


def test_rules_are_destroyed_with_the_person(ruled: City) -> None:
    ruled.rule("left-zone", **HOME)
    ruled.send(told(NOON), "station-1")
    erase(ruled.services, "p1", by="operator")
    watch(ruled)
    with ruled.services.sessions() as session:
        assert session.scalars(select(PersonRule)).all() == []
        assert session.scalars(select(AlertRow).where(AlertRow.active)).all() == []


def test_people_are_told_of_a_stay_once_however_many_visits_it_has(ruled: City) -> None:
    ruled.rule("seen")

    def announced() -> list[str]:
        with ruled.services.sessions() as session:
            query = select(AlertRow.device, OutboxEntry.purpose).join(
                AlertRow, AlertRow.id == OutboxEntry.alert_id
            )
            rows = session.execute(query.order_by(OutboxEntry.id))
            return [f"{device} {purpose}" for device, purpose in rows]

    ruled.send(told(NOON), "station-1")
    ruled.later(minutes=4)
    ruled.send(told(NOON, last_seen=ruled.time, phase="departed"), "station-1")
    once = ["station-1 raised", "station-1 all-clear"]
    assert announced() == once
    # Ten minutes later again, and at the same time beside it, at the same place.
    ruled.later(minutes=10)
    again = ruled.time
    ruled.send(told(again), "station-1")
    ruled.later(minutes=1)
    ruled.send(told(again, last_seen=ruled.time), "station-1")
    ruled.send(told(ruled.time, visit_id="visit-beside"), "station-2")
    ruled.later(minutes=4)
    ruled.send(told(again, last_seen=ruled.time, phase="departed"), "station-1")
    assert announced() == once
    assert len(titles(ruled)) >= 1, "what goes on is shown all the same"
    # After a longer pause it is another stay.
    ruled.later(hours=2)
    ruled.send(told(ruled.time), "station-1")
    assert announced()[-1] == "station-1 raised"


def test_a_station_that_falls_silent_in_quiet_hours_tells_of_nobody(ruled: City) -> None:
    ruled.rule("seen", quiet=(11 * 60, 14 * 60))
    ruled.send(told(NOON), "station-1")
    with writing(ruled.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).last_seen = NOON
    ruled.later(minutes=5)
    with writing(ruled.services.sessions) as session:
        assert follow_stations(timedelta(minutes=3), session, ruled.time) is True
    with ruled.services.sessions() as session:
        assert session.scalars(select(AlertRow)).all() == []


def test_a_relative_neither_reads_nor_sets_what_the_guardian_is_told(ruled: City) -> None:
    """With a consent to see where the person is, and without being the guardian."""
    ruled.account("aunt", Role.FAMILY)
    ruled.consent("aunt")
    ruled.rule("unseen", hours=12)
    path = "/api/v1/people/p1/rules"
    for username in ("aunt", "administrator", "police"):
        client = ruled.client(username)
        answers = (
            client.get(path),
            client.put(path, json={"rule": {"kind": "seen"}}),
            client.delete(f"{path}/unseen"),
        )
        assert [one.status_code for one in answers] == [403, 403, 403], username
    with ruled.services.sessions() as session:
        assert session.scalars(select(PersonRule.kind)).all() == ["unseen"]


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_hours_of_the_citys_day_over_midnight(begin: int, end: int, minute: int) -> None:
    moment = datetime(2026, 3, 1, minute // 60, minute % 60, tzinfo=CITY_ZONE)
    inside = {(begin + n) % 1440 for n in range((end - begin) % 1440)}
    assert within(moment, begin, end) == (minute in inside)


def test_the_tag_is_in_no_alert(ruled: City) -> None:
    ruled.rule("left-zone", **HOME)
    ruled.send(told(ruled.time), "station-1")
    assert TAG not in str(ruled.alerts("family"))
