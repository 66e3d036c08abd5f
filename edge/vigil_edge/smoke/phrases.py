"""What a text on a fire key says: words with what denies or ends them, clause by clause. Pure.

Devices and bridges put whole labels there ("Smoke detected (location not provided)", "alarm
not cleared"). A "not", an "off" or a "normal" counts for the word that it stands beside, and
not for the whole text: what is said of a location or a battery must not hide a fire.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from vigil_edge.smoke import chinese


def word_set(words: str) -> frozenset[str]:
    """Of words set apart by spaces."""
    return frozenset(words.split())


LONGEST: Final = 120
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINT: Final = re.compile(r"[^0-9a-z\u0080-\uffff]+")
_ARROW: Final = re.compile(r"[-=]+>|→")
_CLAUSES: Final = re.compile(r"[;,|()\[\]\n，；、。（）]")

KIND_WORDS: Final = word_set("smoke smoky fire flame co monoxide heat overheat gas leak")
FIRE: Final = (
    word_set(
        "true yes y t on 1 alarm alarms alarming alarmed alert alerting burning leaking"
        " detected detect detection active activated triggered trigger present warning critical"
        " emergency danger dangerous abnormal high ja oui si sí да"
    )
    | KIND_WORDS
)
CLEAR: Final = word_set(
    "false no n f off 0 normal clear cleared ok okay idle inactive safe standby good undetected"
    " quiet ready working work absent deactivated ended over clean free"
)
_ENDS: Final = word_set("false off normal clear cleared inactive deactivated ended over idle free")
"""Beside a word of fire: "alarm_cleared", "alarm off"."""
NEGATIVE: Final = word_set("no not non none without un never isnt isn wasn")
MUTED: Final = word_set("silent silence silenced mute muted muting hush hushed muffled muffling")
TEST: Final = word_set("test testing tested selftest")
UNKNOWN: Final = word_set(
    "unknown unavailable undefined null none nan detecting checking preheat preheating initializing"
    " initialising warmup warming warm up preparation preparing starting"
)
_FILLERS: Final = word_set(
    "a an any been is in the yet currently has have was now back to of all state status condition"
    " signal sensor detector event"
)
"""Between a word and what denies or ends it."""


class Meaning(NamedTuple):
    """Of a value on a fire key. ``fire`` is ``None`` where it is not said."""

    fire: bool | None
    test: bool = False
    muted: bool = False
    readable: bool = True


NOT_SAID: Final = Meaning(None)
UNREADABLE: Final = Meaning(None, readable=False)
_LABELS: Final[Mapping[chinese.Said, Meaning]] = {
    "fire": Meaning(True),
    "clear": Meaning(False),
    "muted": Meaning(True, muted=True),
    "test": Meaning(None, test=True),
    "unknown": NOT_SAID,
}
_ENGLISH: Final[Mapping[chinese.Said | None, str]] = {
    "fire": "alarm",
    "clear": "normal",
    "muted": "muted",
    "test": "test",
    "unknown": "unknown",
}
"""Beside words that are not Chinese: "警報 2"."""


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """``smokeAlarm-1`` → ``smoke_alarm_1``; of a long text the beginning."""
    name = name[:LONGEST]
    return _JOINT.sub("_", _CAMEL.sub("_", name.strip()).lower()).strip("_")


def read(text: str) -> Meaning:
    """A text that is no number: fire if any of its clauses says so."""
    if len(text) > LONGEST:
        return UNREADABLE
    text = _ARROW.split(text)[-1]  # "normal -> alarm": how it is now
    found = [
        _clause(clause)
        for part in _CLAUSES.split(text.replace("'", ""))
        if (clause := snake_case(part))
    ]
    if not found:
        return UNREADABLE
    test = any(one.test for one in found)
    if any(one.fire for one in found):
        return Meaning(True, test, any(one.muted for one in found))
    if test:
        return Meaning(None, test=True)
    if not all(one.readable for one in found):
        return UNREADABLE
    return Meaning(False) if any(one.fire is False for one in found) else NOT_SAID


def _clause(clause: str) -> Meaning:
    parts = [piece for part in clause.split("_") for piece in chinese.parted(part)]
    labels = [chinese.read([part]) for part in parts]
    label = chinese.read(parts)
    if label is not None and not (label == "clear" and _are_two(parts, labels)):
        return _LABELS[label]
    if any(labels) and (found := _several(parts, labels)) is not None:
        return found
    return _in_english([_word_of(part, label) for part, label in zip(parts, labels, strict=True)])


def _in_english(parts: Sequence[str]) -> Meaning:
    known = set(parts)
    if known and known <= UNKNOWN:
        return NOT_SAID
    said, denied = _denied(parts)
    if said & TEST:
        return Meaning(None, test=True)
    if denied & CLEAR:  # "not_normal", "alarm not cleared"
        return Meaning(True)
    if said & MUTED:  # an alarm is silenced while it sounds
        return Meaning(True, muted=True)
    fire = said & FIRE
    if denied & FIRE:  # "no_smoke", "not detected"; but not "no CO, smoke"
        another = denied & KIND_WORDS and fire & KIND_WORDS
        return Meaning(bool(another))
    if fire:
        return Meaning(not _is_ended(parts))
    if said & CLEAR and known <= CLEAR | NEGATIVE | _FILLERS:
        return Meaning(False)
    return UNREADABLE


def _word_of(part: str, label: chinese.Said | None) -> str:
    kind = label == "fire" and chinese.kind_in(part)
    return "smoke" if kind else _ENGLISH.get(label, part)


def _are_two(parts: Sequence[str], labels: Sequence[chinese.Said | None]) -> bool:
    """Whether a whole denial and a fire behind it (無煙霧 警報) only look like one label."""
    if "clear" not in labels:
        return False
    at = labels.index("clear")
    if "fire" not in labels[at:]:
        return False
    return chinese.kind_in(parts[at]) is not None or labels.count("fire") > 1


def _several(parts: Sequence[str], labels: Sequence[chinese.Said | None]) -> Meaning | None:
    """Of more than one thing, one of which is well or under test ("電池:正常 煙霧:警報"): never
    clear, as nobody knows what the "normal" is said of. ``None`` where it is of one thing."""
    words = [
        (part, _unit(part, label))
        for part, label in zip(parts, labels, strict=True)
        if part not in _FILLERS
    ]
    units = [unit for _, unit in words]
    if not {"clear", "test"} & set(labels) and not (
        "fire" in labels and {"clear", "not"} & {*units}
    ):
        return None
    if "fire" not in units:
        reset = labels.count("clear") == 2 and any(map(chinese.denies, parts))  # 復歸:無
        unclear = reset or units[-1] == "not" or "test" in labels
        return UNREADABLE if unclear or len(parts) > 2 else None
    if len(words) == 2 and _is_of_one(*words[0], *words[1]):
        return None
    return Meaning(True) if _is_loud(units) else UNREADABLE


def _unit(part: str, label: chinese.Said | None) -> str | None:
    if label is not None:
        return label
    if part in FIRE:
        return "fire"
    return "not" if part in NEGATIVE else "clear" if part in _ENDS else None


def _is_of_one(first: str, said: str | None, last: str, then: str | None) -> bool:
    """Of two words, whether one denies the other: "無 CO", "CO: 正常", "警報 off"."""
    if said == "fire":
        of_kind = first in KIND_WORDS and chinese.kind_in(last) is None
        return then in ("clear", "not") and (of_kind or last.isascii())
    return said == "not" or (last in KIND_WORDS and chinese.denies(first))


def _is_loud(units: Sequence[str | None]) -> bool:
    """Whether there is a fire that nothing beside it denies."""
    ended = False
    for unit, before in zip(reversed(units), [*reversed(units[:-1]), None], strict=True):
        if unit != "fire":
            ended = unit in ("clear", "not")
        elif not ended and before != "not":
            return True
    return False


def _denied(parts: Sequence[str]) -> tuple[set[str], set[str]]:
    """Words that are said, and those that a word before them denies.

    A "no" with nothing behind it denies what stands before it ("smoke: no").
    """
    said: set[str] = set()
    denied: set[str] = set()
    pending = False
    for part in parts:
        if part in NEGATIVE:
            pending = True
            if part in CLEAR:
                said.add(part)
        elif part in _FILLERS:
            said.add(part)
        else:
            (denied if pending else said).add(part)
            pending = False
    if pending and said & FIRE:
        return said - FIRE, denied | said & FIRE
    return said, denied


def _is_ended(parts: Sequence[str]) -> bool:
    """Whether a word of an end stands beside one of fire: "alarm is off", not "battery off"."""
    words = [part for part in parts if part not in _FILLERS]
    return any(
        {one in _ENDS, other in _ENDS} == {True, False}
        and (one in FIRE or other in FIRE)
        and one != "over"  # "over_smoke" is too much of it, "smoke_over" its end
        for one, other in itertools.pairwise(words)
    )
