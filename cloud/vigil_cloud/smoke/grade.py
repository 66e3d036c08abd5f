"""How likely it is that it burns: a probability with its reasons. Pure.

Independent signs add up as log-odds. The weights are our judgement and not a fit: no public table
has alarms of homes with their causes. Their signs follow what is published: nuisance alarms come
from cooking at the stove and hardly from afar (CPSC: 3.0 to 11.3 % of cooking events at 1.5 m,
about 1 % at 6 m), smouldering fires at night let carbon monoxide and density rise.

The grade delays nothing: whatever it is, the home's window is not longer by it. At ``CALLS_AT`` it
calls before the window ends, and it is shown to whoever is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from vigil_cloud.city_time import CITY_ZONE

Ground = Literal[
    "single-alarm",
    "second-alarm",
    "heat",
    "carbon-monoxide",
    "gas",
    "density",
    "said-to-burn",
    "no-answer",
    "lasting",
    "night",
    "fires-before",
    "cooking-hour",
    "kitchen",
    "nuisance-before",
    "short",
    "fell-silent",
    "taken-back",
]
"""What speaks for it, or against it."""
WEIGHTS: Final[dict[Ground, float]] = {
    "single-alarm": -2.2,
    "second-alarm": 3.5,
    "heat": 3.5,
    "carbon-monoxide": 2.5,
    "gas": 2.5,
    "density": 1.2,
    "said-to-burn": 7.0,
    "no-answer": 0.5,
    "lasting": 0.7,
    "night": 0.8,
    "fires-before": 0.4,
    "cooking-hour": -0.4,
    "kitchen": -0.6,
    "nuisance-before": -0.4,
    "short": -1.0,
    "fell-silent": -0.3,
    "taken-back": -3.0,
}
"""Log-odds. ``single-alarm`` is where a grade begins: one in ten."""
CALLS_AT: Final = 0.9
"""From here on nobody waits for the window to end."""
NUISANCES: Final = frozenset({"cooking", "steam", "fault"})
"""Causes that were no fire. A test is none that an alarm of a home is known for."""
NUISANCES_COUNTED: Final = 3
"""A home that always burns its toast may burn as well."""
SHORT: Final = timedelta(seconds=60)
LASTING: Final = timedelta(seconds=120)
MEALS: Final = ((6, 8), (11, 13), (17, 20))
"""Hours of the city in which people cook."""
NIGHT: Final = (23, 5)


@dataclass(frozen=True, slots=True)
class Setting:
    """What was known of the home as its first alarm rang."""

    kitchen: bool = False
    """It rings in a kitchen, by its name."""
    nuisances: int = 0
    """Earlier alarms of this home that were cooking, steam or a fault."""
    fires: int = 0
    """Earlier alarms of this home that were fires."""


class _Rings(Protocol):
    """What is looked at of one alarm (``decision.Alarm``)."""

    @property
    def device(self) -> str: ...
    @property
    def condition(self) -> str: ...
    @property
    def began(self) -> datetime: ...
    @property
    def heard(self) -> datetime: ...
    @property
    def over(self) -> datetime | None: ...
    @property
    def signs(self) -> tuple[str, ...]: ...


class _Burns(Protocol):
    """What is looked at of one fire (``decision.State``)."""

    @property
    def alarms(self) -> Sequence[_Rings]: ...
    @property
    def ringing(self) -> Sequence[_Rings]: ...
    @property
    def confirmed(self) -> bool: ...
    @property
    def burns(self) -> datetime | None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def phase(self) -> str: ...
    @property
    def setting(self) -> Setting: ...


@dataclass(frozen=True, slots=True)
class Grade:
    """``grounds`` in the order of ``WEIGHTS``."""

    probability: float
    grounds: tuple[Ground, ...]


def graded(state: _Burns, now: datetime) -> Grade:
    """Of one fire as it stands. ``now``: by our clock."""
    grounds = tuple(_grounds(state, now))
    odds = sum(WEIGHTS[ground] * _times(state, ground) for ground in grounds)
    return Grade(round(1 / (1 + math.exp(-odds)), 3), grounds)


def _times(state: _Burns, ground: Ground) -> int:
    return min(state.setting.nuisances, NUISANCES_COUNTED) if ground == "nuisance-before" else 1


def _grounds(state: _Burns, now: datetime) -> Iterator[Ground]:
    """One of each. What makes it more likely stands whatever an alarm says afterwards."""
    signs = {sign for one in state.alarms for sign in one.signs}
    conditions = {one.condition for one in state.alarms}
    yield "single-alarm"
    if state.confirmed or len({one.device for one in state.alarms}) > 1:
        yield "second-alarm"
    if "heat" in conditions | signs:
        yield "heat"
    if "co" in conditions:
        yield "carbon-monoxide"
    if "gas" in conditions:
        yield "gas"
    if "density" in signs:
        yield "density"
    if state.burns is not None:
        yield "said-to-burn"
    if state.reason == "no-answer" and state.phase == "called":
        yield "no-answer"
    yield from _of_duration(state, now)
    yield from _of_circumstances(state)
    if state.phase == "false-alarm":
        yield "taken-back"


def _of_duration(state: _Burns, now: datetime) -> Iterator[Ground]:
    first = min(one.began for one in state.alarms)
    if state.ringing:
        if now - min(one.heard for one in state.ringing) >= LASTING:
            yield "lasting"
        return
    last = max(one.over for one in state.alarms if one.over is not None)
    # An alarm also falls silent because it burned: that weighs little.
    yield "short" if last - first < SHORT else "fell-silent"


def _of_circumstances(state: _Burns) -> Iterator[Ground]:
    hour = min(one.began for one in state.alarms).astimezone(CITY_ZONE).hour
    if hour >= NIGHT[0] or hour < NIGHT[1]:
        yield "night"
    if state.setting.fires:
        yield "fires-before"
    if any(begins <= hour < ends for begins, ends in MEALS):
        yield "cooking-hour"
    if state.setting.kitchen:
        yield "kitchen"
    if state.setting.nuisances:
        yield "nuisance-before"
