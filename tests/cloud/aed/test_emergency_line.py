"""119: told until it answers, and told of when it does not."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select

from aed_town import CABINET, Line119, alert_of, end, press, rounds, tell
from cloud_city import GATEWAY, NOON, City, populated
from vigil_cloud.aed import live
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import NAMESPACE, CapMessage, CapText, render
from vigil_cloud.identity.models import AuditEntry
from vigil_schemas.aed import AedCall

CAP = f"{{{NAMESPACE}}}"


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


def cap(msg_type: str, prefix: str = "") -> bytes:
    """The beginning of a CAP message: a long note stands before its kind."""
    note = f"<{prefix}sender>{'x' * 2_000}</{prefix}sender>"
    said = f"<{prefix}msgType>{msg_type}</{prefix}msgType>"
    return f"<?xml version='1.0'?><{prefix}alert>{note}{said}</{prefix}alert>".encode()


@pytest.mark.parametrize(
    ("media_type", "body", "state"),
    [
        ("application/cap+xml", cap("Error"), "unanswered"),
        ("text/xml; charset=utf-8", cap(" Error\n", "cap:"), "unanswered"),
        ("application/cap+xml", cap("Ack"), "answered"),
        ("application/xml", cap("Alert") + b"<!-- no Error -->", "answered"),
        ("text/plain", b"Error: none", "answered"),
    ],
)
def test_a_cap_error_is_a_refusal_whatever_its_status(
    town: City, line: Line119, media_type: str, body: bytes, state: str
) -> None:
    line.media_type, line.body = media_type, body
    press(town)
    rounds(town)
    detail = alert_of(town)["detail"]["emergency"]
    assert detail["state"] == state
    if state == "unanswered":
        assert detail["error"] == "answered 200 with a CAP error"
        line.body = cap("Ack")
        town.later(seconds=61)
        rounds(town)
        assert alert_of(town)["detail"]["emergency"]["state"] == "answered"


@pytest.mark.parametrize(
    ("media_type", "body", "state"),
    [
        ("text/html; charset=utf-8", b"\n<!DOCTYPE html><title>Sign in</title>", "unanswered"),
        ("TEXT/HTML", b"<html><body>Portal", "unanswered"),
        ("text/html", b"OK", "answered"),  # what many servers call their plainest answer
        ("text/html", b"", "answered"),
        ("application/cap+xml", b"<alert/>", "answered"),
        ("application/json", b"\xff not even that", "answered"),
    ],
)
def test_a_page_to_sign_in_on_is_no_answer_of_119(
    town: City, line: Line119, media_type: str, body: bytes, state: str
) -> None:
    line.media_type, line.body = media_type, body
    press(town)
    rounds(town)
    detail = alert_of(town)["detail"]["emergency"]
    assert detail["state"] == state
    if state == "unanswered":
        assert detail["error"] == "answered 200 with a web page"
        line.media_type = "text/plain"
        town.later(seconds=61)
        rounds(town)
        assert alert_of(town)["detail"]["emergency"]["state"] == "answered"


def test_119_that_takes_the_call_and_never_answers_holds_up_nothing(
    town: City, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "ANSWER_S", 0.3)
    line.answers.clear()
    press(town)
    rounds(town)
    line.answers.set()
    detail = alert_of(town)["detail"]["emergency"]
    assert detail["state"] == "unanswered"
    assert detail["error"].startswith("no answer")
    town.later(seconds=61)
    rounds(town)
    assert alert_of(town)["detail"]["emergency"]["state"] == "answered"
    with town.services.sessions() as session:
        of_line = AuditEntry.action.startswith("emergency.")
        query = select(AuditEntry).where(of_line).order_by(AuditEntry.number)
        lines = session.scalars(query).all()
    assert [(line.action, line.subject) for line in lines] == [
        ("emergency.unanswered", alert_of(town)["id"]),
        ("emergency.answered", alert_of(town)["id"]),
    ]
    assert lines[0].detail["error"].startswith("no answer")


def test_a_line_that_cannot_be_audited_has_119_called_no_more_often(
    town: City, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the audit log cannot be written")

    line.status = 503
    press(town)
    live.look(town.services)
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.emergency.service._audit", broken)
        with pytest.raises(RuntimeError):  # whoever maintains it sees the job fail
            emergency.send_due(town.services)
    emergency.send_due(town.services)
    assert len(line.received) == 1, "it has its pause"
    assert alert_of(town)["detail"]["emergency"]["state"] == "unanswered"


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
