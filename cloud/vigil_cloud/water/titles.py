"""How excursions are called, in both languages, in the units that inspectors read."""

from __future__ import annotations

from typing import Final, Protocol

PARAMETERS: Final = {
    "temperature": ("Temperature", "水溫"),
    "specific_conductance": ("Conductivity", "導電度"),
    "pH": ("pH", "酸鹼值 pH"),
    "dissolved_oxygen": ("Dissolved oxygen", "溶氧"),
    "turbidity_FNU": ("Turbidity", "濁度"),
    "orp": ("Redox potential", "氧化還原電位"),
    "level": ("Water level", "水位"),
}
UNITS: Final = {
    "temperature": "Cel",
    "specific_conductance": "S/m",
    "pH": "pH",
    "dissolved_oxygen": "kg/m3",
    "orp": "mV",
    "level": "m",
}
"""As the contract stores them; turbidity has none."""
LOST: Final = {
    "off_scale_high": ("is above what the sensor can measure", "超出感測器量測上限"),
    "off_scale_low": ("is below what the sensor can measure", "低於感測器量測下限"),
    "lost_while_rising": ("was lost while it was rising", "上升途中失去訊號"),
    "lost_while_falling": ("was lost while it was falling", "下降途中失去訊號"),
}
_SHOWN: Final = {
    "Cel": ("°C", 1.0),
    "pH": ("", 1.0),
    "S/m": ("µS/cm", 1e4),
    "kg/m3": ("mg/L", 1e3),
}
"""As probes, rules and inspectors write a unit, and what a stored value is multiplied with."""


def unit_of(parameter: str) -> str:
    """As inspectors read it."""
    if parameter == "turbidity_FNU":
        return "FNU"
    unit = UNITS.get(parameter, "")
    return _SHOWN.get(unit, (unit, 1.0))[0]


def factor_of(parameter: str) -> float:
    """What a stored value is multiplied with to be in that unit."""
    return _SHOWN.get(UNITS.get(parameter, ""), ("", 1.0))[1]


class Named(Protocol):
    """An excursion, as it is told or as it is kept."""

    @property
    def parameter(self) -> str:
        """What of the water."""

    @property
    def unit(self) -> str | None:
        """Of the bound."""

    @property
    def kind(self) -> str:
        """Which bound was crossed."""

    @property
    def limit(self) -> float | None:
        """The bound."""


def titles(event: Named) -> tuple[str, str]:
    """English and Chinese: which parameter crossed which bound."""
    name, name_zh = PARAMETERS.get(event.parameter, (event.parameter, event.parameter))
    if name_zh[-1].isascii():
        name_zh += " "  # Chinese sets Latin letters apart
    if event.kind in LOST:
        return (f"{name} {LOST[event.kind][0]}", f"{name_zh}{LOST[event.kind][1]}")
    if event.kind == "anomaly":
        return f"{name} changes in an unusual way", f"{name_zh}異常變化"
    if event.kind == "rate":
        per_s = _bound(event, "/s")
        return f"{name} changes faster than {per_s}", f"{name_zh}變化快於 {per_s}"
    if event.kind == "above":
        return f"{name} above {_bound(event)}", f"{name_zh}高於 {_bound(event)}"
    return f"{name} below {_bound(event)}", f"{name_zh}低於 {_bound(event)}"


def _bound(event: Named, per: str = "") -> str:
    return shown(event.limit, event.parameter, event.unit, per)


def shown(value: float | None, parameter: str, unit: str | None, per: str = "") -> str:
    """A stored value in the unit that inspectors read, such as ``750 µS/cm``; ``?`` for none."""
    unit, factor = _SHOWN.get(unit or "", (unit or "", 1.0))
    if parameter == "turbidity_FNU":
        unit = "FNU"
    number = "?" if value is None else f"{value * factor:.6g}"
    return f"{number} {unit}{per}" if unit or per else number
