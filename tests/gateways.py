"""A gateway as the cloud sees it: messages in the contract's form, and a sender that keeps to
the delivery promise (sends again what no receipt has confirmed)."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

import servers
from vigil_schemas.contract import observation_type
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import Message, decode, encode
from vigil_schemas.gateway import (
    CommandResult,
    DeviceDescription,
    GatewayBirth,
    GatewayDeath,
)
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Model, QartodFlag

EPOCH = "abcdef01"
WATER = (
    ("temperature", "Cel"),
    ("specific_conductance", "S/m"),
    ("pH", "pH"),
    ("dissolved_oxygen", "kg/m3"),
    ("turbidity_FNU", None),
    ("orp", "mV"),
    ("level", "m"),
)


def new_name(prefix: str = "gw") -> str:
    """A gateway or device id of a test's own."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def observation(
    gateway: str,
    sequence: int,
    *,
    device: str,
    time: datetime,
    records: int = 7,
    step: timedelta = timedelta(seconds=60),
    event_id: str | None = None,
    epoch: str = EPOCH,
) -> bytes:
    """One pack of a sonde: seven parameters per time step."""
    readings = [
        Reading(parameter, unit, time + (n // 7) * step, 12.25 + n / 8, QartodFlag.GOOD)
        for n, (parameter, unit) in zip(range(records), itertools.cycle(WATER), strict=False)
    ]
    return encode(
        id=event_id or uuid.uuid4().hex,
        source=f"/{gateway}/observation/{epoch}",
        type=observation_type("water"),
        subject=device,
        time=time,
        data=pack(device, readings),
        sequence=sequence,
    )


def event(
    gateway: str,
    sequence: int | None,
    data: Model,
    *,
    subject: str,
    time: datetime,
    lane: str = "event",
    event_id: str | None = None,
    epoch: str = EPOCH,
) -> bytes:
    """One event of a model's type."""
    return encode(
        id=event_id or uuid.uuid4().hex,
        source=f"/{gateway}/{lane}/{epoch}",
        type=type(data).TYPE,  # type: ignore[attr-defined]  # every event model has one
        subject=subject,
        time=time,
        data=data,
        sequence=sequence,
    )


def smoke(time: datetime, *, active: bool = True, condition: str = "test") -> SmokeAlarm:
    return SmokeAlarm.model_validate(
        {
            "alarm_id": uuid.uuid4().hex,
            "condition": condition,
            "active": active,
            "since": time,
        }
    )


def birth(
    time: datetime, devices: Sequence[DeviceDescription] = (), *, session: int = 1, **more: Any
) -> GatewayBirth:
    fields: dict[str, Any] = {
        "session": session,
        "started": time,
        "software": "vigil-edge test",
        "epoch": EPOCH,
        "public_key": "ab" * 32,
        "devices": list(devices),
        **more,
    }
    return GatewayBirth.model_validate(fields)


def death(*, session: int = 1, clean: bool = False) -> GatewayDeath:
    return GatewayDeath(session=session, clean=clean)


class Gateway:
    """A connected MQTT 5 client on a gateway's branch."""

    def __init__(self, port: int, name: str | None = None, will: bytes | None = None) -> None:
        self.name = name or new_name()
        self._changed = threading.Condition()
        self._receipts: dict[str, ReceiptV1] = {}
        self.down: list[tuple[str, Message]] = []
        self.failures: list[Exception] = []
        """Of what came down and is not in the contract's form; ``close`` tells of it."""
        self._granted = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self.name, protocol=mqtt.MQTTv5
        )
        self.client.max_inflight_messages_set(100)
        self.client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]  # fractions do
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._granted.set()
        self.client.on_message = self._arrived
        if will is not None:
            self.client.will_set(f"vigil/v1/{self.name}/status", will, 1, True)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._granted.wait(servers.DEADLINE_S)

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(
            [(f"vigil/v1/{self.name}/{name}", 1) for name in ("receipt", "command", "config")]
        )

    def _arrived(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        if not message.payload:  # a retained message was taken back
            return
        try:
            decoded = decode(bytes(message.payload))
        except Exception as failure:  # a thread's error names no test
            self.failures.append(failure)
            return
        with self._changed:
            self.down.append((message.topic, decoded))
            if isinstance(decoded.data, ReceiptV1):
                self._receipts[decoded.data.source] = decoded.data
            self._changed.notify_all()

    def publish(self, lane: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(f"vigil/v1/{self.name}/{lane}", payload, 1, retain)

    def down_of(self, channel: str) -> list[Any]:
        """The data of what came down on one channel."""
        return [one.data for name, one in list(self.down) if name.endswith(f"/{channel}")]

    def answer(self, sequence: int) -> bytes:
        """That the newest command was done."""
        done = CommandResult(command_id=self.down_of("command")[-1].command_id, accepted=True)
        return event(self.name, sequence, done, subject=self.name, time=now())

    def receipt(self, lane: str, epoch: str = EPOCH) -> ReceiptV1 | None:
        return self._receipts.get(f"/{self.name}/{lane}/{epoch}")

    def stored(self, lane: str) -> int:
        receipt = self.receipt(lane)
        return receipt.stored if receipt else 0

    def wait_stored(self, lane: str, sequence: int) -> None:
        servers.eventually(lambda: self.stored(lane) >= sequence, f"{lane} {sequence} stored")

    def deliver(
        self, lane: str, payloads: Iterable[tuple[int, bytes]], again_s: float = 1.0
    ) -> None:
        """Send all, and again what is not confirmed, until everything is."""
        waiting = dict(payloads)
        while waiting:
            for sequence in sorted(waiting):
                self.publish(lane, waiting[sequence])
            self._confirmed(lane, waiting, again_s)

    def _confirmed(self, lane: str, waiting: dict[int, bytes], patience_s: float) -> None:
        """Drop what receipts confirm, until all is or none came for a while."""
        while waiting:
            before = len(waiting)
            with self._changed:
                self._changed.wait(patience_s)
            receipt = self.receipt(lane)
            if receipt is not None:
                for sequence in list(waiting):
                    inside = any(a <= sequence <= b for a, b in receipt.beyond)
                    if sequence <= receipt.stored or inside:
                        del waiting[sequence]
            if len(waiting) == before:
                return

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        if self.failures:
            raise AssertionError("messages that a gateway cannot read") from self.failures[0]


def now() -> datetime:
    return datetime.now(UTC)
