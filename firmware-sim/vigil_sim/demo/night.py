"""Watching a night from the outside, as a person at the console would."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from vigil_sim.demo.accounts import PASSWORD
from vigil_sim.demo.processes import DemoFailed
from vigil_sim.domain import NightAlert


@dataclass
class Arrived:
    """The first alert of a domain, and how long after the moment at the device it was here."""

    alert: dict[str, Any]
    seconds: float


@dataclass
class Night:
    """What has been seen so far, of the domains that raise an alert."""

    awaited: Mapping[str, NightAlert]
    """By domain."""
    arrived: dict[str, Arrived] = field(default_factory=dict)
    """First alert per domain."""
    trouble: str = ""
    """What went wrong last while watching; the watch goes on unless ``failed``."""
    failed: bool = False

    def missing(self) -> list[str]:
        """Domains of which no alert has been seen."""
        return [domain for domain in self.awaited if domain not in self.arrived]


class Console:
    """A signed-in reader of the HTTP API."""

    def __init__(self, url: str, username: str, password: str = PASSWORD) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=15)
        answer = self._http.post("/session", json={"username": username, "password": password})
        if not answer.is_success:
            raise DemoFailed(f"signing in as {username} was refused: {answer.text}")
        self._http.headers["X-CSRF-Token"] = answer.json()["csrf"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """One resource as JSON. Raises ``DemoFailed`` with the problem's text."""
        answer = self._http.get(path)
        if not answer.is_success:
            raise DemoFailed(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """One change; what was answered. Raises ``DemoFailed`` with the problem's text."""
        answer = self._http.post(path, json=body)
        if not answer.is_success:
            raise DemoFailed(f"POST {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """One thing as it is to be. Raises ``DemoFailed`` with the problem's text."""
        answer = self._http.put(path, json=body)
        if not answer.is_success:
            raise DemoFailed(f"PUT {path}: {answer.status_code} {answer.text}")

    def download(self, path: str) -> bytes:
        """One file. Raises ``DemoFailed``."""
        answer = self._http.get(path)
        if not answer.is_success:
            raise DemoFailed(f"GET {path}: {answer.status_code}")
        return answer.content

    def alerts(self) -> Iterator[dict[str, Any]]:
        """Every alert, those raised before too, until the live stream's connection ends."""
        with self._http.stream("GET", "/stream", timeout=None) as stream:
            stream.raise_for_status()
            # Asked once the stream is open, so that none falls between the two.
            yield from self.get("/alerts?limit=100")["alerts"]
            kind = ""
            for line in stream.iter_lines():
                if line.startswith("event:"):
                    kind = line.removeprefix("event:").strip()
                elif line.startswith("data:") and kind == "alert":
                    yield json.loads(line.removeprefix("data:"))

    def online(self) -> set[str]:
        """Gateways that the cloud believes to be there."""
        return {
            entry["gateway"]
            for entry in self.get("/gateways")["gateways"]
            if entry["state"] in ("online", "ok")
        }


def device_moment(alert: dict[str, Any], key: str) -> datetime:
    """When it happened at the device, by the device's own account in ``key`` of the detail."""
    text = alert["detail"].get(key) or alert["event_time"]
    return datetime.fromisoformat(text)


def watch(
    console: Console, night: Night, since: datetime, tell: Callable[[Arrived], None]
) -> threading.Thread:
    """Follow the live stream in the background, telling each domain's first alert.

    What was raised before ``since`` belongs to an earlier night.
    """

    def note(alert: dict[str, Any]) -> None:
        domain = alert["domain"]
        if domain not in night.awaited or domain in night.arrived or alert["severity"] == "minor":
            return  # the platform's own, a test button, a weak battery: not the night's event
        if datetime.fromisoformat(alert["raised"]) < since:
            return
        alert = console.get(f"/alerts/{alert['id']}")  # a list's row does not hold the event
        lag = (
            datetime.now(UTC) - device_moment(alert, night.awaited[domain].moment)
        ).total_seconds()
        night.arrived[domain] = Arrived(alert, lag)
        tell(night.arrived[domain])

    def follow() -> None:
        while night.missing():
            try:
                for alert in console.alerts():
                    note(alert)
            except (httpx.HTTPError, DemoFailed) as error:
                night.trouble = f"{error!r}"
            time.sleep(0.5)

    def run() -> None:
        try:
            follow()
        except Exception as error:  # noqa: BLE001 - whatever it is, the night must end with it and not wait
            night.trouble, night.failed = f"{error!r}", True

    thread = threading.Thread(target=run, name="console", daemon=True)
    thread.start()
    return thread


def checked_evidence(
    console: Console, alert_id: str, deadline: float, check: Callable[[], None]
) -> list[str]:
    """Download every file of an alert's evidence and compare digests; returns their roles.

    ``check`` is called while waiting for it. Raises ``DemoFailed`` where it has not arrived by
    ``deadline`` (monotonic) or differs.
    """
    while True:
        check()
        alert = console.get(f"/alerts/{alert_id}")
        evidence = alert["evidence"]
        if evidence["state"] == "stored":
            break
        if time.monotonic() > deadline:
            raise DemoFailed(f"the evidence of alert {alert_id} is still {evidence['state']}")
        time.sleep(0.3)
    for entry in evidence["files"]:
        body = console.download(f"/evidence/{evidence['sha256']}/{entry['name']}")
        if hashlib.sha256(body).hexdigest() != entry["sha256"]:
            raise DemoFailed(f"{entry['name']} of alert {alert_id} is not what was sealed")
        if not body:
            raise DemoFailed(f"{entry['name']} of alert {alert_id} is empty")
    return sorted({entry["role"] for entry in evidence["files"]})
