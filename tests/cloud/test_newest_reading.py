"""The newest stored reading reaches every open screen, whatever clocks and processes do."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from city_ingest import CityIngest
from city_stream import stream
from cloud_city import GATEWAY, City
from gateways import EPOCH
from sql import statements
from vigil_cloud.database import changes
from vigil_cloud.database.changes import Position
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.newest import newest
from vigil_cloud.http import stream_hub
from vigil_cloud.http.live_devices import DeviceNews, DeviceWatch
from vigil_cloud.http.stream_hub import Inbox, Look, Rights
from vigil_schemas import water
from vigil_schemas.contract import observation_type
from vigil_schemas.envelope import encode
from vigil_schemas.gateway import DeviceHealth
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import QartodFlag


class Probe:
    """A gateway's observation lane, as bytes."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.ingest = CityIngest(city, GATEWAY)
        self._numbers = itertools.count(1)

    def message(
        self, value: float, at: datetime, device: str = "sonde-1", parameter: str = "pH"
    ) -> bytes:
        reading = Reading(parameter, "pH", at, value, QartodFlag.GOOD)
        return encode(
            id=uuid.uuid4().hex,
            source=f"/{GATEWAY}/observation/{EPOCH}",
            type=observation_type(water.DOMAIN),
            subject=device,
            time=at,
            data=pack(device, [reading]),
            sequence=next(self._numbers),
        )

    def read(self, value: float, at: datetime | None = None, device: str = "sonde-1") -> None:
        self.store(self.message(value, at or self.city.time, device))

    def store(self, *payloads: bytes) -> None:
        self.ingest.store(f"vigil/v1/{GATEWAY}/observation", *payloads)

    def shown(self) -> float:
        """What the platform says is newest."""
        with self.city.services.sessions() as session:
            return float(newest(session, ["sonde-1"])["sonde-1"].readings["pH"][1])


def test_the_screen_shows_the_later_of_two_readings_of_one_second(either_city: City) -> None:
    city = either_city
    probe = Probe(city)
    with stream(city, "inspector") as reader:
        probe.read(7.1)
        first = reader.next("reading")
        city.later(seconds=0.4)
        probe.read(3.0)
        second = reader.next("reading")

    assert first is not None
    assert second is not None
    assert first.data["values"]["pH"]["v"] == 7.1
    assert second.data["values"]["pH"] == {"t": city.time.timestamp(), "v": 3.0, "flag": 1}


def test_a_reading_that_comes_late_or_again_is_not_the_newest(either_city: City) -> None:
    city = either_city
    probe = Probe(city)
    late = probe.message(6.0, city.time - timedelta(hours=1))
    last = probe.message(3.0, city.time)
    probe.store(last)
    probe.store(late, last)
    assert probe.shown() == 3.0

    probe.store(probe.message(3.5, city.time))
    assert probe.shown() == 3.5, "the same time again replaces it, as in the time series"
    latest = city.services.timeseries.latest("sonde-1")["pH"]
    assert (latest.value, latest.time) == (3.5, city.time)


def answered(city: City) -> float:
    """What a device's page is told as it opens."""
    client = city.client("inspector")
    found = client.get("/api/v1/devices/sonde-1/series").json()["series"]
    (value,) = [one["latest"]["v"] for one in found if one["parameter"] == "pH"]
    return float(value)


@pytest.mark.parametrize("ahead_s", [599, 90, 30])
def test_a_reading_of_now_follows_those_of_a_clock_that_was_ahead(
    either_city: City, ahead_s: float
) -> None:
    """It was set right; what had come from the future stood until that had come."""
    city = either_city
    probe = Probe(city)
    probe.read(9.0, city.time + timedelta(seconds=ahead_s))
    assert probe.shown() == 9.0
    with stream(city, "inspector") as reader:
        city.later(seconds=10)
        probe.read(7.0)
        told = reader.next("reading")
    assert told is not None
    assert told.data["values"]["pH"]["v"] == 7.0
    assert (probe.shown(), answered(city)) == (7.0, 7.0)
    city.later(seconds=10)
    probe.read(7.1)
    probe.store(probe.message(6.0, city.time - timedelta(hours=1)))
    assert (probe.shown(), answered(city)) == (7.1, 7.1)


