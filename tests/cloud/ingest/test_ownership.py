"""A device belongs to the first gateway that described it: nobody else is believed about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as listening

from gateways import EPOCH, birth, event, new_name, observation, smoke
from ingest_bench import NOW, Bench
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import service
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.domain.port import Received
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Decoder, Refusal
from vigil_cloud.ingest.ownership import refuse_foreign
from vigil_cloud.ingest.times import Limits
from vigil_cloud.ingest.writer import Writer
from vigil_cloud.timeseries.port import Series
from vigil_schemas.gateway import DeviceDescription, DeviceHealth
from vigil_schemas.smoke import SmokeAlarm

REASON = "device-of-another"


class Alarms:
    """A room that remembers whose alarms it was handed."""

    types = frozenset({SmokeAlarm.TYPE})

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.marks: list[Any] = []

    def handle(self, _session: Any, message: Received) -> None:
        self.taken.append((message.gateway, message.envelope.subject))
        self.marks.append(message.marks.get("owner_doubtful"))


def described(*devices: str) -> list[DeviceDescription]:
    return [
        DeviceDescription(device=name, domain="water", driver="test", name=f"Canal {name}")
        for name in devices
    ]


class Street:
    """Gateways that share one writer."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.alarms = Alarms()
        self.writer: Writer = bench.writer([self.alarms])

    def born(self, gateway: str, *devices: str, session: int = 1) -> None:
        data = birth(NOW, described(*devices), session=session)
        payload = event(gateway, None, data, subject=gateway, time=NOW, lane="status")
        self.store(f"vigil/v1/{gateway}/status", payload)

    def readings(self, gateway: str, sequence: int, device: str) -> None:
        time = NOW + sequence * timedelta(minutes=1)
        payload = observation(gateway, sequence, device=device, time=time)
        self.store(f"vigil/v1/{gateway}/observation", payload)

    def alarm(self, gateway: str, sequence: int, device: str) -> None:
        payload = event(gateway, sequence, smoke(NOW), subject=device, time=NOW, lane="alarm")
        self.store(f"vigil/v1/{gateway}/alarm", payload)

    def health(self, gateway: str, sequence: int, device: str) -> bytes:
        data = DeviceHealth(device=device, state="ok", since=NOW)
        payload = event(gateway, sequence, data, subject=device, time=NOW)
        self.store(f"vigil/v1/{gateway}/event", payload)
        return payload

    def store(self, topic: str, payload: bytes) -> None:
        self.writer.store([self.bench.arrived(topic, payload)])

    def release(self, device: str) -> None:
        with writing(self.bench.services.sessions) as session:
            service.release(session, device, "admin", NOW)

    def count(self, gateway: str, device: str) -> int:
        series = Series("water", gateway, device, "pH")
        return self.bench.services.timeseries.count(series, NOW, NOW + timedelta(days=1))

    def device(self, name: str) -> Device:
        with self.bench.services.sessions() as session:
            return session.get_one(Device, name)

    def conflicts(self, gateway: str) -> list[str]:
        with self.bench.services.sessions() as session:
            return session.get_one(Gateway, gateway).conflicts

    def letters(self) -> list[tuple[str, str, int]]:
        return [(one.gateway, one.reason, one.count) for one in self.bench.dead_letters()]


@pytest.fixture
def street(bench: Bench) -> Street:
    return Street(bench)


