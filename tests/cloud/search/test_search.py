"""The way of a search: reported, opened with a reason, hit, ended, erased."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cases_office import picture
from cloud.search.conftest import LOOKS, Missing, lines, sighting
from cloud_city import NAME
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.cases.models import CaseDeadline
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import Disclosure
from vigil_cloud.identity.persons import rotate_key
from vigil_cloud.identity.roles import Role
from vigil_cloud.search.models import Search, SearchEntry, SearchHit
from vigil_cloud.search.said_times import AHEAD, LONGEST_AGO
from vigil_schemas.types import isoformat_utc

MILE = 1609.344


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


def test_the_end_that_is_sent_again_is_answered_as_at_first_for_a_while(missing: Missing) -> None:
    """With the search the access of whoever ended it ends; the answer may be lost all the same."""
    case = missing.report()["case_id"]
    missing.access("police", case)
    body = {
        "version": missing.see("police", case)["version"],
        "outcome": "found-well",
        "text": "At the temple.",
    }

    def end(key: str) -> httpx.Response:
        return missing.city.client("police").post(
            f"/api/v1/search/cases/{case}/end", json=body, headers={"Idempotency-Key": key}
        )

    first = end("the-end-of-it").raise_for_status().json()
    again = end("the-end-of-it")
    assert again.status_code == 200, again.text
    for told in ("id", "version", "state", "outcome", "history"):
        assert again.json()[told] == first[told]
    assert not list(lines(missing.city, "case.refused")), "nobody tried to look"
    assert end("another-key").json()["code"] == "case-needs-reason"

    missing.city.later(minutes=1)
    assert end("the-end-of-it").status_code == 200
    missing.do("family", f"/{case}/notes", {"text": "She is at home."})
    assert end("the-end-of-it").json()["code"] == "case-needs-reason", "it went on"

    missing.city.later(minutes=10)
    assert end("the-end-of-it").json()["code"] == "case-needs-reason"
    ended = [one for one in missing.see("family", case)["history"] if one["action"] == "closed"]
    assert len(ended) == 1


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


@pytest.mark.parametrize(
    ("moved", "taken"),
    [
        (timedelta(seconds=61), True),
        (AHEAD, True),
        (AHEAD + timedelta(seconds=1), False),
        (timedelta(days=-700), True),
        (-LONGEST_AGO - timedelta(days=1), False),
    ],
    ids=str,
)
def test_when_somebody_was_last_seen_is_bounded_with_a_tolerance(
    missing: Missing, moved: timedelta, taken: bool
) -> None:
    """A phone whose clock is a minute ahead says now; a date of another century is a mistake."""
    now = missing.city.time
    answer = missing.send_report(last_seen=(now + moved).isoformat())
    assert answer.is_success is taken, answer.text
    if not taken:
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-search-entry")
        return
    with missing.city.services.sessions() as session:
        assert session.scalars(select(Search.last_seen)).one() == min(now, now + moved)


def test_no_year_of_a_calendar_breaks_a_report(missing: Missing) -> None:
    for year in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        answer = missing.send_report(last_seen=year)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-search-entry")
        assert ("look at the date" in answer.json()["detail"]) is True


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
