"""Which faults a device of a scenario can have: what would do nothing is refused, with the reason.

Each device's own module says how it understands a kind; here stands only which it knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from vigil_sim.checkin.broken import ADVERT_STYLES, REPORT_STYLES
from vigil_sim.faults import Fault, FaultKind
from vigil_sim.scenario import HomeAlarm, NoiseCamera, Sonde, Station
from vigil_sim.smoke.alarm import CHANCE_STYLES, LASTING_STYLES
from vigil_sim.water.broken import TCP_STYLES
from vigil_sim.water.sonde_map import SIGNALS

Device = NoiseCamera | Sonde | Station | HomeAlarm
LONGEST_SKEW_S: Final = 3.2e8
"""Ten years: a clock that was never set."""
_BY_CHANCE: Final = (FaultKind.DROP, FaultKind.CORRUPT_FRAME)
_LATE: Final = "late"


@dataclass(frozen=True, slots=True)
class Understood:
    """What one kind of device makes of faults."""

    name: str
    drifts: tuple[str, ...]
    """Parameters that can drift."""
    styles: tuple[str, ...] = ()
    """Of corrupt_frame; empty: there is one way only, which has no name."""
    nothing: dict[FaultKind, str] = field(default_factory=dict)
    """Kinds that would do nothing, and why."""


def understood(device: Device) -> Understood:
    """By the device's kind and, where that matters, its mode."""
    match device:
        case NoiseCamera():
            return Understood("a noise camera", ("gain",))
        case Sonde():
            no_clock = {FaultKind.CLOCK_SKEW: "it has no clock; one with mode = 'logger' has"}
            return Understood(
                f"a sonde with mode = {device.mode!r}",
                tuple(signal.name for signal in SIGNALS),
                TCP_STYLES,
                no_clock if device.mode == "poll" else {},
            )
        case Station(driver="ble"):
            no_clock = {FaultKind.CLOCK_SKEW: "a radio has no clock; a reader (llrp) has"}
            return Understood("a BLE station", ("rssi",), ADVERT_STYLES, no_clock)
        case Station():
            return Understood("a UHF reader", ("rssi",), REPORT_STYLES)
        case HomeAlarm():
            styles = (*CHANCE_STYLES, *LASTING_STYLES)
            return Understood("a smoke alarm", ("battery", "obscuration"), styles)


def objection(fault: Fault, device: Device) -> str | None:
    """Why this fault cannot be meant for this device; None where it can."""
    known, kind = understood(device), fault.kind
    if why := known.nothing.get(kind):
        return f"{kind} does nothing to {known.name}: {why}"
    if fault.parameter is not None:
        if kind is not FaultKind.DRIFT:
            return f"{kind} has no parameter; drift has"
        if fault.parameter not in known.drifts:
            return f"of {known.name} no {fault.parameter!r} can drift, but: {_list(known.drifts)}"
    if fault.style is not None:
        if kind is not FaultKind.CORRUPT_FRAME:
            return f"{kind} has no style; corrupt_frame has"
        if fault.style not in known.styles:
            return f"{known.name} knows no style {fault.style!r}, but: {_list(known.styles)}"
    return _wrong_number(fault)


def _wrong_number(fault: Fault) -> str | None:
    lasts = fault.style in LASTING_STYLES
    if fault.probability != 1.0 and (fault.kind not in _BY_CHANCE or lasts):
        return f"{fault.style or fault.kind} lasts as long as its window and has no probability"
    if fault.kind in (FaultKind.DRIFT, FaultKind.CLOCK_SKEW):
        if fault.magnitude == 0.0:
            return f"{fault.kind} with a magnitude of 0 does nothing"
        if fault.kind is FaultKind.CLOCK_SKEW and abs(fault.magnitude) > LONGEST_SKEW_S:
            return f"a clock is no more than {LONGEST_SKEW_S:.0f} s (ten years) wrong"
    elif fault.magnitude != 0.0 and fault.style != _LATE:
        return f"{fault.kind} has no magnitude; drift, clock_skew and the style late have"
    return None


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
