"""The event stream: at once, as far as rights reach, resumed, and across processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from city_stream import Event, Stream, stream
from cloud_city import NAME, City, alarm, exceedance, visit
from servers import eventually
from sql import statements
from vigil_cloud.alerts import feed
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.http import stream as live
from vigil_cloud.http import stream_hub
from vigil_cloud.identity.audit import lines_about
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.identity.whereabouts import EVERYTHING
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.gateway import DeviceHealth
from vigil_schemas.senml import microseconds


def test_an_alert_and_what_is_done_to_it_are_told_as_they_happen(either_city: City) -> None:
    city = either_city
    with stream(city, "inspector") as reader:
        city.send(exceedance(city.time), "mic-1")
        first = reader.next("alert")
        assert first is not None
        assert first.data == city.listed("inspector")[0]

        city.client("reviewer").post(f"/api/v1/alerts/{first.data['id']}/acknowledge", json={})
        second = reader.next("alert")

    assert second is not None
    assert second.data["acknowledged_by"] == "reviewer"
    assert second.id is not None
    assert first.id is not None
    assert second.id > first.id


def test_another_process_is_heard_without_a_wake_up(city: City) -> None:
    with stream(city, "inspector") as reader:
        # As a separate ingest does it: the same database, and nobody to announce it here.
        announce = city.services.changed.announce
        object.__setattr__(city.services.changed, "announce", lambda: None)
        city.send(exceedance(city.time), "mic-1")
        object.__setattr__(city.services.changed, "announce", announce)

        assert reader.next("alert") is not None


def test_each_reader_is_told_its_own_domains_only(city: City) -> None:
    with stream(city, "inspector") as street, stream(city, "dispatcher") as home:
        city.one_of_each()
        city.send(alarm(city.time, id="alarm-0002"), "alarm-1")
        city.send(exceedance(city.time, "exceedance-2"), "mic-1")

        on_the_street = [reader_event(street) for _ in range(3)]
        at_home = [reader_event(home) for _ in range(2)]

    assert on_the_street == ["noise", "water", "noise"]
    assert at_home == ["smoke", "smoke"]


def reader_event(reader: Stream) -> str:
    event = reader.next("alert", "visit")
    assert event is not None
    return str(event.data.get("domain", event.kind))


def test_whereabouts_stop_with_the_consent_while_the_stream_is_open(city: City) -> None:
    city.account("relative", Role.FAMILY, Role.INSPECTOR)
    city.guardian("family")
    consent = city.consent("relative")
    with stream(city, "relative") as reader:
        city.send(visit(city.time), "station-1")
        told = {reader_event(reader), reader_event(reader)}
        assert told == {"checkin", "visit"}

        city.client("family").delete(f"/api/v1/people/p1/consents/{consent}")
        city.send(visit(city.time, id="visit-0002"), "station-2")
        city.send(exceedance(city.time), "mic-1")

        assert reader_event(reader) == "noise", "told while there was no consent"
    with city.services.sessions() as session:
        reads = [
            line.subject for line in lines_about(session, "p1") if line.action == "location.read"
        ]
    assert "stream" in reads
    assert "stream visits" in reads


def test_an_administrator_is_told_of_no_visit(city: City) -> None:
    city.consent("family")
    with stream(city, "administrator") as reader:
        city.send(visit(city.time), "station-1")
        city.send(exceedance(city.time), "mic-1")
        event = reader.next("alert", "visit")

    assert event is not None
    assert event.data["domain"] == "noise"
    assert NAME not in json.dumps(event.data, ensure_ascii=False)


def test_who_comes_back_is_told_what_was_missed_once(city: City) -> None:
    with stream(city, "inspector") as reader:
        city.send(exceedance(city.time), "mic-1")
        left = reader.next("alert")
    assert left is not None
    for number in range(2, 260):  # more than one batch
        city.later(seconds=1)  # a flood would be one counted alert
        city.send(exceedance(city.time, f"exceedance-{number}"), "mic-1")

    with stream(city, "inspector", after=left.id) as reader:
        missed = [reader.next("alert") for _ in range(258)]

    ids = [event.data["id"] for event in missed if event]
    assert len(set(ids)) == 258
    assert left.data["id"] not in ids
    numbers = [event.id for event in missed if event and event.id]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("after", [0, 10_000])
def test_who_was_away_too_long_is_told_to_load_everything(city: City, after: int) -> None:
    city.send(exceedance(city.time), "mic-1")
    city.later(days=3)
    with writing(city.services.sessions) as session:
        feed.prune(session, city.time)
    city.send(exceedance(city.time, "exceedance-2"), "mic-1")
    city.later(hours=-1)

    with stream(city, "inspector", after=after) as reader:
        assert reader.next("resync", "alert") == ("resync", 2, {})


def test_signing_out_ends_the_stream(city: City) -> None:
    with stream(city, "inspector") as reader:
        city.client("inspector").delete("/api/v1/session")
        city.send(exceedance(city.time), "mic-1")

        assert reader.next("alert") is None


def test_a_busy_city_lives_for_who_may_see_none_of_it_and_ends_with_the_session(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 2.0)
    monkeypatch.setattr(stream_hub, "DEVICES_EVERY_S", 0.02)
    states = itertools.cycle(("failed", "ok"))

    def busy() -> None:
        state = next(states)
        city.later(seconds=1)
        health = {"device": "alarm-1", "state": state, "since": city.time, "code": "no-answer"}
        city.send(DeviceHealth.model_validate(health), "alarm-1")

    def until(condition: Callable[[], bool], what: str) -> None:
        def busy_until() -> bool:
            busy()
            return condition()

        eventually(busy_until, what)

    with stream(city, "inspector") as reader:
        assert reader.next("heartbeat") is not None, "the one that every stream begins with"
        seen: list[Event | None] = []
        listening = threading.Thread(target=lambda: seen.append(reader.next("heartbeat", "device")))
        listening.start()
        until(lambda: not listening.is_alive(), "a heartbeat")
        assert seen[0] is not None
        assert (seen[0].kind, seen[0].id) == ("heartbeat", None)

        city.client("inspector").delete("/api/v1/session")
        until(lambda: reader.over, "the end of the stream")


def test_devices_and_readings_are_told_and_homes_stay_private(city: City) -> None:
    def health(device: str, state: str) -> DeviceHealth:
        return DeviceHealth.model_validate(
            {"device": device, "state": state, "since": city.time, "code": "no-answer"}
        )

    def read(device: str, domain: str) -> None:
        point = Point(Series(domain, "gw-east", device, "level"), microseconds(city.time), 1.5, 1)
        city.services.timeseries.write([point])
        with writing(city.services.sessions) as session:
            record_newest(session, {device: {"level": point}})

    def news() -> None:
        city.later(seconds=1)
        city.send(health("alarm-1", "failed"), "alarm-1")
        city.send(health("sonde-1", "failed"), "sonde-1")
        read("alarm-1", "smoke")
        read("sonde-1", "water")

    with stream(city, "inspector") as reader:
        told = keep_until(
            reader,
            news,
            {("device", "sonde-1"), ("reading", "sonde-1")},
        )

    assert not {event for event in told if event[1] == "alarm-1"}


def keep_until(
    reader: Stream, happen: Callable[[], Any], wanted: set[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Let it happen again and again until everything wanted has been told; returns all told."""
    told: set[tuple[str, str]] = set()

    def look() -> bool:
        happen()
        while not reader._events.empty():
            event = reader._events.get()
            assert event is not None
            if "device" in event.data:
                told.add((event.kind, event.data["device"]))
        return told >= wanted

    eventually(look, f"{wanted} on the stream")
    return told


