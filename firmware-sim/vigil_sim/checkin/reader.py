"""A UHF reader that speaks LLRP 1.0.1 and 1.1 over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from vigil_sim.checkin.broken import REPORT_STYLES, broken_report
from vigil_sim.checkin.llrp import (
    HEADER_BYTES,
    EventKind,
    LlrpMessage,
    MalformedError,
    MessageType,
    Sighting,
    Status,
    access_report,
    decode_header,
    encode_message,
    event_notification,
    llrp_status,
    parameters,
)
from vigil_sim.checkin.reader_facts import Configuration, capabilities, configuration
from vigil_sim.checkin.rospec import RoSpec, State
from vigil_sim.checkin.rospecs import RoSpecs
from vigil_sim.device_clock import DeviceClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.supervised import cancel_and_wait, every, start_supervised
from vigil_sim.tcp import TcpServer

_NEWEST_VERSION = 2
_UNANSWERED_KEEPALIVES = 5
"""After so many the reader takes its client for gone."""


class TagInField(NamedTuple):
    """A tag that an antenna can read now."""

    epc: str
    """Hex; 96 bits or another whole number of 16-bit words."""
    antenna: int = 1
    rssi_dbm: float = -55.0


class Client:
    """The one connected client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.version = 1
        self.unanswered = 0

    def send(self, type: int, body: bytes, id: int) -> bytes:
        """Send a message; returns its bytes."""
        frame = encode_message(LlrpMessage(self.version, type, id, body))
        self.raw(frame)
        return frame

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.writer.is_closing():
            self.writer.write(data)


