"""A small town behind the real `vigil-cloud serve`, with gateways that send over MQTT."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import servers
from browser.town_seed import (
    CANAL,
    DEVICES,
    EAST,
    GATEWAY,
    KEY,
    KITCHEN,
    MICROPHONE,
    PARK,
    PASSWORD,
    TOKEN,
    settle,
)
from gateways import EPOCH, Gateway, birth, event
from vigil_schemas.checkin import CheckinVisit, StationPosition
from vigil_schemas.contract import observation_type
from vigil_schemas.control import RefusalReason
from vigil_schemas.envelope import encode
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.gateway import DeviceDescription, DeviceHealth, GatewayHealth
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Domain, Model, QartodFlag
from vigil_schemas.water import WaterExcursion
from webhook import Hook


class Town:
    """Started with devices that have introduced themselves and sent readings for ten minutes."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """``settings`` are the cloud's own, as ``map_tiles_url="…"``."""
        http, broker = servers.free_port(), servers.free_port()
        self.url = f"http://127.0.0.1:{http}"
        environment = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_HTTP_PORT": str(http),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{broker}",
            "VIGIL_PUBLIC_URL": self.url,
            **{f"VIGIL_{name.upper()}": value for name, value in settings.items()},
        }
        self.hook = Hook()
        """What messages arrive at, as on the phones of inspectors and dispatchers."""
        self.sessions: dict[str, Any] = {}
        """Cookies of who has signed in already, by username."""
        self.environment = environment
        settle(folder / "seed.toml", self.hook.url, environment)
        self._server = servers.Server(
            "vigil-cloud",
            [sys.executable, "-m", "vigil_cloud", "serve"],
            lambda: servers.http_ok(f"{self.url}/readyz"),
            folder / "cloud.log",
            env=environment,
        )
        self._server.start()
        self._sequences: dict[str, int] = {}
        self._broker = broker
        self.gateway = Gateway(broker, GATEWAY)
        self._introduce()
        self._observe_ten_minutes()

    def another_gateway(self) -> Gateway:
        """Of a name of its own, connected; whoever asked closes it."""
        return Gateway(self._broker)

    def close(self) -> None:
        self.gateway.close()
        self._server.stop()
        self.hook.close()

    def stop_server(self) -> None:
        self._server.stop()

    def start_server(self) -> None:
        self._server.start()

    def send(self, data: Model, device: str, *, lane: str = "event") -> None:
        """One event, stored for good when this returns."""
        sequence = self._next(lane)
        payload = event(GATEWAY, sequence, data, subject=device, time=datetime.now(UTC), lane=lane)
        self.gateway.deliver(lane, [(sequence, payload)])

    def observe(self, device: str, domain: Domain, readings: Sequence[Reading]) -> None:
        """One pack of readings, stored when this returns."""
        sequence = self._next("observation")
        payload = encode(
            id=uuid.uuid4().hex,
            source=f"/{GATEWAY}/observation/{EPOCH}",
            type=observation_type(domain),
            subject=device,
            time=readings[0].time,
            data=pack(device, readings),
            sequence=sequence,
        )
        self.gateway.deliver("observation", [(sequence, payload)])

    def loud_vehicle(
        self,
        LAFmax: float = 97.1,
        evidence: EvidenceReference | None = None,
        name: str = "",
        *,
        device: str = MICROPHONE,
    ) -> str:
        """An exceedance; its id."""
        name = name or f"exceedance-{uuid.uuid4().hex[:12]}"
        self.send(_exceedance(name, datetime.now(UTC), LAFmax, evidence), device)
        return name

    def discharge(self) -> datetime:
        """The conductivity leaves its bounds; when."""
        now = datetime.now(UTC)
        self.observe(
            CANAL,
            "water",
            [Reading("specific_conductance", "S/m", now, 0.31, QartodFlag.SUSPECT)],
        )
        self.send(
            WaterExcursion(
                excursion_id=uuid.uuid4().hex,
                phase="onset",
                parameter="specific_conductance",
                unit="S/m",
                kind="above",
                limit=0.25,
                value=0.31,
                flag=QartodFlag.SUSPECT,
                started=now,
            ),
            CANAL,
        )
        return now

    def sours(self, started: datetime) -> None:
        """The pH leaves its bounds at the same probe, as told at that moment."""
        self.send(
            WaterExcursion(
                excursion_id=uuid.uuid4().hex,
                phase="onset",
                parameter="pH",
                unit="pH",
                kind="below",
                limit=6.0,
                value=5.2,
                flag=QartodFlag.GOOD,
                started=started,
            ),
            CANAL,
        )

    def visit(self, tag: str, station: str, *, minutes_ago: float, departed: bool) -> None:
        """An arrival, and the departure ten minutes later where the visit is over."""
        arrived = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        name = uuid.uuid4().hex
        for phase in ("arrived", "departed") if departed else ("arrived",):
            self.send(
                CheckinVisit.model_validate(
                    {
                        "visit_id": name,
                        "phase": phase,
                        "tag": tag,
                        "carrier": "ble",
                        "arrived": arrived,
                        "last_seen": arrived + timedelta(minutes=10 * (phase == "departed")),
                        "sightings": 5,
                        "rssi_max_dbm": -61.0,
                    }
                ),
                station,
            )

    def met_on_the_move(self, tag: str, station: str, position: StationPosition) -> None:
        """A station on a car met a tag just now, and was there or does not know where it was."""
        now = datetime.now(UTC)
        said = CheckinVisit(
            visit_id=uuid.uuid4().hex,
            phase="arrived",
            tag=tag,
            carrier="uhf",
            arrived=now,
            last_seen=now,
            sightings=4,
            position=position,
        )
        self.send(said, station)

    def printed_code(self, tag: str) -> str:
        """A beacon or sticker is put into the city's stock; the code to print on it."""
        with self._administrator() as http:
            made = http.post("/amulets", json={"tags": [tag]}).raise_for_status().json()
        code: str = made["amulets"][0]["code"]
        return code

    def consent(self, person: str, account: str) -> None:
        """An operator lets an account know where somebody is."""
        scopes = ["--scopes", "last_place,footprint,live,alerts"]
        granted = ["consent", "grant", person, account, *scopes]
        servers.run(
            [sys.executable, "-m", "vigil_cloud", *granted],
            env={**os.environ, **self.environment},
        ).check_returncode()

    def fire(self, alarm_id: str | None = None, *, active: bool = True) -> str:
        """A fire begins, or the one of this id is over; its id."""
        alarm_id = alarm_id or uuid.uuid4().hex
        self.send(
            SmokeAlarm(
                alarm_id=alarm_id,
                condition="smoke",
                active=active,
                since=datetime.now(UTC),
                battery_percent=87.0,
                link_quality=142,
            ),
            KITCHEN,
            lane="alarm",
        )
        return alarm_id

    @contextmanager
    def _administrator(self) -> Iterator[httpx.Client]:
        """The API as the administrator sees it."""
        with httpx.Client(base_url=f"{self.url}/api/v1", timeout=60, trust_env=False) as http:
            who = {"username": "admin", "password": PASSWORD}
            http.post("/session", json=who).raise_for_status()
            http.headers["X-CSRF-Token"] = http.get("/session").json()["csrf"]
            yield http

    def newest_alert(self, domain: Domain) -> str:
        """Its id, as the administrator's list tells it; waits until there is one."""
        found: list[dict[str, Any]] = []

        def asked() -> bool:
            answer = http.get("/alerts", params={"domain": domain, "limit": 1})
            found[:] = answer.raise_for_status().json()["alerts"]
            return bool(found)

        with self._administrator() as http:
            servers.eventually(asked, f"an alert of {domain}")
        return str(found[0]["id"])

    def act(self, alert: str, action: str) -> None:
        """The administrator acknowledges or confirms it."""
        with self._administrator() as http:
            answer = http.post(f"/alerts/{alert}/{action}", json={"comment": ""})
            answer.raise_for_status()

    def end_fires(self) -> None:
        """The administrator takes every fire on and stands it down."""
        with self._administrator() as http:
            for fire in http.get("/smoke/fires").raise_for_status().json()["fires"]:
                if fire["phase"] == "over":
                    continue
                for what in ("acknowledge", "stand-down"):
                    path = f"/smoke/fires/{fire['fire']}/lead/{what}"
                    http.post(path).raise_for_status()

    def furnish(self) -> None:
        """A district with an outline, and the Lins' home in it with its alarm and its people."""
        with self._administrator() as http:
            corners = [
                {"latitude": latitude, "longitude": longitude} for latitude, longitude in EAST
            ]
            district = {"name": "East District", "name_zh": "東區", "outline": corners}
            http.put("/districts/east", json=district).raise_for_status()
            home = {"name": "林宅", "address": "嘉義市東區中山路七號", "district": "east"}
            http.put("/households/lin", json=home).raise_for_status()
            http.put(f"/households/lin/devices/{KITCHEN}").raise_for_status()
            for member in ({"account": "mei"}, {"person": "grandmother"}):
                http.post("/households/lin/members", json=member).raise_for_status()

    @contextmanager
    def policy(self, document: dict[str, Any]) -> Iterator[None]:
        """A policy that is in force meanwhile."""
        with self._administrator() as http:
            path = f"/escalation-policies/{document['name']}"
            http.put(path, json=document).raise_for_status()
            try:
                yield
            finally:
                http.delete(path).raise_for_status()

    @property
    def broker(self) -> int:
        """Its port."""
        return self._broker

    def many_loud_vehicles(self, count: int, first: int = 0) -> None:
        """So many exceedances at once, each a tenth of a decibel louder; the ``first`` so many
        are there already."""
        now = datetime.now(UTC)
        messages = []
        for n in range(first, first + count):
            sequence = self._next("event")
            said = _exceedance(f"one-of-many-{n}", now, 86.1 + n % 500 / 10, None)
            payload = event(GATEWAY, sequence, said, subject=MICROPHONE, time=now)
            messages.append((sequence, payload))
        self.gateway.deliver("event", messages)

    def claim(self, device: str, by: str, *, session: int = 1) -> None:
        """A gateway introduces itself with this one device, whosever it is."""
        now = datetime.now(UTC)
        described = DeviceDescription(
            device=device,
            domain="water",
            driver="modbus-tcp",
            name="Sonde that moved",
            name_zh="搬移的監測儀",
            latitude=23.4740,
            longitude=120.4400,
        )
        gateway = Gateway(self._broker, by)
        try:
            said = birth(now, [described], session=session)
            gateway.publish(
                "status", event(by, None, said, subject=by, time=now, lane="status"), retain=True
            )
            # The receipt says that what was sent before has been dealt with, too.
            health = event(by, session, _health(), subject=by, time=now)
            gateway.deliver("event", [(session, health)])
        finally:
            gateway.close()

    def warn(self) -> None:
        """A gateway whose clock is an hour ahead, with a second box under its name."""
        now = datetime.now(UTC)
        gateway = Gateway(self._broker, "gw-warns")
        try:
            for epoch, session in (("0000000a", 1), ("0000000b", 1), ("0000000a", 2)):
                said = birth(now, session=session, epoch=epoch)
                gateway.publish(
                    "status",
                    event("gw-warns", None, said, subject="gw-warns", time=now, lane="status"),
                )
            refused = RefusalReason(reason="future-dated", count=4)
            told = {"clock_offset_s": 3600.0, "refusals": [refused]}
            health = _health().model_copy(update=told)
            payload = event("gw-warns", 1, health, subject="gw-warns", time=now)
            gateway.deliver("event", [(1, payload)])
        finally:
            gateway.close()

    def upload(self, sealed: bytes) -> None:
        """As an agent does it. The digest is the name."""
        digest = hashlib.sha256(sealed).hexdigest()
        answer = httpx.put(
            f"{self.url}/api/v1/gateways/{GATEWAY}/evidence/{digest}",
            content=sealed,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/zip"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text

    def refused_message(self) -> None:
        """Something that ingest puts aside, with a sequence that it can read."""
        sequence = self._next("event")
        broken = json.loads(
            event(
                GATEWAY,
                sequence,
                SmokeAlarm(
                    alarm_id="12345678", condition="test", active=True, since=datetime.now(UTC)
                ),
                subject=KITCHEN,
                time=datetime.now(UTC),
            )
        )
        broken["data"]["condition"] = "boredom"
        self.gateway.deliver("event", [(sequence, json.dumps(broken).encode())])

    def _next(self, lane: str) -> int:
        self._sequences[lane] = self._sequences.get(lane, 0) + 1
        return self._sequences[lane]

    def _introduce(self) -> None:
        now = datetime.now(UTC)
        devices = [
            DeviceDescription(
                device=device,
                domain=domain,
                driver=driver,
                name=name,
                name_zh=name_zh,
                latitude=latitude,
                longitude=longitude,
            )
            for device, domain, driver, name, name_zh, latitude, longitude in DEVICES
        ]
        public = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        said = birth(now, devices, public_key=public)
        self.gateway.publish(
            "status",
            event(GATEWAY, None, said, subject=GATEWAY, time=now, lane="status"),
            retain=True,
        )
        for device, *_ in DEVICES:
            failed = device == PARK
            self.send(
                DeviceHealth(
                    device=device,
                    state="failed" if failed else "ok",
                    since=now,
                    code="radio-gone" if failed else None,
                    message="The radio does not answer; trying again." if failed else None,
                ),
                device,
            )
        self.send(_health(), GATEWAY)

    def _observe_ten_minutes(self) -> None:
        begin = datetime.now(UTC) - timedelta(minutes=10)
        good = QartodFlag.GOOD
        for step in range(0, 600, 10):
            if step % 200:
                continue
            times = [begin + timedelta(seconds=step + k) for k in range(0, 200, 5)]
            self.observe(
                CANAL,
                "water",
                [
                    Reading(parameter, unit, time, value(i), good)
                    for i, time in enumerate(times)
                    for parameter, unit, value in _WATER
                ],
            )
            self.observe(
                MICROPHONE,
                "noise",
                [
                    Reading("LAeq", "dB", time, 58 + 5 * math.sin(i / 4), good)
                    for i, time in enumerate(times)
                ],
            )


_WATER: Final[tuple[tuple[str, str, Callable[[int], float]], ...]] = (
    ("specific_conductance", "S/m", lambda i: 0.08 + 0.004 * math.sin(i / 6)),
    ("pH", "pH", lambda i: 7.4 + 0.1 * math.sin(i / 9)),
    ("temperature", "Cel", lambda i: 24.1 + 0.3 * math.sin(i / 20)),
)


def _exceedance(
    name: str, now: datetime, LAFmax: float, evidence: EvidenceReference | None
) -> NoiseExceedance:
    levels = [
        round(58 + (LAFmax - 58) * math.exp(-(((i - 60) / 18) ** 2) / 2), 2) for i in range(120)
    ]
    return NoiseExceedance.model_validate(
        {
            "exceedance_id": name,
            "started": now - timedelta(seconds=4),
            "ended": now - timedelta(seconds=2),
            "threshold_db": 86.0,
            "LAFmax": LAFmax,
            "LAFmax_time": now - timedelta(seconds=3),
            "LAE": LAFmax + 2.5,
            "background_db": 57.3,
            "calibrated": True,
            "level_curve": {
                "start": now - timedelta(seconds=6),
                "interval_s": 0.05,
                "LAF": levels,
            },
            "evidence": evidence,
        }
    )


def _health() -> GatewayHealth:
    return GatewayHealth.model_validate(
        {
            "uptime_s": 93211.0,
            "resident_bytes": 121_000_000,
            "cpu_percent": 7.3,
            "disk_free_bytes": 21_000_000_000,
            "clock_quality": "synchronised",
            "outbox": [
                {"lane": "alarm", "rows": 0},
                {"lane": "event", "rows": 2, "oldest": datetime.now(UTC)},
                {"lane": "observation", "rows": 830, "oldest": datetime.now(UTC), "lost": 12},
            ],
            "evidence_waiting": 1,
            "sources": [],
            "counters": {"reconnects": 2},
        }
    )
