"""The watch list on its way: to every station that takes one, also late, withdrawn everywhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

import gateways
import servers
from city_ingest import CityIngest
from clocks import Clocks
from cloud.search.conftest import Missing
from cloud_city import GATEWAY, TAG, City
from vigil_cloud.checkin.models import Watch, WatchStation
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.checkin.watching import _anything, forget, tell_stations
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Downlink
from vigil_cloud.devices.seen import lock_gateways
from vigil_cloud.identity import audit
from vigil_cloud.identity.erasure import erase
from vigil_cloud.retention import Retention
from vigil_schemas.commands import WatchList
from vigil_schemas.gateway import CommandResult, DeviceDescription

DESCRIBED = DeviceDescription(
    device="station-1",
    domain="checkin",
    driver="ble",
    commands=[WatchList.ACTION],
    latitude=23.48,
    longitude=120.44,
)
OTHER = "epc:00112233445566778899aabb"


def stations(city: City, *able: str, gateway: str = GATEWAY, epoch: str = "00000000") -> None:
    """A birth of two stations, of which some take the list."""
    devices = [
        DeviceDescription(
            device=name,
            domain="checkin",
            driver="ble",
            commands=[WatchList.ACTION] if name in able else [],
            latitude=23.48,
            longitude=120.44,
        )
        for name in ("station-1", "station-2")
    ]
    city.birth(gateway, session=city.time.hour + 2, devices=devices, epoch=epoch)


def asked(city: City) -> list[Downlink]:
    with city.services.sessions() as session:
        return list(session.scalars(select(Downlink).order_by(Downlink.created, Downlink.id)))


def lists(city: City) -> dict[str, list[str]]:
    """By station: the tags of what waits to be sent to it."""
    return {
        row.payload["device"]: [one["id"] for one in row.payload["arguments"]["entries"]]
        for row in asked(city)
        if row.answered is None
    }


def answer(city: City, accepted: bool = True, code: str = "ok") -> None:
    for row in asked(city):
        if row.answered is None:
            result = CommandResult(command_id=row.id, accepted=accepted, code=code, message="")
            city.send(result, GATEWAY)


def watch_state(missing: Missing, case: str) -> dict[str, Any]:
    found: dict[str, Any] = missing.map("family", case)["watch"]
    return {key: found[key] for key in ("stations", "watching", "waiting", "unable")}


def test_every_station_that_takes_it_is_told_and_told_again_when_it_ends(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1", "station-2")
    case = missing.report()["case_id"]

    assert missing.tell_stations() == 2
    assert lists(city) == {"station-1": [TAG], "station-2": [TAG]}
    assert watch_state(missing, case) == {"stations": 2, "watching": 0, "waiting": 2, "unable": 0}
    assert missing.tell_stations() == 0
    answer(city)
    assert watch_state(missing, case) == {"stations": 2, "watching": 2, "waiting": 0, "unable": 0}

    assert missing.end("family", case).is_success
    assert missing.tell_stations() == 2
    assert lists(city) == {"station-1": [], "station-2": []}
    answer(city)
    assert missing.tell_stations() == 0
    with city.services.sessions() as session:
        assert session.scalars(select(WatchStation)).all() == []
        assert not _anything(session, city.time)


def test_a_gateway_of_an_earlier_release_is_left_alone_and_counted(missing: Missing) -> None:
    stations(missing.city, "station-2")
    case = missing.report()["case_id"]
    assert missing.tell_stations() == 1
    assert watch_state(missing, case) == {"stations": 2, "watching": 0, "waiting": 1, "unable": 1}


def test_a_newer_list_takes_the_place_of_one_that_waits(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    city.person("p2", "李春生", OTHER)
    city.guardian("family", "p2")
    first = missing.report()["case_id"]
    missing.tell_stations()
    city.later(seconds=1)
    missing.report(person_key="p2")
    missing.tell_stations()

    assert lists(city) == {"station-1": sorted([TAG, OTHER])}
    assert [row.code for row in asked(city)] == ["superseded", None]
    revisions = []
    for end in (first, None):
        with city.services.sessions() as session:
            revisions.append(session.scalars(select(WatchStation.revision)).one())
        if end is not None:
            missing.end("family", end)
            city.later(seconds=1)
            missing.tell_stations()
    assert revisions[0] < revisions[1]
    assert lists(city) == {"station-1": [OTHER]}


def test_the_list_goes_its_way_after_the_clock_was_set_back(missing: Missing) -> None:
    city, clocks = missing.city, Clocks(missing.city)
    stations(city, "station-1")
    first = missing.report()["case_id"]
    assert missing.tell_stations() == 1
    answer(city, accepted=False, code="source-not-running")
    revisions = [told_last(city)]

    assert clocks.set(timedelta(hours=-3)) == timedelta(hours=-3)

    assert missing.tell_stations() == 0
    clocks.later(61)
    assert missing.tell_stations() == 1, "after its minute, and not after three hours"
    answer(city)
    assert watch_state(missing, first)["watching"] == 1
    city.person("p2", "李春生", OTHER)
    city.guardian("family", "p2")
    second = missing.report(person_key="p2")["case_id"]
    assert missing.tell_stations() == 1
    assert lists(city) == {"station-1": sorted([TAG, OTHER])}
    revisions.append(told_last(city))
    for case in (first, second):
        assert missing.end("family", case).is_success
        assert missing.tell_stations() == 1
        revisions.append(told_last(city))
    assert lists(city) == {"station-1": []}
    assert revisions == sorted(set(revisions)), "a station takes no list that is not newer"


def told_last(city: City) -> int:
    with city.services.sessions() as session:
        return session.scalars(select(WatchStation.revision)).one()


def test_a_station_that_refuses_or_starts_anew_is_asked_again(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    answer(city, accepted=False, code="source-not-running")
    assert missing.tell_stations() == 0
    city.later(seconds=61)
    assert missing.tell_stations() == 1
    answer(city)
    assert missing.tell_stations() == 0

    city.later(hours=1)
    stations(city, "station-1", epoch="00000001")
    assert missing.tell_stations() == 1


def test_another_tag_of_the_person_is_looked_for_too(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    with writing(city.services.sessions) as session:
        give_tag(session, OTHER, "p1", by="operator", now=city.time)
    city.later(seconds=1)
    assert missing.tell_stations() == 1
    assert lists(city) == {"station-1": sorted([TAG, OTHER])}


def test_it_ends_by_itself_and_an_officers_look_prolongs_it(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    case = missing.report()["case_id"]
    city.later(days=6)
    for who in ("family", "police"):
        city.client(who)
        city.sign_in_anew(who)
    missing.access("police", case)
    city.later(days=6)
    missing.tell_stations()
    assert lists(city) == {"station-1": [TAG]}
    city.later(days=1, seconds=1)
    missing.tell_stations()
    assert lists(city) == {"station-1": []}


def waiting(city: City) -> set[tuple[str, str, int]]:
    """Through which gateway, to which station, with how many tags."""
    return {
        (row.gateway, row.payload["device"], len(row.payload["arguments"]["entries"]))
        for row in asked(city)
        if row.answered is None
    }


def test_the_gateway_that_a_station_left_is_told_to_forget(missing: Missing) -> None:
    # Given a station that watches
    city = missing.city
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    answer(city)
    with city.services.sessions() as session:
        first = session.scalars(select(WatchStation.revision)).one()

    # When it is moved to another gateway
    city.later(minutes=1)
    released = city.client("administrator").post("/api/v1/devices/station-1/release")
    assert released.is_success, released.text
    stations(city, "station-1", gateway="gw-other")
    assert missing.tell_stations() == 2

    # Then that one has the list, and the old one is told that there is none, by a newer number
    assert waiting(city) == {("gw-other", "station-1", 1), (GATEWAY, "station-1", 0)}
    told = [row for row in asked(city) if row.answered is None and row.gateway == GATEWAY]
    assert told[0].payload["arguments"]["revision"] > first
    assert missing.tell_stations() == 0

    # and once it has answered nothing is left of it
    for row in asked(city):
        if row.answered is None:
            done = CommandResult(command_id=row.id, accepted=True, code="ok", message="")
            city.send(done, row.gateway, gateway=row.gateway)
    missing.tell_stations()
    with city.services.sessions() as session:
        assert session.scalars(select(WatchStation.gateway)).all() == ["gw-other"]


def test_a_removed_station_is_told_to_forget_and_watches_again_when_it_is_back(
    missing: Missing,
) -> None:
    city = missing.city
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    answer(city)
    city.later(minutes=1)
    city.birth(GATEWAY, session=50, devices=[], epoch="00000000")
    assert missing.tell_stations() == 1
    assert waiting(city) == {(GATEWAY, "station-1", 0)}
    answer(city, accepted=False, code="unknown-device")
    assert missing.tell_stations() == 0
    with city.services.sessions() as session:
        assert not session.scalars(select(WatchStation)).all()

    # A list that it was told to forget and had not answered: it is back, with a newer one
    city.birth(GATEWAY, session=51, devices=[DESCRIBED], epoch="00000000")
    missing.tell_stations()
    city.birth(GATEWAY, session=52, devices=[], epoch="00000000")
    missing.tell_stations()
    (withdrawn,) = [row.payload["arguments"]["revision"] for row in asked(city) if not row.answered]
    city.birth(GATEWAY, session=53, devices=[DESCRIBED], epoch="00000000")
    assert missing.tell_stations() == 1
    (again,) = [row.payload["arguments"]["revision"] for row in asked(city) if not row.answered]
    assert again > withdrawn
    assert waiting(city) == {(GATEWAY, "station-1", 1)}


def test_a_full_list_is_said_once_and_on_the_map(
    missing: Missing, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = missing.city
    monkeypatch.setattr("vigil_cloud.checkin.watching.MOST", 1)
    stations(city, "station-1")
    with writing(city.services.sessions) as session:
        give_tag(session, OTHER, "p1", by="operator", now=city.time)
    with capture_logs() as said:
        case = missing.report()["case_id"]
        missing.tell_stations()
        for _ in range(3):
            with city.services.sessions() as session:
                _anything(session, city.time)
            missing.tell_stations()
    full = [one for one in said if one["event"] == "watch-list-full"]
    assert [one["left_out"] for one in full] == [1]
    assert missing.map("family", case)["watch"]["left_out"] == 1


def test_a_watch_that_a_wrong_clock_ended_comes_back_with_the_right_one(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    case = missing.report()["case_id"]
    missing.tell_stations()
    answer(city)
    city.later(days=30)
    assert missing.tell_stations() == 1
    assert lists(city) == {"station-1": []}
    answer(city)
    assert missing.tell_stations() == 0

    city.later(days=-30)
    assert missing.tell_stations() == 1, "nobody has looked at the case"
    assert lists(city) == {"station-1": [TAG]}
    answer(city)
    assert watch_state(missing, case)["watching"] == 1


def test_a_watch_is_removed_a_week_after_its_end(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    case = missing.report()["case_id"]
    with city.services.sessions() as session:
        until = session.get_one(Watch, case).until
    for days, kept in ((6, 1), (8, 0)):
        city.time = until + timedelta(days=days)
        Retention(city.services).keep()
        with city.services.sessions() as session:
            assert len(session.scalars(select(Watch)).all()) == kept
            assert not _anything(session, city.time)


def test_whoever_is_just_erased_is_on_no_list_that_is_being_sent(missing: Missing) -> None:
    """Both take the list's head before they read whose tags are on it."""
    city = missing.city
    stations(city, "station-1")
    missing.report()
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(city.services.engine, "before_cursor_execute", note)
    with writing(city.services.sessions) as session:
        tell_stations(session, city.time)
    told = list(statements)
    statements.clear()
    with writing(city.services.sessions) as session:
        forget(session, "p1", city.time)
    event.remove(city.services.engine, "before_cursor_execute", note)

    locked = next(i for i, one in enumerate(statements) if "INSERT INTO watch_list_head" in one)
    changed = next(i for i, one in enumerate(statements) if "DELETE FROM watches" in one)
    assert locked < changed
    read = [i for i, one in enumerate(told) if "FROM tags JOIN watches" in one]
    assert read[-1] > next(i for i, one in enumerate(told) if "INSERT INTO watch_list_head" in one)
    assert missing.tell_stations() == 1
    assert lists(city) == {"station-1": []}


