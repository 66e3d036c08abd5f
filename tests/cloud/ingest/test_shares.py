"""One sender's share: what it sends beyond goes from its own, and never an alarm or an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateways import birth, event, new_name, observation, smoke
from ingest_bench import NOW, Bench
from vigil_cloud.capacity.dropped import dropped_of
from vigil_cloud.capacity.limits import MIB, Quotas, dead_letter_share
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.ingest.commit import Committer
from vigil_cloud.ingest.epochs import QUIET, compact
from vigil_cloud.ingest.letters import DeadLetters
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.timeseries.port import Series
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import SmokeAlarm


def writer(bench: Bench, **quotas: int) -> Any:
    held = Quotas(**quotas)
    return bench.writer(committer=Committer([], None, DeadLetters(held)), quotas=held)


def letter(gateway: str, number: int, lane: str = "event", size: int = 200) -> tuple[str, bytes]:
    return f"vigil/v1/{gateway}/{lane}", f"{number:06d}".encode() + b"?" * (size - 6)


def store(bench: Bench, target: Any, *messages: tuple[str, bytes]) -> None:
    target.store([bench.arrived(topic, payload) for topic, payload in messages])


def kept(bench: Bench, gateway: str) -> list[int]:
    return sorted(
        int(bytes(row.payload)[:6]) for row in bench.dead_letters() if row.gateway == gateway
    )


def dropped(bench: Bench, gateway: str) -> dict[str, int]:
    with bench.services.sessions() as session:
        return dropped_of(session, [gateway]).get(gateway, {})


def test_the_oldest_dead_letters_of_the_same_sender_go(bench: Bench) -> None:
    noisy, quiet = new_name(), new_name()
    target = writer(bench, dead_letters=10)
    store(bench, target, letter(quiet, 1), letter(noisy, 1))
    for number in range(2, 50):
        bench.clock[0] += timedelta(seconds=1)
        store(bench, target, letter(noisy, number))

    assert kept(bench, noisy) == list(range(40, 50))
    assert kept(bench, quiet) == [1]
    assert dropped(bench, noisy) == {"dead-letters": 39}
    assert dropped(bench, quiet) == {}


def test_one_that_came_again_is_not_old(bench: Bench) -> None:
    gateway = new_name()
    target = writer(bench, dead_letters=3)
    for number in (1, 2, 3, 1, 4):
        bench.clock[0] += timedelta(seconds=1)
        store(bench, target, letter(gateway, number))
    assert kept(bench, gateway) == [1, 3, 4]


def test_bytes_count_as_well_as_letters(bench: Bench) -> None:
    gateway = new_name()
    target = writer(bench, dead_letter_bytes=100_000)
    store(bench, target, *[letter(gateway, number, size=20_000) for number in range(30)])
    assert kept(bench, gateway) == [26, 27, 28, 29]
    assert dropped(bench, gateway) == {"dead-letters": 26}


def test_letters_of_alarms_are_not_pushed_out_by_others(bench: Bench) -> None:
    gateway = new_name()
    target = writer(bench, dead_letters=5, alarm_dead_letters=20)
    store(bench, target, *[letter(gateway, number, "alarm") for number in range(20)])
    store(bench, target, *[letter(gateway, number, "event") for number in range(100, 200)])
    assert kept(bench, gateway) == [*range(20), *range(195, 200)]
    store(bench, target, letter(gateway, 20, "alarm"))
    assert kept(bench, gateway) == [*range(1, 21), *range(195, 200)]
    assert dropped(bench, gateway) == {"alarm-dead-letters": 1, "dead-letters": 95}


def test_all_together_have_a_share_and_the_fullest_gives(bench: Bench) -> None:
    """Given many names, each within its own share: the disk has an end all the same."""
    target = writer(bench, all_dead_letter_bytes=400_000, dead_letter_bytes=100_000)
    small = new_name()
    store(bench, target, letter(small, 1), letter(small, 2, "alarm"))
    for _ in range(20):
        name = new_name()
        bench.clock[0] += timedelta(seconds=1)
        store(bench, target, *[letter(name, number, size=10_000) for number in range(9)])
    assert sum(row.kept for row in bench.dead_letters()) <= 400_000 + 100_000
    assert kept(bench, small) == [1, 2]


@settings(max_examples=50, deadline=None)
@given(disk=st.one_of(st.none(), st.integers(10 * MIB, 4_000 * 1024 * MIB)))
def test_dead_letters_leave_most_of_any_disk(disk: int | None) -> None:
    share = dead_letter_share(Quotas(), disk)
    assert 0 < share.ordinary <= share.everybody
    assert 0 < share.alarm <= share.everybody
    if disk is not None:
        assert share.everybody <= disk / 10


def devices_of(bench: Bench, gateway: str) -> set[str]:
    with bench.services.sessions() as session:
        return set(session.scalars(select(Device.device).where(Device.gateway == gateway)))


def reading(gateway: str, sequence: int, device: str, records: int = 1) -> tuple[str, bytes]:
    payload = observation(gateway, sequence, device=device, time=NOW, records=records)
    return f"vigil/v1/{gateway}/observation", payload


def test_readings_bring_up_no_more_devices_than_a_gateway_may(bench: Bench) -> None:
    gateway, other = new_name(), new_name()
    target = writer(bench, devices=5)
    for round_ in range(2):  # also when this process has met them before
        store(
            bench,
            target,
            *[reading(gateway, 20 * round_ + n, f"{gateway}-{n}") for n in range(1, 13)],
            reading(other, 1 + round_, f"{other}-1"),
        )
    assert devices_of(bench, gateway) == {f"{gateway}-{n}" for n in range(1, 6)}
    assert devices_of(bench, other) == {f"{other}-1"}
    assert {row.reason for row in bench.dead_letters()} == {"too-many-devices"}
    assert dropped(bench, gateway) == {"devices": 14}
    series = Series("water", gateway, f"{gateway}-9", "temperature")
    assert bench.services.timeseries.count(series, NOW, NOW + timedelta(days=1)) == 0


def test_what_a_birth_describes_and_what_an_alarm_names_is_let_in(bench: Bench) -> None:
    gateway = new_name()
    names = [f"{gateway}-{n}" for n in range(8)]
    described = [DeviceDescription(device=n, domain="water", driver="t") for n in names]
    held = Quotas(devices=2)
    target = bench.writer(quotas=held)
    alarm = event(gateway, 1, smoke(NOW), subject=f"{gateway}-a", time=NOW, lane="alarm")
    store(
        bench,
        target,
        (
            f"vigil/v1/{gateway}/status",
            event(gateway, None, birth(NOW, described), subject=gateway, time=NOW, lane="status"),
        ),
    )
    store(bench, target, *[reading(gateway, n + 1, name) for n, name in enumerate(names)])
    store(bench, target, (f"vigil/v1/{gateway}/alarm", alarm), reading(gateway, 9, "made-up"))
    assert devices_of(bench, gateway) >= set(names)
    assert [row.reason for row in bench.dead_letters()] == ["too-many-devices"]


def test_a_device_has_no_more_series_than_it_may(bench: Bench) -> None:
    gateway = new_name()
    target = writer(bench, parameters=7)
    device = f"{gateway}-1"
    store(bench, target, reading(gateway, 1, device, 7))
    more = observation(gateway, 2, device=device, time=NOW, records=1)
    more = more.replace(b'"temperature"', b'"made_up"')
    topic = f"vigil/v1/{gateway}/observation"
    store(bench, target, (topic, more))
    store(bench, target, (topic, more.replace(b"0000000000000002", b"0000000000000003")))
    store(bench, target, reading(gateway, 4, device, 7))
    assert [row.reason for row in bench.dead_letters()] == ["too-many-parameters"] * 2
    assert len(bench.services.timeseries.series(device)) == 7


# --- epochs ----------------------------------------------------------------------------------


class Fires:
    """Counts what it was handed."""

    types = frozenset({SmokeAlarm.TYPE})

    def __init__(self) -> None:
        self.handled: list[str] = []

    def handle(self, session: Any, message: Any) -> None:
        del session
        self.handled.append(message.envelope.id)


def fire(gateway: str, epoch: str, sequence: int, event_id: str) -> tuple[str, bytes]:
    payload = event(
        gateway,
        sequence,
        smoke(NOW),
        subject=f"{gateway}-a",
        time=NOW,
        lane="alarm",
        event_id=event_id,
        epoch=epoch,
    )
    return f"vigil/v1/{gateway}/alarm", payload


def born(bench: Bench, target: Any, gateway: str, epoch: str, session: int) -> None:
    data = birth(bench.clock[0], [], session=session, epoch=epoch)
    payload = event(gateway, None, data, subject=gateway, time=NOW, lane="status", epoch=epoch)
    store(bench, target, (f"vigil/v1/{gateway}/status", payload))


def epochs(bench: Bench, gateway: str) -> set[str]:
    with bench.services.sessions() as session:
        sources = session.scalars(select(Watermark.source).where(Watermark.gateway == gateway))
        return {source.rpartition("/")[2] for source in sources}


def fold(bench: Bench, most: int = 32) -> int:
    with writing(bench.services.sessions) as session:
        return compact(session, most, bench.clock[0])


def test_an_epoch_that_is_over_is_folded_and_its_repetitions_stay_known(bench: Bench) -> None:
    gateway, fires = new_name(), Fires()
    target = bench.writer([fires])
    born(bench, target, gateway, "0000000a", 1)
    store(bench, target, *[fire(gateway, "0000000a", n, f"fire-{n}") for n in (1, 2, 3)])
    born(bench, target, gateway, "0000000b", 2)
    store(bench, target, fire(gateway, "0000000b", 1, "fire-4"))
    assert fold(bench) == 0, "it may still have something on the way"

    bench.clock[0] += QUIET + timedelta(seconds=1)
    assert fold(bench) == 1
    assert epochs(bench, gateway) == {"0000000b"}

    store(bench, target, fire(gateway, "0000000a", 2, "fire-2"))
    store(bench, target, fire(gateway, "0000000b", 2, "fire-5"))
    assert fires.handled == [f"fire-{n}" for n in range(1, 6)]
    assert bench.recorder.told[-1][1] == 2, "the current one's marks are where they were"


def test_one_with_a_gap_waits_for_it(bench: Bench) -> None:
    gateway = new_name()
    target = bench.writer([Fires()])
    born(bench, target, gateway, "0000000a", 1)
    store(bench, target, fire(gateway, "0000000a", 2, "fire-2"))
    born(bench, target, gateway, "0000000b", 2)
    bench.clock[0] += 5 * QUIET
    assert fold(bench) == 0


def test_no_epoch_is_refused_for_their_number(bench: Bench) -> None:
    """Given a gateway that draws one for each message: all are taken, few marks are left."""
    gateway, fires = new_name(), Fires()
    target = bench.writer([fires])
    names: Sequence[str] = [f"{n:08x}" for n in range(1, 201)]
    for number, name in enumerate(names):
        bench.clock[0] += timedelta(seconds=1)
        store(bench, target, fire(gateway, name, 1 + number % 2, f"fire-{number}"))
    fold(bench, most=5)
    assert len(fires.handled) == 200
    left = epochs(bench, gateway)
    assert names[-1] in left
    assert len(left) <= 5
    for number, name in enumerate(names):
        store(bench, target, fire(gateway, name, 1 + number % 2, f"fire-{number}"))
    assert len(fires.handled) == 200
    with bench.services.sessions() as session:
        taken = select(TakenEvent).where(TakenEvent.gateway == gateway)
        assert len(session.scalars(taken).all()) == 200
