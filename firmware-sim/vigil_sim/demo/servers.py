"""The production servers that the demo can be played on, started from PATH."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from vigil_sim.demo.processes import Children, claim_port, program, wait_until

INSTALL: Final = {
    "mosquitto": "apt-get install mosquitto",
    "influxd": "apt-get install influxdb2, from InfluxData's packages"
    " (https://docs.influxdata.com/influxdb/v2/install), or name its folder in VIGIL_SERVERS",
}
"""Servers that are not ours, and how one comes by them."""
MOSQUITTO_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 100000
max_packet_size 300000
persistence true
persistence_location {directory}/
user root
"""
"""Started by root it would otherwise change to a user who cannot write here."""


def server(name: str) -> str:
    """Full path of a server. Raises ``DemoFailed`` with the command that installs it."""
    return program(name, INSTALL[name])


def start_mosquitto(children: Children, directory: Path) -> str:
    """Start Mosquitto on a free port; returns its address."""
    port = claim_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        MOSQUITTO_CONFIGURATION.format(port=port, directory=directory), "utf-8"
    )
    children.start("mosquitto", [server("mosquitto"), "-c", str(configuration)])
    return f"mqtt://127.0.0.1:{port}"


@dataclass(frozen=True, slots=True)
class Influx:
    """A running InfluxDB 2 with one organisation and one bucket."""

    url: str
    org: str
    bucket: str
    token: str

    def environment(self) -> dict[str, str]:
        """What the cloud is told."""
        return {
            "VIGIL_TIMESERIES": "influxdb",
            "VIGIL_INFLUX_URL": self.url,
            "VIGIL_INFLUX_ORG": self.org,
            "VIGIL_INFLUX_BUCKET": self.bucket,
            "VIGIL_INFLUX_TOKEN": self.token,
        }

    def points(self, domain: str, device: str) -> int:
        """How many readings of a device InfluxDB itself counts, asked in Flux."""
        query = (
            f'from(bucket: "{self.bucket}") |> range(start: -1d) '
            f'|> filter(fn: (r) => r._measurement == "{domain}" and r.device == "{device}" '
            'and r._field == "value") |> group() |> count()'
        )
        answer = httpx.post(
            f"{self.url}/api/v2/query",
            params={"org": self.org},
            headers={
                "Authorization": f"Token {self.token}",
                "Content-Type": "application/vnd.flux",
                "Accept": "application/csv",
            },
            content=query,
            timeout=30,
        )
        answer.raise_for_status()
        rows = [line.split(",") for line in answer.text.strip().splitlines() if line]
        return int(rows[1][-1]) if len(rows) > 1 else 0


def start_influxdb(children: Children, directory: Path, token: str) -> Influx:
    """Start InfluxDB 2 on a free port and set it up. Raises ``DemoFailed``."""
    port = claim_port()
    url = f"http://127.0.0.1:{port}"
    directory.mkdir(parents=True, exist_ok=True)
    children.start(
        "influxd",
        [
            server("influxd"),
            f"--bolt-path={directory}/influxd.bolt",
            f"--engine-path={directory}/engine",
            f"--sqlite-path={directory}/influxd.sqlite",
            f"--http-bind-address=127.0.0.1:{port}",
            "--reporting-disabled",
        ],
    )
    wait_until("InfluxDB", lambda: httpx.get(f"{url}/health", timeout=5).is_success, children.check)
    answer = httpx.post(
        f"{url}/api/v2/setup",
        json={
            "username": "vigil",
            "password": token,
            "org": "vigil",
            "bucket": "vigil",
            "token": token,
        },
        timeout=30,
    )
    answer.raise_for_status()
    return Influx(url, "vigil", "vigil", token)
