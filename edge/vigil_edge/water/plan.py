"""Which registers to read at once, and which this probe does not give.

Starts with as few reads as cover everything. Where the probe answers one of them with an
exception, it is split: around the holes first, then by halves, down to the signal that is
refused. What is learned stays; refused signals are asked for again after a growing pause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vigil_edge.water.errors import ProbeRefused
from vigil_edge.water.probe import Probe
from vigil_edge.water.registers import GAP_WORDS, MAX_READ_WORDS, Block, blocks, value
from vigil_edge.water.signals import Signal

_ABOUT_THE_MOMENT: Final = frozenset({5, 6, 10, 11})
"""Exceptions of a probe that cannot answer now; by any other it refuses what it has not.

Some answer a read over a hole in their map with one of these too: whether its parts are given
is tried first."""
_FIRST_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 3600.0


@dataclass(slots=True)
class _Refusal:
    signal: Signal
    error: ProbeRefused
    pause_s: float
    again_at: float


class ReadPlan:
    """The reads of one probe. ``monotonic`` in seconds."""

    def __init__(
        self,
        signals: Sequence[Signal],
        monotonic: Callable[[], float],
        most: int = MAX_READ_WORDS,
        *,
        merge: bool = True,
    ) -> None:
        self._signals = signals
        qualities = (signal.quality() for signal in signals)
        self._asked = [*signals, *(quality for quality in qualities if quality is not None)]
        self.doubtful: frozenset[str] = frozenset()
        """Signals of the last read that the probe itself does not trust."""
        self._monotonic = monotonic
        self._most = most
        self._gap = GAP_WORDS if merge else -1
        self._blocks = self._all()
        self._refused: dict[str, _Refusal] = {}

    @property
    def refused(self) -> dict[str, ProbeRefused]:
        """By signal, what the probe answered."""
        return {name: refusal.error for name, refusal in self._refused.items()}

    async def read(self, probe: Probe) -> list[float | None]:
        """A value for each signal, in order; ``None`` also where its registers are refused.

        Raises ``SourceError``; ``ProbeRefused`` where not one signal is given.
        """
        found: dict[str, float | None] = {}
        given: list[Block] = []
        refusal: ProbeRefused | None = None
        waiting = deque([*self._blocks, *self._due()])
        while waiting:
            block = waiting.popleft()
            try:
                words = await probe.read(block.table, block.address, block.words)
            except ProbeRefused as error:
                refusal = refusal or error
                parts = _split(block, self._most)
                if not parts and error.exception in _ABOUT_THE_MOMENT:
                    raise
                waiting.extendleft(reversed(parts))
                if not parts:
                    self._refuse(block.signals[0], error)
                continue
            given.append(block)
            for signal in block.signals:
                at = signal.register_ - block.address
                found[signal.name] = value(signal, words[at : at + signal.words])
                self._refused.pop(signal.name, None)
        if refusal is not None and not given:
            self._blocks, self._refused = self._all(), {}
            raise refusal
        self._blocks = given
        self._heed_quality(found)
        return [found.get(signal.name) for signal in self._signals]

    def _heed_quality(self, found: dict[str, float | None]) -> None:
        """Take away what the probe calls no reading. A quality that it refuses is not heeded."""
        doubtful = set[str]()
        for signal in self._signals:
            quality = found.get(f"{signal.name}/quality")
            if quality is None or quality in signal.quality_good:
                continue
            if quality in signal.quality_suspect:
                doubtful.add(signal.name)
            else:
                found[signal.name] = None
        self.doubtful = frozenset(doubtful)

    def _all(self) -> list[Block]:
        return blocks(self._asked, self._gap, self._most)

    def _due(self) -> list[Block]:
        now = self._monotonic()
        again = [refusal.signal for refusal in self._refused.values() if now >= refusal.again_at]
        return [block for signal in again for block in blocks([signal])]

    def _refuse(self, signal: Signal, error: ProbeRefused) -> None:
        before = self._refused.get(signal.name)
        pause = _FIRST_PAUSE_S if before is None else min(2 * before.pause_s, _LONGEST_PAUSE_S)
        self._refused[signal.name] = _Refusal(signal, error, pause, self._monotonic() + pause)


def _split(block: Block, most: int) -> list[Block]:
    """Smaller reads of the same signals; nothing where it is one signal's own registers."""
    exact = blocks(block.signals, 0, most)
    if exact != [block]:
        return exact
    half = len(block.signals) // 2
    if not half:
        return []
    return [*blocks(block.signals[:half], 0, most), *blocks(block.signals[half:], 0, most)]
