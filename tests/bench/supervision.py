"""20,000 smoke alarms of 10,000 homes on 40 bridges, supervised hourly.

The edge's side: the state of 40 bridges with 500 alarms each over most of a day, each message read
by the real codec. One in twenty alarms speaks every six hours only; 1 % of all messages are lost by
the radio; 200 alarms die. Told are: who was missed, who was accused wrongly, and how long a loss
took to be shown. Batteries run down in half of them.

The cloud's side: ingest's own writers over real tables, with messages as the edge makes them: an
hour's supervision, the loss of everything (a power cut), and everything back at once. Its share of
one core is processor time over the time that it stands for; ``settled`` is wall time from the first
message to no alert standing and every device ``ok``.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, insert, select

from revisions import bring_up
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.app import handlers
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Household, HouseholdDevice
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.stores import build_services
from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.observed import Observed
from vigil_schemas.envelope import encode
from vigil_schemas.gateway import DeviceDescription, DeviceHealth, GatewayBirth
from vigil_schemas.smoke import SmokeAlarm

BRIDGES: Final = int(os.environ.get("VIGIL_BRIDGES", "40"))
ALARMS: Final = 500
HOURS: Final = 21
"""Long enough for two of the rare ones' intervals after they died."""
LOST: Final = 0.01
RARE: Final = 0.05
DEAD: Final = 200
DIES_H: Final = 8
START: Final = datetime(2026, 5, 1, tzinfo=UTC)
LIMIT: Final = timedelta(seconds=90_000)
"""As the settings have it where nobody says otherwise."""
SWEEP_S: Final = 5


# -- the edge


@dataclass
class Figures:
    """Of the edge's side."""

    messages: int = 0
    missed: int = 0
    wrongly: int = 0
    shown_s: float = 0.0
    shown_intervals: float = 0.0
    """Of those that speak rarely."""


