"""How soon an alarm is stored while much else waits, with 2,000 accounts that are told things.

``vigil-cloud serve`` on SQLite and on PostgreSQL, a real broker, a mail server that takes every
letter. Five hundred visits of as many persons are published at once, again and again; meanwhile
alarms go off at ten homes, and the time from sending each to its receipt is taken. Then one
gateway floods the alarm lane, and the fires of others are timed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from aiosmtpd.controller import Controller
from sqlalchemy import func, select

import servers
from cloud_city import GATEWAY, SECRET, City, populated, visit
from faults.city import BIN
from gateways import Gateway, event, now, smoke
from households import add_households
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import enrol
from vigil_cloud.notify.models import Channel

ACCOUNTS = 2_000
VISITS = 500
ROUNDS = 4
HOMES = 10
EVERY_S = 0.12
FLOOD = 2_000
FLOOD_FIRES = 40


class Swallow:
    """A mail server's hand that keeps nothing."""

    async def handle_DATA(self, *_: object) -> str:
        return "250 taken"


@contextlib.contextmanager
def serving(folder: Path, database_url: str) -> Iterator[tuple[servers.Mosquitto, list[str]]]:
    """The service over a city of 2,000 accounts; its broker, and the tags of its people."""
    smtp = Controller(Swallow(), hostname="127.0.0.1", port=servers.free_port())
    smtp.start()
    city = populated(folder / "cloud", database_url)
    with writing(city.services.sessions) as session:
        tags = add_households(session, city.cipher, ACCOUNTS, now())
        for name in (GATEWAY, "gw-flood", *(f"gw-home-{home}" for home in range(HOMES))):
            enrol(session, name, now())
    broker = servers.mosquitto(folder / "broker")
    log = folder / "cloud.log"
    server = servers.Server(
        "cloud",
        [str(BIN / "vigil-cloud"), "serve"],
        lambda: '"kind": "ready"' in log.read_text("utf-8", "replace"),
        log,
        env={
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_DATABASE_URL": database_url,
            "VIGIL_SECRET_KEY": SECRET,
            "VIGIL_BROKER_URL": broker.url,
            "VIGIL_HTTP_PORT": str(servers.free_port()),
            "VIGIL_SMTP__HOST": "127.0.0.1",
            "VIGIL_SMTP__PORT": str(smtp.port),
            "VIGIL_SMTP__SECURITY": "none",
            "VIGIL_SMTP__SENDER": "vigil@city.example",
        },
    )
    server.start(180)
    try:
        servers.eventually(lambda: _channels(city) >= ACCOUNTS, "a channel for each account", 180)
        yield broker, tags
    finally:
        server.stop()
        broker.stop()
        city.close()
        smtp.stop()


def _channels(city: City) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(Channel)) or 0


class Home:
    """A gateway with one alarm that goes off again and again."""

    def __init__(self, port: int, name: str) -> None:
        self.gateway = Gateway(port, name)
        self._sequence = 0
        self._waiting: dict[int, float] = {}
        self.took: list[float] = []

    def burn(self) -> None:
        self._sequence += 1
        name = self.gateway.name
        data = smoke(now(), condition="smoke")
        self._waiting[self._sequence] = time.monotonic()
        self.gateway.publish(
            "alarm",
            event(name, self._sequence, data, subject=f"{name}-alarm", time=now(), lane="alarm"),
        )

    def look(self) -> None:
        """Note what has been stored."""
        stored = self.gateway.stored("alarm")
        for sequence in [one for one in self._waiting if one <= stored]:
            self.took.append(time.monotonic() - self._waiting.pop(sequence))

    @property
    def waits(self) -> bool:
        return bool(self._waiting)


def _drain(homes: list[Home]) -> None:
    end = time.monotonic() + 120
    while any(home.waits for home in homes) and time.monotonic() < end:
        for home in homes:
            home.look()
        time.sleep(0.005)


def _burn_for(homes: list[Home], number: int, every_s: float, turn: int) -> int:
    for _ in range(number):
        homes[turn % len(homes)].burn()
        turn += 1
        end = time.monotonic() + every_s
        while time.monotonic() < end:
            for home in homes:
                home.look()
            time.sleep(0.005)
    return turn


def behind_visits(port: int, homes: list[Home], tags: list[str]) -> float:
    """Alarms while visits wait; visits per second."""
    station = Gateway(port, GATEWAY)
    turn = sequence = 0
    busy_s = 0.0
    for _ in range(ROUNDS):
        began = time.monotonic()
        for number in range(VISITS):
            sequence += 1
            data = visit(now(), id=f"visit-{sequence:06}", tag=tags[number % len(tags)])
            station.publish(
                "event",
                event(GATEWAY, sequence, data, subject="station-1", time=now(), lane="event"),
            )
        while station.stored("event") < sequence:
            turn = _burn_for(homes, 1, EVERY_S, turn)
        busy_s += time.monotonic() - began
    _drain(homes)
    station.close()
    return sequence / busy_s


def behind_a_flood(port: int, homes: list[Home]) -> None:
    """Fires while another gateway sends alarms without end."""
    flooding = Gateway(port, "gw-flood")
    for sequence in range(1, FLOOD + 1):
        data = smoke(now(), condition="smoke")
        flooding.publish(
            "alarm",
            event(
                "gw-flood",
                sequence,
                data,
                subject=f"made-up-{uuid.uuid4().hex[:6]}",
                time=now(),
                lane="alarm",
            ),
        )
    _burn_for(homes, FLOOD_FIRES, 0.05, 0)
    _drain(homes)
    flooding.close()


def one(name: str, folder: Path, database_url: str) -> None:
    with serving(folder, database_url) as (broker, tags):
        homes = [Home(broker.port, f"gw-home-{home}") for home in range(HOMES)]
        rate = behind_visits(broker.port, homes, tags)
        _say(name, "visits", homes)
        print(f"alarm_lane {name} visits_per_s: {rate:.0f}", flush=True)
        behind_a_flood(broker.port, homes)
        _say(name, "flood", homes)
        for home in homes:
            home.gateway.close()


def _say(name: str, behind: str, homes: list[Home]) -> None:
    took = np.array([one for home in homes for one in home.took])
    unanswered = sum(home.waits for home in homes)
    print(f"alarm_lane {name} {behind} alarms: {len(took)}")
    print(f"alarm_lane {name} {behind} unanswered: {unanswered}")
    for label, value in (
        ("p50_s", np.percentile(took, 50)),
        ("p99_s", np.percentile(took, 99)),
        ("max_s", took.max()),
    ):
        print(f"alarm_lane {name} {behind} {label}: {value:.3f}", flush=True)
    for home in homes:
        home.took.clear()


def main() -> int:
    print(f"alarm_lane accounts: {ACCOUNTS}")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        one("sqlite", folder / "sqlite", "")
        database = servers.postgres(folder / "postgres")
        try:
            one("postgresql", folder / "postgresql", database.create("alarm_lane"))
        finally:
            database.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
