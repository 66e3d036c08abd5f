"""The stand-in for 119: reads CAP 1.2 as the standard has it, answers, refuses and hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from sim.test_scenario import SMALL
from vigil_cloud.emergency.cap import CapMessage, CapText, render
from vigil_sim.emergency.cap import NotCap, read
from vigil_sim.emergency.line import MEDIA_TYPE, Answered, EmergencyLine
from vigil_sim.scenario import parse
from vigil_sim.scenario_model import LineFault, ScenarioError

SENT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>fire-1</identifier>
  <sender>vigil@city</sender>
  <sent>2026-03-01T12:00:00+08:00</sent>
  <status>Exercise</status>
  <msgType>Alert</msgType>
  <scope>Private</scope>
  <addresses>119</addresses>
  <info>
    <language>zh-TW</language>
    <category>Fire</category>
    <event>住宅火警</event>
    <urgency>Immediate</urgency>
    <severity>Extreme</severity>
    <certainty>Likely</certainty>
    <headline>八十八巷12號 住宅火警</headline>
    <area>
      <areaDesc>八十八巷12號</areaDesc>
      <circle>23.480100,120.444000 0.050</circle>
    </area>
  </info>
</alert>
"""


def test_a_message_is_read() -> None:
    found = read(GOOD.encode())
    assert (found.identifier, found.msg_type, found.status) == ("fire-1", "Alert", "Exercise")
    assert (found.place, found.latitude, found.longitude) == ("八十八巷12號", 23.4801, 120.444)
    assert found.sent == SENT


@pytest.mark.parametrize(
    ("was", "becomes", "mistake"),
    [
        ("<status>Exercise</status>", "", "alert lacks status"),
        ("<status>Exercise</status>", "<status>Practice</status>", "status is none of its words"),
        ("+08:00</sent>", "Z</sent>", "sent is no time"),
        ("2026-03-01T12", "2026-13-01T12", "sent is no time"),
        ("fire-1", "fire 1", "identifier holds a space"),
        ("<addresses>119</addresses>", "", "scope Private asks for addresses"),
        ("<msgType>Alert<", "<msgType>Cancel<", "Cancel asks for references"),
        ("<category>Fire</category>", "", "info lacks category"),
        ("<areaDesc>八十八巷12號</areaDesc>", "", "area lacks areaDesc"),
        ("23.480100,120.444000", "123.480100,120.444000", "circle is latitude,longitude"),
        ("<event>住宅火警</event>", "<event>a</event><event>b</event>", "event more than once"),
        ("<scope>Private</scope>\n", "", "alert lacks scope"),
        ("<headline>", "<shout>a</shout><headline>", "info knows no shout"),
        ("cap:1.2", "cap:1.1", "is no alert of"),
        ("</alert>", "", "no XML"),
        ("<alert ", "<!DOCTYPE alert><alert ", "document type"),
        (
            "<urgency>Immediate</urgency>\n    <severity>Extreme</severity>",
            "<severity>Extreme</severity>\n    <urgency>Immediate</urgency>",
            "another order",
        ),
    ],
)
def test_what_the_standard_does_not_allow_is_named(was: str, becomes: str, mistake: str) -> None:
    assert was in GOOD
    with pytest.raises(NotCap, match=mistake):
        read(GOOD.replace(was, becomes).encode())


@pytest.mark.parametrize("takes_back", ["", "vigil@city,fire-1,2026-03-01T12:00:00+08:00"])
def test_what_the_cloud_writes_is_understood(takes_back: str) -> None:
    texts = [
        CapText(language, "火警", "headline", "several\nlines & <signs>", "come", "八十八巷12號")
        for language in ("zh-TW", "en")
    ]
    message = CapMessage(
        "fire-2",
        "vigil@city",
        SENT,
        "Exercise",
        "Fire",
        texts,
        23.48,
        120.44,
        takes_back=takes_back,
    )
    found = read(render(message))
    assert found.languages == ("zh-TW", "en")
    assert found.references == (("fire-1",) if takes_back else ())
    assert (found.place, found.latitude) == ("八十八巷12號", 23.48)


@contextmanager
def listening(
    fault: Callable[[], LineFault | None] = lambda: None, token: str = ""
) -> Iterator[tuple[EmergencyLine, list[Answered]]]:
    heard: list[Answered] = []
    line = EmergencyLine(fault=fault, heard=heard.append, token=token)
    asyncio.run(line.start())
    try:
        yield line, heard
    finally:
        asyncio.run(line.stop())


def post(line: EmergencyLine, document: str = GOOD, **headers: str) -> httpx.Response:
    return httpx.post(
        line.url,
        content=document.encode(),
        headers={"Content-Type": MEDIA_TYPE, **headers},
        trust_env=False,
        timeout=60,
    )


def test_it_takes_each_message_once_and_answers() -> None:
    with listening() as (line, heard):
        assert [post(line).status_code for _ in range(2)] == [200, 200]
        assert [one.headline for one in line.messages] == ["八十八巷12號 住宅火警"]
        assert len(heard) == 2


def test_what_is_no_message_is_refused_with_its_mistakes() -> None:
    with listening(token="of its own") as (line, _):
        token = {"Authorization": "Bearer of its own"}
        assert post(line).status_code == 401
        wrong = post(line, GOOD.replace("Fire<", "Water<"), **token)
        assert wrong.status_code == 422
        assert "category" in wrong.json()["mistakes"][0]
        assert post(line, **token, **{"Content-Type": "text/plain"}).status_code == 415
        cancel = GOOD.replace(">Alert<", ">Cancel<").replace(
            "  <info>",
            "  <references>vigil@city,fire-0,2026-03-01T12:00:00+08:00</references>\n  <info>",
        )
        assert post(line, cancel, **token).status_code == 404, "of what it has never heard"
        assert line.messages == []


def test_it_refuses_and_hangs_while_the_scenario_says_so() -> None:
    faults: list[LineFault | None] = [LineFault(style="refuse", status=500)]
    with listening(lambda: faults[0]) as (line, heard):
        assert post(line).status_code == 500
        faults[0] = LineFault(style="hang")
        with pytest.raises(httpx.TimeoutException):
            httpx.post(
                line.url,
                content=GOOD.encode(),
                headers={"Content-Type": MEDIA_TYPE},
                trust_env=False,
                timeout=0.2,
            )
        faults[0] = None
        assert post(line).status_code == 200
        assert [one.status for one in heard] == [500, None, 200]


def test_its_faults_stand_in_the_scenario() -> None:
    text = SMALL + '\n[[emergency.fault]]\nstyle = "hang"\nstart_s = 2.0\nstop_s = 4.0\n'
    found = parse(text).emergency
    assert [found.fault_at(t) is None for t in (1.9, 2.0, 3.9, 4.0)] == [True, False, False, True]
    with pytest.raises(ScenarioError, match="stop_s must come after start_s"):
        parse(text.replace("stop_s = 4.0", "stop_s = 1.0"))
