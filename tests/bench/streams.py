"""Many open screens and the API beside them: how long a list of devices takes, without and with.

``vigil-cloud serve`` with its embedded stores and broker, one device that reads five times a
second. Three hundred event streams are opened twice: by one session, which may keep only a few
(the oldest are ended), and by ten accounts with thirty each, which all stay open. Between them
the same request is timed with no stream open, so that the ratio is of one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np

import servers
from bench.latency import ready
from bench.screen import PASSWORD, reading
from faults.city import BIN, DEMO, Process
from gateways import Gateway

SECONDS = float(os.environ.get("VIGIL_BENCH_SECONDS", "20"))
STREAMS, ACCOUNTS, SESSIONS_EACH = 300, 10, 4
RATE = 5.0
ASKED_EVERY_S = 0.1
NO_LIMIT = httpx.Limits(max_connections=None)


@contextlib.asynccontextmanager
async def open_streams(url: str, sessions: list[str]) -> AsyncIterator[list[bool]]:
    """One stream for each session cookie; a flag for each that is still open."""
    opened = [False] * len(sessions)
    client = httpx.AsyncClient(base_url=url, timeout=None, trust_env=False, limits=NO_LIMIT)

    async def read(place: int, cookie: str) -> None:
        request = client.stream("GET", "/api/v1/stream", headers={"Cookie": cookie})
        with contextlib.suppress(httpx.HTTPError):
            async with request as response:
                opened[place] = response.status_code == 200
                async for _ in response.aiter_bytes():
                    pass
        opened[place] = False

    tasks = [asyncio.create_task(read(place, one)) for place, one in enumerate(sessions)]
    try:
        await asyncio.sleep(5)
        yield opened
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.aclose()


@contextlib.contextmanager
def readings(mqtt: int) -> Iterator[None]:
    over = threading.Event()
    gateway = Gateway(mqtt)

    def publish() -> None:
        for number in itertools.count(1):
            if over.wait(1 / RATE):
                return
            gateway.publish("observation", reading(gateway.name, number, "fast", number))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        gateway.close()


def ask(url: str, cookie: str) -> list[float]:
    """Seconds that each request took."""
    took = []
    headers = {"Cookie": cookie}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            began = time.monotonic()
            client.get("/api/v1/devices").raise_for_status()
            took.append(time.monotonic() - began)
            time.sleep(max(0.0, ASKED_EVERY_S - took[-1]))
    return took


async def measure(url: str, sessions: list[str]) -> None:
    kinds: dict[str, list[str]] = {
        "none": [],
        "one_session": [sessions[0]] * STREAMS,
        "ten_accounts": list(itertools.islice(itertools.cycle(sessions), STREAMS)),
    }
    for kind, wanted in kinds.items():
        async with open_streams(url, wanted) as opened:
            took = await asyncio.to_thread(ask, url, sessions[-1])
            still = sum(opened)
        print(f"streams {kind}_asked_for: {len(wanted)}")
        print(f"streams {kind}_open: {still}")
        print(f"streams {kind}_api_p50_ms: {np.percentile(took, 50) * 1000:.0f}")
        print(f"streams {kind}_api_p99_ms: {np.percentile(took, 99) * 1000:.0f}")
        print(f"streams {kind}_api_max_ms: {max(took) * 1000:.0f}", flush=True)


def sign_in(url: str, name: str) -> str:
    """Its session cookie, as a request carries it."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        body = {"username": name, "password": PASSWORD}
        client.post("/api/v1/session", json=body).raise_for_status()
        return "; ".join(f"{key}={value}" for key, value in client.cookies.items())


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        http, mqtt = servers.free_port(), servers.free_port()
        env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{mqtt}",
            "VIGIL_HTTP_PORT": str(http),
        }
        seeds = folder / "seed.toml"
        names = [f"reader-{number}" for number in range(ACCOUNTS)]
        account = '[[account]]\nusername = "{}"\npassword = "{}"\nroles = ["inspector"]\n'
        account += 'display_name = "Bench"\nemail = ""\n'
        seeds.write_text("".join(account.format(one, PASSWORD) for one in names), "utf-8")
        cloud = [str(BIN / "vigil-cloud")]
        subprocess.run([*cloud, "seed", str(seeds)], env={**os.environ, **env}, check=True)
        process = Process("cloud", [*cloud, "serve"], folder / "cloud.log", env)
        try:
            process.start()
            url = f"http://127.0.0.1:{http}"
            servers.eventually(lambda: ready(url), "the cloud")
            sessions = [sign_in(url, one) for one in names for _ in range(SESSIONS_EACH)]
            with readings(mqtt):
                asyncio.run(measure(url, sessions))
        finally:
            process.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