class LlrpReader:
    """One reader. ``await start()``, then ``address`` is where the gateway connects.

    ``field(t)`` gives the tags in front of the antennas at second ``t`` of the timetable;
    it is asked once per inventory round while a ROSpec runs and a client is connected. The
    ledger notes each reported tag as ``tag-read`` (parameter ``epc:…``, value RSSI).

    Faults: drop (a report is not sent), corrupt_frame (``truncated``: half a report, then the
    connection ends; ``wrong-length``; ``garbage``: a report's body), clock_skew, drift (RSSI),
    reboot (the connection breaks, new ones are refused, ROSpecs are forgotten).
    """

    def __init__(  # noqa: PLR0913 - what a test may turn of a reader, by name
        self,
        field: Callable[[float], Iterable[TagInField]],
        *,
        device: str,
        gateway: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        antennas: int = 4,
        round_s: float = 0.1,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.device = device
        self.gateway = gateway
        self.faults = faults or Faults()
        self._field = field
        self._server = TcpServer(host, port, self._converse)
        self._antennas = antennas
        self._round_s = round_s
        self._clock = DeviceClock(clock, world_time, speed, self.faults)
        self._ledger = ledger
        self._client: Client | None = None
        self._keepalive_ms = 0
        self._keepalive_due = 0.0
        self._inventory: asyncio.Task[None] | None = None
        self._message_id = 0
        self._specs = RoSpecs(
            lambda spec: self._report(spec.take_reports(everything=True), self._clock.world())
        )

    @property
    def rospecs(self) -> dict[int, RoSpec]:
        """By their ids."""
        return self._specs.by_id

    @property
    def address(self) -> str:
        """``host:port``."""
        return self._server.address

    @property
    def connected(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    def section(self, **keys: Any) -> dict[str, Any]:
        """This reader's ``[[checkin]]`` table for a gateway.toml; ``keys`` are added on top."""
        return {"device": self.device, "driver": "llrp", "address": self.address} | keys

    async def start(self) -> None:
        """Listen."""
        self._clock.begin()
        await self._server.start()
        self._inventory = start_supervised(every(self._round_s, self._round), self.device)

    async def stop(self) -> None:
        """Close every connection and the port."""
        inventory, self._inventory = self._inventory, None
        await self._server.stop()
        await cancel_and_wait(inventory)

    # -- inventory

    def _round(self) -> None:
        world = self._clock.world()
        if self.faults.rebooting(world):
            self.rospecs.clear()
            self._keepalive_ms = 0
            if self._client is not None:
                self._client.writer.transport.abort()
            return
        now = asyncio.get_running_loop().time()
        if self._client is None:
            return
        self._keep_alive(self._client, now)
        active = [spec for spec in self.rospecs.values() if spec.state is State.ACTIVE]
        tags = list(self._field(world)) if active else []
        for spec in active:
            self._inventory_into(spec, tags, world)
            ended = spec.runs_ms and now - spec.started_at >= spec.runs_ms / 1000
            self._report(spec.take_reports(everything=bool(ended)), world)
            if ended:
                spec.state = State.INACTIVE
                self._specs.start_if_immediate(spec)

    def _inventory_into(self, spec: RoSpec, tags: Iterable[TagInField], world: float) -> None:
        time_us = self._clock.microseconds()
        for tag in tags:
            if spec.hears(tag.antenna):
                rssi = round(tag.rssi_dbm + self.faults.drift(world, "rssi"))
                clipped = min(max(rssi, -128), 127)
                spec.sight(bytes.fromhex(tag.epc), tag.antenna, clipped, time_us)

    def _report(self, reports: Iterable[list[Sighting]], world: float) -> None:
        for report in reports:
            if self._client is None or self.faults.drops(world):
                continue
            fault = self.faults.corruption(world)
            if fault is not None:
                style = fault.style or self.faults.random.choice(REPORT_STYLES)
                self._report_broken(self._client, report, style)
                continue
            self._client.send(MessageType.RO_ACCESS_REPORT, access_report(report), self._next_id())
            self._note(report)

    def _report_broken(self, client: Client, report: list[Sighting], style: str) -> None:
        message = LlrpMessage(
            client.version, MessageType.RO_ACCESS_REPORT, self._next_id(), access_report(report)
        )
        client.raw(broken_report(encode_message(message), style, self.faults.random))
        if style == "truncated":
            client.writer.close()

    def _note(self, report: Iterable[Sighting]) -> None:
        if self._ledger is None:
            return
        for tag in report:
            rssi = None if tag.rssi_dbm is None else float(tag.rssi_dbm)
            time_us = tag.first_seen_us or self._clock.microseconds()
            name = f"epc:{tag.epc.hex()}"
            self._ledger.append("tag-read", self.gateway, self.device, name, time_us, rssi)

    def _keep_alive(self, client: Client, now: float) -> None:
        if not self._keepalive_ms or now < self._keepalive_due:
            return
        self._keepalive_due = now + self._keepalive_ms / 1000
        if client.unanswered >= _UNANSWERED_KEEPALIVES:
            client.writer.transport.abort()
            return
        client.unanswered += 1
        client.send(MessageType.KEEPALIVE, b"", self._next_id())

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0xFFFFFFFF + 1
        return self._message_id

    # -- conversation

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        try:
            if self.faults.rebooting(self._clock.world()):
                writer.transport.abort()
                return
            self._greet(client)
            if self._client is not None:
                return
            self._client = client
            # A client that goes away in mid-message, or is reset, has simply gone.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer_next(reader, client):
                    await writer.drain()
        finally:
            if self._client is client:
                self._client = None

    def _greet(self, client: Client) -> None:
        taken = 2 if self._client is not None else 0
        body = event_notification(self._clock.microseconds(), EventKind.CONNECTION_ATTEMPT, taken)
        client.send(MessageType.READER_EVENT_NOTIFICATION, body, self._next_id())

    async def _answer_next(self, reader: asyncio.StreamReader, client: Client) -> bool:
        """Serve one message; False once the conversation is over."""
        try:
            version, type, length, id = decode_header(await reader.readexactly(HEADER_BYTES))  # noqa: A001  # LLRP's own words
        except MalformedError as error:
            self._complain(client, 0, Status.FIELD_ERROR, str(error))
            return False
        body = await reader.readexactly(length - HEADER_BYTES)
        if not 1 <= version <= _NEWEST_VERSION:
            self._complain(client, id, Status.UNSUPPORTED_VERSION, f"version {version}")
            return True
        client.version = version
        self._answer(client, type, id, body)
        return type != MessageType.CLOSE_CONNECTION

    def _answer(self, client: Client, type: int, id: int, body: bytes) -> None:
        match type:
            case MessageType.KEEPALIVE_ACK:
                client.unanswered = 0
            case MessageType.ENABLE_EVENTS_AND_REPORTS:
                pass  # reports are never held back
            case MessageType.GET_REPORT:
                for spec in self.rospecs.values():
                    self._report(spec.take_reports(everything=True), self._clock.world())
            case MessageType.CLOSE_CONNECTION:
                client.send(MessageType.CLOSE_CONNECTION_RESPONSE, llrp_status(), id)
            case MessageType.GET_SUPPORTED_VERSION:
                client.send(type + 10, bytes((client.version, _NEWEST_VERSION)) + llrp_status(), id)
            case _:
                answer = self._response(type, body)
                if answer is None:
                    self._complain(client, id, Status.UNSUPPORTED_MESSAGE, f"message {type}")
                else:
                    client.send(type + 10, answer, id)

    def _response(self, type: int, body: bytes) -> bytes | None:
        """The body of the response (type + 10); None where the message is not known."""
        match type:
            case MessageType.GET_READER_CAPABILITIES:
                return capabilities(self._antennas)
            case MessageType.GET_READER_CONFIG:
                return configuration(self._configuration())
            case MessageType.SET_READER_CONFIG:
                return self._set_configuration(body)
            case MessageType.ADD_ROSPEC:
                return self._specs.add(body)
            case (
                MessageType.DELETE_ROSPEC
                | MessageType.START_ROSPEC
                | MessageType.STOP_ROSPEC
                | MessageType.ENABLE_ROSPEC
                | MessageType.DISABLE_ROSPEC
            ):
                return self._specs.change(MessageType(type), body)
            case MessageType.GET_ROSPECS:
                return llrp_status() + b"".join(spec.encoded() for spec in self.rospecs.values())
            case MessageType.DELETE_ACCESSSPEC | MessageType.GET_ACCESSSPECS:
                return llrp_status()
            case MessageType.SET_PROTOCOL_VERSION:
                known = len(body) == 1 and 1 <= body[0] <= _NEWEST_VERSION
                return llrp_status(Status.SUCCESS if known else Status.UNSUPPORTED_VERSION)
            case (
                MessageType.ADD_ACCESSSPEC
                | MessageType.ENABLE_ACCESSSPEC
                | MessageType.DISABLE_ACCESSSPEC
            ):
                return llrp_status(Status.UNSUPPORTED_MESSAGE, "this reader has no AccessSpecs")
        return None

    def _complain(self, client: Client, id: int, status: Status, about: str) -> None:
        client.send(MessageType.ERROR_MESSAGE, llrp_status(status, about), id)

    def _configuration(self) -> Configuration:
        return Configuration(
            self.device.encode()[:16],
            antennas=self._antennas,
            connected=self._antennas,
            keepalive_ms=self._keepalive_ms,
        )

    def _set_configuration(self, body: bytes) -> bytes:
        if not body:
            return llrp_status(Status.FIELD_ERROR, "the reset flag is missing")
        try:
            for parameter in parameters(body[1:]):
                if parameter.type == 220 and len(parameter.value) == 5:
                    periodic, period_ms = struct.unpack(">BI", parameter.value)
                    self._keepalive_ms = period_ms if periodic else 0
                    self._keepalive_due = 0.0
        except MalformedError as error:
            return llrp_status(Status.PARAMETER_ERROR, str(error))
        if body[0] & 0x80:
            self.rospecs.clear()
        return llrp_status()
