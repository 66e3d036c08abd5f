"""What ingest clears away by itself."""

from __future__ import annotations

from datetime import timedelta

from gateways import new_name
from ingest_bench import NOW, Bench
from vigil_cloud.ingest.service import Ingest
from vigil_cloud.ingest.subscriber import BrokerAddress


def test_old_dead_letters_are_removed(bench: Bench) -> None:
    """Given two refusals, one of which came again later, only the forgotten one goes."""
    topic = f"vigil/v1/{new_name()}/event"
    writer = bench.writer()
    days = bench.services.settings.dead_letter_days
    ingest = Ingest(bench.services, [], BrokerAddress("127.0.0.1", 1))
    writer.store([bench.arrived(topic, payload) for payload in (b"once", b"again")])

    bench.clock[0] = NOW + timedelta(days=days)
    writer.store([bench.arrived(topic, b"again")])
    ingest.forget()
    assert len(bench.dead_letters()) == 2

    bench.clock[0] += timedelta(seconds=1)
    ingest.sweep()
    assert len(bench.dead_letters()) == 2
    ingest.forget()
    assert [(one.payload, one.count) for one in bench.dead_letters()] == [(b"again", 2)]
