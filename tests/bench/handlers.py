"""What a handler of readings costs ingest: processor time with and without one, in turn.

Packs of 7 and of 70 readings, in groups as the broker brings them, over SQLite. The handler keeps
a small state of each device and changes it with every group: the most that one asks for. Shares
of the time without it, the median of the rounds.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateways import observation
from vigil_cloud.config import load
from vigil_cloud.database.migrate import upgrade
from vigil_cloud.domain.port import Folded, ReadingHandler, Readings
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.stores import build_services

DEVICES = (20, 500)
GROUP = 500
GROUPS = 6
ROUNDS = 5


class Follows:
    """Counts and remembers, as detectors do."""

    name = "bench"
    domains = frozenset({"water"})

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        """State: how many, the newest time, a running mean."""
        known = state or {"count": 0, "newest_us": 0, "mean": 0.0}
        newest = readings.points[-1]
        mean = 0.9 * known["mean"] + 0.1 * (newest.value or 0.0)
        count = known["count"] + len(readings.points)
        return Folded({"count": count, "newest_us": newest.time_us, "mean": mean})


class _Nobody:
    def receipt(self, *_: Any) -> None:
        """There is no gateway."""

    def acknowledge(self, _messages: Any) -> None:
        """There is no broker."""


def seconds(folder: Path, devices: int, records: int, handlers: list[ReadingHandler]) -> float:
    """Of the processor, for all groups."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    services = build_services(
        load(None, demo=True, data_dir=folder, open_enrolment=True), now=lambda: start
    )
    upgrade(services.engine)
    numbers = itertools.count(1)
    groups = [
        [
            observation(
                "gw-bench",
                next(numbers),
                device=f"sonde-{one % devices}",
                time=start + timedelta(seconds=group),
                records=records,
                step=timedelta(seconds=1),
            )
            for one in range(GROUP)
        ]
        for group in range(GROUPS + 1)
    ]
    ingest = Ingest(services, [], BrokerAddress("127.0.0.1", 1), handlers)
    writer = ingest._intakes[2].writer
    writer._sender = _Nobody()
    topic = "vigil/v1/gw-bench/observation"
    began = 0.0
    for number, group in enumerate(groups):
        if number == 1:  # the first makes the rows
            began = time.process_time()
        writer.store([Arrived(topic, one, start, 0.0, None) for one in group])
    took = time.process_time() - began
    services.close()
    return took


def main() -> int:
    """Prints the figures."""
    for records, devices in itertools.product((7, 70), DEVICES):
        shares, plain = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                without = seconds(Path(one), devices, records, [])
                following = seconds(Path(other), devices, records, [Follows()])
            plain.append(without)
            shares.append(following / without - 1)
        name = f"handlers pack{records} devices{devices}"
        print(f"{name} messages_per_cpu_s: {GROUP * GROUPS / statistics.median(plain):.0f}")
        print(f"{name} cost_percent: {100 * statistics.median(shares):.1f}")
    return 0
