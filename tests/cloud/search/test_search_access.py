"""Who sees a search: with a reason and for a time, and every look is listed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from cloud.search.conftest import Missing, lines, sighting
from cloud_city import City
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account
from vigil_cloud.notify.models import Delivery
from webhook import Hook, channel, plan


def test_a_look_without_a_reason_is_refused_and_seen_by_the_guardian(missing: Missing) -> None:
    case = missing.report()["case_id"]

    for path in (f"/api/v1/cases/{case}", f"/api/v1/search/cases/{case}/map"):
        refused = missing.city.client("police").get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "case-needs-reason")
        assert "p1" not in refused.text

    audit = missing.city.client("family").get("/api/v1/people/p1/audit").json()["entries"]
    assert [(one["account"], one["action"]) for one in audit if one["account"] == "police"] == [
        ("police", "case.refused")
    ]


def test_access_ends_by_itself_and_is_extended_with_a_reason(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    missing.access("police", case)
    city.later(hours=23)
    city.sign_in_anew("police")
    missing.access("police", case, "Still searching")
    city.later(hours=23)
    city.sign_in_anew("police")
    assert missing.map("police", case)["number"]
    assert city.listed("police", domain="search")[0]["kind"] in {"missing", "call"}

    city.later(hours=2)
    city.sign_in_anew("police")
    assert missing.look("police", case).json()["code"] == "case-needs-reason"
    assert {one["kind"] for one in city.listed("police", domain="search")} == {"call"}
    assert [who for who, _, _ in lines(city, "case.refused")] == ["police"]


def take_role(city: City, who: str, *left: Role) -> None:
    """Of whoever no longer works there."""
    with writing(city.services.sessions) as session:
        account_named(session, who).roles = [role.value for role in left]


def test_who_is_no_officer_any_more_sees_nothing_at_once(missing: Missing) -> None:
    city = missing.city
    city.account("both", Role.POLICE, Role.FAMILY)
    case = missing.report()["case_id"]
    for who in ("police", "both"):
        missing.access(who, case)
        assert missing.map(who, case)["number"]
    city.send(sighting(city), "station-2")
    assert "missing" in {one["kind"] for one in city.listed("both", domain="search")}

    take_role(city, "police", Role.INSPECTOR)
    take_role(city, "both", Role.FAMILY)

    for who in ("police", "both"):
        client = city.client(who)
        assert missing.look(who, case).status_code == 404, who
        assert client.get(f"/api/v1/cases/{case}").status_code == 404, who
        assert missing.listed(who) == [], who
        assert city.listed(who, domain="search") == [], who


def test_who_opened_a_case_sees_it_only_while_they_may_open_one(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    assert missing.look("family", case).status_code == 200

    take_role(city, "family", Role.VOLUNTEER)

    assert missing.look("family", case).status_code == 404
    assert city.listed("family", domain="search") == []


def test_whoever_is_given_the_name_of_a_removed_account_is_let_in_to_nothing(
    missing: Missing,
) -> None:
    # Given an officer with access, who has the case in hand, and the guardian who reported
    city = missing.city
    case = missing.report()["case_id"]
    missing.access("police", case)
    missing.do("police", f"/{case}/take", {"version": missing.see("police", case)["version"]})
    assert missing.see("police", case)["assignee"] == "police"

    # When others are given their names
    roles = {"police": Role.POLICE, "family": Role.FAMILY}
    for who, role in roles.items():
        with writing(city.services.sessions) as session:
            remove_account(session, who, by="operator", now=city.time)
        city.account(who, role)
        city.sign_in_anew(who)

    # Then they are let in to nothing, and nobody has it in hand
    assert missing.look("police", case).json()["code"] == "case-needs-reason"
    assert missing.look("family", case).status_code == 404
    missing.access("police-2", case)
    assert missing.see("police-2", case)["assignee"] is None


def test_an_officer_who_was_a_guardian_asks_with_a_reason_like_any_other(missing: Missing) -> None:
    city = missing.city
    city.account("both", Role.FAMILY, Role.POLICE)
    city.guardian("both")
    case = missing.report("both")["case_id"]
    take_role(city, "both", Role.POLICE)
    assert missing.look("both", case).json()["code"] == "case-needs-reason"

    missing.access("both", case)

    assert missing.map("both", case)["footprint_withheld"] is False


def test_one_case_of_a_person_does_not_open_another_one(missing: Missing) -> None:
    # Given a search that has ended, and another one of the same person that an officer opened
    city = missing.city
    first = missing.report()["case_id"]
    city.send(sighting(city), "station-2")
    assert missing.end("family", first, "home").is_success
    city.later(hours=1)
    second = missing.report()["case_id"]
    missing.access("police", second)

    seen = {one["id"] for one in city.alerts("police", domain="search") if one["kind"] == "missing"}

    with city.services.sessions() as session:
        alerts = {row.case_id: row.id for row in session.scalars(select(AlertRow)) if row.case_id}
        assert seen == {alerts[second]}
    assert missing.look("police", first).status_code == 403


def test_the_guardian_sees_each_look_of_each_case(missing: Missing) -> None:
    city = missing.city
    first = missing.report()["case_id"]
    missing.access("police", first)
    missing.map("police", first)
    city.listed("police", domain="search")
    missing.see("police", first)
    assert missing.end("family", first, "home").is_success
    city.later(minutes=1)
    second = missing.report()["case_id"]
    assert missing.look("police-2", second).status_code == 403

    def looks(case: str) -> list[tuple[str, str]]:
        answer = city.client("family").get(f"/api/v1/search/cases/{case}/looks")
        assert answer.status_code == 200, answer.text
        return [(one["account"], one["action"]) for one in answer.json()["entries"]]

    assert [one for one in looks(first) if one[0] == "police"] == [
        ("police", "case.read"),
        ("police", "location.read"),  # the alert, in the list
        ("police", "location.read"),  # the map
        ("police", "case.access-given"),
    ]
    assert [one for one in looks(second) if one[0] != "family"] == [("police-2", "case.refused")]
    for who in ("police", "stranger"):
        refused = city.client(who).get(f"/api/v1/search/cases/{first}/looks")
        assert refused.status_code in {403, 404}, who


def test_the_family_hears_of_a_search_for_as_long_as_it_goes_on(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    missing.access("police", case)
    for _ in range(5):
        city.later(days=8)
        city.sign_in_anew("police")
        missing.access("police", case)
    city.sign_in_anew("family")
    city.send(sighting(city), "station-2")

    (alert,) = [one for one in city.alerts("family", domain="search") if one["kind"] == "missing"]

    assert "Market" in alert["title"]


def test_the_police_account_of_a_guardian_needs_a_reason_for_the_footprint(
    missing: Missing,
) -> None:
    city = missing.city
    missing.was_at("station-1", timedelta(hours=2), "visit-before")
    city.account("both", Role.FAMILY, Role.POLICE)
    city.guardian("both")
    case = missing.report("both")["case_id"]

    assert missing.map("both", case)["footprint_withheld"] is True


def test_a_guardian_without_a_consent_sees_hits_and_no_footprint(missing: Missing) -> None:
    city = missing.city
    missing.was_at("station-1", timedelta(hours=2), "visit-before")
    case = missing.report()["case_id"]
    mine = missing.map("family", case)
    assert (mine["footprint"], mine["footprint_withheld"], mine["last_place"]) == ([], True, None)

    city.consent("family")
    mine = missing.map("family", case)
    assert (len(mine["footprint"]), mine["footprint_withheld"]) == (1, False)


def test_who_is_guardian_no_more_is_told_no_more(missing: Missing, hook: Hook) -> None:
    city = missing.city
    city.account("uncle", Role.FAMILY)
    city.guardian("uncle")
    channel(city, hook.url, username="uncle")
    case = missing.report("uncle")["case_id"]
    assert {one["kind"] for one in city.listed("uncle", domain="search")} == {"missing"}

    removed = city.client("administrator").delete("/api/v1/people/p1/guardians/uncle")
    assert removed.status_code == 204, removed.text
    plan(city)
    with city.services.sessions() as session:
        before = len(session.scalars(select(Delivery)).all())
    city.later(minutes=5)
    city.send(sighting(city), "station-2")
    plan(city)

    assert city.listed("uncle", domain="search") == []
    assert missing.look("uncle", case).status_code == 404
    assert city.client("uncle").get(f"/api/v1/cases/{case}").status_code == 404
    with city.services.sessions() as session:
        assert len(session.scalars(select(Delivery)).all()) == before


def test_other_roles_and_other_families_see_nothing(missing: Missing) -> None:
    case = missing.report()["case_id"]
    missing.city.send(sighting(missing.city), "station-2")
    for who in ("stranger", "inspector", "dispatcher", "maintainer", "administrator", "volunteer"):
        assert missing.look(who, case).status_code == 404, who
        assert missing.city.listed(who, domain="search") == [], who
    missing.access("police", case)
    assert missing.look("police-2", case).status_code == 403
    assert {one["kind"] for one in missing.city.listed("police-2", domain="search")} == {"call"}
