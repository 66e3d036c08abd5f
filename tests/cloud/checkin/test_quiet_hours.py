"""What comes to hold in the quiet hours is told at their end, what presses at once; and what a new
person begins with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from cloud.checkin.test_rules import HOME, moved, ruled, titles, told, watch
from cloud_city import NOON, City, visit
from vigil_cloud.checkin.models import PersonRule, Tag, Visit
from vigil_cloud.checkin.rule_kinds import PRESET
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.persons import add_person

__all__ = ["ruled"]
SIESTA = (11 * 60, 14 * 60)
"""Noon in Taipei lies in it."""
NIGHT = NOON + timedelta(hours=11)
"""23:00 in Taipei."""
NEW = "ibeacon:0123456789abcdef0123456789abcdef:1:77"


def test_who_left_in_the_quiet_hours_is_told_of_at_their_end_without_another_sign(
    ruled: City,
) -> None:
    ruled.rule("left-zone", quiet=SIESTA, **HOME)
    ruled.send(told(NOON), "station-1")
    watch(ruled)
    assert titles(ruled) == []
    (shown,) = ruled.client("family").get("/api/v1/people/p1/rules").json()["rules"]
    assert (shown["held"], shown["standing"]) == (True, False)
    ruled.later(hours=1, minutes=59)
    watch(ruled)
    assert titles(ruled) == []
    ruled.later(minutes=1)
    watch(ruled)
    watch(ruled)
    (title,) = titles(ruled)
    assert title.endswith("is outside of the safe area, at Temple gate (last sign 12:00)")


def test_a_cloud_that_hears_no_gateway_tells_what_it_held_back_all_the_same(ruled: City) -> None:
    ruled.rule("left-zone", quiet=SIESTA, **HOME)
    ruled.send(told(NOON), "station-1")
    ruled.later(hours=3)
    from vigil_cloud.checkin.rule_watch import follow

    with writing(ruled.services.sessions) as session:
        follow(timedelta(minutes=3), session, ruled.time)
    assert len(titles(ruled)) == 1


def test_who_came_home_in_the_quiet_hours_is_not_told_of(ruled: City) -> None:
    ruled.rule("left-zone", quiet=SIESTA, **HOME)
    moved(ruled, "station-2")
    ruled.send(told(NOON), "station-1")
    ruled.later(hours=1)
    ruled.send(told(ruled.time), "station-2")
    ruled.later(hours=2)
    watch(ruled)
    assert titles(ruled) == []


def test_a_visit_that_is_gone_by_then_is_not_told(ruled: City) -> None:
    ruled.rule("left-zone", quiet=SIESTA, **HOME)
    ruled.send(told(NOON), "station-1")
    with writing(ruled.services.sessions) as session:
        session.execute(delete(Visit))
    ruled.later(hours=3)
    watch(ruled)
    assert titles(ruled) == []
    with ruled.services.sessions() as session:
        assert session.scalars(select(PersonRule.held)).all() == [None]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("left-zone", HOME), ("at-night", HOME | {"night_from": 1320, "night_until": 300})],
)
def test_who_is_out_at_night_is_told_of_at_once(
    ruled: City, kind: str, settings: dict[str, Any]
) -> None:
    """Whatever an earlier version had taken as quiet hours."""
    ruled.rule(kind, quiet=(21 * 60, 7 * 60), **settings)
    ruled.time = NIGHT
    ruled.send(told(NIGHT), "station-1")
    assert len(titles(ruled)) == 1


def test_who_left_before_the_night_is_told_of_as_it_begins(ruled: City) -> None:
    """At 21:50, with quiet hours from 21:00 to 07:00."""
    ruled.rule("left-zone", quiet=(21 * 60, 7 * 60), **HOME)
    ruled.time = NIGHT - timedelta(minutes=70)
    ruled.send(told(ruled.time), "station-1")
    ruled.later(minutes=9)
    watch(ruled)
    assert titles(ruled) == []
    ruled.later(minutes=1)
    watch(ruled)
    watch(ruled)
    assert len(titles(ruled)) == 1


def test_a_rule_of_the_night_has_no_quiet_hours(ruled: City) -> None:
    rule = {"kind": "at-night", **HOME}
    body = {"rule": rule, "quiet_from": 1320, "quiet_until": 420}
    answer = ruled.client("family").put("/api/v1/people/p1/rules", json=body)
    assert answer.status_code == 422
    assert "at once" in answer.json()["detail"]


def enrolled(city: City, tag: str = NEW) -> None:
    with writing(city.services.sessions) as session:
        add_person(session, city.cipher, key="p2", name="陳阿好", now=city.time)
        give_tag(session, tag, "p2", by="registrar", now=city.time)
    city.guardian("family", "p2")
    city.consent("family", "p2")


def rules_of(city: City, key: str = "p2") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        city.client("family").get(f"/api/v1/people/{key}/rules").json()["rules"]
    )
    return found


def test_a_new_person_begins_with_rules_that_the_guardian_is_asked_about(ruled: City) -> None:
    enrolled(ruled)
    shown = rules_of(ruled)
    assert {one["rule"]["kind"] for one in shown} == {one.rule.kind for one in PRESET}
    assert all(one["preset"] for one in shown)
    with ruled.services.sessions() as session:
        preset = select(AuditEntry).where(AuditEntry.action == "rule.preset")
        (line,) = session.scalars(preset.where(AuditEntry.person_key == "p2"))
        assert line.account == "registrar"
    keep = {name: shown[0][name] for name in ("rule", "quiet_from", "quiet_until")}
    client = ruled.client("family")
    assert client.put("/api/v1/people/p2/rules", json=keep).status_code == 204
    assert [one["preset"] for one in rules_of(ruled)] == [False, True, True]


def test_whoever_no_station_ever_heard_is_told_of(ruled: City) -> None:
    """Enrolled at noon with an amulet that is dead: told after a day, outside of quiet hours."""
    enrolled(ruled)
    ruled.later(hours=23, minutes=59)
    watch(ruled)
    assert titles(ruled) == []
    ruled.later(minutes=1)
    watch(ruled)
    watch(ruled)
    (title,) = titles(ruled)
    assert title.endswith("was not seen by any station yet, for 24 hours now")
    ruled.later(minutes=5)
    ruled.send(visit(ruled.time, tag=NEW), "station-1")
    assert titles(ruled) == []


def test_a_rule_that_is_kept_as_it_was_counts_on(ruled: City) -> None:
    """Told a day after they were enrolled, not a day after the guardian said that it may stay."""
    enrolled(ruled)
    ruled.later(hours=12)
    for shown in rules_of(ruled):
        keep = {name: shown[name] for name in ("rule", "quiet_from", "quiet_until")}
        ruled.client("family").put("/api/v1/people/p2/rules", json=keep)
    with ruled.services.sessions() as session:
        said = select(AuditEntry.number).where(AuditEntry.action == "rule.set")
        assert len(session.scalars(said.where(AuditEntry.person_key == "p2")).all()) == len(PRESET)
    ruled.later(hours=12)
    watch(ruled)
    assert len(titles(ruled)) == 1


def test_whoever_wants_to_hear_of_nothing_is_given_no_rules_again(ruled: City) -> None:
    enrolled(ruled)
    client = ruled.client("family")
    for one in rules_of(ruled):
        client.delete(f"/api/v1/people/p2/rules/{one['rule']['kind']}")
    with writing(ruled.services.sessions) as session:
        session.execute(delete(Tag).where(Tag.person_key == "p2"))
        give_tag(session, NEW, "p2", by="registrar", now=ruled.time)
    assert rules_of(ruled) == []
