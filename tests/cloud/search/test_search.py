"""The way of a search: reported, opened with a reason, hit, ended; and who is kept out of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from cases_office import picture
from cloud.search.conftest import Missing
from cloud_city import NAME, TAG, City, visit
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.cases.models import CaseDeadline
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import AuditEntry, Disclosure
from vigil_cloud.identity.persons import rotate_key
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account
from vigil_cloud.notify.models import Delivery
from vigil_cloud.search.models import Search, SearchEntry, SearchHit
from vigil_schemas.checkin import CheckinSighting
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel, plan

MILE = 1609.344
LOOKS = ("location.read", "case.refused", "case.access-given", "case.closed")


def sighting(city: City, id: str = "sighting-1", tag: str = TAG) -> CheckinSighting:
    return CheckinSighting(sighting_id=id, tag=tag, carrier="ble", seen=city.time, rssi_dbm=-71.0)


def lines(city: City, *actions: str) -> list[tuple[str, str, str]]:
    """Of the person's audit log: who did what, to which case."""
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.person_key == "p1").order_by(AuditEntry.number)
        return [
            (one.account, one.action, one.detail.get("case", ""))
            for one in session.scalars(query)
            if one.action in actions
        ]


def test_from_the_report_to_the_closed_case(missing: Missing) -> None:
    # Given somebody who was at the temple two hours ago
    city = missing.city
    missing.was_at("station-1", timedelta(hours=2), "visit-before")
    was = isoformat_utc(city.time - timedelta(hours=1))

    # When a guardian reports her missing, with a photograph that tells its place
    told = missing.report(clothes="Red coat", place="Noodle stall", last_seen=was)
    case = told["case_id"]
    assert told["joined"] is False
    seen = missing.photograph("family", case, picture((64, 48)))
    assert seen["photographs"][0]["location_removed"] is True

    # Then every police account is called, and told neither who nor where
    (call,) = missing.city.alerts("police", domain="search")
    assert call["title"] == f"Somebody is missing: case {told['number']}"
    assert call["severity"] == "critical"
    assert NAME not in str(call)
    assert (call["latitude"], call["device"]) == (None, "")
    refused = missing.look("police", case)
    assert (refused.status_code, refused.json()["code"]) == (403, "case-needs-reason")

    # and with a reason one of them sees what there is
    missing.access("police", case)
    shown = missing.map("police", case)
    assert (shown["clothes"], shown["place"]) == ("Red coat", "Noodle stall")
    assert shown["last_place"]["name"] == "Temple gate"
    assert shown["last_place"]["source"] == "visit"
    radii = [(ring["share"], ring["radius_m"]) for ring in shown["rings"]]
    assert radii == [
        (0.25, pytest.approx(0.2 * MILE)),
        (0.5, pytest.approx(0.7 * MILE)),
        (0.75, pytest.approx(2.0 * MILE)),
        (0.95, pytest.approx(7.8 * MILE)),
    ]
    assert [one["visit_id"] for one in shown["footprint"]] == ["gw-east:visit-before"]
    assert {one["device"] for one in shown["stations"]} == {"station-1", "station-2"}
    until = city.time + timedelta(hours=24)
    assert shown["access_until"] == isoformat_utc(until)

    # When a station hears her
    city.later(minutes=5)
    city.send(sighting(city), "station-2")

    # Then it is on the case and the alert of those who may know
    (hit,) = missing.map("police", case)["hits"]
    assert (hit["name"], hit["at_once"], hit["late"]) == ("Market", True, False)
    alert = next(one for one in city.alerts("police", domain="search") if one["kind"] == "missing")
    assert alert["title"] == f"{NAME} was seen at Market, 12:05"
    assert (alert["latitude"], alert["longitude"]) == (23.48, 120.44)
    assert missing.map("police", case)["last_place"]["source"] == "hit"

    # When she is found
    city.later(minutes=20)
    answer = missing.end("police", case)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["outcome"]) == ("closed", "found-well")

    # Then the police are shut out, and the guardian sees how it ended and who looked
    for refused in (
        missing.look("police", case),
        city.client("police").get(f"/api/v1/cases/{case}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "case-needs-reason")
    assert missing.refused("police", f"/{case}/access", {"reason": "Curious"})[:2] == (
        409,
        "case-wrong-state",
    )
    assert all(one["kind"] == "call" for one in city.listed("police", domain="search"))
    mine = missing.map("family", case)
    assert mine["ended"] is not None
    assert (mine["footprint"], mine["last_place"], mine["watch"]) == ([], None, None)
    titles = {one["title"] for one in city.alerts("family", domain="search")}
    assert f"{NAME}: the search has ended" in titles
    did = [what for who, what, _ in lines(city, *LOOKS) if who == "police"]
    assert did == [
        "case.refused",
        "case.access-given",
        "location.read",  # the map; again within ten minutes is the same look
        "location.read",  # the alert
        "location.read",  # the map after the hit, half an hour later
        "case.closed",
        "case.refused",
        "case.refused",
    ]


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


def test_a_report_that_is_sent_again_says_the_same(missing: Missing) -> None:
    client = missing.city.client("family")

    def send(key: str) -> dict[str, Any]:
        headers = {"Idempotency-Key": key}
        body = {"person_key": "p1"}
        answer = client.post("/api/v1/search/reports", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    first = send("first-report")
    missing.city.later(seconds=5)
    other = send("other-report")
    assert (first["joined"], other["joined"]) == (False, True)
    assert (send("first-report"), send("other-report")) == (first, other)


def test_the_deadline_of_the_watch_list_follows_it(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]

    def due() -> list[str]:
        shown = missing.see("family", case)["deadlines"]
        return [one["due"] for one in shown if one["met"] is None]

    city.later(days=2)
    for who in ("family", "police"):
        city.client(who)
        city.sign_in_anew(who)
    missing.access("police", case)
    assert due() == [missing.map("family", case)["watch"]["until"]]

    # also where it was told already that it is near
    city.later(days=6, hours=12)
    for who in ("family", "police"):
        city.sign_in_anew(who)
    missing.chore()
    missing.access("police", case, "Still searching")
    assert due() == [isoformat_utc(city.time + timedelta(days=7))]
    with city.services.sessions() as session:
        near = session.scalars(select(AlertRow).where(AlertRow.kind == "case-deadline")).all()
        assert [row.active for row in near] == [False]


def test_the_operator_says_for_how_long(missing: Missing, monkeypatch: pytest.MonkeyPatch) -> None:
    city = missing.city
    shorter = city.settings.model_copy(update={"cases_access_hours": {"search": 2.0}})
    object.__setattr__(city.services, "settings", shorter)
    case = missing.report()["case_id"]
    missing.access("police", case)

    until = missing.map("police", case)["access_until"]

    assert until == isoformat_utc(city.time + timedelta(hours=2))


def test_only_a_guardian_reports(missing: Missing) -> None:
    for who in ("stranger", "police", "administrator"):
        answer = missing.send_report(who)
        assert answer.status_code == 403, who
    unknown = missing.send_report("family", person_key="p-nobody")
    assert (unknown.status_code, unknown.json()["code"]) == (403, "no-consent")
    assert missing.city.listed("police", domain="search") == []


@pytest.mark.parametrize(
    "said",
    [
        {"latitude": 23.48},
        {"latitude": 91.0, "longitude": 120.4},
        {"clothes": "x" * 1001},
        {"last_seen": "2026-03-01T12:00:00Z"},
        {"last_seen": "yesterday"},
        {"whoever": 1},
    ],
)
def test_a_report_that_cannot_be_is_refused_and_begins_nothing(
    missing: Missing, said: dict[str, Any]
) -> None:
    assert missing.send_report(**said).status_code == 422
    assert missing.listed("family") == []


def test_who_is_searched_for_already_is_not_searched_for_twice(missing: Missing) -> None:
    city = missing.city
    city.account("brother", Role.FAMILY)
    city.guardian("brother")
    first = missing.report(clothes="Red coat")
    second = missing.report("brother", place="Temple")

    assert (second["case_id"], second["joined"]) == (first["case_id"], True)
    shown = missing.map("brother", first["case_id"])
    assert (shown["clothes"], shown["place"]) == ("Red coat", "Temple")
    assert len(missing.listed("family")) == 1
    assert len(city.listed("police", domain="search")) == 1
    by_hand = missing.refused("brother", "", {"kind": "search", "person_key": "p1"})
    assert by_hand[:2] == (409, "already-searched")


def test_after_the_end_it_is_another_search(missing: Missing) -> None:
    first = missing.report()["case_id"]
    assert missing.end("family", first, "home").is_success
    assert missing.end("family", first, "home").json()["code"] == "case-wrong-state"

    second = missing.report()

    assert (second["joined"], second["case_id"] != first) == (False, True)


def test_a_visit_is_a_hit_where_the_gateway_knows_no_watch_list(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(minutes=3)
    city.send(visit(city.time, id="visit-hit"), "station-2")
    city.later(minutes=4)
    city.send(visit(city.time - timedelta(minutes=4), "departed", id="visit-hit"), "station-2")

    (hit,) = missing.map("family", case)["hits"]

    assert (hit["device"], hit["at_once"]) == ("station-2", False)
    assert hit["last"] > hit["first"]


def test_a_sighting_and_its_visit_are_one_hit_told_once(missing: Missing, hook: Hook) -> None:
    city = missing.city
    channel(city, hook.url, username="police")
    case = missing.report()["case_id"]
    missing.access("police", case)
    plan(city)
    city.later(minutes=1)
    city.send(sighting(city), "station-2")
    city.send(visit(city.time, id="visit-hit"), "station-2")
    city.later(seconds=70)
    city.send(sighting(city, "sighting-2"), "station-2")
    plan(city)

    assert len(missing.map("police", case)["hits"]) == 1
    with city.services.sessions() as session:
        told = [
            (one.purpose, one.step)
            for one in session.scalars(select(Delivery).order_by(Delivery.id))
            if one.step.startswith("hit")
        ]
    assert told == [("again", "hit 1")]


def test_a_hit_at_a_station_without_a_position_leaves_no_pin_at_an_earlier_one(
    missing: Missing,
) -> None:
    city = missing.city
    missing.report()
    city.send(sighting(city), "station-2")
    (alert,) = (one for one in city.alerts("family", domain="search") if one["kind"] == "missing")
    assert alert["latitude"] is not None

    with writing(city.services.sessions) as session:
        session.execute(
            update(Device).where(Device.device == "station-1").values(latitude=None, longitude=None)
        )
    city.later(minutes=5)
    city.send(sighting(city, "sighting-2"), "station-1")

    (alert,) = (one for one in city.alerts("family", domain="search") if one["kind"] == "missing")
    assert "Temple gate" in alert["title"]
    assert (alert["latitude"], alert["longitude"]) == (None, None)


def test_who_is_not_searched_for_leaves_no_trace(missing: Missing) -> None:
    city = missing.city
    city.send(sighting(city), "station-2")
    city.send(sighting(city, tag="epc:00112233445566778899aabb"), "station-2")
    case = missing.report()["case_id"]
    assert missing.end("family", case, "home").is_success
    city.send(sighting(city, "sighting-9"), "station-2")

    with city.services.sessions() as session:
        assert session.scalars(select(SearchHit)).all() == []


def test_what_is_told_late_does_not_move_the_last_place_back(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(hours=2)
    city.send(visit(city.time, id="visit-now0"), "station-2")
    city.send(visit(city.time - timedelta(hours=1), id="visit-late"), "station-1")

    shown = missing.map("family", case)

    assert [(one["name"], one["late"]) for one in shown["hits"]] == [
        ("Temple gate", True),
        ("Market", False),
    ]
    assert shown["last_place"]["name"] == "Market"
    (alert,) = [one for one in city.alerts("family", domain="search") if one["kind"] == "missing"]
    assert "Market" in alert["title"]


def test_a_station_whose_clock_is_behind_is_heard_all_the_same(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(minutes=5)
    slow = sighting(city).model_copy(update={"seen": city.time - timedelta(hours=3)})
    city.send(slow, "station-2")

    (hit,) = missing.map("family", case)["hits"]

    assert (hit["device"], hit["first"], hit["doubts"]) == (
        "station-2",
        isoformat_utc(city.time),
        ["time"],
    )


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


def test_reports_and_searched_places_are_on_the_map(missing: Missing) -> None:
    case = missing.report()["case_id"]
    missing.access("police", case)
    area = [[120.43, 23.47], [120.44, 23.47], [120.44, 23.48]]
    assert missing.add("police", case, kind="searched", area=area, text="Park").is_success
    seen = {"kind": "seen", "latitude": 23.481, "longitude": 120.441, "text": "At the bus stop"}
    assert missing.add("family", case, **seen).is_success

    shown = missing.map("police", case)["entries"]

    assert [(one["kind"], one["text"], one["account"]) for one in shown] == [
        ("searched", "Park", "police"),
        ("seen", "At the bus stop", "family"),
    ]
    assert shown[0]["area"] == area
    with missing.city.services.sessions() as session:
        assert b"bus" not in b"".join(
            one.text or b"" for one in session.scalars(select(SearchEntry))
        )


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "seen"},
        {"kind": "seen", "latitude": 23.4},
        {"kind": "seen", "latitude": 23.4, "longitude": 120.4, "area": [[1.0, 1.0]] * 3},
        {"kind": "searched", "latitude": 23.4, "longitude": 120.4},
        {"kind": "searched", "latitude": 23.4, "longitude": 120.4, "radius_m": -5.0},
        {"kind": "searched", "area": [[120.4, 23.4], [120.5, 23.4]]},
        {"kind": "searched", "area": [[120.4, 123.4], [120.5, 23.4], [120.5, 23.5]]},
        {"kind": "heard", "latitude": 23.4, "longitude": 120.4},
        {"kind": "seen", "latitude": 23.4, "longitude": 120.4, "at": "2026-03-02T00:00:00Z"},
    ],
)
def test_an_entry_that_cannot_be_is_refused(missing: Missing, entry: dict[str, Any]) -> None:
    case = missing.report()["case_id"]
    assert missing.add("family", case, **entry).status_code == 422
    assert missing.map("family", case)["entries"] == []


def test_nothing_is_added_to_a_search_that_has_ended(missing: Missing) -> None:
    case = missing.report()["case_id"]
    assert missing.end("family", case).is_success
    entry = {"kind": "seen", "latitude": 23.4, "longitude": 120.4}
    assert missing.add("family", case, **entry).json()["code"] == "search-over"


def test_a_photograph_of_a_hundred_megabytes_is_refused_early(missing: Missing) -> None:
    case = missing.report()["case_id"]
    with suppress(httpx.HTTPError):  # the server may close the connection while it is sent
        answer = missing.send_photograph("family", case, b"\xff\xd8" + bytes(100_000_000))
        assert answer.status_code == 413
    assert missing.see("family", case)["photographs"] == []


def test_with_the_person_the_search_goes(missing: Missing) -> None:
    city = missing.city
    case = missing.report(clothes="Red coat")["case_id"]
    missing.access("police", case)
    city.send(sighting(city), "station-2")
    missing.tell_stations()

    erase(city.services, "p1", by="administrator")

    with city.services.sessions() as session:
        for model in (Search, SearchHit, SearchEntry, Disclosure):
            assert session.scalars(select(model)).all() == []
    assert not [one for one in city.alerts("police", domain="search") if one["state"]["active"]]
    with city.services.sessions() as session:
        (call,) = session.scalars(select(AlertRow).where(AlertRow.kind == "call"))
        said = select(AlertHistory.action).where(AlertHistory.alert_id == call.id)
        assert "cleared" in session.scalars(said).all()
        assert call.cleared == city.time
        due = select(CaseDeadline).where(CaseDeadline.met.is_(None))
        assert session.scalars(due).all() == []


def test_another_key_of_the_person_opens_what_was_written_before(missing: Missing) -> None:
    city = missing.city
    case = missing.report(clothes="Red coat", place="Noodle stall")["case_id"]
    missing.access("police", case)
    point = {"latitude": 23.48, "longitude": 120.44}
    missing.add("police", case, kind="seen", text="By the bus", **point).raise_for_status()
    seen = missing.photograph("police", case, picture((64, 48)))
    path = f"/api/v1/cases/{case}/photographs/{seen['photographs'][0]['id']}"
    before = city.client("police").get(path)
    assert before.status_code == 200, before.text

    with writing(city.services.sessions) as session:
        rotate_key(session, city.cipher, "p1", by="operator", now=city.time)

    shown = missing.map("police", case)
    assert (shown["clothes"], shown["place"]) == ("Red coat", "Noodle stall")
    assert [one["text"] for one in shown["entries"]] == ["By the bus"]
    after = missing.see("police", case)
    assert "Seen by somebody: By the bus" in str(after)
    assert city.client("police").get(path).content == before.content


def test_other_roles_and_other_families_see_nothing(missing: Missing) -> None:
    case = missing.report()["case_id"]
    missing.city.send(sighting(missing.city), "station-2")
    for who in ("stranger", "inspector", "dispatcher", "maintainer", "administrator", "volunteer"):
        assert missing.look(who, case).status_code == 404, who
        assert missing.city.listed(who, domain="search") == [], who
    missing.access("police", case)
    assert missing.look("police-2", case).status_code == 403
    assert {one["kind"] for one in missing.city.listed("police-2", domain="search")} == {"call"}
