"""Which faults a device of a scenario can have: what would do nothing is refused, with the reason.

Each domain says what its devices make of faults (``FaultProfile``); here stands the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vigil_sim.faults import Fault, FaultKind

LONGEST_SKEW_S: Final = 3.2e8
"""Ten years: a clock that was never set."""
_BY_CHANCE: Final = (FaultKind.DROP, FaultKind.CORRUPT_FRAME)


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """What one kind of device makes of faults."""

    name: str
    """With its article, for messages: ``a noise camera``."""
    drifts: tuple[str, ...]
    """Parameters that can drift."""
    styles: tuple[str, ...] = ()
    """Of corrupt_frame; empty: there is one way only, which has no name."""
    state_styles: tuple[str, ...] = ()
    """Those of ``styles`` that last as long as their window instead of striking by chance."""
    timed_styles: tuple[str, ...] = ()
    """Those of ``styles`` of which ``magnitude`` says how many seconds."""
    without_effect: Mapping[FaultKind, str] = field(default_factory=dict)
    """Kinds that would do nothing, and why."""


def objection(fault: Fault, profile: FaultProfile) -> str | None:
    """Why this fault cannot be meant for such a device; None where it can."""
    kind = fault.kind
    if why := profile.without_effect.get(kind):
        return f"{kind} does nothing to {profile.name}: {why}"
    if fault.parameter is not None:
        if kind is not FaultKind.DRIFT:
            return f"{kind} has no parameter; drift has"
        if fault.parameter not in profile.drifts:
            known = _listed(profile.drifts)
            return f"of {profile.name} no {fault.parameter!r} can drift, but: {known}"
    if fault.style is not None:
        if kind is not FaultKind.CORRUPT_FRAME:
            return f"{kind} has no style; corrupt_frame has"
        if fault.style not in profile.styles:
            known = _listed(profile.styles)
            return f"{profile.name} knows no style {fault.style!r}, but: {known}"
    return _wrong_number(fault, profile)


def _wrong_number(fault: Fault, profile: FaultProfile) -> str | None:
    is_state = fault.style in profile.state_styles
    if fault.probability != 1.0 and (fault.kind not in _BY_CHANCE or is_state):
        return f"{fault.style or fault.kind} lasts as long as its window and has no probability"
    if fault.kind in (FaultKind.DRIFT, FaultKind.CLOCK_SKEW):
        if fault.magnitude == 0.0:
            return f"{fault.kind} with a magnitude of 0 does nothing"
        if fault.kind is FaultKind.CLOCK_SKEW and abs(fault.magnitude) > LONGEST_SKEW_S:
            return f"a clock is no more than {LONGEST_SKEW_S:.0f} s (ten years) wrong"
    elif fault.magnitude != 0.0 and fault.style not in profile.timed_styles:
        return f"{fault.kind} has no magnitude; drift, clock_skew and the style late have"
    return None


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
