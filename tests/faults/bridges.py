"""Bridges whose alarms are lost and back at once, while ingest is killed within what it writes
together: a broker, a database and ingest as processes, and gateways that send until receipted."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

import servers
from cloud_city import SECRET, City
from faults import killed_ingest
from faults.city import Process
from gateways import Gateway, birth, event, now
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertHistory, AlertRow, OutboxEntry
from vigil_cloud.config import Settings, load
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Household, HouseholdDevice
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.stores import build_services
from vigil_schemas.gateway import DeviceDescription, DeviceHealth
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Model

BRIDGES: Final = ("bridge-1", "bridge-2")
SINGLY: Final = 10
"""Alerts of a bridge that are told singly in a minute: the others join counted ones."""
LATEST: Final = 60
"""Steps: the groups of one round have more."""
PROGRAM: Final = [sys.executable, "-m", "vigil_cloud"]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is."""

    each: int
    """Alarms of a bridge in a round."""
    rounds: int
    """Each with its own alarms, and with a kill."""


SHORT: Final = Size(each=15, rounds=3)
FULL: Final = Size(each=15, rounds=24)


class Run:
    """One run. ``play`` leaves everything stopped."""

    def __init__(self, folder: Path, size: Size, seed: int, database_url: str) -> None:
        self.folder, self.size, self.random = folder, size, random.Random(seed)
        self.database_url = database_url
        self.broker = servers.mosquitto(folder / "broker")
        self.environment = {
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_SECRET_KEY": SECRET,
            "VIGIL_BROKER_URL": self.broker.url,
            "VIGIL_OPEN_ENROLMENT": "true",
            "VIGIL_QUOTAS__ALERTS_A_MINUTE": str(SINGLY),
        }
        if database_url:
            self.environment["VIGIL_DATABASE_URL"] = database_url
        self.ingest = self._process("ingest", [*PROGRAM, "ingest"])
        self.gateways: dict[str, Gateway] = {}
        self.sent: Counter[str] = Counter()
        self.killed_at: list[str] = []

    def _process(self, name: str, command: list[str]) -> Process:
        return Process(name, command, self.folder / f"{name}.log", self.environment)

    def devices(self, bridge: str, rounds: Iterable[int]) -> list[str]:
        """Those of some rounds, mixed: of each some are told singly and some in counted alerts."""
        count = self.size.each * self.size.rounds
        return [
            f"{bridge}-{number:04}"
            for number in range(count)
            if number % self.size.rounds in set(rounds)
        ]

    def play(self) -> None:
        rounds = range(self.size.rounds)
        self._prepare()
        try:
            self.gateways = {name: Gateway(self.broker.port, name) for name in BRIDGES}
            self.ingest.start()
            self._birth()
            self.ingest.kill()
            for lost in (True, False):
                for number in rounds:
                    self._killed(number, lost=lost)
        finally:
            self.ingest.kill()
            for gateway in self.gateways.values():
                gateway.close()
            self.broker.stop()

    def _prepare(self) -> None:
        """Homes with two alarms each, of the first half of a bridge's."""
        with closing(City(self.folder / "cloud", self.database_url)) as city:
            homes = [
                (f"home-{bridge}-{number // 2}", device)
                for bridge in BRIDGES
                for number, device in enumerate(self.devices(bridge, range(self.size.rounds)))
                if number < self.size.each * self.size.rounds // 2
            ]
            with writing(city.services.sessions) as session:
                keys = sorted({home for home, _ in homes})
                made = {"name": b"-", "address": b"-", "created": city.time}
                session.execute(insert(Household), [{"key": key, **made} for key in keys])
                session.execute(
                    insert(HouseholdDevice),
                    [
                        {"household": home, "device": device, "since": city.time}
                        for home, device in homes
                    ],
                )

    def _birth(self) -> None:
        for bridge, gateway in self.gateways.items():
            described = [
                DeviceDescription(device=name, domain="smoke", driver="test")
                for name in self.devices(bridge, range(self.size.rounds))
            ]
            born = birth(now(), described)
            said = event(bridge, None, born, subject=bridge, time=now(), lane="status")
            gateway.publish("status", said, retain=True)
        with closing(build_services(self._settings())) as services:

            def all_known() -> bool:
                with services.sessions() as session:
                    known = session.scalar(select(func.count()).select_from(Device))
                return known == len(self.everything())

            servers.eventually(all_known, "all alarms are known")
        # With a birth in the first batch after a restart everything would go one by one, and what
        # comes again would never be met by what takes many at once.
        for gateway in self.gateways.values():
            gateway.publish("status", b"", retain=True)

    def _killed(self, number: int, *, lost: bool) -> None:
        """One round: ingest dies within what it takes together, and is started again."""
        report = self.folder / f"killed-{number}-{lost}"
        step = self.random.randrange(LATEST)
        command = [sys.executable, killed_ingest.__file__, str(step), str(report)]
        dying = self._process(f"killed-{number}-{lost}", command)
        dying.start()
        telling = threading.Thread(target=self._tell, args=([number],), kwargs={"lost": lost})
        telling.start()
        try:
            assert dying.child is not None
            dying.child.wait(servers.DEADLINE_S)
            assert dying.child.returncode == -signal.SIGKILL, dying.log.read_text()[-3000:]
            self.killed_at.append(f"{step}: {report.read_text('utf-8')[:60]!r}")
        finally:
            dying.kill()
            self.ingest.start()
            telling.join()
            self.ingest.kill()

    def _tell(self, rounds: Iterable[int], *, lost: bool) -> None:
        """All bridges at once, each until it has its receipts."""
        threads = [
            threading.Thread(target=self._deliver, args=(bridge, list(rounds), lost))
            for bridge in BRIDGES
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _deliver(self, bridge: str, rounds: list[int], lost: bool) -> None:
        payloads = []
        for device in self.devices(bridge, rounds):
            for data in (_link(device, lost), _health(device, lost)):
                self.sent[bridge] += 1
                number = self.sent[bridge]
                said = event(bridge, number, data, subject=device, time=now())
                payloads.append((number, said))
        self.gateways[bridge].deliver("event", payloads)

    def check(self) -> None:
        """Nothing lost, nothing doubled, nothing refused."""
        with (
            closing(build_services(self._settings())) as services,
            services.sessions() as session,
        ):
            self._check_received(session)
            self._check_alerts(session)

    def _settings(self) -> Settings:
        return load(
            None,
            data_dir=self.folder / "cloud",
            database_url=self.database_url,
            secret_key=SECRET,
        )

    def _check_received(self, session: Session) -> None:
        marks = {
            row.gateway: row
            for row in session.scalars(select(Watermark).where(Watermark.source.like("%/event/%")))
        }
        assert {name: row.stored for name, row in marks.items()} == dict(self.sent)
        assert all(row.beyond == [] and row.refused == 0 for row in marks.values())
        taken = session.scalar(select(func.count()).select_from(TakenEvent))
        assert taken == self.sent.total()
        assert session.scalars(select(DeadLetter.reason)).all() == []
        states = session.scalars(select(Device.state).where(Device.domain == "smoke"))
        assert Counter(states) == {"ok": len(self.everything())}

    def everything(self) -> set[str]:
        return {
            device for bridge in BRIDGES for device in self.devices(bridge, range(self.size.rounds))
        }

    def _check_alerts(self, session: Session) -> None:
        alerts = session.scalars(select(AlertRow).where(AlertRow.domain == "smoke")).all()
        assert not any(alert.active for alert in alerts)
        own = [alert.device for alert in alerts if alert.kind != MANY]
        counted = [alert.detail for alert in alerts if alert.kind == MANY]
        listed = [device for detail in counted for device in detail["devices"]]
        assert len(own) >= SINGLY * len(BRIDGES)
        assert len(listed) > 0, "there was a flood"
        assert Counter([*own, *listed]) == Counter(self.everything()), "each in one alert"
        for detail in counted:
            assert detail["count"] == len(detail["devices"])
            assert all(
                (one["count"], one["standing"], one["cleared"] is not None) == (1, [], True)
                for one in detail["devices"].values()
            )
        conditions = session.scalars(select(AlarmCondition)).all()
        assert sorted(row.device for row in conditions) == sorted(own)
        assert all(row.activated and row.cleared for row in conditions)
        for alert in alerts:
            did = Counter(_of(session, AlertHistory.action, AlertHistory.alert_id, alert))
            told = Counter(_of(session, OutboxEntry.purpose, OutboxEntry.alert_id, alert))
            assert (did["raised"], did["cleared"]) == (1, 1), alert.key
            assert (told["raised"], told["all-clear"]) == (1, 1), alert.key


def _of(session: Session, column: object, alert_id: object, alert: AlertRow) -> list[str]:
    query = select(column).where(alert_id == alert.id)  # type: ignore[call-overload]
    return list(session.scalars(query))


def _link(device: str, lost: bool) -> Model:
    return SmokeAlarm(
        alarm_id=f"{device}-link_lost", condition="link_lost", active=lost, since=now()
    )


def _health(device: str, lost: bool) -> Model:
    return DeviceHealth(
        device=device,
        state="failed" if lost else "ok",
        since=now(),
        code="link-lost" if lost else None,
        message="silent for too long" if lost else None,
    )


def run(folder: Path, size: Size, seed: int, database_url: str = "") -> list[str]:
    """Play it to its end and count; where each process was killed."""
    made = Run(folder, size, seed, database_url)
    made.play()
    made.check()
    return made.killed_at


if __name__ == "__main__":  # pragma: no cover - by hand
    import tempfile

    drawn = int(os.environ.get("VIGIL_SEED", "1"))
    print("\n".join(run(Path(tempfile.mkdtemp()), SHORT, drawn)))