def test_readings_for_anothers_device_are_refused_and_the_lane_goes_on(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")
    street.born(other, "s-2")

    for sequence, device in enumerate(("s-2", "s-1", "s-2"), 1):
        street.readings(other, sequence, device)
    street.readings(owner, 1, "s-1")

    assert (street.count(other, "s-1"), street.count(other, "s-2")) == (0, 2)
    assert street.count(owner, "s-1") == 1
    assert street.letters() == [(other, REASON, 1)]
    assert (f"/{other}/observation/{EPOCH}", 3, (), 1) in street.bench.recorder.told
    assert street.bench.metric("vigil_ingest_refused_total", reason=REASON) == 1


def test_whoever_hears_a_fire_raises_it_but_for_anothers_device_it_is_marked(
    street: Street,
) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "a-1")

    street.alarm(other, 1, "a-1")
    street.alarm(other, 2, "a-2")
    street.alarm(owner, 1, "a-1")

    assert street.alarms.taken == [(other, "a-1"), (other, "a-2"), (owner, "a-1")]
    assert street.alarms.marks == [owner, None, None]
    assert street.letters() == []
    assert (f"/{other}/alarm/{EPOCH}", 2, (), 0) in street.bench.recorder.told


def test_health_of_anothers_device_under_an_own_subject(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")
    street.born(other, "s-2")
    health = DeviceHealth(device="s-1", state="failed", since=NOW, code="forged")

    payload = event(other, 1, health, subject="s-2", time=NOW)
    street.store(f"vigil/v1/{other}/event", payload)

    assert street.device("s-1").state == "unknown"
    assert street.letters() == [(other, REASON, 1)]


def test_a_gateways_own_events_pass_whatever_a_device_is_called(street: Street) -> None:
    """Given a device that somebody named like a gateway."""
    from vigil_schemas.gateway import ObservationLoss

    owner, other = new_name(), new_name()
    street.born(owner, other)
    loss = ObservationLoss(first_sequence=1, last_sequence=2, rows=2, oldest=NOW, newest=NOW)

    street.store(f"vigil/v1/{other}/event", event(other, 1, loss, subject=other, time=NOW))

    assert street.letters() == []


@pytest.mark.parametrize(("subject", "refused"), [("Street 1", 0), ("\0", 1), ("門", 0)])
def test_a_subject_that_is_no_device_breaks_nothing(
    street: Street, subject: str, refused: int
) -> None:
    gateway = new_name()

    street.alarm(gateway, 1, subject)

    assert street.bench.recorder.told == [(f"/{gateway}/alarm/{EPOCH}", 1, (), refused)]
    assert street.alarms.taken == [(gateway, gateway if refused else subject)]


def test_what_nobody_described_is_taken_until_a_birth_claims_it(street: Street) -> None:
    """Given readings that overtake the birth on their faster lane, and a stranger's before."""
    owner, stranger = new_name(), new_name()
    street.readings(stranger, 1, "s-1")
    street.readings(owner, 1, "s-1")
    street.alarm(owner, 1, "s-1")
    assert street.letters() == []

    street.born(owner, "s-1")

    assert (street.device("s-1").gateway, street.device("s-1").name) == (owner, "Canal s-1")
    street.health(stranger, 1, "s-1")
    street.health(owner, 1, "s-1")
    assert street.letters() == [(stranger, REASON, 1)]
    assert street.count(owner, "s-1") == 1


def test_what_was_stored_before_the_claim_is_no_refusal_when_it_comes_again(
    street: Street,
) -> None:
    owner, other = new_name(), new_name()
    payload = street.health(other, 1, "a-1")
    street.born(owner, "a-1")

    street.store(f"vigil/v1/{other}/event", payload)

    assert street.letters() == []
    assert street.bench.recorder.told[-1] == (f"/{other}/event/{EPOCH}", 1, (), 0)


def test_a_birth_takes_its_devices_but_not_anothers(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")

    street.born(other, "s-1", "s-2")

    assert street.device("s-1").gateway == owner
    assert (street.device("s-2").gateway, street.device("s-2").claimed) == (other, True)
    assert (street.conflicts(other), street.conflicts(owner)) == (["s-1"], [])
    (letter,) = street.bench.dead_letters()
    assert (letter.gateway, letter.reason) == (other, REASON)
    assert letter.detail == f"the birth also describes s-1 of {owner}"
    with street.bench.services.sessions() as session:
        assert session.get_one(Gateway, other).connected

    street.born(other, "s-2", session=2)
    assert street.conflicts(other) == []
    assert street.device("s-1").described


def test_a_device_left_out_of_a_birth_still_belongs_to_its_gateway(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")
    street.born(owner, session=2)

    street.born(other, "s-1")

    assert street.device("s-1").gateway == owner
    assert street.conflicts(other) == ["s-1"]


def test_a_released_device_goes_to_whoever_was_refused_it(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")
    street.born(other, "s-1")

    street.release("s-1")

    with street.bench.services.sessions() as session:
        (asked,) = session.query(Downlink).all()
        assert (asked.gateway, asked.payload["action"]) == (other, "resend_birth")
    street.born(owner, "s-1")  # its retained birth, heard again: no news and no claim
    street.born(other, "s-1")
    assert (street.device("s-1").gateway, street.conflicts(other)) == (other, [])
    street.alarm(owner, 1, "s-1")
    street.alarm(other, 1, "s-1")
    assert street.alarms.marks == [other, None]

    street.born(owner, "s-1", session=2)
    assert street.conflicts(owner) == ["s-1"]


def test_a_released_device_is_claimed_by_the_next_new_birth(street: Street) -> None:
    owner, other = new_name(), new_name()
    street.born(owner, "s-1")

    street.release("s-1")
    street.alarm(other, 1, "s-1")
    street.born(other, "s-1")

    assert street.device("s-1").gateway == other
    assert street.alarms.taken == [(other, "s-1")]
    assert street.letters() == []


def test_births_at_once_leave_one_owner(bench: Bench, build_bench: Callable[[], Bench]) -> None:
    streets = [Street(bench), Street(build_bench())]
    names = [new_name(), new_name()]
    devices = [f"s-{n}" for n in range(20)]
    problems: list[BaseException] = []

    def work(street: Street, gateway: str) -> None:
        try:
            for n, device in enumerate(devices, 1):
                street.born(gateway, *devices[:n], session=n)
                street.readings(gateway, n, device)
        except BaseException as error:
            problems.append(error)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(streets, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems
    owned = {device: streets[0].device(device).gateway for device in devices}
    for name in names:
        assert streets[0].conflicts(name) == sorted(d for d in devices if owned[d] != name)


@contextmanager
def counted(bench: Bench) -> Iterator[list[str]]:
    """The statements that reach the database."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    listening.listen(bench.services.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        listening.remove(bench.services.engine, "before_cursor_execute", note)


def test_readings_count_as_their_devices_stand_now(bench: Bench, street: Street) -> None:
    """Given batches of readings, each asks once, however many it holds, and none counts by what
    was so before."""
    gateway, other = new_name(), new_name()
    street.born(gateway, "s-1")
    decoder = Decoder(Limits())

    def batch(sender: str, devices: Sequence[str]) -> list[Item]:
        topic = f"vigil/v1/{sender}/observation"
        arrived = [
            bench.arrived(topic, observation(sender, n, device=name, time=NOW))
            for n, name in enumerate(devices, 1)
        ]
        return [Item(a, decoder.decode(a.topic, a.payload, a.received)) for a in arrived]

    def refused(items: Sequence[Item]) -> int:
        with bench.services.sessions() as session:
            checked = refuse_foreign(session, items)
        return sum(isinstance(item.decoded, Refusal) for item in checked)

    mine = batch(gateway, ["s-1", "s-2"] * 5)
    with counted(bench) as statements:
        assert [refused(mine) for _ in range(10)] == [0] * 10
        assert sum("devices" in one for one in statements) == 10

    early = batch(other, ["s-2", "s-3"])
    assert refused(early) == 0, "nobody's yet"
    street.born(gateway, "s-1", "s-2")
    assert refused(early) == 1, "from the claim on, at once"
    street.release("s-1")
    street.born(other, "s-1")
    assert refused(batch(other, ["s-1"])) == 0
    assert refused(mine) == 5
