"""Things with an owner: registered by their code, watched while parked, looked for when stolen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud_city import TAG, City, visit
from vigil_cloud.cases import deadlines
from vigil_cloud.checkin import amulets
from vigil_cloud.checkin.models import Amulet, Thing, Visit
from vigil_cloud.checkin.watching import tell_stations
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.devices.models import Device, Downlink
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import CheckinSighting, CheckinVisit
from vigil_schemas.commands import WatchList
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.types import isoformat_utc

STICKER = "epc:30340789000c0e42dfdc1c35"
CODE = "A7K3M-92MDT"
THINGS = "/api/v1/people/p1/things"


@pytest.fixture
def owned(city: City) -> City:
    """``family`` guards the owner and has a consent; one sticker is in the stock. The market is
    two kilometres from the temple."""
    city.guardian("family")
    city.consent("family")
    with writing(city.services.sessions) as session:
        amulets.add(session, city.cipher, STICKER, by="operator", now=city.time, code=CODE)
        session.get_one(Device, "station-2").latitude = 23.50
    return city


def register(city: City, code: str = CODE, kind: str = "bicycle") -> httpx.Response:
    body = {"kind": kind, "name": "the red one", "code": code}
    return city.client("family").post(THINGS, json=body)


def bicycle(city: City) -> str:
    made = register(city)
    assert made.status_code == 201, made.text
    thing: str = made.json()["id"]
    return thing


def passes(city: City, device: str, **later: float) -> None:
    at = city.later(**later)
    sign: CheckinVisit = visit(at, id=f"visit-{at:%d%H%M%S}", tag=STICKER)
    city.send(sign.model_copy(update={"carrier": "uhf"}), device)


def told(city: City, kind: str) -> list[dict[str, Any]]:
    return [one for one in city.listed("family") if one["kind"] == kind and one["cleared"] is None]


def test_what_is_in_the_stock_is_registered_by_its_code_alone(owned: City) -> None:
    assert register(owned, "B7K3M-92MDT").status_code == 409
    thing = bicycle(owned)
    assert register(owned).status_code == 409, "it is on a bicycle already"
    (shown,) = owned.client("family").get(THINGS).json()["things"]
    assert (shown["id"], shown["kind"], shown["name"]) == (thing, "bicycle", "the red one")
    assert STICKER not in str(shown)
    with owned.services.sessions() as session:
        assert b"red" not in session.get_one(Thing, thing).name
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == thing))
        assert list(actions) == ["thing.added"]


def test_a_sticker_is_on_nobodys_coat_and_a_worn_amulet_on_nothing(owned: City) -> None:
    from cloud.checkin.joining import AGREED

    worn = {**AGREED, "code": CODE}
    answer = owned.client("family").post("/api/v1/people/p1/amulets", json=worn)
    assert (answer.status_code, answer.json()["code"]) == (409, "amulet-refused")
    thing = bicycle(owned)
    admin = owned.client("administrator")
    given = admin.put(f"/api/v1/people/p1/tags/{STICKER}")
    assert (given.status_code, given.json()["code"]) == (409, "tag-of-a-thing")
    with owned.services.sessions() as session:
        assert session.get_one(Thing, thing).tag == STICKER


def test_the_owner_sees_where_it_was_and_each_look_is_on_record(owned: City) -> None:
    passes(owned, "station-1")
    thing = bicycle(owned)
    passes(owned, "station-2", minutes=5)
    client = owned.client("family")
    signs = client.get(f"{THINGS}/{thing}/signs").json()["signs"]
    assert [one["name"] for one in signs] == ["Market"], "nothing of before it was registered"
    (shown,) = client.get(THINGS).json()["things"]
    assert shown["seen_at"] == "Market"
    looks = client.get("/api/v1/people/p1/audit").json()["entries"]
    assert sum(line["action"] == "location.read" for line in looks) == 2
    footprint = client.get("/api/v1/people/p1/footprints").json()["visits"]
    assert footprint == [], "where a thing is says nothing of where its owner is"


@pytest.mark.parametrize("username", ["aunt", "police", "administrator", "maintainer"])
def test_nobody_else_sees_or_moves_it(owned: City, username: str) -> None:
    owned.account("aunt", Role.FAMILY)
    owned.consent("aunt")
    thing = bicycle(owned)
    client = owned.client(username)
    answers = [
        client.get(THINGS),
        client.get(f"{THINGS}/{thing}/signs"),
        client.put(f"{THINGS}/{thing}/guard", json={}),
        client.delete(f"{THINGS}/{thing}/guard"),
        client.delete(f"{THINGS}/{thing}"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    stolen = client.post(f"/api/v1/things/{thing}/theft", json={})
    nobodys = client.post(f"/api/v1/things/{'0' * 36}/theft", json={})
    assert (stolen.status_code, stolen.json()["detail"]) == (404, nobodys.json()["detail"])


def test_a_parked_thing_that_moves_is_told_of_once_and_until_it_is_back(owned: City) -> None:
    thing = bicycle(owned)
    client = owned.client("family")
    assert client.put(f"{THINGS}/{thing}/guard", json={}).json()["code"] == "thing-not-seen"
    passes(owned, "station-1")
    assert client.put(f"{THINGS}/{thing}/guard", json={}).status_code == 204
    passes(owned, "station-1", minutes=5)
    assert told(owned, "thing-moved") == []
    passes(owned, "station-2", minutes=5)
    passes(owned, "station-2", minutes=5)
    (alert,) = told(owned, "thing-moved")
    assert "The bicycle of" in alert["title"]
    assert "seen at Market" in alert["title"]
    (whole,) = [one for one in owned.alerts("family") if one["kind"] == "thing-moved"]
    assert whole["detail"]["away_m"] == pytest.approx(2224, abs=10)
    passes(owned, "station-1", minutes=5)
    assert told(owned, "thing-moved") == []
    assert client.delete(f"{THINGS}/{thing}/guard").status_code == 204
    passes(owned, "station-2", minutes=5)
    assert told(owned, "thing-moved") == []


def test_what_was_seen_before_it_was_parked_does_not_move_it(owned: City) -> None:
    """And what is told late says of when it is."""
    thing = bicycle(owned)
    passes(owned, "station-1")
    owned.later(minutes=10)
    client = owned.client("family")
    assert client.put(f"{THINGS}/{thing}/guard", json={}).status_code == 204
    ridden = visit(owned.time - timedelta(minutes=5), id="visit-ridden", tag=STICKER)
    owned.later(minutes=1)
    owned.send(ridden.model_copy(update={"carrier": "uhf"}), "station-2")
    assert told(owned, "thing-moved") == []
    taken = visit(owned.time, id="visit-taken", tag=STICKER)
    owned.later(minutes=40)
    owned.send(taken.model_copy(update={"carrier": "uhf"}), "station-2")
    (alert,) = told(owned, "thing-moved")
    assert alert["title"].endswith("m away (last sign 12:11)")
    assert alert["title_zh"].endswith("（最後訊號 12:11）")


def test_a_stolen_thing_that_is_seen_again_where_it_was_last_is_told_of(owned: City) -> None:
    thing = bicycle(owned)
    passes(owned, "station-1", minutes=1)
    owned.later(minutes=1)
    client = owned.client("family")
    assert client.post(f"/api/v1/things/{thing}/theft", json={}).status_code == 201

    def seen() -> int:
        return len([one for one in owned.listed("family") if one["kind"] == "thing-seen"])

    passes(owned, "station-1", minutes=1)
    assert seen() == 1
    passes(owned, "station-1", minutes=30)
    assert seen() == 1, "it stands there"
    passes(owned, "station-1", minutes=61)
    assert seen() == 2


def test_an_alert_of_a_thing_is_its_familys_alone(owned: City) -> None:
    thing = bicycle(owned)
    parked = {"latitude": 23.60, "longitude": 120.44, "radius_m": 300}
    assert owned.client("family").put(f"{THINGS}/{thing}/guard", json=parked).status_code == 204
    passes(owned, "station-1")
    assert len(told(owned, "thing-moved")) == 1
    for username in ("police", "administrator", "maintainer", "host"):
        assert [one for one in owned.listed(username) if one["kind"] == "thing-moved"] == []


def test_a_stolen_thing_is_seen_by_the_police_with_a_reason_while_its_case_is_open(
    owned: City,
) -> None:
    thing = bicycle(owned)
    passes(owned, "station-1", minutes=1)
    client, police = owned.client("family"), owned.client("police")
    told_case = client.post(f"/api/v1/things/{thing}/theft", json={"text": "at the station"})
    again = client.post(f"/api/v1/things/{thing}/theft", json={})
    assert (told_case.status_code, again.json()) == (201, told_case.json())
    case = told_case.json()["case_id"]
    address = f"/api/v1/things/cases/{case}"
    assert police.get(address).status_code == 403
    asked = police.post(f"/api/v1/cases/{case}/access", json={"reason": "report 110-5"})
    assert asked.status_code in {200, 201}, asked.text
    passes(owned, "station-2", minutes=5)
    passes(owned, "station-2", minutes=5)
    passes(owned, "station-1", minutes=5)
    assert [one["name"] for one in police.get(address).json()["signs"]] == [
        *("Temple gate", "Market", "Market", "Temple gate"),
    ]
    titles = [one["title"] for one in owned.listed("family") if one["kind"] == "thing-seen"]
    assert len(titles) == 2, "once for each station"
    for closed in ("footprints", "last-place"):
        refused = police.get(f"/api/v1/people/p1/{closed}")
        assert refused.status_code == 403, "a thing's case tells nothing of its owner"
    assert client.delete(f"{THINGS}/{thing}").json()["code"] == "thing-stolen"

    shown = client.get(f"/api/v1/cases/{case}").json()
    decided = client.post(
        f"/api/v1/cases/{case}/decisions",
        json={"version": shown["version"], "outcome": "recovered", "reason": "found"},
    )
    assert decided.is_success, decided.text
    closed_case = client.post(
        f"/api/v1/cases/{case}/close",
        json={"version": decided.json()["version"], "resolution": "ended"},
    )
    assert closed_case.is_success, closed_case.text
    assert police.get(address).status_code in {403, 404}
    (left,) = client.get(THINGS).json()["things"]
    assert left["stolen"] is None
    looks = client.get("/api/v1/people/p1/audit").json()["entries"]
    assert any(line["account"] == "police" for line in looks)


def stolen(city: City) -> tuple[str, str]:
    """A bicycle that is reported stolen: its id and that of its case."""
    thing = bicycle(city)
    city.later(minutes=1)
    told_case = city.client("family").post(f"/api/v1/things/{thing}/theft", json={})
    assert told_case.status_code == 201, told_case.text
    return thing, told_case.json()["case_id"]


def able(city: City) -> None:
    """One station takes the watch list."""
    described = DeviceDescription(
        device="station-2",
        domain="checkin",
        driver="llrp",
        name="Market",
        commands=[WatchList.ACTION],
        latitude=23.50,
        longitude=120.44,
    )
    city.birth(session=2, devices=[described])


def listed(city: City) -> list[str]:
    """The tags that stations are asked to watch for now."""
    with writing(city.services.sessions) as session:
        while tell_stations(session, city.time):
            pass
        waiting = select(Downlink).where(Downlink.answered.is_(None))
        return [
            one["id"]
            for row in session.scalars(waiting)
            for one in row.payload["arguments"]["entries"]
        ]


def heard_at_once(city: City, device: str, id: str) -> None:
    """As a station tells of a tag that it was asked to watch for."""
    seen_now = CheckinSighting(sighting_id=id, tag=STICKER, carrier="uhf", seen=city.time)
    city.send(seen_now, device)


def close(city: City, case: str) -> None:
    client = city.client("family")
    shown = client.get(f"/api/v1/cases/{case}").json()
    decided = client.post(
        f"/api/v1/cases/{case}/decisions",
        json={"version": shown["version"], "outcome": "recovered", "reason": "found"},
    ).json()
    closed = client.post(
        f"/api/v1/cases/{case}/close",
        json={"version": decided["version"], "resolution": "ended"},
    )
    assert closed.is_success, closed.text


def test_a_stolen_thing_is_on_every_stations_watch_list_until_its_case_ends(owned: City) -> None:
    able(owned)
    thing, case = stolen(owned)
    assert listed(owned) == [STICKER], "the thing's tag, and none of its owner's"
    police = owned.client("police")
    police.post(f"/api/v1/cases/{case}/access", json={"reason": "report 110-5"})
    watch = police.get(f"/api/v1/things/cases/{case}").json()["watch"]
    assert watch == {"stations": 1, "watching": 0, "waiting": 1, "unable": 0, "listed": True}
    close(owned, case)
    owned.later(seconds=2)
    assert listed(owned) == []
    with owned.services.sessions() as session:
        actions = session.scalars(
            select(AuditEntry.action).where(
                AuditEntry.subject == thing, AuditEntry.person_key == "p1"
            )
        )
        assert list(actions)[-2:] == ["thing.watched", "thing.unwatched"]


def test_a_sighting_of_a_stolen_thing_is_told_before_any_visit(owned: City) -> None:
    """To the family, and to the police who have given a reason; to nobody else."""
    _, case = stolen(owned)
    owned.account("police-2", Role.POLICE)
    reason = {"reason": "report 110-5"}
    assert owned.client("police").post(f"/api/v1/cases/{case}/access", json=reason).is_success
    owned.later(minutes=1)
    heard_at_once(owned, "station-2", "sighting-1")
    for who in ("family", "police"):
        (alert,) = [one for one in owned.listed(who) if one["kind"] == "thing-seen"]
        assert "was seen at Market" in alert["title"]
    for who in ("police-2", "administrator", "maintainer", "host"):
        assert [one for one in owned.listed(who) if one["kind"] == "thing-seen"] == []
    # Its visit, and what the station tells each minute, are the same sign of it.
    passes(owned, "station-2", seconds=5)
    owned.later(minutes=1)
    heard_at_once(owned, "station-2", "sighting-2")
    assert len([one for one in owned.listed("police") if one["kind"] == "thing-seen"]) == 1
    with owned.services.sessions() as session:
        assert len(session.scalars(select(Visit)).all()) == 1, "a sighting keeps nothing"
    close(owned, case)
    assert [one for one in owned.listed("police") if one["kind"] == "thing-seen"] == []


def test_a_station_whose_clock_is_behind_tells_of_a_stolen_thing_too(owned: City) -> None:
    stolen(owned)
    behind = CheckinSighting(
        sighting_id="sighting-1",
        tag=STICKER,
        carrier="uhf",
        seen=owned.time - timedelta(hours=3),
    )
    owned.later(minutes=1)
    owned.send(behind, "station-2")
    (alert,) = [one for one in owned.listed("family") if one["kind"] == "thing-seen"]
    assert alert["event_time"] == isoformat_utc(owned.time)


def test_people_go_before_things_where_the_watch_list_is_full(
    owned: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    able(owned)
    monkeypatch.setattr("vigil_cloud.checkin.watching.MOST", 1)
    stolen(owned)
    missed = owned.client("family").post("/api/v1/search/reports", json={"person_key": "p1"})
    assert missed.status_code == 201, missed.text
    assert listed(owned) == [TAG]


def test_that_the_watch_list_of_a_theft_ends_is_told_to_those_of_its_case(owned: City) -> None:
    _, case = stolen(owned)
    owned.later(days=29, hours=12)
    for who in ("family", "police"):
        owned.client(who)
        owned.sign_in_anew(who)
    with writing(owned.services.sessions) as session:
        deadlines.tell(session, case_kinds(), owned.time)

    def told(who: str) -> list[str]:
        return [
            one["detail"]["case"] for one in owned.alerts(who) if one["kind"] == "case-deadline"
        ]

    assert told("police") == [], "the police have not asked for this case"
    owned.client("police").post(f"/api/v1/cases/{case}/access", json={"reason": "report 110-5"})
    assert (told("family"), told("police")) == ([case], [case])


def test_a_case_of_a_theft_is_of_a_thing(owned: City) -> None:
    body = {"kind": "theft", "person_key": "p1"}
    answer = owned.client("family").post("/api/v1/cases", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "theft-without-thing")


def test_what_is_removed_or_erased_is_followed_no_more(owned: City) -> None:
    thing = bicycle(owned)
    passes(owned, "station-1")
    assert owned.client("family").delete(f"{THINGS}/{thing}").status_code == 204
    with owned.services.sessions() as session:
        assert session.get_one(Amulet, STICKER).state == "returned"
    with writing(owned.services.sessions) as session:
        amulets.add(session, owned.cipher, STICKER, by="operator", now=owned.time, code=CODE)
    bicycle(owned)
    passes(owned, "station-1", minutes=5)
    erase(owned.services, "p1", by="operator")
    with owned.services.sessions() as session:
        assert session.scalars(select(Thing)).all() == []
        assert session.scalars(select(Visit)).all() == []
        about = select(AuditEntry.subject).where(AuditEntry.person_key.is_not(None))
        assert STICKER not in session.scalars(about).all()
