"""A cloud with real stores, a clock that a test sets, people who sign in, gateways that send."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import threading
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from city_application import create_app
from revisions import bring_up
from servers import eventually
from vigil_cloud.app import handlers
from vigil_cloud.checkin.models import PersonRule
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.config import Settings, load
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Received, prepared
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.consents import Wanted, grant
from vigil_cloud.identity.models import Guardian
from vigil_cloud.identity.passwords import hash_password
from vigil_cloud.identity.persons import add_person
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, add_account, set_gateway_token
from vigil_cloud.identity.whereabouts import EVERYTHING, Scope
from vigil_cloud.stores import build_services
from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.envelope import Envelope, schema_url
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.gateway import DeviceDescription, GatewayBirth
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality, Model, QartodFlag
from vigil_schemas.water import WaterExcursion

PASSWORD = "four unrelated quiet words"
SECRET = "a test's own secret of more than thirty-two characters"
NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""Noon in Taipei."""
GATEWAY = "gw-east"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TAG = "ibeacon:0123456789abcdef0123456789abcdef:1:7"
NAME = "王秀英"
DEVICES = {
    "mic-1": ("noise", "Zhongshan Road", "中山路"),
    "sonde-1": ("water", "Canal", "道將圳"),
    "station-1": ("checkin", "Temple gate", "廟口"),
    "station-2": ("checkin", "Market", "市場"),
    "alarm-1": ("smoke", "Chen home", "陳宅"),
}


@functools.cache
def _password_hash() -> str:
    """Made once: it takes long on purpose."""
    return hash_password(PASSWORD)


