"""What to expect of a signal of which only the column's name is known, for replaying recordings.

Fail ranges are what the sensors of the trade can report at all; suspect ranges are
what surface, drinking and drainage water shows. They are wide on purpose: a canal with
a discharge in it is what Vigil is there to see. On a configured sonde the settings decide.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace
from functools import cache
from typing import Final

from vigil_schemas.recordings.limits import UNLIMITED, Limits

_HALF_DAY: Final = 43_200.0
_DAY: Final = 86_400.0

TEMPERATURE: Final = Limits(
    (-5.0, 50.0), (-0.5, 40.0), spike_floor=0.6, flat_s=_HALF_DAY, still=(-0.1, 0.1)
)
FAHRENHEIT: Final = Limits(
    (23.0, 122.0), (31.0, 104.0), spike_floor=1.1, flat_s=_HALF_DAY, still=(31.8, 32.2)
)
KELVIN: Final = Limits(
    (268.15, 323.15), (272.65, 313.15), spike_floor=0.6, flat_s=_HALF_DAY, still=(273.05, 273.25)
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
OXYGEN_DEMAND: Final = Limits(
    (-5.0, 100_000.0), (-0.5, 5_000.0), spike_floor=20.0, spike_floor_share=1.0, flat_s=_DAY,
    flat_above=0.0,
)  # fmt: skip
SOLIDS: Final = Limits(
    (-5.0, 200_000.0), (-0.5, 20_000.0), spike_floor=20.0, spike_floor_share=1.0, flat_s=_DAY,
    flat_above=0.0,
)  # fmt: skip
AMMONIA: Final = Limits(
    (-0.5, 10_000.0), (-0.1, 500.0), spike_floor=0.5, spike_floor_share=0.5, flat_s=_DAY,
    flat_above=0.0,
)  # fmt: skip
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
    (frozenset({"cod", "bod", "codcr", "toc"}), OXYGEN_DEMAND),
    (frozenset({"ss", "tss", "solids"}), SOLIDS),
    (frozenset({"nh3", "nh4", "nh3n", "nh4n", "ammonia", "ammonium"}), AMMONIA),
    (frozenset({"level", "stage", "depth", "gage", "gauge", "height"}), LEVEL),
    (frozenset({"flow", "fm", "discharge", "q"}), FLOW),
)  # fmt: skip
_IN_CHINESE: Final[tuple[tuple[str, Limits], ...]] = (
    ("氧化還原", REDOX), ("氧化还原", REDOX), ("化學需氧", OXYGEN_DEMAND),
    ("化学需氧", OXYGEN_DEMAND), ("生化需氧", OXYGEN_DEMAND), ("生物需氧", OXYGEN_DEMAND),
    ("飽和", OXYGEN_SATURATION), ("饱和", OXYGEN_SATURATION), ("溶氧", DISSOLVED_OXYGEN),
    ("溶解氧", DISSOLVED_OXYGEN), ("酸鹼", PH), ("酸碱", PH), ("氫離子", PH),
    ("导电", CONDUCTIVITY),
    ("電導", CONDUCTIVITY), ("电导", CONDUCTIVITY), ("導電", CONDUCTIVITY), ("濁度", TURBIDITY),
    ("浊度", TURBIDITY), ("懸浮", SOLIDS), ("悬浮", SOLIDS), ("氨氮", AMMONIA), ("餘氯", CHLORINE),
    ("余氯", CHLORINE), ("氣溫", ANYTHING), ("气温", ANYTHING), ("水溫", TEMPERATURE),
    ("水温", TEMPERATURE), ("溫度", TEMPERATURE), ("温度", TEMPERATURE), ("水位", LEVEL),
    ("水深", LEVEL), ("液位", LEVEL), ("流量", FLOW),
)  # fmt: skip
"""By a part of the name, the more special first."""
_BY_CODE: Final = {
    **{"00010": TEMPERATURE, "00011": FAHRENHEIT, "00060": FLOW, "00065": LEVEL, "00090": REDOX},
    **{"00095": CONDUCTIVITY, "00300": DISSOLVED_OXYGEN, "00301": OXYGEN_SATURATION},
    **{"00400": PH, "63680": TURBIDITY, "63675": TURBIDITY, "00076": TURBIDITY},
}
"""Parameter codes of the USGS, as its column names carry them: ``100001_00300``."""

_MILLIGRAMS: Final = {
    **dict.fromkeys(("mg/l", "ppm", "g/m3", "mg/dm3"), 1.0),
    **{"g/l": 1e-3, "kg/m3": 1e-3, "ug/l": 1e3, "μg/l": 1e3, "ppb": 1e3, "mg/m3": 1e3},
}
_UNITS: Final[dict[int, tuple[dict[str, float], dict[str, Limits]]]] = {
    id(TEMPERATURE): (
        dict.fromkeys(("c", "degc", "cel", "celsius", "oc"), 1.0),
        {"f": FAHRENHEIT, "degf": FAHRENHEIT, "k": KELVIN},
    ),
    id(PH): (dict.fromkeys(("ph", "phunits", "su", "units", "unit"), 1.0), {}),
    id(DISSOLVED_OXYGEN): (
        _MILLIGRAMS
        | {"umol/l": 31.25, "μmol/l": 31.25, "umol/kg": 31.25, "mmol/m3": 31.25, "ml/l": 0.7},
        dict.fromkeys(("%", "%sat", "sat%", "percent", "pct", "sat", "%airsat"), OXYGEN_SATURATION),
    ),
    id(CONDUCTIVITY): (
        dict.fromkeys(("us/cm", "μs/cm", "umho/cm", "μmho/cm", "umhos/cm", "μmhos/cm"), 1.0)
        | dict.fromkeys(("ms/cm", "ds/m", "mmho/cm", "mmhos/cm"), 1e-3)
        | {"ms/m": 0.1, "s/m": 1e-4, "s/cm": 1e-6},
        {},
    ),
    id(TURBIDITY): (dict.fromkeys(("ntu", "fnu", "ftu", "fbu", "fau", "jtu", "fnmu"), 1.0), {}),
    id(REDOX): ({"mv": 1.0, "v": 1e-3}, {}),
    **{id(limits): (_MILLIGRAMS, {}) for limits in (CHLORINE, OXYGEN_DEMAND, SOLIDS, AMMONIA)},
}
"""By parameter: factors from the unit that its limits are in, and units with their own."""
_OTHER_UNITS: Final = frozenset(
    {"m", "cm", "mm", "ft", "m3/s", "l/s", "cfs", "cms", "v", "mv", "a", "ma", "psu", "ppt", "rfu"}
)
_KNOWN_UNITS: Final = _OTHER_UNITS.union(
    *(set(factors) | set(others) for factors, others in _UNITS.values())
)
_SITE_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def limits_for(column: str, unit: str | None = None) -> Limits:
    """By the words of the column's name, the unit last: ``Water_Temp (C)``, ``DO %``, ``水溫(℃)``.

    ``unit`` is what a row of units says of it; the name's own goes first.
    """
    found = _by_name(column)
    return _in_unit(found, stated_unit(column) or unit_in(unit or ""))


def stated_unit(column: str) -> str:
    """The unit in a column's name, in lower case without blanks; nothing where there is none."""
    plain = _plain(column)
    name = re.sub(r"[(\[].*", "", plain).strip()
    bracketed = unit_in(plain[len(name) :])
    if bracketed in _KNOWN_UNITS:
        return bracketed
    words = [word for word in re.split(r"[\s_,]+", name.replace("%", " %")) if word]
    for count in (2, 1):
        last = unit_in("".join(words[-count:]))
        if len(words) > count and last in _KNOWN_UNITS:
            return last
    return last if words[1:] and (last := unit_in(words[-1])) == "%" else ""


