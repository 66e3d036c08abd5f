"""A gateway's right messages, to be made wrong in one way each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from gateways import EPOCH, birth, event, observation
from vigil_cloud.conform.conformance import Conformance, Told
from vigil_cloud.conform.message import Heard
from vigil_cloud.ingest.times import Limits
from vigil_schemas.control import CommandV1
from vigil_schemas.envelope import encode
from vigil_schemas.gateway import DeviceDescription, DeviceHealth, GatewayDeath
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1

NOW = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
GATEWAY = "gw-bench"
DEVICES = [
    DeviceDescription(device="probe-1", domain="water", driver="bench"),
    DeviceDescription(device="alarm-1", domain="smoke", driver="bench"),
]


def topic(channel: str, gateway: str = GATEWAY) -> str:
    return f"vigil/v1/{gateway}/{channel}"


def born(gateway: str = GATEWAY, *, at: datetime = NOW, **more: Any) -> bytes:
    said = birth(at, DEVICES, **more)
    epoch = more.get("epoch", EPOCH)
    return event(gateway, None, said, subject=gateway, time=at, lane="status", epoch=epoch)


def died(gateway: str = GATEWAY, session: int = 1, *, clean: bool = False) -> bytes:
    said = GatewayDeath(session=session, clean=clean)
    return event(gateway, None, said, subject=gateway, time=NOW, lane="status")


def health(sequence: int, gateway: str = GATEWAY, **more: Any) -> bytes:
    said = DeviceHealth(device="probe-1", state="ok", since=NOW)
    return event(gateway, sequence, said, subject="probe-1", time=NOW, **more)


def alarm(
    sequence: int,
    gateway: str = GATEWAY,
    *,
    at: datetime = NOW,
    said: type[SmokeAlarm | SmokeAlarmV1] = SmokeAlarm,
    **more: Any,
) -> bytes:
    fire = said(alarm_id="alarm-event-1", condition="smoke", active=True, since=at)
    return event(gateway, sequence, fire, subject="alarm-1", time=at, lane="alarm", **more)


def readings(
    sequence: int, gateway: str = GATEWAY, *, at: datetime = NOW - timedelta(minutes=5), **more: Any
) -> bytes:
    return observation(gateway, sequence, device="probe-1", time=at, **more)


def command(name: str, gateway: str = GATEWAY) -> bytes:
    said = CommandV1(command_id=name, action="report_health")
    return encode(id=name, source="/cloud", type=said.TYPE, subject=gateway, time=NOW, data=said)


def changed(payload: bytes, **attributes: Any) -> bytes:
    """The same with attributes replaced; ``...`` takes one away; ``data__since`` is inside data."""
    message = json.loads(payload)
    for name, value in attributes.items():
        *outside, last = name.split("__")
        part = message
        for key in outside:
            part = part[int(key) if key.isdigit() else key]
        if value is ...:
            del part[last]
        else:
            part[last] = value
    return json.dumps(message, ensure_ascii=False).encode()


class Bench:
    """A conformance watch with times given by hand."""

    def __init__(self, *, birth: bool = True, lanes: tuple[str, ...] = ()) -> None:
        self.told: list[Told] = []
        self.at = NOW
        self.watch = Conformance(GATEWAY, Limits(), lanes or ("alarm", "event", "observation"))
        if birth:
            self.send("status", born(), retain=True)

    def send(
        self,
        channel: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool | None = False,
        stock: bool = False,
    ) -> list[Told]:
        name = channel if "/" in channel else topic(channel)
        found = self.watch.heard(Heard(name, payload, qos, retain, stock, self.at))
        self.told += found
        return found

    def later(self, seconds: float) -> list[Told]:
        self.at += timedelta(seconds=seconds)
        found = self.watch.tick(self.at)
        self.told += found
        return found

    def end(self) -> list[Told]:
        found = self.watch.tick(self.at, end=True)
        self.told += found
        return found

    def faults(self) -> list[str]:
        return [one.code for one in self.told if one.fault]
