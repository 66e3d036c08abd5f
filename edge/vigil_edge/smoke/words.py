"""What keys and values of fire alarms mean, in whatever spelling a converter gives them. Pure.

Source: the exposes of zigbee-herdsman-converters, where the same fact is called ``smoke``,
``smoke_state``, ``smoke_alarm_1`` or ``alarm_1``, and is true, "alarm", 1 or 255. Keys are
read by their parts and not by a list alone: a name that is not foreseen must not hide a fire.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


Kind = Literal["smoke", "heat", "co", "gas"]
KINDS: Final[tuple[Kind, ...]] = ("smoke", "heat", "co", "gas")

_STATE: Final = (
    r"(?:_?(?:sensor|detector|alarm|state|status|detected|detection|detect|active|event|warning"
    r"|triggered|alert))*"
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
    ("smoke", re.compile(rf"alarm(?:_?(?:state|status|active|triggered|event))*{_PLACE}")),
    ("heat", re.compile(rf"(?:is_)?(?:over_?heat|heat|high_?temperature_?alarm){_STATE}{_PLACE}")),
    # A digit right behind it would be CO2, which is no fire.
    ("co", re.compile(rf"(?:is_)?(?:co|carbon_?monoxide){_STATE}{_SEPARATE_PLACE}")),
    (
        "gas",
        re.compile(rf"(?:is_)?(?:combustible_?|natural_?)?gas(?:_?leak(?:age)?)?{_STATE}{_PLACE}"),
    ),
)
_AMBIGUOUS: Final = re.compile(
    r"(?:alarm(?:_?(?:state|status|active|triggered|event))*|linkage.*|heat|co|gas)"
    r"(?:_?(?:l|ep)?\d+)?"
)
"""Sirens, thermostats and gas meters use these words too."""
_MEASURED: Final = re.compile(r"(?:co|gas)(?:_.*)?")

_FIRE: Final = _set(
    "true yes y t on 1 alarm alarms alarming alarmed alert alerting smoke smoky fire flame burning"
    " heat overheat co gas leak leaking monoxide detected detect detection active activated"
    " triggered trigger present warning critical emergency danger dangerous abnormal high"
    " 警報 警报 報警 报警 火警 告警 有煙 有烟 煙霧 烟雾"
)
_CLEAR: Final = _set(
    "false no n f off 0 normal clear cleared ok okay idle inactive safe standby good undetected"
    " quiet ready working work absent deactivated ended over 正常 無煙 无烟"
)
_ENDS: Final = _set("false off normal clear cleared inactive deactivated ended over idle")
"""Beside a word of fire: "alarm_cleared", "alarm off"."""
_NEGATIVE: Final = _set("no not non without un never isnt")
_MUTED: Final = _set("silent silence silenced mute muted muting hush hushed muffled muffling")
_TEST: Final = _set("test testing tested selftest")
_UNKNOWN: Final = _set(
    "unknown unavailable undefined null none nan detecting checking preheat preheating initializing"
    " initialising warmup"
)
_FAILED: Final = _set("failure failed fail fails error err fault faulty bad broken")
_PASSED: Final = _set("success successful succeeded ok okay pass passed good normal")
_LOUD: Final = _set("alarm alarming detected fire smoke triggered 火警")
_GENERAL: Final = _set("state status action event alarm_type")
_SETTINGS: Final = _set(
    "sensitivity density concentration value level threshold unit dbm ppm led indicator light sound"
    " volume ringtone melody time duration enable enabled silence silenced mute muted hush test"
    " tested testing buzzer calibration interval mode fault tamper battery life lifecycle supported"
    " siren linkage"
)
"""In a key these make it a setting or a measure, not a state."""
_SOUNDS: Final = _set("ringtone melody sound mode test")
_LONGEST: Final = 120
_DEEPEST: Final = 8
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINT: Final = re.compile(r"[^0-9a-z\u0080-\uffff]+")


class Meaning(NamedTuple):
    """Of a value on a fire key. ``fire`` is ``None`` where it is not said."""

    fire: bool | None
    test: bool = False
    muted: bool = False
    readable: bool = True


_NOT_SAID: Final = Meaning(None)
_UNREADABLE: Final = Meaning(None, readable=False)
INSIDE: Final = ("state", "status", "value", "alarm", "detected", "active")
"""Where a value is an object, what it may be in."""


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """``smokeAlarm-1`` → ``smoke_alarm_1``; of a long text the beginning."""
    name = name[:_LONGEST]
    return _JOINT.sub("_", _CAMEL.sub("_", name.strip()).lower()).strip("_")


@lru_cache(maxsize=4096)
def kind_of(key: str) -> Kind | None:
    """What a key (as ``plain`` gives it) tells of, where it tells of a fire."""
    return next((kind for kind, pattern in _KEYS if pattern.fullmatch(key)), None)


def hints_at_fire(key: str, value: Any) -> bool:
    """A key that is not foreseen, but speaks of smoke or fire and says that there is some."""
    parts = set(key.split("_"))
    if not parts & {"smoke", "fire"} or kind_of(key) is not None:
        return False
    if isinstance(value, str):
        return not parts & _SOUNDS and bool(_loud(value))
    return value is True and not parts & _SETTINGS


def is_said_in_general(key: str, value: Any) -> bool:
    """``{"action": "smoke_alarm"}``: a key of any device, and a word that only alarms use."""
    return key in _GENERAL and isinstance(value, str) and bool(_loud(value) & {"smoke", "fire"})


def _loud(text: str) -> set[str]:
    said = _word(text)
    return set(plain(text).split("_")) & _LOUD if said.fire and not said.muted else set()


def is_plainly_fire(key: str) -> bool:
    """Whether only alarms use a key: what it says counts of a device of unknown kind."""
    return kind_of(key) is not None and _AMBIGUOUS.fullmatch(key) is None


def may_be_measured(key: str) -> bool:
    """``co`` and ``gas`` are a truth on some devices and a concentration on others."""
    return _MEASURED.fullmatch(key) is not None and kind_of(key) is not None


def meaning(value: Any, depth: int = 0) -> Meaning:
    """What a value on a fire key says; numbers other than 0 are fire."""
    if value is None:
        return _NOT_SAID
    if isinstance(value, bool):
        return Meaning(value)
    if isinstance(value, int | float):
        return _UNREADABLE if math.isnan(value) else Meaning(value != 0)
    if isinstance(value, str):
        return _word(value)
    return _shape(value, depth + 1) if depth < _DEEPEST else _UNREADABLE


def _shape(value: Any, depth: int) -> Meaning:
    """A list or an object (of pairs): fire if anything in it that is a state says so."""
    if isinstance(value, list):
        found = [meaning(inner, depth) for inner in value]
    else:
        pairs = [(plain(key), inner) for key, inner in getattr(value, "pairs", ())]
        found = [meaning(inner, depth) for key, inner in pairs if key in INSIDE]
        if not found and any(kind_of(key) is not None for key, _ in pairs):
            return _NOT_SAID  # those keys are read by themselves
    if any(one.fire for one in found):
        return Meaning(True)
    readable = [one for one in found if one.readable and one.fire is not None]
    return Meaning(False) if found and len(readable) == len(found) else _UNREADABLE


def _word(text: str) -> Meaning:
    if len(text) > _LONGEST:
        return _UNREADABLE
    number = as_number(text)
    if number is not None:
        return Meaning(number != 0)
    parts = plain(text).split("_")
    if parts == [""]:
        return _UNREADABLE
    known = set(parts)
    if known <= _UNKNOWN:
        return _NOT_SAID
    if known & _TEST:
        return Meaning(None, test=True)
    negative, fire, clear = known & _NEGATIVE, known & _FIRE, known & _CLEAR
    if known & _MUTED and not negative:  # an alarm is silenced while it sounds
        return Meaning(True, muted=True)
    if fire and (negative or known & _ENDS):  # "no_smoke", "not detected", "alarm_cleared"
        return Meaning(False)
    if fire:
        return Meaning(True)
    if clear - negative and negative:  # "not_normal"
        return Meaning(True)
    if clear and known <= _CLEAR | _NEGATIVE:
        return Meaning(False)
    return _UNREADABLE


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
    known = set(plain(value).split("_"))
    if known & _FAILED:
        return not known & _NEGATIVE
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
