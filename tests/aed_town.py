"""An emergency line to be told, and what the platform's jobs do for a pressed button."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from cloud_city import City
from vigil_cloud.aed import live, summons
from vigil_cloud.emergency import service as emergency
from vigil_cloud.identity.roles import Role
from vigil_schemas.aed import AedCall
from vigil_schemas.gateway import DeviceDescription, GatewayBirth
from vigil_schemas.types import Model

PATIENT = (120.44, 23.48)
CABINET = "aed-1"
GATEWAY = "gw-hall"


class Line119:
    """The stand-in of the emergency line: takes CAP over HTTP and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.answers = threading.Event()
        """Cleared: it takes what comes and says nothing."""
        self.answers.set()
        self.body = b""
        self.media_type = "text/plain"
        self.received: list[bytes] = []
        self.authorization: list[str | None] = []
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                line.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                line.authorization.append(self.headers["Authorization"])
                if not line.answers.is_set():
                    line.answers.wait(60)
                    self.close_connection = True
                    return
                self.send_response(line.status)
                self.send_header("Content-Type", line.media_type)
                self.end_headers()
                self.wfile.write(line.body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/cap"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ready(city: City, name: str, east: float, until: str = "2027-01-01") -> None:
    """Certified, consented, on call so far to the east (degrees)."""
    certificate = f"/api/v1/aed/volunteers/{name}/certificate"
    city.client("administrator").put(certificate, json={"until": until}).raise_for_status()
    volunteer = city.client(name)
    volunteer.put("/api/v1/aed/volunteer/consent", json={"consent": True}).raise_for_status()
    position = [PATIENT[0] + east, PATIENT[1]]
    volunteer.put("/api/v1/aed/volunteer/on-call", json={"position": position}).raise_for_status()


def rounds(city: City, number: int = 1) -> None:
    """What the platform's jobs do each second."""
    for _ in range(number):
        live.look(city.services)
        emergency.send_due(city.services)
        summons.send_waiting(city.services, threading.Event())


def with_cabinet(city: City) -> City:
    """With a cabinet, an AED of the register in it, and volunteers."""
    described = DeviceDescription(
        device=CABINET,
        domain="aed",
        driver="modbus-tcp",
        name="City hall",
        name_zh="市政府",
        latitude=PATIENT[1],
        longitude=PATIENT[0],
        commands=["play_voice"],
    )
    birth = GatewayBirth(
        session=2,
        started=city.time,
        software="test",
        epoch="00000001",
        public_key="0" * 64,
        devices=[described],
        accepts=["city.vigil.command.v2"],
    )
    city.send(birth, GATEWAY, GATEWAY)
    for name in ("ann", "bo", "cy"):
        city.account(name, Role.VOLUNTEER)
    put = city.client("administrator").put(
        "/api/v1/aed/sites/hall",
        json={
            "name": "City hall",
            "name_zh": "市政府",
            "latitude": PATIENT[1],
            "longitude": PATIENT[0] + 0.0005,
            "location": "ground floor, left of the door",
            "device": CABINET,
        },
    )
    assert put.status_code == 200, put.text
    return city


def tell(city: City, event: Model) -> None:
    """As the cabinet's gateway does it."""
    city.send(event, CABINET, GATEWAY)


def press(city: City, id: str = "call-0001") -> dict[str, Any]:
    """A pressed button, and the alert of it."""
    tell(city, AedCall(call_id=id, pressed=city.time))
    return alert_of(city)


def alert_of(city: City, who: str = "dispatcher") -> dict[str, Any]:
    return city.alerts(who, domain="aed")[0]


def calls_of(city: City, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = city.client(name).get("/api/v1/aed/calls/mine").json()["calls"]
    return found


def say(city: City, name: str, word: str, call: str = f"{GATEWAY}:call-0001") -> httpx.Response:
    return city.client(name).post(f"/api/v1/aed/calls/{call}/answer", json={"answer": word})


def callouts(city: City) -> list[dict[str, Any]]:
    (call,) = city.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    found: list[dict[str, Any]] = call["callouts"]
    return found


def end(city: City, alert: str) -> None:
    """The dispatcher says that all is done."""
    for act in ("acknowledge", "confirm"):
        done = city.client("dispatcher").post(f"/api/v1/alerts/{alert}/{act}", json={})
        done.raise_for_status()