def unit_in(text: str) -> str:
    """A unit as it is looked up: ``[µS/cm]`` is ``μs/cm``."""
    return re.sub(r"[^a-z0-9%/μ]", "", _plain(text).lower())


def doubtful_unit(column: str, unit: str | None) -> str | None:
    """A known unit in which this column's parameter is never given."""
    said = stated_unit(column) or unit_in(unit or "")
    found = _by_name(column)
    known = _UNITS.get(id(found))
    if known is None or said not in _KNOWN_UNITS or said in known[0] or said in known[1]:
        return None
    return said


def _in_unit(found: Limits, unit: str) -> Limits:
    known = _UNITS.get(id(found))
    if known is None or not unit:
        return found
    factors, others = known
    if unit in others:
        return others[unit]
    if unit in factors:
        return _scaled(found, factors[unit])
    return ANYTHING if unit in _KNOWN_UNITS else found


@cache
def _scaled(limits: Limits, factor: float) -> Limits:
    """The same limits in a unit ``factor`` times as numerous."""
    if factor == 1.0:
        return limits
    fail, suspect = limits.fail, limits.suspect
    return replace(
        limits,
        fail=fail and (fail[0] * factor, fail[1] * factor),
        suspect=suspect and (suspect[0] * factor, suspect[1] * factor),
        spike_floor=limits.spike_floor * factor,
    )


def _by_name(column: str) -> Limits:
    plain = _plain(column)
    code = re.search(r"(?:^|_)(\d{5})(?:_\d{5})?$", plain)
    if code is not None and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    name = re.sub(r"[(\[].*", "", plain)
    for part, limits in _IN_CHINESE:
        if part in name:
            return limits
    return _by_words(name)


def _by_words(name: str) -> Limits:
    whole = re.sub(r"[^a-z0-9]", "", name.lower())
    words = [word.lower() for word in _SITE_WORDS.findall(name)]
    for candidates in ([whole], words, [re.sub(r"\d+$", "", whole)]):
        for names, limits in _BY_WORD:
            if names.intersection(candidates):
                return limits
    return ANYTHING


def _plain(text: str) -> str:
    """With full-width letters and one-character units (℃, ㎎) made plain ones; ° goes."""
    return unicodedata.normalize("NFKC", text).replace("°", "")


def with_range(limits: Limits, low: float, high: float) -> Limits:
    """The same with a fail range of its own; a suspect range that it leaves behind goes."""
    suspect = limits.suspect
    if suspect is not None:
        suspect = (max(suspect[0], low), min(suspect[1], high))
        if suspect[0] > suspect[1] or not math.isfinite(suspect[0]):
            suspect = None
    return replace(limits, fail=(low, high), suspect=suspect)
