"""What can still be read of an AED's alarm that does not keep the contract.

Of the two that it may be, a call is the more dangerous one: only what says that it is a removal,
or holds the fields of one alone, is a removal. Only what plainly says so is back in its place.
"""

from __future__ import annotations

import re
from typing import Final

from vigil_cloud.domain.alarms import (
    AlarmReading,
    DamagedAlarm,
    name_of,
    time_of,
    without_faults,
)
from vigil_schemas.aed import AedCall, AedRemoval
from vigil_schemas.contract import kind_of

_OF_CALLS: Final = frozenset({"call_id", "pressed", "presses", "last_pressed"})
_OF_REMOVALS: Final = frozenset({"removal_id", "taken", "returned"})


def read(alarm: DamagedAlarm) -> AedCall | AedRemoval:
    """The alarm as far as it was understood."""
    values, doubts = alarm.values, alarm.doubts
    said = kind_of(alarm.type or "")
    alone = not _OF_CALLS & values.keys() and bool(_OF_REMOVALS & values.keys())
    if said == kind_of(AedRemoval.TYPE) or (said != kind_of(AedCall.TYPE) and alone):
        return _removal(alarm)
    pressed = time_of(values.get("pressed"))
    if pressed is None:
        doubts.append("data.pressed: no time that can be read")
    values |= {"call_id": name_of(alarm, "call_id"), "pressed": pressed or alarm.received}
    return without_faults(AedCall, values, doubts)


def _removal(alarm: DamagedAlarm) -> AedRemoval:
    values, doubts = alarm.values, alarm.doubts
    taken = time_of(values.get("taken"))
    if taken is None:
        doubts.append("data.taken: no time that can be read")
    if values.get("phase") not in ("taken", "returned"):  # a list or an object has no hash
        doubts.append(f"data.phase: read {values.get('phase')!r} as taken"[:200])
        values["phase"] = "taken"
    if not isinstance(values.get("opened"), bool | None):
        doubts.append(f"data.opened: {values['opened']!r}"[:200])
        values["opened"] = None
    values |= {
        "removal_id": name_of(alarm, "removal_id"),
        "taken": taken or alarm.received,
        "opened": values.get("opened"),
    }
    return without_faults(AedRemoval, values, doubts)


READING: Final = AlarmReading(
    read=read,
    keys=_OF_CALLS | _OF_REMOVALS,
    signs=re.compile(r"\baed\b|defibrillat|call_id|removal_id", re.IGNORECASE),
    names=("call_id", "removal_id"),
    says=("pressed", "presses", "phase", "taken", "returned"),
)