@pytest.fixture
def on_postgres(either_city: City) -> Missing:
    either_city.guardian("family")
    return Missing(either_city)


postgresql = pytest.mark.parametrize("either_city", ["postgresql"], indirect=True)


def is_waiting(city: City) -> bool:
    """Whether somebody waits for a lock in this database."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with city.services.engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar_one())


@postgresql
def test_telling_stations_waits_for_a_gateway_with_no_lock_that_ingest_needs(
    on_postgres: Missing,
) -> None:
    # Given two stations of two gateways whose commands wait, and a list that has changed
    city = on_postgres.city
    stations(city, "station-1")
    device = DESCRIBED.model_copy(update={"device": "station-9"})
    city.birth("gw-other", session=1, devices=[device])
    case = on_postgres.report()["case_id"]
    assert on_postgres.tell_stations() == 2
    assert on_postgres.end("family", case).is_success
    city.later(seconds=1)

    # When ingest has each of the gateways in hand in turn while they are told
    for gateway in (GATEWAY, "gw-other"):
        with ThreadPoolExecutor(1) as pool, Session(city.services.engine) as ingest:
            lock_gateways(ingest, {gateway})
            telling = pool.submit(on_postgres.tell_stations)
            servers.eventually(lambda: is_waiting(city), "that they wait for ingest")
            # Then it gets what it needs: with a lock of theirs this would be a deadlock
            audit.lock(ingest)
            assert not telling.done()
            ingest.rollback()
            assert telling.result(60) == 2
        with writing(city.services.sessions) as session:
            session.execute(update(WatchStation).values(revision=1))
    assert lists(city) == {"station-1": [], "station-9": []}


@postgresql
def test_erasing_waits_until_stations_were_told_and_takes_that_back(on_postgres: Missing) -> None:
    city = on_postgres.city
    stations(city, "station-1")
    on_postgres.report()
    with ThreadPoolExecutor(1) as pool:
        with city.services.sessions() as telling, telling.begin():
            assert tell_stations(telling, city.time) == 1
            erasing = pool.submit(erase, city.services, "p1", by="administrator")
            servers.eventually(lambda: is_waiting(city), "that the erasure waits")
            assert not erasing.done()
        erasing.result(60)
    assert [row.code for row in asked(city)] == ["superseded"]
    assert TAG not in str([row.payload for row in asked(city)])


def test_an_answer_takes_the_feed_before_the_audit_log(missing: Missing) -> None:
    """As whoever works on a case does: in the other order, two would wait for each other."""
    city = missing.city
    ingest = CityIngest(city, GATEWAY)
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    (asking,) = asked(city)
    result = CommandResult(command_id=asking.id, accepted=True, code="ok", message="")
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(city.services.engine, "before_cursor_execute", note)
    payload = gateways.event(GATEWAY, 1, result, subject=GATEWAY, time=city.time)
    ingest.store(f"vigil/v1/{GATEWAY}/event", payload)
    event.remove(city.services.engine, "before_cursor_execute", note)

    updated = [one.split()[1] for one in statements if one.startswith("UPDATE ")]
    locks = [table for table in updated if table in ("feed_head", "audit_head")]
    assert locks[:2] == ["feed_head", "audit_head"]
    assert asked(city)[0].accepted


def test_whom_a_station_watches_for_is_shown_to_nobody(missing: Missing) -> None:
    city = missing.city
    stations(city, "station-1")
    missing.report()
    missing.tell_stations()
    for who in ("maintainer", "administrator"):
        shown = city.client(who).get(f"/api/v1/gateways/{GATEWAY}/downlinks")
        assert shown.status_code == 200
        assert TAG not in shown.text
        by_hand = {"action": "watch_list", "arguments": {"revision": 1, "entries": []}}
        sent = city.client(who).post("/api/v1/devices/station-1/commands", json=by_hand)
        assert sent.status_code == 422
    answer(city)
    assert TAG not in str([row.payload for row in asked(city)])


def test_a_quiet_city_writes_nothing(missing: Missing) -> None:
    stations(missing.city, "station-1")
    with missing.city.services.sessions() as session:
        assert not _anything(session, missing.city.time)
        assert not _anything(session, missing.city.time + timedelta(days=1))
