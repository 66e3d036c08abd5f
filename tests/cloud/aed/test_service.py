"""From a pressed button to a closed case, without a broker; and what else a cabinet tells."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from aed_town import PATIENT, Line119, ready, rounds
from cloud_city import GATEWAY, NOON, City, populated
from vigil_cloud.aed import live
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.app import jobs
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import NAMESPACE, CapMessage, CapText, render
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Turn
from vigil_schemas.aed import AedCall, AedCondition, AedRemoval
from vigil_schemas.gateway import DeviceDescription, GatewayBirth
from vigil_schemas.types import Model
from webhook import Hook, channel

CABINET = "aed-1"
CAP = f"{{{NAMESPACE}}}"


@pytest.fixture
def line() -> Iterator[Line119]:
    made = Line119()
    yield made
    made.close()


@pytest.fixture
def town(tmp_path: Path, line: Line119) -> Iterator[City]:
    """With a cabinet, an AED of the register in it, and volunteers."""
    city = populated(
        tmp_path / "cloud", emergency_url=line.url, emergency_token="of the line's own"
    )
    described = DeviceDescription(
        device=CABINET,
        domain="aed",
        driver="modbus-tcp",
        name="City hall",
        name_zh="市政府",
        latitude=PATIENT[1],
        longitude=PATIENT[0],
        commands=["play_voice"],
    )
    birth = GatewayBirth(
        session=2,
        started=city.time,
        software="test",
        epoch="00000001",
        public_key="0" * 64,
        devices=[described],
        accepts=["city.vigil.command.v2"],
    )
    city.send(birth, "gw-hall", "gw-hall")
    for name in ("ann", "bo", "cy"):
        city.account(name, Role.VOLUNTEER)
    put = city.client("administrator").put(
        "/api/v1/aed/sites/hall",
        json={
            "name": "City hall",
            "name_zh": "市政府",
            "latitude": PATIENT[1],
            "longitude": PATIENT[0] + 0.0005,
            "location": "ground floor, left of the door",
            "device": CABINET,
        },
    )
    assert put.status_code == 200, put.text
    yield city
    city.close()


def tell(city: City, event: Model) -> None:
    city.send(event, CABINET, "gw-hall")


def press(city: City, id: str = "call-0001") -> dict[str, Any]:
    """A pressed button, and the alert of it."""
    tell(city, AedCall(call_id=id, pressed=city.time))
    return alert_of(city)


def alert_of(city: City, who: str = "dispatcher") -> dict[str, Any]:
    return city.alerts(who, domain="aed")[0]


def calls_of(city: City, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = city.client(name).get("/api/v1/aed/calls/mine").json()["calls"]
    return found


def say(city: City, name: str, word: str, call: str = "gw-hall:call-0001") -> httpx.Response:
    return city.client(name).post(f"/api/v1/aed/calls/{call}/answer", json={"answer": word})


def callouts(city: City) -> list[dict[str, Any]]:
    (call,) = city.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    found: list[dict[str, Any]] = call["callouts"]
    return found


def end(city: City, alert: str) -> None:
    """The dispatcher says that all is done."""
    for act in ("acknowledge", "confirm"):
        done = city.client("dispatcher").post(f"/api/v1/alerts/{alert}/{act}", json={})
        done.raise_for_status()


def test_a_call_from_the_button_to_the_closed_case(town: City, line: Line119, hook: Hook) -> None:
    ready(town, "ann", 0.001)
    ready(town, "bo", 0.0012)
    channel(town, hook.url, name="ann's phone", username="ann")

    press(town)
    rounds(town, 2)

    (told,) = line.received
    assert line.authorization == ["Bearer of the line's own"]
    cap = ET.fromstring(told)
    assert (cap.tag, cap.findtext(f"{CAP}status")) == (f"{CAP}alert", "Actual")
    assert cap.findtext(f"{CAP}info/{CAP}area/{CAP}circle", "").startswith("23.480000,120.440500")
    alert = alert_of(town)
    assert (alert["severity"], alert["detail"]["emergency"]["state"]) == ("critical", "answered")
    assert (alert["detail"]["called"], alert["detail"]["nobody_in_reach"]) == (2, False)
    (mine,) = calls_of(town, "ann")
    (other,) = calls_of(town, "bo")
    assert {mine["role"], other["role"]} == {"patient", "aed"}
    fetches = mine if mine["role"] == "aed" else other
    assert fetches["fetch"]["location"] == "ground floor, left of the door"
    assert [one["title"].partition("：")[0] for one in hook.received] == ["心跳停止 AED 求救"]

    assert say(town, "ann", "accepted").status_code == 200
    assert say(town, "ann", "accepted").status_code == 200, "idempotent"
    downlinks = town.client("administrator").get("/api/v1/gateways/gw-hall/downlinks").json()
    (voice,) = [one for one in downlinks["downlinks"] if one["channel"] == "command"]
    assert voice["payload"]["arguments"]["prompt"] == "help_coming"
    for word in ("on-the-way", "arrived"):
        assert say(town, "ann", word).status_code == 200
    assert say(town, "ann", "declined").json()["code"] == "aed-answer-out-of-turn"
    detail = alert_of(town)["detail"]
    assert "arrived" in {detail["patient_role"], detail["aed_role"]}

    dispatcher = town.client("dispatcher")
    (listed,) = dispatcher.get("/api/v1/aed/calls").json()["calls"]
    assert listed["state"] == "calling"
    case = listed["case"]
    for path, body in (
        ("take", {}),
        ("decisions", {"outcome": "rosc", "reason": "pulse after one shock"}),
        ("close", {"resolution": "aed-back"}),
    ):
        version = dispatcher.get(f"/api/v1/cases/{case}").json()["version"]
        done = dispatcher.post(f"/api/v1/cases/{case}/{path}", json={"version": version} | body)
        assert done.is_success, done.text
    closed = dispatcher.get(f"/api/v1/cases/{case}").json()
    assert (closed["state"], closed["outcome"]) == ("closed", "rosc")
    (section,) = closed["sections"]
    assert section["code"] == "aed-call"
    alert_id = alert_of(town)["id"]
    dispatcher.post(f"/api/v1/alerts/{alert_id}/acknowledge", json={}).raise_for_status()
    dispatcher.post(f"/api/v1/alerts/{alert_id}/confirm", json={}).raise_for_status()
    rounds(town)
    (after,) = calls_of(town, "bo")
    assert (after["state"], after["over"]) == ("recalled", True)
    assert say(town, "bo", "accepted").json()["code"] == "aed-call-over"


def test_nobody_in_reach_is_said_at_once(town: City) -> None:
    press(town)
    rounds(town)
    alert = alert_of(town)
    assert alert["detail"]["nobody_in_reach"] is True
    assert "nobody is in reach" in alert["title"]
    assert "附近無志工" in alert["title_zh"]


def test_a_lapsed_certificate_is_not_called_and_this_is_told(town: City) -> None:
    ready(town, "ann", 0.001, until=town.time.date().isoformat())
    town.later(days=1)
    town.sign_in_anew("ann")
    refused = town.client("ann").put(
        "/api/v1/aed/volunteer/on-call", json={"position": list(PATIENT)}
    )
    assert refused.json()["code"] == "volunteer-not-ready"
    assert refused.json()["data"] == {"bar": "certificate-lapsed"}
    standing = town.client("ann").get("/api/v1/aed/volunteer").json()
    assert "certificate-lapsed" in standing["bars"]
    town.sign_in_anew("administrator")
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["nobody_in_reach"] is True
    assert calls_of(town, "ann") == []


def test_who_lapses_while_on_call_is_counted_on_the_alert(town: City) -> None:
    ready(town, "ann", 0.001)
    town.client("administrator").put(
        "/api/v1/aed/volunteers/ann/certificate", json={"until": "2026-02-01"}
    ).raise_for_status()
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["lapsed_certificates"] == 1
    assert calls_of(town, "ann") == []


def test_where_a_volunteer_is_goes_with_being_on_call(town: City) -> None:
    ready(town, "ann", 0.001)
    ann = town.client("ann")
    assert ann.get("/api/v1/aed/volunteer").json()["bars"] == []
    town.later(minutes=31)
    assert ann.get("/api/v1/aed/volunteer").json()["bars"] == ["no-position"]
    ann.put("/api/v1/aed/volunteer/on-call", json={"position": None}).raise_for_status()
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]
    ready(town, "ann", 0.001)
    ann.put("/api/v1/aed/volunteer/consent", json={"consent": False}).raise_for_status()
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]


def test_who_declines_is_replaced_and_a_silent_phase_is_followed_by_the_next(town: City) -> None:
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:  # they nearly always accept: few are called
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)
    called = {
        name: calls
        for name in (f"v{number:02}" for number in range(12))
        if (calls := calls_of(town, name))
    }
    first = min(called)
    assert say(town, first, "declined").status_code == 200
    after = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(after) == len(called) + 1
    town.later(seconds=46)
    rounds(town)
    later = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(later) > len(after), "nobody has accepted: the next phase is called"
    for one in later:
        if one["state"] == "called":
            assert say(town, one["username"], "accepted").status_code == 200
    town.later(seconds=60)
    rounds(town)
    last = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(last) == len(later), "every role is filled"


def test_119_that_does_not_answer_is_tried_on_and_told(town: City, line: Line119) -> None:
    line.status = 503
    press(town)
    rounds(town)
    detail = alert_of(town)["detail"]["emergency"]
    assert (detail["state"], detail["error"]) == ("unanswered", "answered 503")
    dispatcher = town.client("dispatcher")
    alert_id = alert_of(town)["id"]
    dispatcher.post(f"/api/v1/alerts/{alert_id}/acknowledge", json={}).raise_for_status()
    for _ in range(2):
        town.later(seconds=60)
        rounds(town)
    alert = alert_of(town)
    assert alert["state"]["acknowledged"] is False, "it is news: whoever has it must telephone"
    assert any(one["action"] == "told-again" for one in alert["history"])
    line.status = 200
    town.later(seconds=61)
    rounds(town)
    assert alert_of(town)["detail"]["emergency"]["state"] == "answered"
    rounds(town, 3)
    assert len(line.received) == 4, "answered once, it is not sent again"


def test_without_an_emergency_line_the_alert_says_so(tmp_path: Path, line: Line119) -> None:
    city = populated(tmp_path / "cloud")
    try:
        city.send(AedCall(call_id="call-0001", pressed=city.time), CABINET, GATEWAY)
        rounds(city)
        assert "telephone" in alert_of(city)["detail"]["emergency"]["error"]
    finally:
        city.close()
    assert line.received == []


def test_a_demonstration_is_an_exercise_for_119(tmp_path: Path, line: Line119) -> None:
    city = populated(tmp_path / "cloud", emergency_url=line.url, demo=True)
    try:
        city.send(AedCall(call_id="call-0001", pressed=city.time), CABINET, GATEWAY)
        rounds(city)
    finally:
        city.close()
    assert ET.fromstring(line.received[0]).findtext(f"{CAP}status") == "Exercise"


def test_a_call_told_again_is_one_call(town: City, line: Line119) -> None:
    press(town)
    rounds(town)
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=3))
    rounds(town, 2)
    assert len(line.received) == 1
    (listed,) = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert listed["presses"] == 3


def test_a_press_after_the_call_was_ended_is_a_call_of_its_own(town: City, line: Line119) -> None:
    first = press(town)
    rounds(town)
    end(town, first["id"])
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=1))
    rounds(town)
    assert len(line.received) == 1, "the press that was known"
    for presses in (2, 3):
        tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=presses))
    rounds(town)
    assert len(line.received) == 2
    assert len(town.alerts("dispatcher", domain="aed")) == 2
    listed = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert sorted((one["state"], one["presses"]) for one in listed) == [("calling", 3), ("over", 1)]


def test_a_damaged_count_of_presses_costs_no_call(town: City, line: Line119) -> None:
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=2**53 - 1))
    rounds(town)
    assert len(line.received) == 1


def test_who_gives_a_role_back_leaves_it_to_those_who_were_left_out(town: City) -> None:
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:  # they nearly always accept: few are called
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)
    accepted = callouts(town)
    for one in accepted:
        assert say(town, one["username"], "accepted").status_code == 200
    town.later(minutes=3)
    rounds(town)
    assert len(callouts(town)) == len(accepted), "the later phases found every role filled"
    for one in accepted:
        assert say(town, one["username"], "declined").status_code == 200
    with town.services.sessions() as session:
        phases = session.get_one(AedCallRow, "gw-hall:call-0001").phases
        called = set(session.scalars(select(AedCallout.account_id)))
    assert len(phases) > 1
    assert {int(one["who"]) for phase in phases for one in phase["calls"]} <= called


def test_who_is_no_volunteer_any_more_is_not_called(town: City) -> None:
    ready(town, "ann", 0.001)
    with writing(town.services.sessions) as session:
        account = session.scalars(select(Account).where(Account.username == "ann")).one()
        account.roles = [Role.FAMILY.value]
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["nobody_in_reach"] is True
    assert callouts(town) == []


def test_a_position_of_a_phone_that_fell_silent_is_forgotten(town: City) -> None:
    ready(town, "ann", 0.001)
    (job,) = [one for one in live.jobs() if one.name == "aed-positions-forgotten"]
    assert job.waiting is not None
    town.later(minutes=29)
    with town.services.sessions() as session:
        assert not job.waiting(session, town.time)
    town.later(minutes=2)
    with town.services.sessions() as session:
        assert job.waiting(session, town.time)
    job.run(Turn(town.services, town.time))
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]


def test_a_call_that_cannot_be_led_keeps_no_other_waiting(town: City, line: Line119) -> None:
    press(town)
    press(town, "call-0002")
    with town.services.engine.begin() as connection:  # its alert is gone: 119's row cannot be made
        connection.exec_driver_sql(
            "UPDATE aed_calls SET alert_id = 'none' WHERE id = 'gw-hall:call-0001'"
        )
    with pytest.raises(IntegrityError):  # the job shows it
        live.look(town.services)
    emergency.send_due(town.services)
    (told,) = line.received
    assert b"call-0002" in told


def test_a_call_that_waits_for_its_dispatcher_takes_no_turn(town: City) -> None:
    due = {one.name: one.waiting for one in jobs(town.services, ingest=False)}
    names = ("aed-calls", "aed-summons", "emergency-line")

    def waiting() -> list[str]:
        with town.services.sessions() as session:
            return [name for name in names if (ask := due[name]) and ask(session, town.time)]

    assert waiting() == []
    ready(town, "ann", 0.001)
    alert = press(town)
    assert waiting() == ["aed-calls"]
    live.look(town.services)
    assert waiting() == ["aed-summons", "emergency-line"]
    rounds(town)
    town.later(minutes=5)
    rounds(town)
    assert waiting() == []
    end(town, alert["id"])
    assert waiting() == ["aed-calls"], "it ends with its alert"
    rounds(town)
    assert waiting() == []


def test_119_is_not_tried_on_once_somebody_confirmed_the_alert(town: City, line: Line119) -> None:
    line.status = 503
    end_id = press(town)["id"]
    rounds(town)
    end(town, end_id)
    town.later(minutes=2)
    rounds(town)
    tried = len(line.received)
    for _ in range(5):
        town.later(minutes=2)
        rounds(town)
    assert len(line.received) == tried
    with town.services.sessions() as session:
        assert not emergency.waiting(session, town.time)


def test_what_is_new_is_told_to_119_before_what_fails(town: City, line: Line119) -> None:
    line.status = 503
    for number in range(emergency.AT_ONCE):
        tell(town, AedCall(call_id=f"call-{number:04}", pressed=town.time))
    live.look(town.services)
    emergency.send_due(town.services)
    town.later(minutes=2)
    tell(town, AedCall(call_id="call-newest", pressed=town.time))
    live.look(town.services)
    line.received.clear()
    emergency.send_due(town.services)
    assert any(b"call-newest" in one for one in line.received)


def test_a_message_that_cannot_be_read_is_told_and_keeps_no_other_waiting(
    town: City, line: Line119
) -> None:
    press(town)
    live.look(town.services)
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE emergency_calls SET message = x'00'")
    press(town, "call-0002")
    live.look(town.services)
    emergency.send_due(town.services)
    (told,) = line.received
    assert b"call-0002" in told
    states = [one["detail"]["emergency"] for one in town.alerts("dispatcher", domain="aed")]
    assert {one["state"] for one in states} == {"answered", "unanswered"}
    assert any("cannot be read" in one["error"] for one in states)


@pytest.mark.parametrize(
    ("opened", "severity", "kind"),
    [(False, "major", "theft"), (None, "major", "theft"), (True, "minor", "taken")],
)
def test_what_is_taken_is_told_to_the_police_where_it_is_a_theft(
    town: City, opened: bool | None, severity: str, kind: str
) -> None:
    taken = AedRemoval(removal_id="removal-1", phase="taken", taken=town.time, opened=opened)
    tell(town, taken)
    alert = alert_of(town, "police")
    assert (alert["severity"], alert["kind"]) == (severity, kind)
    (site,) = town.client("family").get("/api/v1/aed/sites").json()["sites"]
    assert (site["taken"], site["usable"]) == (True, False)
    tell(
        town,
        taken.model_copy(
            update={"phase": "returned", "returned": town.time + timedelta(minutes=1)}
        ),
    )
    assert alert_of(town, "police")["state"]["active"] is False
    (site,) = town.client("family").get("/api/v1/aed/sites").json()["sites"]
    assert site["usable"] is True


def test_a_condition_is_an_alert_until_it_is_over(town: City) -> None:
    stuck = AedCondition(
        condition_id="condition-1", condition="contact_stuck", active=True, since=town.time
    )
    tell(town, stuck)
    assert alert_of(town, "maintainer")["severity"] == "major"
    tell(town, stuck.model_copy(update={"active": False}))
    assert alert_of(town, "maintainer")["state"]["active"] is False


@pytest.mark.parametrize(
    ("hours", "written"), [(0, "2026-03-04T12:30:01-00:00"), (8, "2026-03-04T12:30:01+08:00")]
)
def test_cap_writes_times_as_its_standard_asks(hours: int, written: str) -> None:
    moment = datetime(2026, 3, 4, 12, 30, 1, 250_000, timezone(timedelta(hours=hours)))
    text = CapText("en", "event", "headline", "description", "instruction", "place")
    parsed = ET.fromstring(render(CapMessage("a", "v", moment, "Test", "Health", (text,))))
    assert parsed.findtext(f"{CAP}sent") == written


def test_cap_holds_texts_as_data() -> None:
    hostile = "<script>alert('1')</script> & \x00\x1b[2J"
    text = CapText("en", hostile, hostile, hostile, hostile, hostile)
    document = render(CapMessage("a <b>", "v,x", NOON, "Test", "Health", (text,), 23.0, 120.0))
    parsed = ET.fromstring(document)
    assert parsed.findtext(f"{CAP}info/{CAP}event") == "<script>alert('1')</script> & [2J"
    assert parsed.findtext(f"{CAP}identifier") == "a--b>"
    assert b"<script>" not in document
