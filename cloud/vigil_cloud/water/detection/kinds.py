"""What a signal measures, and what that says about a sudden change of it. Pure.

A signal is known by its name, as makers and agencies write it; one that is not known counts as a
quality of the water whose changes mean something in both directions. Bounds of a calibration are
twice the correction triggers of USGS TM1-D3 (table 11: SC 3 %, DO 0.3 mg/L, pH 0.2, turbidity 5 %):
a probe that was let drift so far is corrected by about as much at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """What a jump of such a signal may be."""

    name: str
    rises: bool = True
    """A rise may come from a discharge."""
    falls: bool = True
    calibration: float = 0.0
    """A step of this size at most, in the signal's unit, may be a calibration."""
    calibration_share: float = 0.06
    """The same as a share of the value; the larger of the two counts."""
    empty: float | None = None
    """At or below this the probe is not in the water (or the cable is off)."""
    still: float | None = None
    """Within this of zero the value may stand still: freezing water, a scale that begins there."""
    rests_s: float = 6 * 3600.0
    """So long it may stand still and be alive: the stage of a river without rain, a day."""
    share_of: float = 0.0
    """A change below this share of the value is never a discharge."""
    share_alone: float = 0.0
    """The same where no other signal agrees."""
    accurate: float = 0.0
    """By less, in the signal's unit, a sensor may be off without anything being wrong with it: the
    correction triggers of TM1-D3."""
    accurate_share: float = 0.0
    """The same as a share of the value; the larger of the two counts."""
    rain: float = 0.0
    """By so much, in the signal's unit, rain may change it while it dilutes the water, and bring it
    back afterwards."""


TEMPERATURE: Final = Kind("temperature", rises=False, falls=False, still=0.5, accurate=0.2)
FLOW: Final = Kind("flow", rises=False, falls=False, still=0.0, rests_s=86400.0)
CONDUCTIVITY: Final = Kind(
    "conductivity",
    falls=False,
    empty=0.0,
    share_of=0.05,
    share_alone=0.15,
    accurate_share=0.03,
)
PH: Final = Kind("ph", calibration=0.3, calibration_share=0.0, empty=0.0, rain=0.3, accurate=0.2)
OXYGEN: Final = Kind("oxygen", rises=False, calibration=0.6, empty=0.0, rain=1.0, accurate=0.3)
TURBIDITY: Final = Kind(
    "turbidity",
    falls=False,
    calibration=1.0,
    calibration_share=0.1,
    still=0.0,
    accurate=0.5,
    accurate_share=0.05,
)
DISINFECTANT: Final = Kind("disinfectant", still=0.0)
OTHER: Final = Kind("other", still=0.0)

_NAMES: Final = (
    (
        TEMPERATURE,
        ("temp", "temperature", "wtemp", "watertemp", "tp", "tw", "水溫", "溫度", "degc"),
    ),
    (
        FLOW,
        (
            *("stage", "level", "waterlevel", "depth", "flow", "flowrate", "discharge", "q", "fm"),
            *("velocity", "水位", "流量", "流速"),
        ),
    ),
    (
        CONDUCTIVITY,
        (
            *("cond", "conductivity", "spcond", "sc", "ec", "ec25", "leit", "conductance"),
            *("specificconductance", "導電度", "電導度", "電導率"),
        ),
    ),
    (PH, ("ph", "酸鹼值", "氫離子濃度指數")),
    (OXYGEN, ("do", "odo", "oxygen", "dissolvedoxygen", "dox", "溶氧", "溶氧量")),
    (
        TURBIDITY,
        ("turb", "tur", "turbidity", "trueb", "fnu", "ntu", "濁度", "tss", "ss", "懸浮固體"),
    ),
    (
        DISINFECTANT,
        (
            *("cl", "cl2", "clo2", "chlorine", "freechlorine", "totalchlorine"),
            *("residualchlorine", "chlorinedioxide", "餘氯", "自由餘氯", "總餘氯", "二氧化氯"),
        ),
    ),
)
_BY_NAME: Final = {name: kind for kind, names in _NAMES for name in names}
_UNITS: Final = re.compile(r"[\s_(\[,;:./-]+")


def kind_of(name: str) -> Kind:
    """By the whole name, or by its longest beginning that is known: ``turbidity_FNU``, ``Fm_2``,
    ``水溫(°C)``, ``pH``."""
    words = [word for word in _UNITS.split(name.lower().strip()) if word]
    for count in range(len(words), 0, -1):
        if (kind := _BY_NAME.get("".join(words[:count]))) is not None:
            return kind
    return OTHER


def in_unit(kind: Kind, factor: float) -> Kind:
    """Where a signal's numbers are so many times those of the unit that its amounts are written
    in (oxygen: mg/L)."""
    amounts = ("calibration", "accurate", "rain")
    return replace(kind, **{name: getattr(kind, name) * factor for name in amounts})


def kinds_of(names: Sequence[str]) -> list[Kind]:
    """Of several."""
    return [kind_of(name) for name in names]
