"""1,100 connections that do nothing, at 1,024 file handles: does an alarm still come through?

``vigil-cloud serve`` with its embedded stores and broker; a gateway sends an alarm before and
while the crowd is there. Crowds over HTTP (without a word, half a header, half a body) and over
MQTT (without a word).
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path

import httpx

import servers
from crowd import HANDLES, Crowd, allow_handles, few_handles, seconds_until_closed
from faults.city import BIN, DEMO
from gateways import Gateway, event, new_name, now, smoke

COUNT = 1_100
PATIENCE_S = 75.0
FIRST = {
    "idle": b"",
    "half_a_header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half_a_body": b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{",
}


def serve(folder: Path, handles: int = HANDLES, **more: str) -> tuple[servers.Server, int, int]:
    """The service with so few handles; its HTTP and MQTT ports."""
    http, mqtt = servers.free_port(), servers.free_port()
    env = {
        **DEMO,
        "VIGIL_DATA_DIR": str(folder / "cloud"),
        "VIGIL_BROKER_LISTEN": f"127.0.0.1:{mqtt}",
        "VIGIL_HTTP_PORT": str(http),
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "cloud.log"
    server = servers.Server(
        "cloud",
        few_handles([str(BIN / "vigil-cloud"), "serve"], handles),
        lambda: '"kind": "ready"' in log.read_text("utf-8", "replace"),
        log,
        env=env,
    )
    server.start()
    return server, http, mqtt


def receipt_s(gateway: Gateway, sequence: int) -> float:
    """From sending an alarm to its receipt."""
    data = smoke(now(), condition="smoke")
    alarm = event(
        gateway.name, sequence, data, subject=f"{gateway.name}-a", time=now(), lane="alarm"
    )
    began = time.monotonic()
    gateway.publish("alarm", alarm)
    gateway.wait_stored("alarm", sequence)
    return time.monotonic() - began


def healthz_s(port: int) -> float:
    """Until ``/healthz`` answers 200, asked anew where it was turned away."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).is_success:
                return time.monotonic() - began
        time.sleep(0.05)
    return float("inf")


def one(folder: Path, name: str, first: bytes, over: str) -> None:
    server, http, mqtt = serve(folder)
    try:
        gateway = Gateway(mqtt, new_name())
        receipt_s(gateway, 1)
        with Crowd(http if over == "http" else mqtt, COUNT, first) as crowd:
            receipt = receipt_s(gateway, 2)
            health = healthz_s(http)
            closed = seconds_until_closed([crowd], 0.9, PATIENCE_S)
        gateway.close()
        size = server.log.stat().st_size
    finally:
        server.stop()
    print(f"crowd {over}_{name}_alarm_receipt_s: {receipt:.2f}")
    print(f"crowd {over}_{name}_healthz_s: {health:.2f}")
    print(f"crowd {over}_{name}_nine_in_ten_closed_s: {closed:.1f}")
    print(f"crowd {over}_{name}_log_bytes: {size}", flush=True)


def main() -> int:
    allow_handles(4 * COUNT)
    print(f"crowd connections: {COUNT}")
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        for kind, first in FIRST.items():
            one(Path(name) / kind, kind, first, "http")
        one(Path(name) / "mqtt", "idle", b"", "mqtt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
