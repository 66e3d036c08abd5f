"""Frame counters of LoRaWAN alarms: which frame is new, which one was played again. Pure, with a
state to be kept.

A frame counter that is not above the last one of its session is either a repetition or of a device
that counts from 0 again under its address (activated by personalisation, after each restart).
What was heard tells them apart: a repetition has the content of the frame that it repeats. So the
counters that were heard are kept, as the newest intervals, with those of them that were fires, and
a few bits of each of the first frames' content. A fire under a counter that was heard as none is
new for certain, under the first counters and the newest intervals; a pair that was heard before is
a repetition, however it rises.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Found = Literal["new", "repeated", "restarted"]
"""``repeated``: no life, and ends nothing. ``restarted``: new, and the first of a new count."""
FAR_FRAMES: Final = 16
"""A counter that begins again lies at least so far below the last one."""
SILENT_S: Final = 7_200.0
"""A count that did not go on for so long may have ended, where another one rises."""
RISES: Final = 3
_DEVICES: Final = 1_000
"""Strangers' as well: whoever makes up devices fills no memory."""
_SESSIONS: Final = 4
_INTERVALS: Final = 64
_FIRES: Final = 64
_DIGESTS: Final = 16
"""Of so many of the first frames the content is known: a restart begins with those."""
_DIGITS: Final = 4
_UNKNOWN: Final = "-" * _DIGITS


@dataclass(frozen=True, slots=True)
class Frame:
    """What is looked at of one uplink."""

    counter: int
    address: str | None
    identity: str | None
    """The same wherever this uplink is delivered again."""
    fire: bool
    content: bytes = b""


@dataclass(slots=True)
class _Count:
    """One count under one address."""

    address: str | None
    first: int
    """Of those that were heard: what was said before it nobody here knows."""
    last: int
    identity: str | None
    heard: list[list[int]] = field(default_factory=list)
    """Intervals of counters, ends included, in order."""
    fires: list[int] = field(default_factory=list)
    former_fires: list[int] = field(default_factory=list)
    """Of the count before this one, under the same address."""
    digests: str = _UNKNOWN * _DIGESTS
    spoke: float = 0.0
    """When it went on last, monotonic seconds of this run."""
    rising: list[int] = field(default_factory=list)
    """Counters of what may be a count that began anew."""

    def note(self, frame: Frame, moment: float) -> None:
        """It goes on with this frame."""
        self.last, self.identity, self.spoke = frame.counter, frame.identity, moment
        self.rising = []
        if self.heard and frame.counter == self.heard[-1][1] + 1:
            self.heard[-1][1] = frame.counter
        else:
            self.heard = [*self.heard[1 - _INTERVALS :], [frame.counter, frame.counter]]
        if frame.fire:
            self.fires = [*self.fires[1 - _FIRES :], frame.counter]
        if frame.counter < _DIGESTS:
            at = frame.counter * _DIGITS
            self.digests = self.digests[:at] + _digest(frame.content) + self.digests[at + _DIGITS :]

    def was_heard(self, counter: int) -> bool:
        return any(low <= counter <= high for low, high in self.heard)

    def differs(self, frame: Frame) -> bool:
        """Whether another content was heard under this counter: then this is no repetition. Of the
        first frames that is known however many intervals came after them."""
        known = self._digest_of(frame.counter)
        if known == _UNKNOWN and not self.was_heard(frame.counter):
            return False
        if frame.fire != (frame.counter in self.fires):
            # Of an older one than is kept of fires nobody knows what it was.
            return not frame.fire or len(self.fires) < _FIRES or frame.counter > min(self.fires)
        return known not in (_UNKNOWN, _digest(frame.content))

    def _digest_of(self, counter: int) -> str:
        at = counter * _DIGITS
        return self.digests[at : at + _DIGITS] if counter < _DIGESTS else _UNKNOWN

    def began_again(self, frame: Frame, moment: float) -> bool:
        """Whether a counter that is not above the last one is of a count that began anew."""
        if self.last - frame.counter < FAR_FRAMES:
            return False
        if self.differs(frame):
            return True
        rises = not self.rising or frame.counter > self.rising[-1]
        self.rising = [*self.rising[1 - RISES :], frame.counter] if rises else [frame.counter]
        if frame.counter == 0 < self.first:  # its beginning was never heard here
            return True
        return len(self.rising) >= RISES and moment - self.spoke >= SILENT_S


class FrameCounts:
    """Of every device behind one ChirpStack. ``moment``: when this run began."""

    def __init__(self, state: bytes | None = None, moment: float = 0.0) -> None:
        self._of: dict[str, list[_Count]] = {}
        for eui, counts in (json.loads(state) if state else {}).items():
            self._of[eui] = [_restored(count, moment) for count in counts]

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = {eui: [_kept(count) for count in counts] for eui, counts in self._of.items()}
        return json.dumps(kept, separators=(",", ":")).encode()

    def take(self, eui: str, frame: Frame, moment: float) -> Found:
        """One uplink of one device; ``moment`` is monotonic, seconds."""
        counts = self._of.pop(eui, [])
        self._of[eui] = counts  # the newest last
        if len(self._of) > _DEVICES:
            del self._of[next(iter(self._of))]
        known = next((one for one in counts if one.address == frame.address), None)
        if known is None:
            self._begin(counts, frame, moment)
            return "new"
        if frame.identity is not None and frame.identity == known.identity:
            return "new"
        if frame.counter > known.last:
            if _of_a_former_count(known, frame):
                return "repeated"
            known.note(frame, moment)
            return "new"
        if not known.began_again(frame, moment):
            return "repeated"
        counts.remove(known)
        self._begin(counts, frame, moment).former_fires = known.fires
        return "restarted"

    @staticmethod
    def _begin(counts: list[_Count], frame: Frame, moment: float) -> _Count:
        begun = _Count(frame.address, frame.counter, frame.counter, frame.identity)
        begun.note(frame, moment)
        counts[:] = [*counts[1 - _SESSIONS :], begun]
        return begun


def _of_a_former_count(known: _Count, frame: Frame) -> bool:
    """A fire far ahead of a count that began anew, where the count before it had one."""
    far = frame.counter - known.last >= FAR_FRAMES
    return frame.fire and far and frame.counter in known.former_fires


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _kept(count: _Count) -> Sequence[Any]:
    return (
        *(count.address, count.first, count.last, count.identity),
        *(count.heard, count.fires, count.former_fires, count.digests),
    )


def _restored(kept: Sequence[Any], moment: float) -> _Count:
    # How long it has been silent is counted anew: this run has not listened before.
    count = _Count(*kept)
    count.spoke = moment
    return count
