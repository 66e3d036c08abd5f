"""How a domain's alarms are read where they do not keep the contract.

On the alarm lane nothing true is refused: what cannot be read whole is read leniently by the
domain whose alarm it is (``AlarmReading.read``). Ingest finds the messages in a payload, decides
whose each is, and gives the domain what stood in it (``DamagedAlarm``). What is the same for all
domains (a word that may mean yes, a time, a field that is unsound) is here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from vigil_schemas.types import Model, UtcDatetime

_ON: Final = frozenset({"true", "on", "yes", "active", "alarm", "detected", "1"})
_OFF: Final = frozenset({"false", "off", "no", "inactive", "cleared", "0"})
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(UtcDatetime)
_Alarm = TypeVar("_Alarm", bound=Model)


@dataclass(frozen=True, slots=True)
class DamagedAlarm:
    """One alarm as far as ingest could make it out. A domain changes ``values`` as it likes and
    adds to ``doubts`` whatever it guessed or left out."""

    type: str | None
    """Its event type; ``None`` where it has none that is text."""
    values: dict[str, Any]
    """Keys and values of its data, as they stood."""
    text: str
    """Where no JSON could be read: what stood there. Else empty."""
    made_up: str
    """Names this alarm and no other; the same where the same message comes again."""
    received: datetime
    doubts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmReading:
    """How the alarms of one domain's contract are known and read."""

    read: Callable[[DamagedAlarm], Model]
    """The alarm that it most probably is, and of two that it may be the more dangerous one; a
    model of the contract. Raises where nothing can be made of it: then it is a dead letter, which
    is an alert itself."""
    keys: frozenset[str]
    """Data that holds one of these is an alarm of this domain, whatever its event type says."""
    signs: re.Pattern[str] | None = None
    """By these words a text that is no JSON is one, too."""
    anything: bool = False
    """What nobody else's keys or signs explain counts as one of this domain's. Of one domain."""
    names: tuple[str, ...] = ()
    """Fields that name something: what cannot be printed is no name."""
    says: tuple[str, ...]
    """Fields that make another fact of it, where a gateway uses an event id twice."""
    further: tuple[str, ...] = ()
    """Fields that do so where they are there: what is told of an alarm that goes on."""


def truth(value: Any) -> bool | None:
    """What a value says of yes and no; ``None`` where it says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0  # NaN is not nothing
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _ON else False if word in _OFF else None
    return None


def time_of(said: Any) -> datetime | None:
    """A time that the contract would take, else ``None``."""
    try:
        return _TIME.validate_python(said)
    except ValidationError:
        return None


def name_of(alarm: DamagedAlarm, field: str, *, shortest: int = 8, longest: int = 64) -> str:
    """What the alarm is called. A made-up name is that of this message alone: one that came again
    with the next alarm would be taken for the one that is over."""
    name = alarm.values.get(field)
    if isinstance(name, str) and shortest <= len(name) <= longest and name.isprintable():
        return name
    alarm.doubts.append(f"data.{field}: none that can be read")
    long = isinstance(name, str) and len(name) > longest
    return (
        hashlib.sha256(str(name).encode(errors="replace")).hexdigest()[:longest]
        if long
        else alarm.made_up
    )


def without_faults(model: type[_Alarm], values: dict[str, Any], doubts: list[str]) -> _Alarm:
    """The model of what is sound: a field that is unknown or out of range costs itself only.

    Raises ``ValidationError`` where what is left does not make one.
    """
    while True:
        try:
            return model.model_validate_json(
                to_json(values, inf_nan_mode="constants", fallback=str), strict=True
            )
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            unsound = {str(fault["loc"][0]): fault["msg"] for fault in faults}
            if not unsound.keys() & values.keys():
                raise
            doubts += [
                f"data.{name}: {values.pop(name)!r}: {unsound[name]}"[:200]
                for name in sorted(unsound.keys() & values.keys())
            ]
