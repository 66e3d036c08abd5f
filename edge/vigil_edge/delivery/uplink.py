"""The way to the broker: MQTT 5 over paho, with receipts from the cloud as the only proof.

Each connection is a new client with a clean start: what is under way lives in the
outbox and in one ``Window`` per lane, never in a broker's session.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.configuration.sections import CloudSettings
from vigil_edge.delivery.connection import Connection, UplinkError
from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.lanes import Lanes
from vigil_edge.delivery.outbox import Outbox
from vigil_schemas.control import (
    AnyCommand,
    AnyConfiguration,
    AnyReceipt,
    Command,
    CommandV1,
    ConfigurationV1,
    ConfigurationV2,
    Receipt,
    ReceiptV1,
)
from vigil_schemas.envelope import Source, decode, encode
from vigil_schemas.errors import InvalidMessage, VigilError
from vigil_schemas.gateway import GatewayBirth, GatewayDeath
from vigil_schemas.topics import STATUS
from vigil_schemas.types import ClockQuality, Model

LOOK_S: Final = 15.0
"""At least so often it is asked whether paho's thread still moves."""
_STEADY_S: Final = 30.0
"""A connection that held this long was a good one: the next pause is short again."""
_UNDISPUTED_S: Final = 600.0
"""The same of one that another box of our name ended: two that throw each other out of the broker
do so ever more seldom."""

_log = structlog.get_logger("uplink")


@dataclass(frozen=True, slots=True)
class UplinkCallbacks:
    """What the uplink needs from the agent."""

    birth: Callable[[int], GatewayBirth]
    """Given the session's number."""
    command: Callable[[AnyCommand, bool], None]
    """And whether it was retained by the broker. Must not wait."""
    configuration: Callable[[AnyConfiguration, bool], None]
    """And whether it was retained by the broker. Must not wait."""
    count: Callable[[str], None]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    quality: Callable[[], ClockQuality]
    feedback: Feedback
    new_id: Callable[[], str]