def test_what_waited_at_a_gateway_is_not_shown_for_its_clock_alone(city: City) -> None:
    probe = Probe(city)
    ahead = timedelta(seconds=120)
    probe.read(9.0, city.time + ahead)
    probe.store(probe.message(6.0, city.time - timedelta(minutes=3)))
    assert probe.shown() == 9.0, "farther from now than what is shown"
    city.later(seconds=10)
    probe.store(probe.message(8.0, city.time + ahead - timedelta(seconds=11)))
    assert probe.shown() == 9.0, "of the same clock, and of before"


def test_the_order_counts_in_a_batch_with_readings_from_the_future(city: City) -> None:
    probe = Probe(city)
    ahead = [probe.message(9.0 + one / 10, city.time + timedelta(minutes=5)) for one in range(2)]
    probe.store(*ahead, probe.message(7.0, city.time))
    assert probe.shown() == 7.0
    probe.store(ahead[0])
    assert probe.shown() == 7.0, "known, and nothing new"


def test_a_process_whose_clock_is_behind_is_heard_all_the_same(city: City) -> None:
    watch = DeviceWatch(city.services)
    watch.changed()
    city.later(hours=2)
    watch.changed()
    city.later(hours=-2)
    health = {"device": "sonde-1", "state": "failed", "since": city.time, "code": "no-answer"}
    city.send(DeviceHealth.model_validate(health), "sonde-1")
    Probe(city).read(3.0)
    city.later(hours=2)

    told, _ = watch.changed()

    assert [(one.kind, one.device) for one in told] == [
        ("device", "sonde-1"),
        ("reading", "sonde-1"),
    ]
    assert watch.changed() == ((), False)


def test_what_a_long_transaction_changed_is_seen_once_it_has_ended(either_city: City) -> None:
    """A number that was drawn early and committed late would be overtaken."""
    city = either_city
    watch = DeviceWatch(city.services)
    watch.changed()
    long = city.services.sessions()
    if city.services.engine.dialect.name != "sqlite":  # which has one writer at a time
        long.get_one(Device, "mic-1").state = "failed"
        long.flush()
    city.later(minutes=10)
    with writing(city.services.sessions) as other:
        other.get_one(Device, "sonde-1").state = "failed"
    told, _ = watch.changed()
    assert [one.device for one in told] == ["sonde-1"]

    long.get_one(Device, "mic-1").state = "failed"
    long.commit()
    long.close()

    told, _ = watch.changed()
    assert [one.device for one in told] == ["mic-1"]


def test_followers_miss_nothing_of_many_writers(either_city: City) -> None:
    """Each thing announced by several threads at once is read after its last announcement."""
    sessions = either_city.services.sessions
    writers, rounds = 4, 15
    done = threading.Event()

    def write(name: int) -> None:
        for turn in range(rounds):
            with writing(sessions) as session:
                changes.announce(session, "reading", (f"{name}-{turn}", "all"))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    seen: list[tuple[int, str]] = []

    def follow() -> None:
        position = Position(0)
        while True:
            last = done.is_set()
            with sessions() as session:
                found = changes.after(session, position, 3)
            seen.extend((one.number, one.key) for one in found)
            if found:
                position = Position(found[-1].number, (found[-1].kind, found[-1].key))
            elif last:
                return

    with sessions() as session:
        before = changes.head(session)
    follower = threading.Thread(target=follow)
    for thread in (*threads, follower):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    follower.join()

    own = {f"{name}-{turn}" for name in range(writers) for turn in range(rounds)}
    assert {key for _, key in seen} >= own | {"all"}
    assert max(number for number, key in seen if key == "all") == before + writers * rounds
    assert seen == sorted(seen, key=lambda one: one[0])


def test_a_rolled_back_change_is_not_announced(city: City) -> None:
    with city.services.sessions() as session:
        before = changes.head(session)
    with city.services.sessions() as session:
        changes.head(session)
        changes.announce(session, "reading", ("sonde-1",))
        session.rollback()
        session.commit()
    with city.services.sessions() as session:
        assert changes.head(session) == before


