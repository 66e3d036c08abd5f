"""The programme through its API: from an application to a renewed subsidy, and its figures."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from cases_office import picture
from cloud_city import alarm
from fire_town import ADDRESS, BEDROOM, HOME, KITCHEN
from programme_town import WANG, Programme
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.models import AuditEntry, PersonKey
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.retention import Retention
from vigil_cloud.smoke.programme import personal, reminders
from vigil_cloud.smoke.programme_models import (
    ProgrammeHome,
    ProgrammePhoto,
    ProgrammeSignature,
)
from vigil_schemas.smoke import SmokeAlarm


def test_a_resident_applies_and_holds_a_certificate(programme: Programme) -> None:
    home = programme.own()
    fitted = programme.fitted(home, "S-001", "S-002", devices=(KITCHEN, BEDROOM))
    assert (fitted["phase"], fitted["signed"]) == ("installed", [])
    done = programme.signed(home)
    assert done["phase"] == "in-service"
    (mine,) = programme.say("resident", "GET", "/homes/mine")["homes"]
    assert mine["address"] == ADDRESS
    assert [one["party"] for one in mine["signatures"]] == ["household", "installer", "city"]
    assert "who" not in mine["signatures"][0]
    assert programme.say("guardian", "GET", "/homes/mine")["homes"]
    assert programme.say("neighbour", "GET", "/homes/mine")["homes"] == []


def test_a_home_that_was_referred_becomes_one_that_119_finds(programme: Programme) -> None:
    home = programme.referred()
    entry = programme.fitted(home, "S-001")
    city = programme.city
    with city.services.sessions() as session:
        kept = households.find(session, city.cipher, city.time, entry["household"])
    assert kept.described.address == WANG["address"]
    assert kept.described.position == (WANG["latitude"], WANG["longitude"])
    assert programme.signed(home, on_paper=True)["phase"] == "in-service"


def test_names_are_sealed_and_each_look_is_written_down(programme: Programme) -> None:
    home = programme.referred()
    listed = programme.ask("dispatcher", "GET", "/homes").text
    assert home in listed
    assert "民族路" not in listed
    assert (
        programme.say("dispatcher", "GET", f"/homes/{home}")["particulars"]["phone"]
        == (WANG["phone"])
    )
    with programme.city.services.sessions() as session:
        seen = select(AuditEntry).where(AuditEntry.action == "programme.seen")
        assert [one.subject for one in session.scalars(seen)] == [home]
        row = session.get_one(ProgrammeHome, home)
        assert "民族路".encode() not in row.particulars
    assert programme.ask("registrar", "GET", "/homes").status_code == 403


def test_nothing_is_fitted_without_a_photograph_and_its_place_is_told(
    programme: Programme,
) -> None:
    home = programme.referred()
    programme.say("dispatcher", "POST", f"/homes/{home}/decision", {})
    at = (programme.city.time + timedelta(days=2)).isoformat()
    programme.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
    body = {"alarms": [{"serial": "S-001", "room": "bedroom", "expires": "2036-01-01"}]}
    refused = programme.ask("maintainer", "POST", f"/homes/{home}/installation", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "programme-no-proof")
    near = programme.photo(home, latitude=23.478, longitude=120.452)
    far = programme.photo(home, latitude=23.488, longitude=120.452)
    assert near["away_m"] < 1
    assert 1_000 < far["away_m"] < 1_300
    programme.say("maintainer", "POST", f"/homes/{home}/installation", body)
    shown = programme.city.client("dispatcher").get(
        f"/api/v1/smoke/programme/homes/{home}/photos/{near['photo']}"
    )
    assert shown.content.startswith(b"\xff\xd8")
    with programme.city.services.sessions() as session:
        kept = session.get_one(ProgrammePhoto, near["photo"])
        assert shown.content[:200] not in kept.picture


def test_a_photograph_whose_answer_was_lost_is_kept_once(programme: Programme) -> None:
    home, other = programme.referred(), programme.own()
    client = programme.city.client("maintainer")
    path, key = "/api/v1/smoke/programme/photos", {"Idempotency-Key": "0123456789abcdef"}
    for _ in range(2):
        sent = client.post(path, params={"home": home}, content=picture(), headers=key)
        assert sent.status_code == 201, sent.text
    with programme.city.services.sessions() as session:
        assert len(session.scalars(select(ProgrammePhoto)).all()) == 1
    elsewhere = client.post(path, params={"home": other}, content=picture(), headers=key)
    assert elsewhere.json()["code"] == "idempotency-key-reused"


def test_who_signs_for_whom(programme: Programme) -> None:
    home = programme.own()
    programme.fitted(home, "S-001")
    for who, party in (
        ("neighbour", "household"),
        ("maintainer", "city"),
        ("resident", "installer"),
        ("maintainer", "household"),
    ):
        assert programme.sign(who, home, party).status_code == 403, who
    assert programme.sign("registrar", home, "city").status_code == 404
    programme.sign("dispatcher", home, "city").raise_for_status()
    sent = programme.say("dispatcher", "POST", f"/homes/{home}/sent-back", {"reason": "silent"})
    assert (sent["phase"], sent["alarms"], sent["signed"]) == ("accepted", [], [])


def test_two_people_make_no_three_signatures(programme: Programme) -> None:
    home = programme.referred()
    programme.fitted(home, "S-001")
    programme.sign("dispatcher", home, "household", on_paper=True).raise_for_status()
    refused = programme.sign("dispatcher", home, "city")
    assert (refused.status_code, refused.json()["code"]) == (409, "programme-out-of-turn")
    programme.sign("administrator", home, "city").raise_for_status()
    assert programme.sign("maintainer", home, "installer").json()["phase"] == "in-service"


def test_a_signature_is_for_what_was_looked_at_and_says_so(programme: Programme) -> None:
    """Given a resident who has the page open while other alarms are fitted."""
    home = programme.own()
    programme.fitted(home, "S-001", "S-002")
    seen = programme.looked_at(home)
    programme.city.later(minutes=1)
    programme.say("dispatcher", "POST", f"/homes/{home}/sent-back", {"reason": "silent"})
    at = (programme.city.time + timedelta(days=2)).isoformat()
    programme.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
    programme.photo(home)
    expires = (programme.city.time + timedelta(days=3650)).date().isoformat()
    alarms = [{"serial": "S-003", "room": "bedroom", "expires": expires}]
    programme.say("maintainer", "POST", f"/homes/{home}/installation", {"alarms": alarms})
    for stale in (seen, {"round": 2}, {"digest": "0" * 64}):
        refused = programme.sign("resident", home, "household", **stale)
        assert (refused.status_code, refused.json()["code"]) == (409, "programme-alarms-changed")
    assert programme.say("dispatcher", "GET", f"/homes/{home}")["signed"] == []
    for bad in ({"digest": ""}, {"round": 0}, {"digest": "z" * 64}):
        assert programme.sign("resident", home, "household", **bad).status_code == 422
    programme.signed(home)
    now = programme.looked_at(home)
    with programme.city.services.sessions() as session:
        kept = session.scalars(select(ProgrammeSignature)).all()
        assert [(one.round, one.digest) for one in kept] == [(1, now["digest"])] * 3
    (mine,) = programme.say("resident", "GET", "/homes/mine")["homes"]
    assert {one["digest"] for one in mine["signatures"]} == {mine["home"]["digest"]}

    # A visit that replaces an alarm: what was signed stays what was signed.
    programme.city.later(days=300)
    for who in ("maintainer", "resident"):
        programme.city.sign_in_anew(who)
    expires = (programme.city.time + timedelta(days=3650)).date().isoformat()
    new = {"serial": "S-004", "room": "stairs", "expires": expires}
    body = {"replaced": [{"serial": "S-003", "alarm": new}]}
    programme.say("maintainer", "POST", f"/homes/{home}/visit", body)
    (mine,) = programme.say("resident", "GET", "/homes/mine")["homes"]
    assert {one["digest"] for one in mine["signatures"]} == {now["digest"]}
    assert mine["home"]["digest"] != now["digest"]


def test_nobody_brings_a_paper_for_residents_who_have_an_account(programme: Programme) -> None:
    home = programme.own()
    programme.fitted(home, "S-001")
    assert programme.say("dispatcher", "GET", f"/homes/{home}")["signs_itself"] is True
    refused = programme.sign("administrator", home, "household", on_paper=True)
    assert (refused.status_code, refused.json()["code"]) == (409, "programme-out-of-turn")
    assert "account" in refused.text
    # One who left, or may sign nothing any more, keeps nobody from a paper.
    city = programme.city
    with writing(city.services.sessions) as session:
        account = account_named(session, "resident")
        assert account is not None
        account.active = False
    programme.sign("administrator", home, "household", on_paper=True).raise_for_status()


def test_photographs_are_counted_by_installation(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.smoke.programme.installations.MOST_PHOTOS", 1)
    home = programme.own()
    programme.fitted(home, "S-001")
    programme.city.later(minutes=1)
    programme.say("dispatcher", "POST", f"/homes/{home}/sent-back", {"reason": "silent"})
    at = (programme.city.time + timedelta(days=2)).isoformat()
    programme.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
    programme.city.later(minutes=1)
    programme.photo(home)
    with pytest.raises(AssertionError, match="1 photographs at most"):
        programme.photo(home)


def test_whose_districts_and_whose_home(programme: Programme) -> None:
    """A relative who also refers homes does so in the own districts; a host belongs to a household
    for the station on its wall, and signs for nobody."""
    city = programme.city
    home = programme.own()
    programme.fitted(home, "S-001")
    city.account("aunt", Role.FAMILY, Role.REGISTRAR)
    city.account("wall", Role.HOST)
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="test", now=city.time)
        aunt = account_named(session, "aunt")
        districts.limit(session, aunt, ["east"], by="test", now=city.time)
        account = account_named(session, "wall")
        households.add_member(session, HOME, by="test", now=city.time, account=account)
    body = {"particulars": WANG, "risks": ["elder-alone"], "agreed": True, "district": "west"}
    assert programme.ask("aunt", "POST", "/homes", body).status_code == 403
    assert programme.ask("aunt", "POST", "/homes", {**body, "district": "east"}).is_success
    assert programme.sign("wall", home, "household").status_code == 404


def test_a_home_that_left_comes_back(programme: Programme) -> None:
    home = programme.own()
    programme.fitted(home, "S-001")
    programme.say("dispatcher", "POST", f"/homes/{home}/closing", {"reason": "moved"})
    again = programme.applied()["home"]
    assert (again["home"], again["phase"], again["round"]) == (home, "applied", 2)


def test_a_village_of_a_file_has_forty_characters_at_most(programme: Programme) -> None:
    client = programme.city.client("administrator")
    text = f"姓名,電話,地址,里別,風險\r\n王奶奶,,民族路8號,{'里' * 41},獨居老人\r\n"
    answer = client.post("/api/v1/smoke/programme/import", content=text.encode())
    assert answer.raise_for_status().json()["mistakes"][0]["line"] == 2


def test_nobody_fits_an_alarm_that_stands_elsewhere(programme: Programme) -> None:
    city = programme.city
    city.send(alarm(city.time), "alarm-9")
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="test", now=city.time)
        fitter = account_named(session, "maintainer")
        districts.limit(session, fitter, ["east"], by="test", now=city.time)
        districts.place(session, "device", "alarm-9", "west", by="test", now=city.time)
    home = programme.referred(district="east")
    programme.fitted_until_photographed(home)
    expires = (city.time + timedelta(days=3650)).date().isoformat()
    for device, why in ((KITCHEN, "another home"), ("alarm-9", "no smoke alarm that is known")):
        alarms = [{"serial": "S-009", "room": "bedroom", "expires": expires, "device": device}]
        path = f"/homes/{home}/installation"
        refused = programme.ask("maintainer", "POST", path, {"alarms": alarms})
        assert (refused.status_code, refused.json()["code"]) == (409, "programme-out-of-turn")
        assert why in refused.text
    with city.services.sessions() as session:
        assert KITCHEN in {
            one for one, _, _ in households.find(session, city.cipher, city.time, HOME).devices
        }


def test_keys_are_read_before_the_homes_that_they_might_belong_to(programme: Programme) -> None:
    """A home that is added between the two reads keeps its key."""
    programme.referred()
    engine, read = programme.city.services.engine, list[str]()

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        read.extend(re.findall(r"FROM (person_keys|programme_homes)", statement))

    event.listen(engine, "before_cursor_execute", executed)
    with writing(programme.city.services.sessions) as session:
        assert not personal.forget_keys(session, programme.city.time)
    event.remove(engine, "before_cursor_execute", executed)
    assert read == ["person_keys", "programme_homes"]


def test_who_is_not_eligible_is_refused_with_the_reason(programme: Programme) -> None:
    home = programme.referred(risks=[])
    refused = programme.ask("dispatcher", "POST", f"/homes/{home}/decision", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "programme-not-eligible")
    entry = programme.say(
        "dispatcher", "POST", f"/homes/{home}/decision", {"refused": "no-risk-group"}
    )
    assert (entry["phase"], entry["reason"]) == ("refused", "no-risk-group")


def test_years_of_a_home(programme: Programme) -> None:
    home = programme.own()
    programme.fitted(home, "S-001", "S-002")
    programme.signed(home)
    early = programme.ask("dispatcher", "POST", f"/homes/{home}/renewal")
    assert early.status_code == 409
    city = programme.city
    city.later(days=300)
    city.sign_in_anew("maintainer")
    expires = (city.time + timedelta(days=3650)).date().isoformat()
    replaced = {
        "serial": "S-001",
        "alarm": {"serial": "S-003", "room": "stairs", "expires": expires},
    }
    entry = programme.say("maintainer", "POST", f"/homes/{home}/visit", {"replaced": [replaced]})
    assert {one["serial"] for one in entry["alarms"]} == {"S-002", "S-003"}
    programme.photo(home)  # of the visit: it shows nothing of what is fitted years later
    city.later(days=3300)
    for who in ("maintainer", "dispatcher", "resident"):
        city.sign_in_anew(who)
    assert programme.say("dispatcher", "GET", "/statistics")["expiring"] == 1
    entry = programme.applied()["home"]
    assert (entry["phase"], entry["round"]) == ("applied", 2)
    # While it waits an alarm fails: it is replaced, and the yearly visit stays due.
    day = city.time.date().isoformat()
    assert entry["due"] < day, "nobody came for years"
    listed = programme.say("dispatcher", "GET", f"/homes?due_by={day}")["homes"]
    assert [one["home"] for one in listed] == [home]
    new_until = (city.time + timedelta(days=3650)).date().isoformat()
    instead = {"serial": "S-009", "room": "bedroom", "expires": new_until}
    body = {"replaced": [{"serial": "S-003", "alarm": instead}]}
    visited = programme.say("maintainer", "POST", f"/homes/{home}/visit", body)
    assert {one["serial"] for one in visited["alarms"]} == {"S-002", "S-009"}
    assert (visited["phase"], visited["served"]) == ("applied", True)
    assert visited["due"] == (city.time + timedelta(days=365)).date().isoformat()
    (listed,) = programme.say("dispatcher", "GET", f"/homes?due_by={day}")["homes"]
    assert listed["home"] == home, "it waits for a decision, whatever day its visit is due"
    programme.say("dispatcher", "POST", f"/homes/{home}/decision", {})
    at = (city.time + timedelta(days=2)).isoformat()
    programme.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
    expires = (city.time + timedelta(days=3650)).date().isoformat()
    unseen = {"alarms": [{"serial": "S-010", "room": "stairs", "expires": expires}]}
    refused = programme.ask("maintainer", "POST", f"/homes/{home}/installation", unseen)
    assert (refused.status_code, refused.json()["code"]) == (409, "programme-no-proof")
    programme.photo(home)
    seen = {
        "alarms": [
            {"serial": serial, "room": "stairs", "expires": expires}
            for serial in ("S-011", "S-012")
        ]
    }
    programme.say("maintainer", "POST", f"/homes/{home}/installation", seen)
    entry = programme.signed(home)
    assert (entry["phase"], {one["serial"] for one in entry["alarms"]}) == (
        "in-service",
        {"S-011", "S-012"},
    )


def test_figures(programme: Programme) -> None:
    villages = "village,name,name_zh,district,households,latitude,longitude\r\n" + (
        "Zhongshan,Zhongshan,中山里,,200,23.48,120.45\r\n"
    )
    city = programme.city
    client = city.client("administrator")
    path = "/api/v1/smoke/programme/import?what=villages"
    client.post(path, content=villages.encode()).raise_for_status()
    home = programme.own()
    programme.fitted(home, "S-001", "S-002", devices=(KITCHEN, None))
    programme.signed(home)
    programme.referred(village="Zhongshan")
    assert programme.say("dispatcher", "GET", "/statistics")["working"] == 1, "one is not heard yet"
    with writing(city.services.sessions) as session:
        session.get_one(Device, KITCHEN).state = "ok"
    found = programme.say("dispatcher", "GET", "/statistics")
    assert (found["served"], found["applied"], found["coverage"]) == (1, 1, 0.005)
    assert (found["alarms"], found["heard"], found["working"]) == (2, 1, 2)
    (village,) = found["villages"]
    assert (village["name_zh"], village["applied"], village["served"]) == ("中山里", 2, 1)
    lost = {"alarm_id": "link-lost-1", "condition": "link_lost", "active": True, "since": city.time}
    city.send(SmokeAlarm.model_validate(lost), KITCHEN)
    assert programme.say("dispatcher", "GET", "/statistics")["working"] == 1


def test_a_test_that_is_due_is_told_to_the_home_and_ends_with_it(programme: Programme) -> None:
    home = programme.own()
    programme.fitted(home, "S-001", devices=(KITCHEN,))
    programme.signed(home)
    city = programme.city

    def look() -> list[tuple[str, bool]]:
        with writing(city.services.sessions) as session:
            reminders.look(session, city.services.now())
            rows = session.scalars(select(AlertRow).where(AlertRow.kind == reminders.KIND))
            return [(row.device, row.active) for row in rows]

    assert look() == [], "it was fitted today"
    city.later(days=32)
    assert look() == [(KITCHEN, True)]
    assert look() == [(KITCHEN, True)], "once a month"
    for active in (True, False):
        told = {"alarm_id": "test-0001", "condition": "test", "active": active, "since": city.time}
        city.send(SmokeAlarm.model_validate(told), KITCHEN)
        city.later(seconds=5)
    assert look() == [(KITCHEN, False)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp950"])
def test_a_file_is_looked_at_first_and_taken_whole(programme: Programme, encoding: str) -> None:
    good = "姓名,電話,地址,里別,風險\r\n王奶奶,05-222-3333,民族路8號,中山里,獨居老人、低收入\r\n"
    bad = good + "陳先生,,忠孝路1號,中山里,有錢\r\n"
    client = programme.city.client("administrator")

    def bring(text: str, **query: Any) -> dict[str, Any]:
        path = "/api/v1/smoke/programme/import"
        answer = client.post(path, content=text.encode(encoding), params=query).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    told = bring(bad)
    assert (told["done"], told["rows"]) == (False, 2)
    assert told["mistakes"][0]["line"] == 3
    assert bring(good, dry_run=True)["done"] is False
    assert programme.say("dispatcher", "GET", "/homes")["homes"] == []
    assert bring(good)["added"] == 1
    (entry,) = programme.say("dispatcher", "GET", "/homes")["homes"]
    assert entry["risks"] == ["elder-alone", "low-income"]
    out = programme.city.client("dispatcher").get("/api/v1/smoke/programme/export")
    assert "民族路8號" in out.content.decode("utf-8-sig")


def test_what_left_is_forgotten_with_its_key(programme: Programme) -> None:
    home = programme.referred()
    programme.say("dispatcher", "POST", f"/homes/{home}/closing", {"reason": "not-wanted"})
    city = programme.city
    city.later(days=1826)
    Retention(city.services).keep()
    with writing(city.services.sessions) as session:
        assert session.get(ProgrammeHome, home) is None
        assert reminders.look(session, city.services.now())
        assert session.get_one(PersonKey, f"programme:{home}").sealed is None


def test_erasing_the_home_erases_what_the_programme_knows(programme: Programme) -> None:
    home = programme.own()
    city = programme.city
    with writing(city.services.sessions) as session:
        households.erase(session, HOME, by="test", now=city.time)
        assert session.get(ProgrammeHome, home) is None
        assert session.get_one(PersonKey, f"programme:{home}").sealed is None
