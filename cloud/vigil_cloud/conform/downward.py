"""What the cloud sends the gateway, and whether it is followed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.conform.message import Finding, Heard
from vigil_cloud.devices.ownership import DEVICE_OF_ANOTHER
from vigil_cloud.devices.removal import REVOKED
from vigil_cloud.devices.seen import UNKNOWN_GATEWAY
from vigil_schemas.control import (
    Command,
    CommandV1,
    ConfigurationV2,
    Receipt,
    ReceiptV1,
)
from vigil_schemas.envelope import CLOUD_SOURCE, Message, decode, decode_envelope
from vigil_schemas.errors import InvalidMessage
from vigil_schemas.gateway import CommandResult, ConfigurationReport

ANSWER: Final = timedelta(seconds=60)
"""So long a command may take to be answered."""
_BLOCKS: Final = frozenset({UNKNOWN_GATEWAY, REVOKED, DEVICE_OF_ANOTHER})
"""Reasons that no message shows by itself; the others are found in the messages."""


class Downward:
    """Commands, configurations and receipts of one gateway."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, datetime]] = {}
        """Commands without an answer: what for, and when."""
        self._answers: dict[str, CommandResult] = {}
        self._configured: tuple[int, datetime] | None = None
        self._told: set[str] = set()

    def heard(self, heard: Heard) -> tuple[Message | None, list[Finding]]:
        """A message on ``receipt``, ``command`` or ``config``; ``None`` where it cannot be read."""
        if not heard.payload:
            return None, []
        try:
            if decode_envelope(heard.payload).source != CLOUD_SOURCE:
                raise InvalidMessage("wrong-gateway", "its source is not the cloud's")
            message = decode(heard.payload)
        except InvalidMessage as error:
            what = f"{heard.topic} is the cloud's to send on: {error}"
            return None, [Finding("speaks-as-cloud", what, ("source",))]
        data = message.data
        if isinstance(data, Command | CommandV1) and not heard.stock:
            if data.command_id not in self._answers:
                self._asked.setdefault(data.command_id, (data.action, heard.at))
        elif isinstance(data, ConfigurationV2) and not heard.stock:
            self._configured = (data.revision, heard.at)
        return message, list(self._reasons(data)) if isinstance(data, Receipt) else []

    def _reasons(self, receipt: Receipt) -> Iterator[Finding]:
        for one in receipt.reasons:
            if one.reason in _BLOCKS and one.reason not in self._told:
                self._told.add(one.reason)
                yield Finding("cloud-refuses", f"{one.reason}: {one.detail}")

    def answered(self, result: CommandResult) -> Iterator[Finding]:
        """The gateway told what became of a command."""
        self._asked.pop(result.command_id, None)
        before = self._answers.setdefault(result.command_id, result)
        if before.accepted != result.accepted and result.code != "interrupted":
            what = f"command {result.command_id}: {before.code} first, {result.code} now"
            yield Finding("answers-differ", what, ("data", "command_id"))

    def reported(self, report: ConfigurationReport) -> None:
        """The gateway told which configuration is in force."""
        if self._configured is not None and report.revision >= self._configured[0]:
            self._configured = None

    def overdue(self, at: datetime, *, reports: bool, end: bool) -> Iterator[Finding]:
        """``reports``: the gateway says that it understands configurations of version 2;
        ``end``: the watch ends, and what was asked a moment ago may still be answered."""
        for name, (action, asked) in list(self._asked.items()):
            if at - asked > (ANSWER / 6 if end else ANSWER):
                del self._asked[name]
                yield Finding("command-unanswered", f"{action} ({name}) got no answer")
        if self._configured is not None and at - self._configured[1] > ANSWER:
            revision, _ = self._configured
            self._configured = None
            if reports:
                what = f"revision {revision} of the settings was not reported"
                yield Finding("configuration-unreported", what)


def is_receipt(message: Message | None) -> ReceiptV1 | Receipt | None:
    """The receipt in it, of either version."""
    data = message.data if message is not None else None
    return data if isinstance(data, Receipt | ReceiptV1) else None
