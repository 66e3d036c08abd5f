"""The numbers of one source, and what receipts say of them: gaps, repeats, what is not kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

from vigil_cloud.conform.message import Finding
from vigil_cloud.ingest.progress import Progress

PATIENCE: Final = timedelta(seconds=75)
"""So long after a receipt that leaves a number out, or without any receipt, it may take a gateway
to send again: the reference's longest pause, and some more."""
ON_ITS_WAY: Final = timedelta(seconds=5)
"""A receipt may cross a repetition; and one repetition after a new connection is right, since
the receipt may not have arrived."""
IGNORED: Final = 2
"""So many repetitions of what was receipted long before are a receipt ignored."""
_MOST: Final = 20_000


class _Sent(NamedTuple):
    digest: str
    id: str
    first: datetime
    last: datetime
    after_receipt: int
    """How often it came again although a receipt covered it."""


class Numbers:
    """Of one source. Times are given; nothing here looks at a clock."""

    def __init__(self, *, from_its_begin: bool) -> None:
        """``from_its_begin``: the epoch began while it was watched, so that 1 is the first."""
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._missing: dict[int, datetime] = {}
        self._from_its_begin = from_its_begin
        self.lowest = self.highest = 0
        self.progress = Progress()
        """As the newest receipt has it."""
        self.receipted: datetime | None = None
        self._covered: dict[int, datetime] = {}
        self._said: set[int] = set()

    def sent(self, number: int, digest: str, event_id: str, at: datetime) -> Iterator[Finding]:
        """A message with this number was published."""
        known = self._sent.get(number)
        if known is None:
            yield from self._new(number, at)
            self._sent[number] = _Sent(digest, event_id, at, at, 0)
            if len(self._sent) > _MOST:
                self._sent.popitem(last=False)
            return
        if known.digest != digest:
            if known.id == event_id:
                what = f"number {number} came again with other contents under the same id"
                yield Finding("repeat-differs", what, ("sequence",))
            else:
                what = f"number {number} is used again for something else (the highest was"
                yield Finding("numbers-go-back", f"{what} {self.highest})", ("sequence",))
        since = self._covered.get(number)
        again = known.after_receipt + (since is not None and at - since > ON_ITS_WAY)
        if again == IGNORED and known.after_receipt < IGNORED:
            what = f"number {number} was receipted and is sent again and again"
            yield Finding("receipt-ignored", what, ("sequence",))
        self._sent[number] = known._replace(last=at, after_receipt=again)

    def _new(self, number: int, at: datetime) -> Iterator[Finding]:
        if not self.highest:
            self.lowest = number
            if number != 1 and self._from_its_begin:
                what = f"the first number of this epoch is {number}"
                yield Finding("numbers-begin-late", what, ("sequence",))
        elif number > self.highest + 1:
            for left_out in range(self.highest + 1, min(number, self.highest + _MOST)):
                self._missing[left_out] = at
        self._missing.pop(number, None)
        self.highest = max(self.highest, number)

    def moved(self, number: int) -> None:
        """Its event came under another epoch: there it is kept and sent again."""
        self._sent.pop(number, None)

    def broken(self) -> None:
        """What was sent meanwhile was not seen: what is missing may have come."""
        self._missing.clear()
        self._sent.clear()
        self.highest = self.lowest = 0
        self._from_its_begin = False

    def receipt(self, stored: Progress, at: datetime) -> None:
        """The cloud told the gateway what of this source is stored."""
        self.progress, self.receipted = stored, at
        for number in self._sent:
            if number in stored:
                self._covered.setdefault(number, at)
        self._missing = {one: since for one, since in self._missing.items() if one not in stored}

    def overdue(
        self, at: datetime, connected: datetime | None, *, repacked: bool, end: bool
    ) -> Iterator[Finding]:
        """What should have come by now. ``connected``: when the newest session began;
        ``repacked``: another epoch superseded this one, and its readings may have come in other
        packs; ``end``: nothing more is waited for."""
        patience = ON_ITS_WAY if end else PATIENCE
        gone = [one for one, since in self._missing.items() if at - since > patience]
        for first, last in _ranges(gone):
            yield Finding("numbers-missing", f"{_named(first, last)} left out", ("sequence",))
        for one in gone:
            del self._missing[one]
        kept_back = [
            number
            for number, sent in self._sent.items()
            if not repacked
            and number not in self.progress
            and number not in self._said
            and self._should_have_come(sent, at, connected, end=end)
        ]
        self._said.update(kept_back)
        for first, last in _ranges(kept_back):
            what = f"{_named(first, last)} never receipted, and not sent again"
            yield Finding("not-sent-again", what, ("sequence",))

    def _should_have_come(
        self, sent: _Sent, at: datetime, connected: datetime | None, *, end: bool
    ) -> bool:
        if (
            connected is not None
            and connected > sent.last
            and at - connected > (2 * ON_ITS_WAY if end else PATIENCE)
        ):
            return True
        # Without any receipt on this lane there may be no cloud, and pauses grow.
        return (
            self.receipted is not None and self.receipted > sent.last and at - sent.last > PATIENCE
        )


def _named(first: int, last: int) -> str:
    return f"number {first} was" if first == last else f"numbers {first} to {last} were"


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbours, ascending."""
    ordered = enumerate(sorted(numbers))
    for _, run in groupby(ordered, lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield found[0], found[-1]