class Uplink:
    """Connects, sends, listens, and starts over, until cancelled."""

    def __init__(  # noqa: PLR0913 - its parts, given in one place (agent)
        self,
        settings: CloudSettings,
        gateway: str,
        outbox: Outbox,
        window: int,
        callbacks: UplinkCallbacks,
        rng: Random,
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self.connected = False
        self.callbacks = callbacks
        self.lanes = Lanes(
            gateway, outbox, window, callbacks.feedback, callbacks.count, callbacks.monotonic
        )
        self._settings = settings
        self._gateway = gateway
        self._outbox = outbox
        self._since = 0.0
        self._backoff = Backoff(rng, first_s=first_pause_s)
        self._connection: Connection | None = None
        self._session = 0
        self.session = 0
        """Of the newest connection that was made; 0: none was."""
        self._anew = False
        self._taken_over = False
        self.told: Callable[[bool], Awaitable[None]] = _nobody
        """Given whether the broker let us in; not where it cannot be reached."""
        self._epoch = outbox.epoch
        """Of the connection: birth and last will belong together, under another we connect anew."""

    async def run(self) -> None:
        """Until cancelled: connect, send, and connect anew after a growing pause."""
        while True:
            try:
                await self._connect_and_send()
            except (VigilError, OSError, ValueError) as error:
                self.callbacks.count(self._how_it_ended())
                _log.warning("no connection to the broker", error=str(error) or repr(error))
            finally:
                enough_s = _UNDISPUTED_S if self._taken_over else _STEADY_S
                steady = self.connected and self.callbacks.monotonic() - self._since > enough_s
                self.connected = False
            if steady:
                self._backoff.reset()
            if self._anew:  # asked for: nothing is wrong with the broker
                self._anew = False
                continue
            await asyncio.sleep(self._backoff.next())

    def _how_it_ended(self) -> str:
        if self._taken_over:
            return "uplink-taken-over"
        return "uplink-lost" if self.connected else "uplink-unreachable"

    def connect_anew(self) -> None:
        """End this connection and begin another at once: with a new certificate."""
        if self._connection is not None:
            self._anew = True
            self._connection.wake.set()

    async def _connect_and_send(self) -> None:
        self._session = await self._outbox.next_session()
        self._epoch = self._outbox.epoch
        will = self._death(clean=False)
        connection = Connection(self._settings, self._gateway, will, self.callbacks.count)
        self._connection = connection
        self._taken_over = False
        try:
            await self._open(connection)
            self.say_birth()
            self.lanes.reconnected()
            self.connected = True
            self.session = self._session
            self._since = self.callbacks.monotonic()
            broker, session = self._settings.broker, self._session
            _log.info("connected to the broker", broker=broker, session=session)
            if not self._anew:  # otherwise with the certificate before
                await self.told(True)
            await self._pump(connection)
        finally:
            self._connection = None
            self._taken_over = connection.taken_over
            await connection.close(self._death(clean=True))

    async def _open(self, connection: Connection) -> None:
        try:
            await connection.open()
        except (UplinkError, ssl.SSLError):  # somebody was there, who did not let us in
            await self.told(False)
            raise

    def say_birth(self) -> None:
        """At the begin of a connection, and again when the cloud asks for it."""
        if self._connection is not None:
            birth = self.callbacks.birth(self._session)
            payload = self._status(birth, GatewayBirth.TYPE)
            self._connection.publish(STATUS, payload, None, retain=True)

    def _death(self, *, clean: bool) -> bytes:
        death = GatewayDeath(session=self._session, clean=clean)
        return self._status(death, GatewayDeath.TYPE)

    async def _pump(self, connection: Connection) -> None:
        """Send and listen until the connection ends. Raises ``UplinkError``."""
        self._outbox.on_change = connection.wake.set
        listening = asyncio.create_task(self._listen(connection))
        listening.add_done_callback(lambda _: connection.wake.set())
        try:
            while connection.ended is None and not listening.done():
                connection.wake.clear()
                await self.lanes.refill()
                if self._outbox.epoch != self._epoch:
                    raise UplinkError("the outbox begins a new epoch: connecting anew")
                if self._anew:
                    return
                if connection.hangs:
                    raise UplinkError("the thread of the connection does not move any more")
                self._send(connection)
                await self._rest(connection)
            if listening.done():
                listening.result()
            raise UplinkError(connection.ended or "the connection ended")
        finally:
            self._outbox.on_change = lambda: None
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _send(self, connection: Connection) -> None:
        for lane, message in self.lanes.next(connection.may_send):
            if not connection.fits(message.payload):
                self.callbacks.count("publish-larger-than-broker-allows")
            elif not connection.publish(lane.value, message.payload, lane):
                return

    async def _rest(self, connection: Connection) -> None:
        now = self.callbacks.monotonic()
        due = self.lanes.due()
        until = now + LOOK_S if due is None else min(now + LOOK_S, due)
        try:
            async with asyncio.timeout(max(0.0, until - now)):
                await connection.wake.wait()
        except TimeoutError:
            return

    async def _listen(self, connection: Connection) -> None:
        while True:
            # Receipts are cumulative: of those that came meanwhile the furthest says it all.
            receipts: dict[str, AnyReceipt] = {}
            for payload, retained in await connection.receive():
                data = self._decoded(payload)
                if isinstance(data, Receipt | ReceiptV1):
                    known = receipts.get(data.source)
                    if known is None or data.stored >= known.stored:
                        receipts[data.source] = data
                elif data is not None:
                    await self._follow(data, retained)
            for receipt in receipts.values():
                await self._follow(receipt, retained=False)
            connection.wake.set()

    async def _follow(self, data: object, retained: bool) -> None:
        """What one message asks for.

        A mistake in that must not cost the connection: a retained configuration comes again
        with every new one.
        """
        try:
            if isinstance(data, Receipt | ReceiptV1):
                await self.lanes.take_receipt(data)
            elif isinstance(data, Command | CommandV1):
                self.callbacks.command(data, retained)
            elif isinstance(data, ConfigurationV2 | ConfigurationV1):
                self.callbacks.configuration(data, retained)
        except Exception:  # noqa: BLE001 - logged, counted, and costs no connection
            self.callbacks.count("received-crashed")
            _log.exception("a message from the cloud could not be followed", type=type(data))

    def _decoded(self, payload: bytes) -> object:
        try:
            return decode(payload).data
        except InvalidMessage as error:
            self.callbacks.count(f"received-{error.reason}")
            _log.warning("unreadable message", error=str(error))
            return None

    def _status(self, data: Model, type: str) -> bytes:
        """A message on the status topic: it has a source and no sequence."""
        return encode(
            id=self.callbacks.new_id(),
            source=str(Source(self._gateway, STATUS, self._epoch)),
            type=type,
            subject=self._gateway,
            time=self.callbacks.now(),
            data=data,
            clock_quality=self.callbacks.quality(),
        )


async def _nobody(_let_in: bool) -> None:
    """Where nobody asks whether the broker let us in."""
