"""How a sonde is doing, by what it answers: for the gateway's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from vigil_edge.device.seam import PipelineContext
from vigil_edge.position.receiver import Position
from vigil_edge.water.errors import ProbeRefused
from vigil_edge.water.settings import WaterSettings

_FEW: Final = 3
"""Measurements in a row without a reading that are no accident any more."""
CLOCK_AHEAD: Final = timedelta(minutes=10)
"""What lies further in the future the cloud does not take."""


class Condition:
    """Counts what is missing, signal by signal, and reports it to the context."""

    def __init__(self, settings: WaterSettings, context: PipelineContext) -> None:
        self._context = context
        self._names = [signal.name for signal in settings.signal]
        self._missing = dict.fromkeys(self._names, 0)
        self._never_fire = [
            line for signal in settings.every_signal for line in signal.never_fire()
        ]
        self._in_air: list[str] = []
        self._unplaced = 0
        """Measurements in a row of a sonde that moves without a position."""
        self._place = ""
        self._sampler: tuple[str, str] | None = None
        self._nothing = 0
        """Measurements in a row without any reading."""

    def take(self, values: Sequence[float | None]) -> None:
        """The values of one measurement, in the order of the signals."""
        for name, value in zip(self._names, values, strict=True):
            self._missing[name] = self._missing[name] + 1 if value is None else 0
        self._nothing = self._nothing + 1 if all(value is None for value in values) else 0

    def in_air(self, names: list[str]) -> None:
        """Signals whose readings are taken for those of a probe in the air."""
        self._in_air = names

    def placed(self, position: Position | None) -> None:
        """Where the sonde was at the newest measurement, if it moves."""
        if position is None or position.state == "fixed":
            self._unplaced = 0
            return
        self._unplaced += 1
        self._place = position.state

    def sampler(self, trouble: tuple[str, str] | None) -> None:
        """Code and words of what is wrong with the automatic sampler, if anything is."""
        self._sampler = trouble

    def report(
        self, refused: Mapping[str, ProbeRefused] | None = None, ahead: timedelta = timedelta(0)
    ) -> None:
        """``ok`` only where every signal gives readings and every bound can be crossed."""
        refused = refused or {}
        if self._nothing >= _FEW:
            self._context.report(
                "failed",
                "probe-no-readings",
                f"it answers, and not one of its {len(self._names)} signals has had a reading in"
                f" {self._nothing} measurements: sensors unplugged, in air, or worn out",
            )
            return
        if self._nothing:
            return  # an accident, or the beginning of a failure: neither is ok
        reasons = [*self._clock(ahead), *self._refusals(refused), *self._lost(refused)]
        if self._in_air:
            line = (
                f"{', '.join(self._in_air)} fell at once to less than rain conducts: in the air, or"
                " broken; its readings fail and call nobody"
            )
            reasons.append(("probe-out-of-water", line))
        if self._unplaced >= _FEW:
            line = f"no position for {self._unplaced} measurements: {self._place}"
            reasons.append(("position-unknown", line))
        reasons += [] if self._sampler is None else [self._sampler]
        reasons += [("bound-never-fires", line) for line in self._never_fire]
        if not reasons:
            self._context.report("ok")
            return
        self._context.report("degraded", reasons[0][0], "; ".join(line for _, line in reasons))

    def _clock(self, ahead: timedelta) -> list[tuple[str, str]]:
        if ahead <= CLOCK_AHEAD:
            return []
        line = (
            f"its clock is {ahead.total_seconds():.0f} s ahead of the gateway's: set it; the"
            f" cloud refuses readings from {CLOCK_AHEAD.total_seconds():.0f} s on"
        )
        return [("logger-clock-ahead", line)]

    def _refusals(self, refused: Mapping[str, ProbeRefused]) -> list[tuple[str, str]]:
        return [("register-refused", f"{name}: {error}") for name, error in refused.items()]

    def _lost(self, refused: Mapping[str, ProbeRefused]) -> list[tuple[str, str]]:
        lost = [
            f"{name} ({count} times)"
            for name, count in self._missing.items()
            if count >= _FEW and name not in refused
        ]
        return [("signal-missing", f"no reading of {', '.join(lost)}")] if lost else []
