"""Which messages of one lane are under way, and which to send now: no socket, no disk, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vigil_edge.delivery.outbox_store import Sendable

RESEND_FIRST_S: Final = 5.0
RESEND_LAST_S: Final = 60.0
GAP_S: Final = 2.0
"""A number skipped by a receipt is sent again this long after it was sent."""
PROBE_FIRST_S: Final = 2.0
PROBE_LAST_S: Final = 8.0
PROBED: Final = 4
"""So many of the newest are sent again as a probe."""


@dataclass(slots=True)
class _Entry:
    message: Sendable
    sent: float | None = None
    first_sent: float | None = None
    """On whatever connection: a receipt may be for the first copy."""


class Window:
    """Unreceipted messages of one lane, in order of their numbers, at most ``size``.

    Without a receipt for ``RESEND_FIRST_S``, and then twice as long each time, everything
    under way is sent again: the broker's acknowledgement says nothing of the cloud's disk.

    ``probing``: between these, the newest few are sent again after 2, 4, 8, 8 … seconds. Whether
    the cloud is back is known within seconds then, whatever waits: a receipt of one of them says
    that those before it are missing, and they are sent at once.
    """

    def __init__(self, size: int, *, probing: bool = False) -> None:
        self.size = size
        self._probing = probing
        self._probe_patience = PROBE_FIRST_S
        self._probe_since: float | None = None
        self.fetched = 0
        """Highest number taken from the outbox."""
        self._entries: dict[int, _Entry] = {}
        self._patience = RESEND_FIRST_S
        self._waiting_since: float | None = None
        self.resent = 0

    @property
    def room(self) -> int:
        """Messages that may still be sent before a receipt."""
        return self.size - len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, messages: Iterable[Sendable]) -> None:
        """From the outbox, ascending."""
        for message in messages:
            self._entries[message.sequence] = _Entry(message)
            self.fetched = message.sequence

    def next(self) -> Sendable | None:
        """The first message that is to be sent."""
        return next((entry.message for entry in self._entries.values() if entry.sent is None), None)

    def sent(self, sequence: int, now: float) -> None:
        """A message was handed to the connection; ``now`` in monotonic seconds."""
        entry = self._entries.get(sequence)
        if entry is not None:
            entry.sent = now
            if entry.first_sent is None:
                entry.first_sent = now
                self._probe_patience, self._probe_since = PROBE_FIRST_S, now  # it is one itself
            if self._probe_since is None:
                self._probe_since = now
            if self._waiting_since is None:
                self._waiting_since = now

    def receipt(self, stored: int, beyond: Iterable[tuple[int, int]], now: float) -> float | None:
        """Forget what is stored; what a receipt skips is to be sent again.

        Returns when the newest message that it newly confirms was first sent.
        """
        ranges = [(1, stored), *beyond]
        highest = max(last for _, last in ranges)
        kept: dict[int, _Entry] = {}
        newest: float | None = None
        for sequence, entry in self._entries.items():
            if any(first <= sequence <= last for first, last in ranges):
                if entry.first_sent is not None:
                    newest = max(newest or entry.first_sent, entry.first_sent)
                continue
            if sequence < highest and entry.sent is not None and now - entry.sent >= GAP_S:
                self._again(entry)
            kept[sequence] = entry
        if len(kept) < len(self._entries):
            self._patience = RESEND_FIRST_S
            under_way = any(entry.sent is not None for entry in kept.values())
            self._waiting_since = self._probe_since = now if under_way else None
            self._probe_patience = PROBE_FIRST_S
        self._entries = kept
        return newest

    def tick(self, now: float) -> None:
        """Resend everything under way when patience has run out; before, a probe."""
        due = self._all_due()
        if due is not None and now >= due:
            self._patience = min(2 * self._patience, RESEND_LAST_S)
            self._waiting_since = now
            for entry in self._entries.values():
                if entry.sent is not None:
                    self._again(entry)
        elif (probe := self._probe_due()) is not None and now >= probe:
            self._probe_patience = min(2 * self._probe_patience, PROBE_LAST_S)
            self._probe_since = now
            under_way = [entry for entry in self._entries.values() if entry.sent is not None]
            for entry in under_way[-PROBED:]:
                self._again(entry)

    def due(self) -> float | None:
        """When ``tick`` will resend unless a receipt comes."""
        moments = (self._all_due(), self._probe_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def _all_due(self) -> float | None:
        return None if self._waiting_since is None else self._waiting_since + self._patience

    def _probe_due(self) -> float | None:
        if not self._probing or self._probe_since is None:
            return None
        return self._probe_since + self._probe_patience

    def reconnected(self) -> None:
        """A new connection: whatever was under way on the old one may be lost."""
        for entry in self._entries.values():
            if entry.sent is not None:
                self._again(entry)
        self._waiting_since = self._probe_since = None
        self._patience, self._probe_patience = RESEND_FIRST_S, PROBE_FIRST_S

    def clear(self) -> None:
        """The lane begins anew under another epoch."""
        self._entries.clear()
        self.fetched = 0
        self._waiting_since = self._probe_since = None

    def _again(self, entry: _Entry) -> None:
        entry.sent = None
        self.resent += 1
