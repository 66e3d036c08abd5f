"""InfluxDB 2."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .ports import free_port, http_ok
from .process import Server
from .programs import need


@dataclass
class Influx(Server):
    port: int = 0
    org: str = "vigil"
    bucket: str = "vigil"
    token: str = "test-token-of-the-test-suite"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def influxd(folder: Path, *, port: int | None = None) -> Influx:
    """A started and set-up InfluxDB 2."""
    program = need(
        "influxd", "install InfluxDB 2 (https://docs.influxdata.com) or set VIGIL_SERVERS"
    )
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = Influx(
        "influxd",
        [
            str(program),
            f"--http-bind-address=127.0.0.1:{port}",
            f"--bolt-path={folder}/influx.bolt",
            f"--engine-path={folder}/engine",
            f"--sqlite-path={folder}/influx.sqlite",
            "--reporting-disabled",
            "--log-level=error",
        ],
        lambda: http_ok(f"http://127.0.0.1:{port}/health"),
        folder / "influxd.log",
        port=port,
    )
    server.start()
    body = {
        "username": "vigil",
        "password": "test-password-of-the-suite",
        "org": server.org,
        "bucket": server.bucket,
        "token": server.token,
    }
    request = urllib.request.Request(
        f"{server.url}/api/v2/setup",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        response.read()
    return server
