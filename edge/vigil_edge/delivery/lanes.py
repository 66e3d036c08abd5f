"""The three lanes on their way to the broker: what is under way, what is next, what is confirmed.

No socket: an outbox on one side, a ``Window`` per lane on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import structlog

from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.outbox import Outbox, OutboxFailed
from vigil_edge.delivery.outbox_store import Sendable
from vigil_edge.delivery.window import Window
from vigil_edge.repeated import Repeated
from vigil_schemas.control import AnyReceipt
from vigil_schemas.envelope import Source
from vigil_schemas.types import Lane

_UNKEPT_S: Final = 5.0

_log = structlog.get_logger("uplink")


class Lanes:
    """One per uplink; it outlives the connections."""

    def __init__(
        self,
        gateway: str,
        outbox: Outbox,
        size: int,
        feedback: Feedback,
        count: Callable[[str], None],
        monotonic: Callable[[], float],
    ) -> None:
        """``size``: messages per lane that may be under way."""
        self.windows = {lane: Window(size, probing=lane is Lane.ALARM) for lane in Lane}
        self._gateway = gateway
        self._outbox = outbox
        self._feedback = feedback
        self._count = count
        self._monotonic = monotonic
        self._repeated = Repeated(monotonic)
        self._unkept: dict[str, AnyReceipt] = {}
        """Receipts that a refusing disk did not take in, to be tried again."""
        self._unkept_due = 0.0
        self._epoch = outbox.epoch

    @property
    def resent(self) -> int:
        """Messages that were sent more than once, so far."""
        return sum(window.resent for window in self.windows.values())

    def reconnected(self) -> None:
        """A new connection: whatever was under way on the old one may be lost."""
        for window in self.windows.values():
            window.reconnected()

    def due(self) -> float | None:
        """The monotonic second at which something is sent again unless a receipt comes."""
        return min(
            (at for each in self.windows.values() if (at := each.due()) is not None), default=None
        )

    def next(self, may_send: Callable[[Lane], bool]) -> Iterator[tuple[Lane, Sendable]]:
        """What is to be sent now, alarm before event before observation; counted as sent."""
        now = self._monotonic()
        for window in self.windows.values():
            window.tick(now)
        for lane, window in self.windows.items():
            while (message := window.next()) is not None and may_send(lane):
                window.sent(message.sequence, now)
                yield lane, message

    async def refill(self) -> None:
        """Take what fits into the windows from the outbox."""
        if self._unkept and self._monotonic() >= self._unkept_due:
            for receipt in list(self._unkept.values()):
                await self.take_receipt(receipt)
        if self._epoch != self._outbox.epoch:
            for window in self.windows.values():
                window.clear()
            self._epoch = self._outbox.epoch
            self._count("epoch-renewed")
        for lane, window in self.windows.items():
            while window.room > 0 and window.fetched < self._outbox.issued[lane]:
                issued = self._outbox.issued[lane]
                found = await self._outbox.fetch(lane, window.fetched, window.room)
                if self._epoch != self._outbox.epoch:
                    return
                window.add(found)
                if not found:  # given up meanwhile: what comes next has these numbers again
                    issued = min(issued, self._outbox.issued[lane])
                    window.fetched = max(window.fetched, issued)

    async def take_receipt(self, receipt: AnyReceipt) -> None:
        """A disk that refuses holds up the letting go of rows, not the sending of further ones."""
        self._unkept.pop(receipt.source, None)
        try:
            if not await self._outbox.receipt(receipt):
                self._count("receipt-foreign")
                return
        except OutboxFailed as error:
            self._unkept[receipt.source] = receipt
            self._unkept_due = self._monotonic() + _UNKEPT_S
            self._count("receipt-not-kept")
            if self._repeated.due(error.code):
                _log.warning("a receipt could not be kept", error=str(error))
        lane = self._lane(receipt)
        if lane is not None:
            now = self._monotonic()
            sent = self.windows[lane].receipt(receipt.stored, receipt.beyond, now)
            self._feedback.receipt(receipt, None if sent is None else now - sent)

    def _lane(self, receipt: AnyReceipt) -> Lane | None:
        """Whose receipt this is, while the windows are of the outbox's present epoch."""
        if self._epoch != self._outbox.epoch:
            return None
        sources = {str(Source(self._gateway, lane.value, self._epoch)): lane for lane in Lane}
        return sources.get(receipt.source)
