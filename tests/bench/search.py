"""How soon the watch list is at 188 gateways, and a hit on its case.

The city's API, ingest and jobs on SQLite, a real broker, 188 protocol clients with a station each.
``search_watch_list_s``: from the guardian's report until the last gateway has the command.
``search_hit_p95_s``: from sending a sighting until the case's map, asked over HTTP, has it.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

import servers
from cloud_city import TAG
from e2e.two_ends import Cloud
from gateways import Gateway, birth, event, now
from vigil_cloud.app import jobs
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.runner import JobRunner
from vigil_schemas.checkin import CheckinSighting
from vigil_schemas.commands import WatchList
from vigil_schemas.control import Command
from vigil_schemas.gateway import CommandResult, DeviceDescription

GATEWAYS = 188
HITS = 40
PATIENCE_S = 120.0


def station(number: int) -> str:
    return f"station-{number:03}"


def introduced(port: int, number: int) -> Gateway:
    """A gateway with a station that takes the list."""
    gateway = Gateway(port, f"gw-bench-{number:03}")
    described = DeviceDescription(
        device=station(number),
        domain="checkin",
        driver="ble",
        name=station(number),
        latitude=23.4 + number / 2000,
        longitude=120.4,
        commands=[WatchList.ACTION],
    )
    said = birth(now(), [described], accepts=[Command.TYPE])
    message = event(gateway.name, None, said, subject=gateway.name, time=now(), lane="status")
    gateway.publish("status", message, retain=True)
    return gateway


def told(gateway: Gateway) -> list[Any]:
    return [one.data for topic, one in list(gateway.down) if topic.endswith("/command")]


def answer(gateway: Gateway) -> None:
    """As an agent does."""
    for number, command in enumerate(told(gateway), 1):
        result = CommandResult(command_id=command.command_id, accepted=True, code="ok", message="")
        payload = event(gateway.name, number, result, subject=gateway.name, time=now())
        gateway.deliver("event", [(number, payload)])


def run(folder: Path) -> None:
    broker = servers.mosquitto(folder / "broker")
    cloud = Cloud(folder / "cloud", broker.url, open_enrolment=True)
    city = cloud.city
    runner = JobRunner(city.services, jobs(city.services, ingest=True))
    runner.start()
    gateways: list[Gateway] = []
    try:
        city.account("daughter", Role.FAMILY)
        city.person()
        city.guardian("daughter")
        family = city.client("daughter")
        gateways = [introduced(broker.port, number) for number in range(GATEWAYS)]

        def all_known() -> bool:
            return len(family.get("/api/v1/devices").json()["devices"]) == GATEWAYS

        servers.eventually(all_known, "every station is known", PATIENCE_S)

        began = time.monotonic()
        reported = family.post("/api/v1/search/reports", json={"person_key": "p1"})
        case = reported.raise_for_status().json()["case_id"]
        while not all(told(gateway) for gateway in gateways):
            if time.monotonic() - began > PATIENCE_S:
                raise TimeoutError(f"{sum(not told(one) for one in gateways)} were not told")
            time.sleep(0.01)
        print(f"search_watch_list_s: {time.monotonic() - began:.2f}")
        print(f"search_watch_list_gateways: {GATEWAYS}")
        for gateway in gateways:
            answer(gateway)

        took = [hit(family, case, gateways[3 + 4 * number], number) for number in range(HITS)]
        print(f"search_hit_p50_s: {np.percentile(took, 50):.2f}")
        print(f"search_hit_p95_s: {np.percentile(took, 95):.2f}")
    finally:
        for gateway in gateways:
            gateway.close()
        runner.stop()
        cloud.close()
        broker.stop()


def hit(family: Any, case: str, gateway: Gateway, number: int) -> float:
    """Seconds until the map has it."""
    sighting = CheckinSighting(
        sighting_id=uuid.uuid4().hex, tag=TAG, carrier="ble", seen=now(), rssi_dbm=-70.0
    )
    sequence = len(told(gateway)) + 1
    device = station(3 + 4 * number)
    payload = event(gateway.name, sequence, sighting, subject=device, time=now())
    began = time.monotonic()
    gateway.publish("event", payload)
    while device not in {
        one["device"] for one in family.get(f"/api/v1/search/cases/{case}/map").json()["hits"]
    }:
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(f"no hit of {device}")
        time.sleep(0.02)
    return time.monotonic() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
