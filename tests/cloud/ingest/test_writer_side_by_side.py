"""Several writers at once: one mark for each source, and nobody waits for the other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import servers
from cloud.ingest.alarms import Alarms, alarm, ids_handled, ready_gateway
from gateways import EPOCH, event, new_name, observation
from ingest_bench import NOW, Bench
from vigil_cloud.devices.models import Gateway
from vigil_cloud.domain.port import Received
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.ingest.queue import Arrived
from vigil_schemas.gateway import DeviceHealth, GatewayHealth
from vigil_schemas.types import ClockQuality


def test_several_writers_at_once_keep_one_mark(
    bench: Bench, build_bench: Callable[[], Bench]
) -> None:
    """Given two processes that share a subscription, one source's messages spread over both."""
    gateway = ready_gateway(bench)
    benches = [bench, build_bench()]
    problems: list[BaseException] = []

    def work(mine: Bench, numbers: range) -> None:
        try:
            writer = mine.writer([Alarms()])
            for n in numbers:
                writer.store([mine.arrived(*alarm(gateway, n, f"e-{n}"))])
        except BaseException as error:
            problems.append(error)

    # Both have every third message, as after a redelivery.
    threads = [
        threading.Thread(target=work, args=(benches[0], range(1, 41))),
        threading.Thread(target=work, args=(benches[1], range(60, 20, -1))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems
    handled = ids_handled(bench, gateway)
    assert sorted(handled) == sorted(f"e-{n}" for n in range(1, 61))
    with bench.services.sessions() as session:
        mark = session.get_one(Watermark, f"/{gateway}/alarm/{EPOCH}")
        assert (mark.stored, mark.beyond) == (60, [])
        assert session.scalar(select(func.count()).select_from(TakenEvent)) == 60


class Meeting:
    """A room whose first message of each batch waits a moment for the other batch's."""

    types = frozenset({GatewayHealth.TYPE})

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def handle(self, _session: Session, _message: Received) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(timeout=1)


def test_two_batches_never_wait_for_each_other(bench: Bench) -> None:
    """Given two lanes that tell of the same gateways in opposite orders, it is no deadlock."""
    one, other = ready_gateway(bench), ready_gateway(bench)
    meeting = Meeting()
    health = GatewayHealth(
        uptime_s=1,
        resident_bytes=1,
        cpu_percent=1,
        disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[],
        sources=[],
    )

    def batch(lane: str, *gateways: str) -> list[Arrived]:
        return [
            bench.arrived(
                f"vigil/v1/{name}/{lane}",
                event(name, 1, health, subject=name, time=NOW, lane=lane),
            )
            for name in gateways
        ]

    batches = [batch("event", one, other), batch("alarm", other, one)]
    threads = [
        threading.Thread(target=bench.writer([meeting]).store, args=(arrived,))
        for arrived in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bench.dead_letters() == []
    assert bench.metric("vigil_ingest_store_failures_total", store="database") == 0


def test_a_batch_locks_its_gateways_in_one_order(bench: Bench) -> None:
    """Given a report of the last gateway and a reading of the first, which somebody else holds:
    what waits for the first one holds no other, or two lanes would wait for each other."""
    engine = bench.services.engine
    if engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    first, last = sorted([ready_gateway(bench), ready_gateway(bench)])
    batch = [
        bench.arrived(
            f"vigil/v1/{last}/observation",
            event(
                last,
                1,
                DeviceHealth(device="d", state="ok", since=NOW),
                subject="d",
                time=NOW,
                lane="observation",
            ),
        ),
        bench.arrived(
            f"vigil/v1/{first}/observation",
            observation(first, 1, device=new_name("sonde"), time=NOW),
        ),
    ]
    lock = select(Gateway.gateway).with_for_update(nowait=True)
    with bench.services.sessions() as session:
        assert session.scalars(lock.where(Gateway.gateway == first)).all() == [first]
        storing = threading.Thread(target=bench.writer().store, args=(batch,))
        storing.start()
        servers.eventually(lambda: _waits(bench), "the batch waits for the first gateway")

        assert session.scalars(lock.where(Gateway.gateway == last)).all() == [last]
    storing.join()


def _waits(bench: Bench) -> bool:
    with bench.services.engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.scalar(waiting))