def test_a_reader_who_comes_back_at_once_is_told_at_once(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page that is loaded again: the old stream has gone, one of the two looks has ended.
    monkeypatch.setattr(stream_hub, "DEVICES_EVERY_S", 3600.0)

    async def come_back() -> None:
        hub = stream_hub.Hub(city.services, case_kinds())
        async with asyncio.timeout(60):
            with hub.subscribe("a session", 1) as inbox:
                await inbox.get()
            await asyncio.wait(hub._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            with hub.subscribe("a session", 1) as inbox:
                assert await inbox.get() is not None
        hub.close()

    asyncio.run(come_back())


def test_the_screen_is_told_to_forget_when_a_consent_is_given_ends_or_expires(city: City) -> None:
    city.account("guardian", Role.FAMILY)
    city.guardian("guardian")
    guardian = city.client("guardian")
    consents = "/api/v1/people/p1/consents"
    with stream(city, "family") as reader, stream(city, "inspector") as other:

        def give(days: float) -> int:
            expires = (city.time + timedelta(days=days)).isoformat()
            body = {"account": "family", "expires": expires, "scopes": list(EVERYTHING)}
            given = guardian.post(consents, json=body)
            assert given.status_code == 201, given.text
            assert_forget(reader)
            return int(given.json()["id"])

        first = give(30)
        city.send(visit(city.time), "station-1")
        assert {reader_event(reader), reader_event(reader)} == {"checkin", "visit"}
        assert guardian.delete(f"{consents}/{first}").status_code == 204
        assert_forget(reader)

        give(0.01)
        city.later(days=0.02)
        assert_forget(reader)

        city.send(exceedance(city.time), "mic-1")
        told = other.next("resync", "alert")
        assert told is not None
        assert told.kind == "alert", "nothing has changed for others"


def assert_forget(reader: Stream) -> None:
    """Rights have changed: what the screen shows is to be forgotten."""
    event = reader.next("resync", "alert", "visit")
    assert event is not None
    assert (event.kind, list(event.data)) == ("resync", ["rights"])


def test_who_comes_back_is_told_only_what_is_still_allowed(city: City) -> None:
    city.account("relative", Role.FAMILY, Role.INSPECTOR)
    city.consent("relative", days=1)
    with stream(city, "relative") as reader:
        city.send(exceedance(city.time), "mic-1")
        left = reader.next("alert")
    assert left is not None
    city.send(visit(city.time), "station-1")
    city.send(exceedance(city.time, "exceedance-2"), "mic-1")
    for _ in range(4):  # never idle for long enough to be signed out
        city.later(hours=7)
        assert city.client("relative").get("/api/v1/session").status_code == 200

    with stream(city, "relative", after=left.id) as reader:
        assert reader_event(reader) == "noise"


def test_a_right_that_was_taken_ends_a_homes_news_at_once(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_hub, "DEVICES_EVERY_S", 0.02)
    states = itertools.cycle(("failed", "ok"))

    def busy() -> None:
        city.later(seconds=1)
        for device in ("alarm-1", "sonde-1"):
            health = {"device": device, "state": next(states), "since": city.time}
            city.send(DeviceHealth.model_validate(health), device)
        next(states)

    with stream(city, "dispatcher") as reader:
        keep_until(reader, busy, {("device", "alarm-1")})
        with city.services.sessions() as session, session.begin():
            account_named(session, "dispatcher").roles = [Role.INSPECTOR.value]
        busy()
        assert reader.next("resync") is not None
        told = keep_until(reader, busy, {("device", "sonde-1")})

    assert ("device", "alarm-1") not in told


def test_a_role_that_was_taken_is_noticed_though_nothing_happens(city: City) -> None:
    with stream(city, "dispatcher") as reader:
        before = reader.next("heartbeat")
        with city.services.sessions() as session, session.begin():
            account_named(session, "dispatcher").roles = [Role.INSPECTOR.value]
        told = reader.next("resync")
    with stream(city, "dispatcher") as again:
        after = again.next("heartbeat")

    assert before is not None
    assert told is not None
    assert after is not None
    assert before.data["rights"] != told.data["rights"] == after.data["rights"]


def test_a_session_has_eight_streams_and_the_oldest_end(city: City) -> None:
    with contextlib.ExitStack() as open_streams:
        streams = [open_streams.enter_context(stream(city, "inspector")) for _ in range(11)]
        other = open_streams.enter_context(stream(city, "reviewer"))
        ended = [one.next("ended", "alert") for one in streams[:3]]
        assert [event and event.data for event in ended] == [{"reason": "too-many-streams"}] * 3
        eventually(lambda: all(one.over for one in streams[:3]), "the end of the oldest")

        city.send(exceedance(city.time), "mic-1")
        assert all(one.next("alert") for one in [*streams[3:], other])


def test_who_comes_while_the_hub_asks_for_rights_is_not_cut_off(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_hub, "readers_of_sessions", lambda *_: {})
    with stream(city, "inspector") as reader:
        city.send(exceedance(city.time), "mic-1")

        assert reader.next("alert") is not None


def test_a_change_costs_the_same_however_many_follow(city: City) -> None:
    """One look for all: what is asked of the database does not grow with the streams."""

    def cost(readers: list[Stream], name: str) -> int:
        with statements(city.services.engine) as asked:
            city.send(visit(city.time, id=f"visit-{name}"), "station-1")
            for reader in readers:
                assert reader.next("alert") is not None
        wanted = ("FROM alerts", "FROM visits", "FROM feed ", "FROM evidence", "FROM devices")
        return sum(any(word in text for word in wanted) for text, _ in asked)

    names = [f"relative-{number}" for number in range(6)]
    for name in names:
        city.account(name, Role.FAMILY)
        city.consent(name)
    with contextlib.ExitStack() as open_streams:
        few = [open_streams.enter_context(stream(city, names[0]))]
        alone = min(cost(few, f"alone-{turn}") for turn in range(3))
        many = few + [
            open_streams.enter_context(stream(city, name)) for name in names for _ in range(7)
        ]
        together = min(cost(many, f"together-{turn}") for turn in range(3))

    assert len(many) == 43
    assert together <= alone + 2, "looks that happened to be two instead of one"
