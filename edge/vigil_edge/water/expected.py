"""What to expect of a signal of which only the column's name is known, for replaying recordings.

Fail ranges are what the sensors of the trade can report at all; suspect ranges are
what surface, drinking and drainage water shows. They are wide on purpose: a canal with
a discharge in it is what Vigil is there to see. On a configured sonde the settings decide.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Final

from vigil_edge.water.qc import UNLIMITED, Limits

_HALF_DAY: Final = 43_200.0
_DAY: Final = 86_400.0

TEMPERATURE: Final = Limits(
    (-5.0, 50.0), (-0.5, 40.0), spike_floor=0.6, flat_s=_HALF_DAY, still=(-0.1, 0.1)
)
FAHRENHEIT: Final = Limits(
    (23.0, 122.0), (31.0, 104.0), spike_floor=1.1, flat_s=_HALF_DAY, still=(31.8, 32.2)
)
PH: Final = Limits((0.5, 13.5), (5.0, 10.5), spike_floor=0.25, flat_s=_HALF_DAY)
DISSOLVED_OXYGEN: Final = Limits((-0.5, 40.0), (0.05, 25.0), spike_floor=0.8, flat_s=_HALF_DAY)
OXYGEN_SATURATION: Final = Limits((-5.0, 400.0), (0.5, 250.0), spike_floor=8.0, flat_s=_HALF_DAY)
CONDUCTIVITY: Final = Limits(
    (0.0, 200_000.0), (1e-9, 70_000.0), spike_floor_share=0.08, flat_s=_HALF_DAY
)
TURBIDITY: Final = Limits(
    (-5.0, 10_000.0), (-0.5, 4_000.0), spike_floor=10.0, spike_floor_share=1.0, flat_s=_HALF_DAY,
    flat_above=0.0,
)  # fmt: skip
REDOX: Final = Limits((-2_000.0, 2_000.0), (-1_000.0, 1_300.0), spike_floor=40.0, flat_s=_HALF_DAY)
CHLORINE: Final = Limits(
    (-0.1, 20.0),
    (-0.02, 5.0),
    spike_floor=0.08,
    spike_floor_share=0.3,
    flat_s=_HALF_DAY,
    flat_above=0.0,
)
LEVEL: Final = replace(UNLIMITED, spike_floor_share=0.15, flat_s=_HALF_DAY)
FLOW: Final = Limits((-1e9, 1e9), (0.0, 1e9), spike_floor_share=0.6, flat_s=_DAY, flat_above=0.0)
ANYTHING: Final = replace(UNLIMITED, spike_floor_share=0.3, flat_s=_DAY)

_BY_WORD: Final[tuple[tuple[frozenset[str], Limits], ...]] = (
    (frozenset({"temp", "temperature", "tp", "wtemp", "watertemp", "tw", "cel"}), TEMPERATURE),
    (frozenset({"ph"}), PH),
    (frozenset({"dosat", "odosat", "dopct", "saturation", "osat"}), OXYGEN_SATURATION),
    (frozenset({"do", "odo", "oxygen", "dissolvedoxygen", "o2"}), DISSOLVED_OXYGEN),
    (frozenset({"cond", "ec", "spcond", "conductivity", "conductance", "sc", "leit", "spc"}),
     CONDUCTIVITY),
    (frozenset({"turb", "tur", "turbidity", "trueb", "ntu", "fnu"}), TURBIDITY),
    (frozenset({"redox", "orp", "eh"}), REDOX),
    (frozenset({"cl", "cl2", "clo2", "chlorine"}), CHLORINE),
    (frozenset({"level", "stage", "depth", "gage", "gauge", "height"}), LEVEL),
    (frozenset({"flow", "fm", "discharge", "q"}), FLOW),
)  # fmt: skip
_IN_ANOTHER_UNIT: Final[tuple[tuple[Limits, frozenset[str], Limits], ...]] = (
    (TEMPERATURE, frozenset({"f", "degf"}), FAHRENHEIT),
    (TEMPERATURE, frozenset({"k"}), ANYTHING),
    (PH, frozenset({"mv", "v"}), ANYTHING),
    (DISSOLVED_OXYGEN, frozenset({"%", "%sat", "sat%", "percent"}), OXYGEN_SATURATION),
    (DISSOLVED_OXYGEN, frozenset({"kg/m3", "g/l", "umol/l", "µmol/l", "umol/kg"}), ANYTHING),
)
_SITE_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def limits_for(column: str) -> Limits:
    """By the words of the column's name, the unit last: ``Water_Temp (C)``, ``DO %``, ``Cl_2``."""
    name = re.sub(r"[(\[].*", "", column)
    found = _by_words(name)
    said = column[len(name) :] or re.split(r"[\s_]", name.strip().replace("%", " %"))[-1]
    unit = re.sub(r"[^a-z0-9%/µ]", "", said.lower())
    for usual, units, other in _IN_ANOTHER_UNIT:
        if found is usual and unit in units:
            return other
    return found


def _by_words(name: str) -> Limits:
    whole = re.sub(r"[^a-z0-9]", "", name.lower())
    words = [word.lower() for word in _SITE_WORDS.findall(name)]
    for candidates in ([whole], words, [re.sub(r"\d+$", "", whole)]):
        for names, limits in _BY_WORD:
            if names.intersection(candidates):
                return limits
    return ANYTHING


def with_range(limits: Limits, low: float, high: float) -> Limits:
    """The same with a fail range of its own; a suspect range that it leaves behind goes."""
    suspect = limits.suspect
    if suspect is not None:
        suspect = (max(suspect[0], low), min(suspect[1], high))
        if suspect[0] > suspect[1] or not math.isfinite(suspect[0]):
            suspect = None
    return replace(limits, fail=(low, high), suspect=suspect)