def edge(rng: random.Random) -> Figures:
    """Bridge by bridge: they know nothing of each other."""
    found = Figures()
    dead = set(rng.sample(range(BRIDGES * ALARMS), DEAD * BRIDGES // 40))
    for bridge in range(BRIDGES):
        of_bridge(bridge, {n % ALARMS for n in dead if n // ALARMS == bridge}, rng, found)
    return found


def of_bridge(bridge: int, dead: set[int], rng: random.Random, found: Figures) -> None:
    alarms = Alarms(None, START, 0.0)
    every = [6 * 3600.0 if rng.random() < RARE else 3600.0 for _ in range(ALARMS)]
    for number in range(0, ALARMS, 2):  # what an agent kept that has known them for a day
        for _ in range(3):
            known(alarms, number).rhythm.heard(every[number])
    queue = [(rng.uniform(0, every[n]), n) for n in range(ALARMS)]
    heapq.heapify(queue)
    last: dict[int, float] = {}
    swallowed: set[int] = set()
    lost_at: dict[int, float] = {}
    for t in sweeps():
        while queue and queue[0][0] <= t:
            at, number = heapq.heappop(queue)
            if number in dead and at >= DIES_H * 3600:
                continue
            heapq.heappush(queue, (at + every[number] + rng.uniform(-20, 20), number))
            found.messages += 1
            if rng.random() < LOST:
                swallowed.add(number)
                continue
            last[number] = at
            hear(alarms, number, at)
        now = START + timedelta(seconds=t)
        for device, event in alarms.silent(LIMIT, now, t):
            number = int(device.rpartition("-")[2])
            assert event.condition == "link_lost"
            lost_at[number] = t
            if number not in dead or t < DIES_H * 3600:
                found.wrongly += number not in swallowed
    for number in dead:
        if number not in lost_at and every[number] == 3600.0:
            found.missed += 1
        elif number in lost_at:
            silence = lost_at[number] - last[number]
            if every[number] == 3600.0:
                found.shown_s = max(found.shown_s, silence)
            else:
                found.shown_intervals = max(found.shown_intervals, silence / every[number])


def sweeps() -> Iterator[float]:
    """Each five seconds where a loss is due, each minute otherwise: the same to the alarms."""
    t = 0.0
    while t <= HOURS * 3600:
        yield t
        t += SWEEP_S if DIES_H * 3600 + 3600 <= t <= DIES_H * 3600 + 8_000 else 60


def known(alarms: Alarms, number: int) -> Any:
    device = f"alarm-{number}"
    alarms.expect(device, START)
    return alarms.known(device)


def hear(alarms: Alarms, number: int, t: float) -> None:
    now = START + timedelta(seconds=t)
    said = {"smoke": False, "battery_low": False, "battery": 88, "tamper": False, "test": False}
    report = zigbee2mqtt.read(json.dumps({**said, "last_seen": now.isoformat()}))
    alarms.take(f"alarm-{number}", report, Receipt(now, t))


# -- the cloud


class _Nobody:
    def receipt(self, *_: Any) -> None:
        """There is no gateway."""

    def acknowledge(self, _messages: Any) -> None:
        """There is no broker."""


class Cloud:
    """Ingest without a broker."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.services = build_services(
            load(None, demo=True, data_dir=folder, open_enrolment=True), now=lambda: self.now
        )
        bring_up(self.services.engine)
        self.ingest = Ingest(
            self.services, handlers(self.services), BrokerAddress("127.0.0.1", 1), []
        )
        for intake in self.ingest._intakes:
            intake.writer._sender = _Nobody()
        self.sequences: Counter[str] = Counter()

    def body(self, gateway: str, lane: str, device: str, data: Any, type_: str) -> bytes:
        source = f"/{gateway}/{lane}/abcdef01"
        self.sequences[source] += 1
        return encode(
            id=f"{source}/{self.sequences[source]}",
            source=source,
            type=type_,
            subject=device,
            time=self.now,
            data=data,
            sequence=self.sequences[source],
        )

    def store(self, lane: int, messages: Sequence[tuple[str, bytes]], group: int = 200) -> None:
        """As the broker brings them: whatever waits, in groups."""
        for first in range(0, len(messages), group):
            some = messages[first : first + group]
            arrived = [Arrived(topic, body, self.now, 0.0, None) for topic, body in some]
            self.ingest._intakes[lane].writer.store(arrived)

    def births(self) -> None:
        for bridge in range(BRIDGES):
            gateway = f"bridge-{bridge:02}"
            devices = [
                DeviceDescription(
                    device=f"{gateway}-{n}", domain="smoke", driver="zigbee2mqtt", name=f"No. {n}"
                )
                for n in range(ALARMS)
            ]
            born = GatewayBirth(
                session=1,
                started=self.now,
                software="bench",
                epoch="abcdef01",
                public_key="0" * 64,
                devices=devices,
            )
            self.store(1, [self._event(gateway, gateway, born)])

    def homes(self) -> None:
        """Two alarms each."""
        rows, devices = [], []
        for bridge, pair in itertools.product(range(BRIDGES), range(ALARMS // 2)):
            key = f"home-{bridge}-{pair}"
            rows.append({"key": key, "name": b"-", "address": b"-", "created": self.now})
            devices += [
                {
                    "household": key,
                    "device": f"bridge-{bridge:02}-{2 * pair + n}",
                    "since": self.now,
                }
                for n in range(2)
            ]
        with writing(self.services.sessions) as session:
            session.execute(insert(Household), rows)
            session.execute(insert(HouseholdDevice), devices)

    def _event(self, gateway: str, device: str, data: Any) -> tuple[str, bytes]:
        return (
            f"vigil/v1/{gateway}/event",
            self.body(gateway, "event", device, data, data.TYPE),
        )

    def an_hour(self) -> list[tuple[str, bytes]]:
        """What the edge sends of an hour in which nothing happens."""
        found = []
        for bridge, number in itertools.product(range(BRIDGES), range(ALARMS)):
            gateway = f"bridge-{bridge:02}"
            device = f"{gateway}-{number}"
            observed = Observed()
            said = json.dumps({"smoke": False, "battery": 88})
            due = observed.due(device, zigbee2mqtt.read(said), self.now, 0.0)
            for out in observed.packed(device, due, self.now):
                topic = f"vigil/v1/{gateway}/observation"
                found.append((topic, self.body(gateway, "observation", device, out.data, out.type)))
        return found

    def links(self, lost: bool, since: datetime) -> list[tuple[str, bytes]]:
        """Of every alarm: its condition, and how it does."""
        found = []
        for number, bridge in itertools.product(range(ALARMS), range(BRIDGES)):
            gateway = f"bridge-{bridge:02}"
            device = f"{gateway}-{number}"
            told = SmokeAlarm(
                alarm_id=f"{device}-link", condition="link_lost", active=lost, since=since
            )
            health = DeviceHealth(
                device=device,
                state="failed" if lost else "ok",
                since=self.now,
                code="link-lost" if lost else None,
                message="silent for too long" if lost else None,
            )
            found += [self._event(gateway, device, each) for each in (told, health)]
        return found

    def standing(self) -> tuple[int, int, int]:
        """Alerts that are active, alerts in all, and devices that are not ok."""
        with self.services.sessions() as session:
            count = select(func.count()).select_from(AlertRow)
            active = session.scalar(count.where(AlertRow.active)) or 0
            devices = select(func.count()).select_from(Device).where(Device.state != "ok")
            return active, session.scalar(count) or 0, session.scalar(devices) or 0


def cloud(folder: Path) -> None:
    made = Cloud(folder)
    made.births()
    made.homes()
    total = BRIDGES * ALARMS
    messages = made.an_hour()
    cpu = time.process_time()
    made.store(2, messages)
    spent = time.process_time() - cpu
    print(f"supervision_hour_messages: {len(messages)}")
    print(f"supervision_hour_cpu_s: {spent:.1f}")
    print(f"supervision_cloud_core_percent: {100 * spent / 3600:.2f}")
    for lost in (True, False):
        made.now += timedelta(hours=2)
        since = made.now
        messages = made.links(lost, since)
        word = "lost" if lost else "back"
        cpu, began = time.process_time(), time.monotonic()
        made.store(1, messages)
        print(f"supervision_all_{word}_cpu_s: {time.process_time() - cpu:.1f}")
        print(f"supervision_all_{word}_settled_s: {time.monotonic() - began:.1f}")
        active, alerts, not_ok = made.standing()
        print(f"supervision_all_{word}_alerts_active: {active}")
        print(f"supervision_all_{word}_alerts: {alerts}")
        print(f"supervision_all_{word}_not_ok: {not_ok} of {total}")
    made.services.close()


def main() -> int:
    began = time.process_time()
    found = edge(random.Random(20261127))
    print(f"supervision_alarms: {BRIDGES * ALARMS} on {BRIDGES} bridges, {HOURS} h")
    print(f"supervision_edge_messages: {found.messages}")
    print(f"supervision_missed: {found.missed}")
    print(f"supervision_accused_wrongly: {found.wrongly}")
    print(f"supervision_loss_shown_worst_s: {found.shown_s:.0f}")
    print(f"supervision_loss_shown_worst_intervals: {found.shown_intervals:.2f}")
    print(f"supervision_edge_cpu_s: {time.process_time() - began:.1f}")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        cloud(Path(folder))
    return 0
