"""The city's sondes: their register map, and the bounds that the gateway is given.

Registers hold what such probes hold (µS/cm, mg/L); scales lead to the contract's units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vigil_sim.water.registers import SignalRegister

if TYPE_CHECKING:
    from vigil_sim.water.canal import Water  # it needs scipy, which a scenario's check does not

SIGNALS: Final = (
    SignalRegister("temperature", 0, "Cel"),
    SignalRegister("specific_conductance", 2, "S/m", scale=1e-4),
    SignalRegister("pH", 4, "pH"),
    SignalRegister("dissolved_oxygen", 6, "kg/m3", scale=1e-3),
    SignalRegister("turbidity_FNU", 8),
    SignalRegister("level", 10, "m"),
)

HIGH: Final = {"specific_conductance": 0.075, "pH": 9.0, "temperature": 35.0}
"""Upper bounds for irrigation water as Taiwan sets them: 750 µS/cm, pH 9, 35 °C."""
LOW: Final = {"pH": 6.0, "dissolved_oxygen": 0.003}

_RANGE: Final = {
    "temperature": [-5.0, 60.0],
    "specific_conductance": [0.0, 20.0],
    "pH": [0.0, 14.0],
    "dissolved_oxygen": [0.0, 0.05],
    "turbidity_FNU": [0.0, 4000.0],
    "level": [0.0, 10.0],
}


def values(water: Water) -> dict[str, float]:
    """What the sonde is immersed in, by SenML parameter."""
    return {signal.name: getattr(water, signal.name) for signal in SIGNALS}


def bounds(
    section: dict[str, Any], high: dict[str, float], low: dict[str, float]
) -> dict[str, Any]:
    """A ``[[water]]`` section with each signal's range and bounds written in."""
    signals = []
    for signal in section["signal"]:
        name = signal["name"]
        signal = signal | {"range_fail": _RANGE[name]}
        if name in high:
            signal["high"] = high[name]
        if name in low:
            signal["low"] = low[name]
        signals.append(signal)
    return section | {"signal": signals}