class City:
    """Everything between an event and a person, without a broker. HTTP is real: a server on a
    thread, started when the first client is asked for."""

    def __init__(self, folder: Path, database_url: str = "", **settings: Any) -> None:
        self.time = NOON
        self.settings: Settings = load(
            None, data_dir=folder, database_url=database_url, secret_key=SECRET, **settings
        )
        self.services = build_services(self.settings, now=lambda: self.time)
        bring_up(self.services.engine)
        self.handlers = handlers(self.services)
        self.cipher = Cipher(self.settings.secret)
        self._clients: dict[str, httpx.Client] = {}
        self._numbers = itertools.count()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self.services.close()

    def serve(self, *, lifespan: bool = False) -> str:
        """The server's address; with ``lifespan`` the sender works too."""
        if self._server is None:
            config = uvicorn.Config(
                create_app(self.services),
                port=0,
                lifespan="on" if lifespan else "off",
                log_config=None,
                timeout_graceful_shutdown=1,
            )
            self._server = uvicorn.Server(config)
            self._thread = threading.Thread(target=self._server.run)
            self._thread.start()
            eventually(lambda: self._server and self._server.started, "the API's start")
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def later(self, **span: float) -> datetime:
        """Move the clock."""
        self.time += timedelta(**span)
        return self.time

    def account(self, username: str, *roles: Role, email: str = "") -> None:
        with writing(self.services.sessions) as session:
            add_account(
                session,
                username=username,
                roles=roles,
                now=self.time,
                email=email,
                language="en",
                password_hash=_password_hash(),
            )

    def anonymous(self) -> httpx.Client:
        """A browser that is not signed in; closed with the city."""
        client = httpx.Client(base_url=self.serve(), timeout=60, trust_env=False, verify=False)
        # Not by how many there are: a name that is signed in anew leaves a place free.
        self._clients[f"anonymous {next(self._numbers)}"] = client
        return client

    def client(self, username: str) -> httpx.Client:
        """A signed-in browser that sends its CSRF header."""
        if username not in self._clients:
            client = self.anonymous()
            answer = client.post(
                "/api/v1/session", json={"username": username, "password": PASSWORD}
            )
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            self._clients[username] = client
        return self._clients[username]

    def sign_in_anew(self, username: str) -> None:
        """The next ``client`` of this name is another browser."""
        self._clients.pop(username).close()

    def person(self, key: str = "p1", name: str = NAME, tag: str = TAG) -> None:
        with writing(self.services.sessions) as session:
            add_person(session, self.cipher, key=key, name=name, now=self.time)
            give_tag(session, tag, key, by="operator", now=self.time)
        self.rule("seen", key)

    def rule(self, kind: str, key: str = "p1", quiet: Any = (None, None), **settings: Any) -> None:
        """What the person's guardian wants to be told; set as the API does it."""
        with writing(self.services.sessions) as session:
            session.merge(
                PersonRule(
                    person_key=key,
                    kind=kind,
                    settings=settings,
                    quiet_from=quiet[0],
                    quiet_until=quiet[1],
                    changed=self.time,
                    reference=None,
                )
            )

    def guardian(self, username: str, key: str = "p1") -> None:
        with writing(self.services.sessions) as session:
            account = account_named(session, username)
            session.add(Guardian(person_key=key, account_id=account.id))

    def consent(
        self,
        username: str,
        key: str = "p1",
        days: float = 30,
        *,
        scopes: Collection[Scope] = EVERYTHING,
        footprint_from: datetime | None = None,
    ) -> int:
        """To everything that can be opened, where a test names no scopes."""
        with writing(self.services.sessions) as session:
            consent = grant(
                session,
                person_key=key,
                account=account_named(session, username),
                by="guardian",
                expires=self.time + timedelta(days=days),
                now=self.time,
                wanted=Wanted(frozenset(scopes), footprint_from),
            )
            session.flush()
            return consent.id

    def token(self, gateway: str = GATEWAY) -> str:
        token = f"token-of-{gateway}"
        with writing(self.services.sessions) as session:
            set_gateway_token(session, gateway, token, self.time)
        return token

    def send(
        self,
        data: Model,
        device: str,
        gateway: str = GATEWAY,
        *,
        said: datetime | None = None,
        retained: bool = False,
    ) -> None:
        """As ingest does it: one transaction, then the wake-up. ``said``: by the gateway's own
        clock, where that is another. ``retained``: the broker had kept it."""
        envelope = Envelope(
            id=uuid.uuid4().hex,
            source=f"/{gateway}/event/00000000",
            type=data.TYPE,  # type: ignore[attr-defined]  # every event model has one
            subject=device,
            time=said or self.time,
            dataschema=schema_url(data.TYPE),  # type: ignore[attr-defined]  # as above
            clockquality=ClockQuality.SYNCHRONISED,
            data=data.model_dump(mode="json"),
        )
        message = Received(gateway, envelope, data, self.time, retained=retained)

        def handle() -> None:
            with writing(self.services.sessions) as session:
                for handler in self.handlers:
                    if envelope.type in handler.types:
                        handler.handle(session, message)

        prepared(self.services.sessions, handle)
        self.services.changed.announce()

    def birth(
        self,
        gateway: str = GATEWAY,
        key: Ed25519PrivateKey = KEY,
        also: Sequence[str] = (),
        said: datetime | None = None,
        **fields: Any,
    ) -> None:
        devices = [
            DeviceDescription(
                device=name,
                domain=domain,
                driver="test",
                name=english,
                name_zh=chinese,
                latitude=23.48,
                longitude=120.44,
            )
            for name, (domain, english, chinese) in DEVICES.items()
        ]
        devices += [DeviceDescription(device=name, domain="smoke", driver="test") for name in also]
        self.send(
            GatewayBirth.model_validate(
                {
                    "session": 1,
                    "started": self.time,
                    "software": "test",
                    "epoch": "00000000",
                    "public_key": key.public_key().public_bytes_raw().hex(),
                    "devices": devices if gateway == GATEWAY else [],
                    **fields,
                }
            ),
            gateway,
            gateway,
            said=said,
        )

    def listed(self, username: str, **query: Any) -> list[dict[str, Any]]:
        """Alerts as the list shows them."""
        answer = self.client(username).get("/api/v1/alerts", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["alerts"]
        return found

    def alerts(self, username: str, **query: Any) -> list[dict[str, Any]]:
        """The whole of each alert in the list."""
        client = self.client(username)
        return [
            client.get(f"/api/v1/alerts/{alert['id']}").raise_for_status().json()
            for alert in self.listed(username, **query)
        ]

    def one_of_each(self) -> None:
        """A loud vehicle, a discharge, a visit and a fire."""
        self.send(exceedance(self.time), "mic-1")
        self.send(excursion(self.time), "sonde-1")
        self.send(visit(self.time), "station-1")
        self.send(alarm(self.time), "alarm-1")


def populated(folder: Path, database_url: str = "", **settings: Any) -> City:
    """A city with an account for each role, named as the role, and one person."""
    city = City(folder, database_url, **settings)
    for role in Role:
        city.account(role.value, role)
    city.birth()
    city.person()
    return city


def exceedance(
    at: datetime, id: str = "exceedance-1", evidence: EvidenceReference | None = None
) -> NoiseExceedance:
    return NoiseExceedance(
        exceedance_id=id,
        started=at,
        ended=at + timedelta(seconds=3),
        threshold_db=86.0,
        LAFmax=91.24,
        LAFmax_time=at + timedelta(seconds=1),
        LAE=95.0,
        calibrated=True,
        evidence=evidence,
    )


def excursion(at: datetime, phase: str = "onset", id: str = "excursion-1") -> WaterExcursion:
    return WaterExcursion.model_validate(
        {
            "excursion_id": id,
            "phase": phase,
            "parameter": "specific_conductance",
            "unit": "S/m",
            "kind": "above",
            "limit": 0.25,
            "value": 0.31 if phase == "onset" else 0.42,
            "flag": QartodFlag.GOOD,
            "started": at,
            "ended": at + timedelta(minutes=9) if phase == "end" else None,
        }
    )


def visit(
    at: datetime, phase: str = "arrived", id: str = "visit-0001", tag: str = TAG
) -> CheckinVisit:
    return CheckinVisit.model_validate(
        {
            "visit_id": id,
            "phase": phase,
            "tag": tag,
            "carrier": "ble",
            "arrived": at,
            "last_seen": at + timedelta(minutes=4 if phase == "departed" else 0),
            "sightings": 40 if phase == "departed" else 2,
            "rssi_max_dbm": -60.0,
        }
    )


def alarm(
    at: datetime, active: bool = True, condition: str = "smoke", id: str = "alarm-0001"
) -> SmokeAlarm:
    return SmokeAlarm.model_validate(
        {"alarm_id": id, "condition": condition, "active": active, "since": at}
    )


def sealed(
    files: Mapping[str, bytes],
    *,
    gateway: str = GATEWAY,
    evidence_id: str = "exceedance-1",
    key: Ed25519PrivateKey = KEY,
    change: Callable[[dict[str, Any]], None] = lambda manifest: None,
    contents: Mapping[str, bytes] | None = None,
    extra: Iterable[tuple[str, bytes]] = (),
    compression: int = zipfile.ZIP_STORED,
) -> tuple[str, bytes]:
    """An evidence zip as a gateway makes it, and its digest; ``contents`` are put in place of
    the files that the manifest was made for."""
    roles = {"wav": "audio", "mp4": "video", "json": "levels", "png": "plate"}
    roles |= {"jpg": "frame", "html": "other"}
    types = {"wav": "audio/wav", "mp4": "video/mp4", "json": "application/json"}
    types |= {"png": "image/png", "jpg": "image/jpeg", "html": "text/html"}
    manifest: dict[str, Any] = {
        "version": 1,
        "evidence_id": evidence_id,
        "gateway": gateway,
        "device": "mic-1",
        "sealed": NOON.isoformat(),
        "started": NOON.isoformat(),
        "ended": NOON.isoformat(),
        "files": [
            {
                "name": name,
                "role": roles[name.rsplit(".")[-1]],
                "media_type": types[name.rsplit(".")[-1]],
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
            }
            for name, content in files.items()
        ],
    }
    change(manifest)
    text = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("manifest.json", text)
        archive.writestr("manifest.sig", key.sign(text))
        for name, content in (contents or files).items():
            archive.writestr(name, content)
        for name, content in extra:
            archive.writestr(name, content)
    body = buffer.getvalue()
    return hashlib.sha256(body).hexdigest(), body
