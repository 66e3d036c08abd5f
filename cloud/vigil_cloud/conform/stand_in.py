"""In place of a cloud, on a bench that has none: receipts, and one command to be answered.

A receipt is a promise that a message is stored, and nothing is stored here. So nothing is sent
before it is clear that no cloud answers this gateway, and never again once one does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from vigil_cloud.conform.conformance import Conformance
from vigil_cloud.conform.message import Heard, Judged
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.subscriber import receipt_message
from vigil_schemas.control import Command, CommandV1, RefusalReason
from vigil_schemas.envelope import CLOUD_SOURCE, encode
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import COMMAND, RECEIPT, topic
from vigil_schemas.types import Lane

GRACE: Final = timedelta(seconds=3)
"""So long a cloud may take to send its receipt for the first message."""
ANSWERED_WITHIN: Final = timedelta(minutes=5)


class CloudPresent(VigilError):
    """``--receipts`` is for a bench without a cloud, and a cloud answers this gateway."""

    code: ClassVar[str] = "cloud-present"
    remedy: ClassVar[str] = (
        "Leave --receipts out: two that send receipts would let the gateway forget what is stored"
        " nowhere."
    )


class StandIn:
    """Sends receipts as ingest would."""

    def __init__(self, gateway: str, publish: Callable[[str, bytes], None]) -> None:
        self._gateway = gateway
        self._publish = publish
        self._first: datetime | None = None
        self._progress: dict[str, Progress] = {}
        self._due: set[str] = set()
        self._asked = False

    def taken(self, judged: Judged) -> None:
        """A message of the gateway, judged."""
        heard = judged.heard
        if judged.source is None or judged.number is None or heard.stock:
            return
        if judged.source.lane not in set(Lane):
            return
        self._first = self._first or heard.at
        name = str(judged.source)
        progress = self._progress.setdefault(name, Progress())
        known = judged.number in progress
        if progress.add(judged.number) and not known and judged.verdict == "refused":
            progress.refused += 1
        self._due.add(name)

    def check(self, heard: Heard) -> None:
        """Raises ``CloudPresent`` where somebody else sends receipts: ours do not come back."""
        if heard.topic == topic(self._gateway, RECEIPT) and not heard.stock and heard.payload:
            raise CloudPresent(f"a receipt for {self._gateway} came from a cloud")

    def send(self, conformance: Conformance, at: datetime) -> None:
        """What is due by now."""
        if self._first is None or at - self._first < GRACE:
            return
        reasons: list[RefusalReason] | None = (
            [] if conformance.presence.understands_receipts else None
        )
        for name in sorted(self._due):
            progress = self._progress[name]
            payload = receipt_message(self._gateway, name, progress, at, reasons)
            self._send(RECEIPT, payload, conformance, at)
        self._due.clear()
        if not self._asked and conformance.presence.birth is not None:
            self._asked = True
            self._ask(conformance, at)

    def _ask(self, conformance: Conformance, at: datetime) -> None:
        name = uuid.uuid4().hex
        second = Command.TYPE in conformance.presence.accepts
        command: Command | CommandV1 = (
            Command(command_id=name, action="report_health", expires=at + ANSWERED_WITHIN)
            if second
            else CommandV1(command_id=name, action="report_health")
        )
        payload = encode(
            id=uuid.uuid4().hex,
            source=CLOUD_SOURCE,
            type=command.TYPE,
            subject=self._gateway,
            time=at,
            data=command,
        )
        self._send(COMMAND, payload, conformance, at)

    def _send(self, channel: str, payload: bytes, conformance: Conformance, at: datetime) -> None:
        where = topic(self._gateway, channel)
        self._publish(where, payload)
        conformance.heard(Heard(where, payload, 1, retain=False, stock=False, at=at))
