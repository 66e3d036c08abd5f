"""What keys and values of fire alarms mean, in whatever spelling a converter gives them. Pure.

Source: the exposes of zigbee-herdsman-converters, where the same fact is called ``smoke``,
``smoke_state``, ``smoke_alarm_1`` or ``alarm_1``, and is true, "alarm", 1 or 255. Keys are
read by their parts and not by a list alone: a name that is not foreseen must not hide a fire.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, Final, Literal

from vigil_edge.smoke import chinese
from vigil_edge.smoke.phrases import (
    NEGATIVE,
    NOT_SAID,
    TEST,
    UNREADABLE,
    Meaning,
    read,
    snake_case,
    word_set,
)

Kind = Literal["smoke", "heat", "co", "gas"]
KINDS: Final[tuple[Kind, ...]] = ("smoke", "heat", "co", "gas")

_STATE: Final = (
    r"(?:_?(?:sensor|detector|alarm|state|status|detected|detection|detect|active|event|warning"
    r"|triggered|trigger|alert|presence|present|is))*"
)
_PLACE: Final = (
    r"(?:_?(?:l|ep|ch|s|zone|endpoint|channel)?_?\d{1,3}|_(?:left|right|top|bottom|center|main))?"
)
_SEPARATE_PLACE: Final = (
    r"(?:_(?:l|ep|ch|s|zone|endpoint|channel)?_?\d{1,3}|_(?:left|right|top|bottom|center|main))?"
)
_KEYS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("smoke", re.compile(rf"(?:is_)?(?:smoke|fire|flame){_STATE}{_PLACE}")),
    ("smoke", re.compile(rf"(?:linkage|interconnect)_?(?:smoke)?_?(?:alarm)?_?state{_PLACE}")),
    ("smoke", re.compile(rf"interconnect_?smoke(?:_?alarm)?{_PLACE}")),
    ("smoke", re.compile(rf"alarm_(?:smoke|fire){_PLACE}")),
    ("smoke", re.compile(rf"alarm(?:_?(?:state|status|active|triggered|event))*{_PLACE}")),
    ("heat", re.compile(rf"(?:is_)?(?:over_?heat|heat|high_?temperature_?alarm){_STATE}{_PLACE}")),
    # A digit right behind it would be CO2, which is no fire.
    ("co", re.compile(rf"(?:is_)?(?:co|carbon_?monoxide){_STATE}{_SEPARATE_PLACE}")),
    (
        "gas",
        re.compile(
            rf"(?:is_)?(?:(?:combustible_?|natural_?)?gas(?:_?leak(?:age)?)?|methane|ch4|lpg)"
            rf"{_STATE}{_PLACE}"
        ),
    ),
    *chinese.KEYS,
)
_AMBIGUOUS: Final = re.compile(
    r"(?:alarm(?:_?(?:state|status|active|triggered|event))*|linkage.*|heat|co|gas|methane|ch4|lpg)"
    rf"(?:_?(?:l|ep)?\d+)?|{chinese.AMBIGUOUS.pattern}"
)
"""Sirens, thermostats and gas meters use these words too."""
_MEASURED: Final = re.compile(rf"(?:co|gas|methane|ch4|lpg)(?:_.*)?|{chinese.MEASURED.pattern}")

_FAILED: Final = word_set("failure failed fail fails error err fault faulty bad broken ng nok")
_PASSED: Final = word_set("success successful succeeded ok okay pass passed good normal")
_LOUD: Final = word_set("alarm alarming detected fire smoke triggered")
_GENERAL: Final = chinese.GENERAL | word_set(
    "state status action event alarm_type siren_state device_status"
)
_SETTINGS: Final = word_set(
    "sensitivity density concentration value level threshold unit dbm ppm led indicator light sound"
    " volume ringtone melody time duration enable enabled silence silenced mute muted hush test"
    " tested testing buzzer calibration interval mode fault tamper battery life lifecycle supported"
    " siren linkage failure failed error chamber contamination fouled fouling dirtiness"
    " counter count number deactivation"
)
"""In a key these make it a setting or a measure, not a state."""
_MEASURES: Final = word_set("density concentration value level")
_SEVERE: Final = word_set("high critical danger dangerous emergency")
_NAMES: Final[dict[Kind, frozenset[str]]] = {
    "smoke": word_set("smoke smoky fire flame"),
    "co": word_set("co monoxide"),
    "heat": word_set("heat overheat"),
    "gas": word_set("gas leak"),
}
_CO_MEASURED: Final = re.compile(
    r"(?:co|carbon_?monoxide)_?(?:ppm|value|level|concentration|density)"
)
_TOO_HOT: Final = re.compile(
    r"(?:over|high)_?temp(?:erature)?(?:_?(?:alarm|state|status|detected))*"
)
_TEMPERATURE_ALARM: Final = re.compile(r"temp(?:erature)?_?alarm(?:_?(?:state|status))?")
_ABOVE: Final = word_set("upper high over max above")
_UNDER_WAY: Final = TEST | word_set("pressed running started progress pushed")
_NO_TEST: Final = word_set("released finished done complete completed passed stopped stop")
_SOUNDS: Final = word_set("ringtone melody sound mode test")
_ZONE_STATUS: Final = re.compile(r"(?:ias_)?zone_?status")
_DEEPEST: Final = 8
INSIDE: Final = ("state", "status", "value", "alarm", "detected", "active")
"""Where a value is an object, what it may be in."""


@lru_cache(maxsize=4096)
def kind_of(key: str) -> Kind | None:
    """What a key (as ``snake_case`` gives it) tells of, where it tells of a fire."""
    return next((kind for kind, pattern in _KEYS if pattern.fullmatch(key)), None)


def hints_at_fire(key: str, value: Any) -> bool:
    """A key that is not foreseen, but speaks of smoke or fire and says that there is some."""
    parts = set(key.split("_"))
    if not parts & {"smoke", "fire"} or kind_of(key) is not None:
        return False
    if not parts & _SETTINGS:
        said = meaning(value)
        if as_number(value) is not None:  # of others it may be a measure
            return as_number(value) in (1, 255)
        return said.fire is True and not said.muted
    if not isinstance(value, str) or parts & _SOUNDS:
        return False
    severe = set(snake_case(value).split("_")) & _SEVERE
    return bool(_loud(value) or (parts & _MEASURES and severe))


def said_in_general(key: str, value: Any) -> tuple[Kind, bool] | None:
    """``{"action": "smoke_alarm"}``: a key of any device, with a word that alarms use.

    Which kind it tells of, and whether only an alarm says it so.
    """
    if key not in _GENERAL or not isinstance(value, str):
        return None
    loud, kind = _loud(value), kind_in(value)
    if loud & {"smoke", "fire"}:
        return "smoke", True
    if kind is not None and (loud or (key == "alarm_type" and meaning(value).fire)):
        return kind, False
    return ("smoke", False) if loud & {"alarm", "alarming", "triggered"} else None


def kind_in(value: Any) -> Kind | None:
    """Which kind of fire a text names: ``"co_alarm"``."""
    if not isinstance(value, str):
        return None
    words = set(snake_case(value).split("_"))
    named = next((kind for kind, names in _NAMES.items() if words & names), None)
    return named or chinese.kind_in(value)


def _loud(text: str) -> set[str]:
    said = _word(text)
    if not said.fire or said.muted:
        return set()
    return set(snake_case(text).split("_")) & _LOUD | chinese.loud(text)


def is_plainly_fire(key: str) -> bool:
    """Whether only alarms use a key: what it says counts of a device of unknown kind."""
    return kind_of(key) is not None and _AMBIGUOUS.fullmatch(key) is None


def may_be_measured(key: str) -> bool:
    """``co`` and ``gas`` are a truth on some devices and a concentration on others."""
    return _MEASURED.fullmatch(key) is not None and kind_of(key) is not None


def is_any_alarm(key: str) -> bool:
    """Of a fire key of smoke: whether its value may say another kind."""
    return key.startswith("alarm") or chinese.AMBIGUOUS.fullmatch(key) is not None


def is_temperature(key: str, value: Any) -> bool:
    """``{"高溫": 31.5}``: so many degrees."""
    number = as_number(value)
    return number not in (None, 0, 1) and chinese.TEMPERATURES.fullmatch(key) is not None


def meaning(value: Any, depth: int = 0) -> Meaning:
    """What a value on a fire key says; numbers other than 0 are fire."""
    if value is None:
        return NOT_SAID
    if isinstance(value, bool):
        return Meaning(value)
    if isinstance(value, int | float):
        return UNREADABLE if math.isnan(value) else Meaning(value != 0)
    if isinstance(value, str):
        return _word(value)
    return _shape(value, depth + 1) if depth < _DEEPEST else UNREADABLE


def _shape(value: Any, depth: int) -> Meaning:
    """A list or an object (of pairs): fire if anything in it that is a state says so."""
    if isinstance(value, list):
        found = [meaning(inner, depth) for inner in value]
    else:
        pairs = [(snake_case(key), inner) for key, inner in getattr(value, "pairs", ())]
        found = [meaning(inner, depth) for key, inner in pairs if key in INSIDE]
        if not found and any(kind_of(key) is not None for key, _ in pairs):
            return NOT_SAID  # those keys are read by themselves
    if any(one.fire for one in found):
        return Meaning(True)
    readable = [one for one in found if one.readable and one.fire is not None]
    return Meaning(False) if found and len(readable) == len(found) else UNREADABLE


def _word(text: str) -> Meaning:
    number = as_number(text)
    return read(text) if number is None else Meaning(number != 0)


def is_co_measured(key: str) -> bool:
    """A concentration beside the truth: ``co_ppm``."""
    return _CO_MEASURED.fullmatch(key) is not None


def heat_in_temperature(key: str, value: Any) -> bool | None:
    """``high_temperature`` or ``temperature_alarm``; a number there is a limit that was set."""
    if as_number(value) is not None or value is None:
        return None
    if _TOO_HOT.fullmatch(key):
        return meaning(value).fire
    if not _TEMPERATURE_ALARM.fullmatch(key):
        return None
    if isinstance(value, str):
        return bool(set(snake_case(value).split("_")) & _ABOVE) or snake_case(value).startswith(
            "upper"
        )
    return value if isinstance(value, bool) else None


def test_runs(value: Any) -> bool | None:
    """Whether a self test is under way; ``None`` where it cannot be read."""
    if isinstance(value, str) and as_number(value) is None:
        known = set(snake_case(value).split("_"))
        if known & NEGATIVE:
            return False if known & _UNDER_WAY else None
        if known & _NO_TEST:
            return False
        if known & _UNDER_WAY:
            return True
        if meaning(value).test:  # 測試中
            return True
    return truth(value)


def truth(value: Any) -> bool | None:
    """Of a key that is no fire key; ``None`` where it cannot be read."""
    said = meaning(value)
    return said.fire if said.readable and not said.test else None


def failed(value: Any) -> bool | None:
    """Of the result of a self test, or of a fault that is told in words."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    known = set(snake_case(value).split("_"))
    if known & _FAILED:
        return not known & NEGATIVE
    return False if known & _PASSED else None


def as_number(value: Any) -> float | None:
    """Of a number, or a text that is one (a percent sign is read over); ``None`` else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if not isinstance(value, str) or not re.fullmatch(
        r"\s*[+-]?\d{1,30}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,3})?\s*%?\s*", value, re.ASCII
    ):
        return None
    return float(value.replace("%", ""))


def zone_status(key: str, value: Any) -> Meaning | None:
    """The bits of ZCL 8.2.2.2.1.3 (an IAS zone) as they came: alarm 1 and 2, and a test."""
    if not _ZONE_STATUS.fullmatch(key) or isinstance(value, bool):
        return None
    try:
        bits = int(value, 0) if isinstance(value, str) else int(as_number(value) or 0)
    except (ValueError, OverflowError):
        return None
    return Meaning(bool(bits & 0b11), test=bool(bits & 0x100))
