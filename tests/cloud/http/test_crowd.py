"""`vigil-cloud serve` with few file handles and many idle connections: alarms come through.

Its figures at 1,024 handles are `make bench ARGS=crowd`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx

import servers
from bench.crowd import FIRST, healthz_s, receipt_s, serve
from crowd import Crowd, few_handles
from gateways import Gateway, new_name
from vigil_cloud.broker import configuration
from vigil_cloud.log import NotTooOften

QUICK = {"VIGIL_HTTP_LIMITS__HEAD_S": "2", "VIGIL_HTTP_LIMITS__BODY_S": "2"}
COUNT = 300
HANDLES = 256


def _all_closed(crowd: Crowd) -> bool:
    return crowd.closed() == COUNT


def test_an_alarm_is_stored_while_a_crowd_stands_idle(tmp_path: Path) -> None:
    """One server, one crowd of each kind after the other."""
    server, http, mqtt = serve(tmp_path, HANDLES, **QUICK)
    full = logged = 0
    try:
        for kind, first in FIRST.items():
            gateway = Gateway(mqtt, new_name())
            with Crowd(http, COUNT, first) as crowd:
                receipt_s(gateway, 1)
                assert healthz_s(http) < float("inf"), kind
                late = Gateway(mqtt, new_name())
                receipt_s(late, 1)
                servers.eventually(partial(_all_closed, crowd), f"{kind}: ended")
            assert (full := _ended_because_full(http, above=full)), kind
            for each in (gateway, late):
                each.close()
            log = server.log.read_text("utf-8")
            assert len(log) - logged < 20_000, kind
            logged = len(log)
            assert "Traceback" not in log
            assert "Too many open files" not in log
    finally:
        server.stop()


def _ended_because_full(http: int, *, above: int) -> int:
    """How many connections ended for that since the start; 0 where no more than ``above``."""
    metrics = httpx.get(f"http://127.0.0.1:{http}/metrics").text
    found = re.search(
        r'^vigil_http_connections_ended_total\{reason="full"\} ([\d.e+]+)$', metrics, re.MULTILINE
    )
    count = int(float(found[1])) if found else 0
    return count if count > above else 0


def test_the_embedded_broker_lets_the_silent_go(tmp_path: Path) -> None:
    server, http, mqtt = serve(tmp_path, HANDLES)
    try:
        gateway = Gateway(mqtt, new_name())
        with Crowd(mqtt, COUNT) as crowd:
            receipt_s(gateway, 1)
            assert healthz_s(http) < float("inf")
            servers.eventually(lambda: crowd.closed() > COUNT - HANDLES, "the silent were let go")
            late = Gateway(mqtt, new_name())
            receipt_s(late, 1)
            late.close()
        gateway.close()
        assert server.log.stat().st_size < 20_000
    finally:
        server.stop()


def test_the_broker_keeps_handles_for_itself() -> None:
    assert "max_connections = 960\n" in configuration("127.0.0.1", 1883, 1024)
    assert "max_connections = 2000\n" in configuration("127.0.0.1", 1883, 1 << 20)
    assert "max_connections = 2000\n" in configuration("127.0.0.1", 1883, resource.RLIM_INFINITY)


SERVER_WITHOUT_A_LIMIT = """
import socket, sys, uvicorn
from vigil_cloud.http.acceptor import GuardedServer
from vigil_cloud.http.guard import Guard
from vigil_cloud.capacity.connections import HttpLimits
from vigil_cloud.log import set_up_logging

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

set_up_logging()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
guard = Guard(HttpLimits(head_s=2), 10_000, 10_000)
port = listener.getsockname()[1]
config = uvicorn.Config(app, lifespan="off", log_config=None)
GuardedServer(config, listener, guard, lambda: print(port, flush=True)).run()
"""


def test_without_a_handle_left_it_turns_away_and_writes_little() -> None:
    """Given that others of the process took the reserve: what asyncio answers with a traceback
    per waiting connection and second."""
    command = few_handles([sys.executable, "-c", SERVER_WITHOUT_A_LIMIT], 48)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with Crowd(port, 200) as crowd:
            servers.eventually(lambda: crowd.closed() >= 150, "the rest was turned away")
            servers.eventually(lambda: crowd.closed() == 200, "the silent ones were ended")
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "ok"
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert '"no_handles": ' in said
    assert len(said) < 5_000


def test_lines_that_strangers_cause_are_few_and_counted() -> None:
    clock = [0.0]
    limited = NotTooOften(most=3, period_s=60, monotonic=lambda: clock[0])

    def said(text: str) -> str | None:
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, text, (), None)
        return record.getMessage() if limited.filter(record) else None

    written = [said("Invalid HTTP request received.") for _ in range(1_000)]
    assert sum(line is not None for line in written) == 3
    assert said("Something else") == "Something else"
    clock[0] = 60.0
    assert said("Invalid HTTP request received.") == (
        "Invalid HTTP request received. (997 more like it were not written)"
    )


def test_garbage_fills_no_log(tmp_path: Path) -> None:
    server, http, _ = serve(tmp_path, HANDLES)
    try:
        asyncio.run(_garbage(http, 300))
        assert server.log.read_text("utf-8").count("Invalid HTTP request") <= 10
    finally:
        server.stop()


async def _garbage(port: int, times: int) -> None:
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
        writer.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
