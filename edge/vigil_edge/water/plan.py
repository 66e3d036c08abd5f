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
from vigil_edge.water.registers import Block, blocks, value
from vigil_edge.water.settings import Signal

_ABOUT_THE_REQUEST: Final = frozenset({1, 2, 3, 4})
"""Exceptions by which probes refuse what they have not; the others are about the moment."""
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

    def __init__(self, signals: Sequence[Signal], monotonic: Callable[[], float]) -> None:
        self._signals = signals
        self._monotonic = monotonic
        self._blocks = blocks(signals)
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
                if error.exception not in _ABOUT_THE_REQUEST:
                    raise
                refusal = refusal or error
                parts = _split(block)
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
            self._blocks, self._refused = blocks(self._signals), {}
            raise refusal
        self._blocks = given
        return [found.get(signal.name) for signal in self._signals]

    def _due(self) -> list[Block]:
        now = self._monotonic()
        again = [refusal.signal for refusal in self._refused.values() if now >= refusal.again_at]
        return [block for signal in again for block in blocks([signal])]

    def _refuse(self, signal: Signal, error: ProbeRefused) -> None:
        before = self._refused.get(signal.name)
        pause = _FIRST_PAUSE_S if before is None else min(2 * before.pause_s, _LONGEST_PAUSE_S)
        self._refused[signal.name] = _Refusal(signal, error, pause, self._monotonic() + pause)


def _split(block: Block) -> list[Block]:
    """Smaller reads of the same signals; nothing where it is one signal's own registers."""
    exact = blocks(block.signals, gap=0)
    if exact != [block]:
        return exact
    half = len(block.signals) // 2
    if not half:
        return []
    return [*blocks(block.signals[:half], gap=0), *blocks(block.signals[half:], gap=0)]
