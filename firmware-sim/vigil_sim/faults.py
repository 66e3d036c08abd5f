"""What can go wrong with a simulated device: a pure description, and when it strikes.

A scenario lists faults per device. A device asks its ``Faults`` at the places
where reality would hurt: before it answers, when it stamps a time, when it
measures. Windows are in seconds of the scenario's timetable; chance is drawn
from a seeded generator, so one seed gives one night.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import ClassVar

from vigil_schemas.errors import VigilError


class ScenarioFaultError(VigilError):
    """A fault in a scenario cannot be understood."""

    code: ClassVar[str] = "scenario-fault"
    remedy: ClassVar[str] = "Correct the fault that the message names."


class FaultKind(StrEnum):
    """The kinds that every device understands in its own way."""

    DROP = "drop"
    """An answer, advert, report or message is not sent."""
    DRIFT = "drift"
    """A value creeps away: ``magnitude`` units per second since the window began."""
    REBOOT = "reboot"
    """The device is away for the whole window; connections break at its beginning."""
    CLOCK_SKEW = "clock_skew"
    """The device's clock is ``magnitude`` seconds ahead (negative: behind)."""
    CORRUPT_FRAME = "corrupt_frame"
    """A frame is sent broken; ``style`` says how, else the device picks one by chance."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``start_s`` ≤ t < ``stop_s`` in seconds of the timetable."""

    kind: FaultKind
    start_s: float = 0.0
    stop_s: float = inf
    probability: float = 1.0
    """Chance per occasion (drop, corrupt_frame)."""
    magnitude: float = 0.0
    """Units per second (drift), seconds (clock_skew), or the delay in seconds of a late frame."""
    parameter: str | None = None
    """Which value drifts; every value where absent."""
    style: str | None = None
    """How a frame is broken; the device's documentation lists its styles."""

    def __post_init__(self) -> None:
        if not self.start_s < self.stop_s:
            raise ScenarioFaultError(f"{self.kind}: stop_s must come after start_s {self.start_s}")
        if not 0.0 <= self.probability <= 1.0:
            raise ScenarioFaultError(f"{self.kind}: probability must lie between 0 and 1")

    def covers(self, t: float) -> bool:
        """Whether the timetable's second ``t`` lies in this fault's window."""
        return self.start_s <= t < self.stop_s


class Faults:
    """The faults of one device, asked at each occasion."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int | str = 0) -> None:
        self._faults: list[Fault] = list(faults)
        self.random = random.Random(f"faults/{seed}")
        """For the broken bytes themselves; seeded."""

    def add(self, fault: Fault) -> None:
        """From now on this fault can strike too."""
        self._faults.append(fault)

    def clear(self) -> None:
        """End every fault."""
        self._faults.clear()

    def drops(self, t: float) -> bool:
        """Whether this frame, advert or message is lost."""
        return any(self._strikes(fault) for fault in self._active(FaultKind.DROP, t))

    def drift(self, t: float, parameter: str) -> float:
        """What is added to a value at ``t``, in the value's unit."""
        return sum(
            fault.magnitude * (t - fault.start_s)
            for fault in self._active(FaultKind.DRIFT, t)
            if fault.parameter in (None, parameter)
        )

    def rebooting(self, t: float) -> bool:
        """Whether the device is away."""
        return any(True for _ in self._active(FaultKind.REBOOT, t))

    def skew(self, t: float) -> float:
        """Seconds that the device's clock is ahead."""
        return sum(fault.magnitude for fault in self._active(FaultKind.CLOCK_SKEW, t))

    def corruption(self, t: float, styles: Collection[str] | None = None) -> Fault | None:
        """The fault that breaks this frame, if one strikes; only of ``styles`` where given."""
        for fault in self._active(FaultKind.CORRUPT_FRAME, t):
            known = styles is None or fault.style is None or fault.style in styles
            if known and self._strikes(fault):
                return fault
        return None

    def in_state(self, t: float, style: str) -> bool:
        """Whether a corruption of this style is in force, for styles that are a state."""
        return any(fault.style == style for fault in self._active(FaultKind.CORRUPT_FRAME, t))

    def _active(self, kind: FaultKind, t: float) -> Iterable[Fault]:
        return (fault for fault in self._faults if fault.kind is kind and fault.covers(t))

    def _strikes(self, fault: Fault) -> bool:
        return fault.probability >= 1.0 or self.random.random() < fault.probability