def test_what_a_savepoint_undoes_takes_no_other_announcement_with_it(either_city: City) -> None:
    sessions = either_city.services.sessions
    with sessions() as session:
        before = changes.head(session)
    with writing(sessions) as session:
        changes.announce_rights(session)
        savepoint = session.begin_nested()
        changes.head(session)
        savepoint.rollback()
    with sessions() as session:
        assert changes.number_of(session, changes.RIGHTS) == before + 1


def test_a_change_of_many_devices_costs_as_many_statements_as_one(city: City) -> None:
    probe = Probe(city)

    def cost(devices: Sequence[str]) -> tuple[int, int]:
        city.later(seconds=30)
        messages = [probe.message(7.0, city.time, device) for device in devices]
        watch = DeviceWatch(city.services)
        watch.changed()
        with statements(city.services.engine) as stored:
            probe.store(*messages)
        with statements(city.services.engine) as looked:
            told, _ = watch.changed()
        assert len([one for one in told if one.kind == "reading"]) == len(devices)
        return len(stored), len(looked)

    many = [f"sonde-{number}" for number in range(200)]
    probe.store(*(probe.message(7.0, city.time, device) for device in ["sonde-1", *many]))
    cost(["sonde-1"])
    assert cost(many) == cost(["sonde-1"])


def test_more_than_fits_in_one_look_is_looked_for_at_once(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vigil_cloud.http import live_devices

    monkeypatch.setattr(live_devices, "AT_ONCE", 3)
    watch = DeviceWatch(city.services)
    watch.changed()
    probe = Probe(city)
    probe.store(*(probe.message(7.0, city.time, f"new-{number}") for number in range(8)))

    told: list[str] = []
    more = True
    while more:
        news, more = watch.changed()
        told += [one.device for one in news if one.kind == "reading"]
    assert told == [f"new-{number}" for number in range(8)]


def test_a_slow_reader_is_sent_the_newest_and_none_before_it() -> None:
    def look(asked: float, *values: tuple[str, str]) -> Look:
        devices = tuple(
            DeviceNews("reading", device, "water", None, json) for device, json in values
        )
        return Look(Rights(asked), devices=devices)

    async def read() -> None:
        inbox = Inbox("a session", 1)
        for number in range(10 * stream_hub.INBOX):
            inbox.put(look(number, ("sonde-1", f"{number}")))
        inbox.put(look(1.0, ("sonde-2", "other")))

        taken = await inbox.get()

        assert {one.device: one.json for one in taken.devices} == {
            "sonde-1": f"{10 * stream_hub.INBOX - 1}",
            "sonde-2": "other",
        }
        assert taken.rights.asked == 10 * stream_hub.INBOX - 1, "never older rights than were known"
        inbox.put(look(1e6, ("sonde-1", "later")))
        assert [one.json for one in (await inbox.get()).devices] == ["later"]

    asyncio.run(read())


def test_a_look_says_by_which_rights_it_was_written_down_who_sees_it() -> None:
    """Rights may be later when the stream comes to its turn: whoever has gained one since then is
    in no audit line yet."""

    async def read() -> None:
        inbox = Inbox("a session", 1)
        inbox.put(Look(Rights(1.0)))
        inbox.put(Look(Rights(2.0)))
        taken = await inbox.get()
        assert (taken.noted.asked, taken.rights.asked) == (1.0, 2.0)

    asyncio.run(read())


def test_readings_that_are_not_kept_any_more_are_neither_shown_nor_left(city: City) -> None:
    from vigil_cloud.retention import Retention

    kept = city.settings.retention.model_copy(update={"series_days": {"water": 7.0}})
    object.__setattr__(city.services.settings, "retention", kept)
    probe = Probe(city)
    probe.read(7.0)
    city.later(days=8)
    Retention(city.services).keep()

    with city.services.sessions() as session:
        assert newest(session, ["sonde-1"]) == {}
