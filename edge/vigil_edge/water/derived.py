"""``[[water.derived]]``: what the gateway works out of a probe's readings, by ``physics``.

A derived signal is one more reading with its own range, bounds and flag; what the probe gave stays
beside it under its own name.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from vigil_edge.water import physics
from vigil_edge.water.signals import Finite, Positive, Signal
from vigil_schemas.types import QartodFlag

Formula = Literal["specific_conductance", "oxygen_saturation", "salinity", "pH"]
_OF_REGISTERS: Final = frozenset(
    {"register_", "table", "type", "byte_order", "scale", "offset", "sentinel", "over_range"}
    | {"under_range", "quality_register", "quality_good", "quality_suspect"}
)
UNITS: Final[Mapping[Formula, str | None]] = {
    "specific_conductance": "S/m",
    "oxygen_saturation": "/",
    "salinity": None,
    "pH": "pH",
}
"""What each comes out in: a share of saturation, and the practical scale."""
_WORST: Final = {
    QartodFlag.GOOD: 0,
    QartodFlag.NOT_EVALUATED: 1,
    QartodFlag.SUSPECT: 2,
    QartodFlag.FAIL: 3,
    QartodFlag.MISSING: 4,
}


class Derived(Signal):
    """One of them. Inputs are in the units of the contract: S/m, kg/m3, °C; mV for ``pH``."""

    formula: Formula
    of: str
    """The signal that it is worked out of."""
    temperature: str
    """The signal of the water's temperature, °C."""
    salinity_of: str | None = None
    """For ``oxygen_saturation``: the signal of the salinity; without it fresh water."""
    pressure_atm: Annotated[Finite, Field(ge=0.5, le=1.2)] = 1.0
    """For ``oxygen_saturation``: of the air at the water."""
    per_degree: Positive | None = None
    """For ``specific_conductance``: linearly, such as 0.0191; without it by ISO 7888."""
    zero: Finite = 7.0
    """For ``pH``: where the electrode gives 0 mV."""
    efficiency: Annotated[Finite, Field(ge=0.5, le=1.2)] = 1.0
    """For ``pH``: of the ideal slope."""

    @model_validator(mode="before")
    @classmethod
    def _unit_of_formula(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("formula") in UNITS:
            value = {"unit": UNITS[value["formula"]], **value}
            if value["unit"] != UNITS[value["formula"]]:
                raise ValueError(f"{value['formula']} comes out in {UNITS[value['formula']]}")
        return value

    @model_validator(mode="after")
    def _has_no_register(self) -> Derived:
        given = sorted(self.model_fields_set & _OF_REGISTERS)
        if given:
            raise ValueError(f"{', '.join(given)}: it is worked out, and has no register")
        return self

    @property
    def inputs(self) -> list[str]:
        """Names of the signals that it needs."""
        return [one for one in (self.of, self.temperature, self.salinity_of) if one is not None]

    def value(self, given: Mapping[str, float | None]) -> float | None:
        """``None`` where an input is missing or outside of what the formula was made for. What is
        beyond the sensor's scale stays so."""
        main, t = given[self.of], given[self.temperature]
        if main is None or t is None:
            return None
        if math.isinf(main) and self.formula != "pH":
            return main
        if not (math.isfinite(main) and math.isfinite(t)):
            return None
        try:
            return self._worked_out(main, t, given)
        except ValueError:
            return None

    def _worked_out(self, main: float, t: float, given: Mapping[str, float | None]) -> float | None:
        match self.formula:
            case "specific_conductance":
                return physics.specific_conductance(main, t, self.per_degree)
            case "salinity":
                return physics.salinity(main, t)
            case "pH":
                return physics.ph_at(main, t, zero=self.zero, efficiency=self.efficiency)
            case "oxygen_saturation":
                salinity = 0.0 if self.salinity_of is None else given[self.salinity_of]
                if salinity is None or not math.isfinite(salinity):
                    return None
                full = physics.oxygen_saturation(t, self.pressure_atm, salinity)
                return 1000 * main / full


class Derivation:
    """The derived signals of one sonde, in their order. Pure."""

    def __init__(self, signals: Sequence[Signal], derived: Sequence[Derived]) -> None:
        names = [one.name for one in (*signals, *derived)]
        self._names, self._derived = names, derived
        places = {name: place for place, name in enumerate(names)}
        self._inputs = [[places[name] for name in one.inputs] for one in derived]
        self._first = len(signals)

    def values(self, measured: Sequence[float | None]) -> list[float | None]:
        """What was measured, and what follows from it."""
        found = list(measured)
        for one in self._derived:
            found.append(one.value(dict(zip(self._names, found, strict=False))))
        return found

    def flags(self, flags: Sequence[QartodFlag]) -> list[QartodFlag]:
        """A derived reading is trusted no more than what it was worked out of."""
        found = list(flags)
        for number, inputs in enumerate(self._inputs, self._first):
            worst = max((found[place] for place in inputs), key=_WORST.__getitem__)
            if found[number] is not QartodFlag.MISSING and _WORST[worst] > _WORST[found[number]]:
                found[number] = QartodFlag.FAIL if worst is QartodFlag.MISSING else worst
        return found

    def blind(self, values: Sequence[float | None]) -> set[int]:
        """Places of what is missing only because a correction is, such as the temperature, while
        what it is worked out of gives a reading: it is not lost, and no water took it there."""
        return {
            number
            for number, (main, *corrections) in enumerate(self._inputs, self._first)
            if values[number] is None
            and values[main] is not None
            and any(values[place] is None for place in corrections)
        }

    def doubtful(self, names: Collection[str]) -> set[str]:
        """With the derived signals that hang on them."""
        found = set(names)
        for one in self._derived:
            if found.intersection(one.inputs):
                found.add(one.name)
        return found
