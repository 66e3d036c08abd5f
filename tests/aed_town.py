"""An emergency line to be told, and what the platform's jobs do for a pressed button."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloud_city import City
from vigil_cloud.aed import live, summons
from vigil_cloud.emergency import service as emergency

PATIENT = (120.44, 23.48)


class Line119:
    """The stand-in of the emergency line: takes CAP over HTTP and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[bytes] = []
        self.authorization: list[str | None] = []
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                line.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                line.authorization.append(self.headers["Authorization"])
                self.send_response(line.status)
                self.end_headers()

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
