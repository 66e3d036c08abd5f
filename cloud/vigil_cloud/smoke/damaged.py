"""What can still be read of a smoke alarm that does not keep the contract.

What cannot be read counts as the more dangerous of the two things that it may mean. Where not
even a condition can be read, the alarm is ``unreadable``, possibly a fire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from vigil_cloud.domain.alarms import (
    AlarmReading,
    DamagedAlarm,
    name_of,
    time_of,
    truth,
    without_faults,
)
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1, SmokeCondition

_DANGERS: Final = ("smoke", "fire", "flame", "heat", "co", "carbon_monoxide", "gas")
_CONDITIONS: Final[frozenset[str]] = frozenset(get_args(SmokeCondition))
_CONDITIONS_V1: Final = frozenset(get_args(SmokeAlarmV1.model_fields["condition"].annotation))
_SYNONYMS: Final = {"fire": "smoke", "flame": "smoke", "carbon_monoxide": "co"}
_SIGN: Final = re.compile(r"smoke|fire|flame|\bheat\b|carbon_monoxide|\bco\b", re.IGNORECASE)


def read(alarm: DamagedAlarm) -> SmokeAlarm | SmokeAlarmV1:
    """The alarm as far as it was understood."""
    values, doubts = alarm.values, alarm.doubts
    condition, raw = _condition(alarm)
    since = time_of(values.get("since"))
    if since is None:
        doubts.append("data.since: no time that can be read")
    values |= {
        "alarm_id": name_of(alarm, "alarm_id"),
        "condition": condition,
        "active": _active(values, doubts),
        "since": since or alarm.received,
    }
    if raw is not None:
        values["raw"] = raw
    _sound_signs(values, doubts)
    if alarm.type == SmokeAlarmV1.TYPE and condition in _CONDITIONS_V1:
        return without_faults(SmokeAlarmV1, values, doubts)  # so that a test stays a test
    return without_faults(SmokeAlarm, values, doubts)


READING: Final = AlarmReading(
    read=read,
    keys=frozenset({"condition", "alarm_id", *_DANGERS}),
    signs=_SIGN,
    anything=True,  # of all that an alarm may be, a fire is the most dangerous
    names=("alarm_id",),
    # What makes it another fact; a name that is drawn anew for the same one does not.
    says=("condition", "active", "since"),
    # Told again under the same name, and perhaps under the same id: heat calls 119 at once.
    further=("signs", "rises", "during_test", "unconfirmed_since"),
)


def _condition(alarm: DamagedAlarm) -> tuple[str, str | None]:
    """The condition, and for ``unreadable`` what could not be read."""
    values, doubts = alarm.values, alarm.doubts
    said = alarm.text or values.get("condition")
    if isinstance(said, str):
        word = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")
        word = _SYNONYMS.get(word, word)
        if word in _CONDITIONS:
            if word != said:
                doubts.append(f"data.condition: read {said[:40]!r} as {word}")
            return word, None
    else:
        for name in _DANGERS:
            if truth(values.get(name)):
                doubts.append(f"data.condition: read from the field {name}")
                return _SYNONYMS.get(name, name), None
    doubts.append(f"data.condition: {said!r} is not known"[:200])
    shown = said if isinstance(said, str) else json.dumps(values, default=str)
    return "unreadable", shown[:200]


def _active(values: Mapping[str, Any], doubts: list[str]) -> bool:
    """Only what plainly says so ends an alarm."""
    said = values.get("active")
    found = truth(said)
    if found is None or not isinstance(said, bool):
        doubts.append(f"data.active: read {said!r} as {found is not False}"[:200])
    return found is not False


def _sound_signs(values: dict[str, Any], doubts: list[str]) -> None:
    signs = values.get("signs")
    if isinstance(signs, list):
        values["signs"] = [one for one in signs if isinstance(one, str) and len(one) <= 24][:8]
        if values["signs"] != signs:
            doubts.append("data.signs: not all of them can be read")
