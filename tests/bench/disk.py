"""One gateway floods a disk of 40 MB (a tmpfs) with 77 MB while another reports fires.

Floods: messages that nobody can read (dead letters), readings, events with long names, alarms of
ever new devices. Needs root, to mount the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import servers
from faults.city import BIN, DEMO
from gateways import Gateway, event, new_name, now, observation, smoke

DISK: Final = 40_000_000
FLOOD: Final = 77_000_000
FIRES: Final = 20
WINDOW: Final = 200
"""Messages on the way: a gateway that keeps no promise does not wait for receipts."""


@dataclass
class Small:
    """`vigil-cloud serve` with its data on a small disk."""

    folder: Path
    http: int
    mqtt: int
    server: servers.Server

    @staticmethod
    def missing() -> str:
        """Why no disk can be mounted here, or nothing."""
        if os.geteuid() != 0:
            return "needs root, to mount a small disk"
        with tempfile.TemporaryDirectory() as name:
            command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", name]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return "no tmpfs can be mounted here"
            subprocess.run(["umount", name], check=True)
        return ""

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / "vigil.sqlite3", timeout=30)) as db:
            return db.execute(query, values).fetchall()

    def fire(self, gateway: Gateway, number: int) -> None:
        """Sent again until there is a receipt, as a gateway does."""
        name = f"{gateway.name}-home-{number}"
        data = smoke(now(), condition="smoke")
        payload = event(gateway.name, number, data, subject=name, time=now(), lane="alarm")
        gateway.deliver("alarm", [(number, payload)])


@contextlib.contextmanager
def small_disk() -> Iterator[Small]:
    with tempfile.TemporaryDirectory(prefix="vigil-disk-") as name:
        folder = Path(name) / "disk"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
        subprocess.run(mount, check=True)
        server = None
        try:
            http, mqtt = servers.free_port(), servers.free_port()
            log = Path(name) / "cloud.log"
            env = {
                **DEMO,
                "VIGIL_DATA_DIR": str(folder),
                "VIGIL_BROKER_LISTEN": f"127.0.0.1:{mqtt}",
                "VIGIL_HTTP_PORT": str(http),
            }
            server = servers.Server(
                "cloud",
                [str(BIN / "vigil-cloud"), "serve"],
                lambda: '"kind": "ready"' in log.read_text("utf-8", "replace"),
                log,
                env=env,
            )
            server.start()
            yield Small(folder, http, mqtt, server)
        finally:
            if server is not None:
                server.stop()
            subprocess.run(["umount", "-l", str(folder)], check=False)


Sent = tuple[str, bytes]


def _unreadable(gateway: str, number: int) -> Sent:
    return "event", f"{number:09d}".encode() + os.urandom(30_000)


def _readings(gateway: str, number: int) -> Sent:
    time_ = now() - timedelta(hours=1, seconds=number)
    device = f"{gateway}-{number % 50}"
    return "observation", observation(gateway, number, device=device, time=time_, records=210)


def _events(gateway: str, number: int) -> Sent:
    data = smoke(now(), condition="battery_alert")
    payload = event(gateway, number, data, subject=f"{gateway}-{number}", time=now())
    # Whatever the contract lets be long: unknown fields are ignored and cost nothing.
    return "event", payload[:-1] + b',"padding":"' + b"x" * 4_000 + b'"}'


def _alarms(gateway: str, number: int) -> Sent:
    data = smoke(now(), condition="smoke")
    name = f"{gateway}-{uuid.uuid4().hex}"
    payload = event(gateway, number, data, subject=name, time=now(), lane="alarm")
    return "alarm", payload[:-1] + b',"padding":"' + b"x" * 8_000 + b'"}'


FLOODS: Final[dict[str, Callable[[str, int], Sent]]] = {
    "dead letters": _unreadable,
    "readings": _readings,
    "events": _events,
    "alarms": _alarms,
}


@dataclass
class Found:
    sent_bytes: int
    fires: int
    fires_stored: int
    slowest_fire_s: float
    free_bytes: int
    dropped: dict[str, int]
    others_letters: int


def flood(small: Small, kind: str, size: int = FLOOD) -> Found:
    """Send it all as fast as the broker takes it, with a fire of another gateway now and then."""
    noisy, quiet = Gateway(small.mqtt, new_name("noisy")), Gateway(small.mqtt, new_name("quiet"))
    quiet.publish("event", b"cannot be read")
    made = FLOODS[kind]
    sent = number = fires = 0
    slowest = 0.0
    while sent < size:
        infos = []
        for _ in range(WINDOW):
            number += 1
            lane, payload = made(noisy.name, number)
            topic = f"vigil/v1/{noisy.name}/{lane}"
            infos.append(noisy.client.publish(topic, payload, 1))
            sent += len(payload)
        with contextlib.suppress(RuntimeError, ValueError):
            infos[-1].wait_for_publish(5)
        if fires < FIRES and sent > fires * size / FIRES:
            fires += 1
            began = time.monotonic()
            small.fire(quiet, fires)
            slowest = max(slowest, time.monotonic() - began)
    stored = small.rows(
        "SELECT count(*) FROM alerts WHERE gateway = ? AND domain = 'smoke'", quiet.name
    )
    letters = small.rows("SELECT count(*) FROM dead_letters WHERE gateway = ?", quiet.name)
    dropped = small.rows("SELECT kind, count FROM dropped WHERE gateway = ?", noisy.name)
    found = Found(
        sent,
        fires,
        int(str(stored[0][0])),
        slowest,
        shutil.disk_usage(small.folder).free,
        {str(name): int(str(count)) for name, count in dropped},
        int(str(letters[0][0])),
    )
    for gateway in (noisy, quiet):
        gateway.close()
    return found


def main() -> int:
    kinds = [kind for kind in FLOODS if kind in os.environ.get("VIGIL_FLOODS", kind)]
    if reason := Small.missing():
        print(f"disk skipped: {reason}")
        return 0
    print(f"disk bytes: {DISK}")
    for kind in kinds:
        with small_disk() as small:
            found = flood(small, kind)
        name = kind.replace(" ", "_")
        print(f"disk {name}_sent_bytes: {found.sent_bytes}")
        print(f"disk {name}_fires_stored: {found.fires_stored} of {found.fires}")
        print(f"disk {name}_slowest_fire_s: {found.slowest_fire_s:.2f}")
        print(f"disk {name}_free_bytes_at_the_end: {found.free_bytes}")
        for what, count in found.dropped.items():
            print(f"disk {name}_dropped_{what.replace('-', '_')}: {count}")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
