"""The way to the broker: MQTT 5 over paho, with receipts from the cloud as the only proof.

Each connection is a new client with a clean start: what is under way lives in the
outbox and in one ``Window`` per lane, never in a broker's session. paho runs its
sockets in its own thread; every callback is carried over to the event loop at once.
"""

from __future__ import annotations

import asyncio
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
from vigil_edge.delivery.outbox import Outbox, OutboxFailed
from vigil_edge.delivery.window import Window
from vigil_schemas.control import AnyReceipt, Command, Configuration
from vigil_schemas.envelope import Source, encode
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import GatewayBirth
from vigil_schemas.topics import STATUS
from vigil_schemas.types import ClockQuality, Lane, Model

_UNKEPT_S: Final = 5.0
_STEADY_S: Final = 30.0
"""A connection that held this long was a good one: the next pause is short again."""

__all__ = ["Sides", "Uplink", "UplinkError"]

_log = structlog.get_logger("uplink")


@dataclass(frozen=True, slots=True)
class Sides:
    """What the uplink needs from the agent."""

    birth: Callable[[int], GatewayBirth]
    """Given the session's number."""
    command: Callable[[Command], Awaitable[None]]
    configuration: Callable[[Configuration], Awaitable[None]]
    count: Callable[[str], None]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    quality: Callable[[], ClockQuality]
    feedback: Feedback
    new_id: Callable[[], str]


class Uplink:
    """Connects, sends, listens, and starts over, until cancelled."""

    def __init__(
        self,
        settings: CloudSettings,
        gateway: str,
        outbox: Outbox,
        window: int,
        sides: Sides,
        rng: Random,
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self.settings = settings
        self.gateway = gateway
        self.outbox = outbox
        self.sides = sides
        self.windows = {lane: Window(window) for lane in Lane}
        self.connected = False
        self._since = 0.0
        self._unkept: dict[str, AnyReceipt] = {}
        """Receipts that a refusing disk did not take in, to be tried again."""
        self._unkept_due = 0.0
        self._backoff = Backoff(rng, first_s=first_pause_s)
        self._connection: Connection | None = None
        self._epoch = outbox.epoch

    async def run(self) -> None:
        while True:
            try:
                await self._connect_and_send()
            except (VigilError, OSError, ValueError) as error:
                self.sides.count("uplink-lost" if self.connected else "uplink-unreachable")
                _log.warning("no connection to the broker", error=str(error) or repr(error))
            finally:
                steady = self.connected and self.sides.monotonic() - self._since > _STEADY_S
                self.connected = False
            if steady:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next())

    async def _connect_and_send(self) -> None:
        session = await self.outbox.next_session()
        connection = Connection(self, session)
        self._connection = connection
        try:
            await connection.open()
            self.connected = True
            self._since = self.sides.monotonic()
            _log.info("connected to the broker", broker=self.settings.broker, session=session)
            await connection.pump()
        finally:
            self._connection = None
            await connection.close()

    def say_birth(self) -> None:
        """Again, when the cloud asks for it."""
        if self._connection is not None:
            self._connection.publish_status(self.sides.birth(self._connection.session))

    async def refill(self) -> None:
        """Take what fits into the windows from the outbox."""
        if self._unkept and self.sides.monotonic() >= self._unkept_due:
            for receipt in list(self._unkept.values()):
                await self.take_receipt(receipt)
        if self._epoch != self.outbox.epoch:
            for window in self.windows.values():
                window.clear()
            self._epoch = self.outbox.epoch
            self.sides.count("epoch-renewed")
        for lane, window in self.windows.items():
            while window.room > 0 and window.fetched < self.outbox.issued[lane]:
                issued = self.outbox.issued[lane]
                found = await self.outbox.fetch(lane, window.fetched, window.room)
                if self._epoch != self.outbox.epoch:
                    return
                window.add(found)
                if not found:  # given up meanwhile: what comes next has these numbers again
                    issued = min(issued, self.outbox.issued[lane])
                    window.fetched = max(window.fetched, issued)

    async def take_receipt(self, receipt: AnyReceipt) -> None:
        """A disk that refuses holds up the letting go of rows, not the sending of further ones."""
        self._unkept.pop(receipt.source, None)
        try:
            if not await self.outbox.receipt(receipt):
                self.sides.count("receipt-foreign")
                return
        except OutboxFailed as error:
            self._unkept[receipt.source] = receipt
            self._unkept_due = self.sides.monotonic() + _UNKEPT_S
            self.sides.count("receipt-not-kept")
            _log.warning("a receipt could not be kept", error=str(error))
        lane = self._lane(receipt)
        if lane is not None:
            now = self.sides.monotonic()
            sent = self.windows[lane].receipt(receipt.stored, receipt.beyond, now)
            self.sides.feedback.receipt(receipt, None if sent is None else now - sent)

    def _lane(self, receipt: AnyReceipt) -> Lane | None:
        """Whose receipt this is, while the windows are of the outbox's present epoch."""
        if self._epoch != self.outbox.epoch:
            return None
        sources = {str(Source(self.gateway, lane.value, self._epoch)): lane for lane in Lane}
        return sources.get(receipt.source)

    def status(self, data: Model, type: str, epoch: str) -> bytes:
        """A message on the status topic: it has a source and no sequence."""
        return encode(
            id=self.sides.new_id(),
            source=str(Source(self.gateway, STATUS, epoch)),
            type=type,
            subject=self.gateway,
            time=self.sides.now(),
            data=data,
            clock_quality=self.sides.quality(),
        )
