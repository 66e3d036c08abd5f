"""What happens at one cabinet, from its contacts. Pure: time is an argument, state is JSON.

What follows from a change is a fact with an id that is derived from it: the same change seen
again after a crash is the same fact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from vigil_edge.contacts.contact import Contact
from vigil_schemas.aed import (
    AedCall,
    AedCondition,
    AedDoor,
    AedRemoval,
    CabinetCondition,
    VoicePrompt,
)
from vigil_schemas.types import Lane, isoformat_utc

NAMESPACE: Final = UUID("5b0a6a9e-4c1f-5f5c-9d0a-3f1f6b7e2c11")
GRACE_S: Final = 10.0
"""A door that was closed no longer ago was opened for this."""
Event = AedCall | AedRemoval | AedDoor | AedCondition


@dataclass(frozen=True, slots=True)
class Reading:
    """The contacts at one moment, as they are wired (inverted ones turned)."""

    door: bool
    """Open."""
    button: bool
    present: bool | None = None
    fault: bool | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """An event and the lane it goes on; ``id`` is the same whenever it is derived again."""

    lane: Lane
    event: Event
    id: str


@dataclass(frozen=True, slots=True)
class Spans:
    """Seconds; see ``settings``."""

    debounce_s: float = 0.05
    present_s: float = 1.0
    door_open_after_s: float = 600.0
    stuck_after_s: float = 30.0
    same_call_s: float = 120.0


@dataclass(slots=True)
class Step:
    """What follows from one reading."""

    facts: list[Fact] = field(default_factory=list)
    prompts: list[VoicePrompt] = field(default_factory=list)
    changed: bool = False
    """Something of the state to be kept is another one."""


class Cabinet:
    """One cabinet. ``state`` is what an earlier one of the same device kept."""

    def __init__(self, device: str, spans: Spans, state: bytes | None = None) -> None:
        self._device = device
        self._spans = spans
        self._kept: dict[str, Any] = json.loads(state) if state else {}
        """``opening``, ``call``, ``removal`` (the last one of each), ``conditions`` that stand,
        and how ``door``, ``button`` and ``present`` were."""
        self._door = Contact(spans.debounce_s)
        self._button = Contact(spans.debounce_s)
        self._present = Contact(spans.present_s)
        self._fault = Contact(spans.present_s)
        self._open_since: float | None = None
        self._closed_at: float | None = None
        self._down_since: float | None = None
        self._looked = False
        """At the presence contact, in this process."""

    def state(self) -> bytes:
        """To be kept with what ``take`` returned."""
        return json.dumps(self._kept, separators=(",", ":"), sort_keys=True).encode()

    @property
    def conditions(self) -> dict[CabinetCondition, str]:
        """What stands, with its message."""
        return {name: one["message"] for name, one in self._kept.get("conditions", {}).items()}

    @property
    def door_open(self) -> bool | None:
        """``None`` until it has been looked at for long enough."""
        return self._door.state

    @property
    def present(self) -> bool | None:
        """``None`` where there is no such contact, or not yet."""
        return self._present.state

    def take(self, seen: Reading, now: datetime, t: float) -> Step:
        """``t``: monotonic seconds."""
        step = Step()
        # The door first: what is taken right after it was opened was taken through it.
        if self._door.take(seen.door, t):
            self._door_changed(step, now, t)
        if self._button.take(seen.button, t):
            self._button_changed(step, now, t)
        if seen.present is not None and self._present.take(seen.present, t):
            self._presence_changed(step, now, t)
        if seen.fault is not None and self._fault.take(seen.fault, t):
            message = "the defibrillator's self test has failed" if self._fault.state else ""
            self._condition(step, "device_fault", bool(self._fault.state), now, message)
        self._lasting(step, now, t)
        return step

    def standing(self) -> list[Fact]:
        """What was told and is not over, as it was told: for a cloud that may know nothing of it.
        A press of the button is over as soon as it was told."""
        found = []
        if self._kept.get("door") and (opening := self._kept.get("opening")):
            since = datetime.fromisoformat(opening["at"])
            event = AedDoor(opening_id=opening["id"], phase="opened", opened=since)
            found.append(Fact(Lane.EVENT, event, self._id("opened", since)))
        if self._kept.get("present") is False and (removal := self._kept.get("removal")):
            found.append(self._taken(removal))
        for name, one in self._kept.get("conditions", {}).items():
            if "at" not in one:  # of an earlier release
                continue
            since = datetime.fromisoformat(one["at"])
            said = AedCondition(
                condition_id=one["id"],
                condition=name,
                active=True,
                since=since,
                message=one["message"],
            )
            found.append(Fact(Lane.EVENT, said, self._id(f"{name} True", since)))
        return found

    def voice(self, error: str | None, now: datetime) -> Step:
        """What became of a prompt: ``error`` where nothing was heard."""
        step = Step()
        self._condition(step, "voice_failed", error is not None, now, error or "")
        return step

    def _door_changed(self, step: Step, now: datetime, t: float) -> None:
        opened = self._door.state is True
        self._open_since = t if opened else None
        if not opened and self._kept.get("door"):
            self._closed_at = t
        if self._kept.get("door") is opened:
            return  # as it was before a restart
        first_look = "door" not in self._kept
        self._keep(step, "door", opened)
        if opened:
            opening = {"id": self._id("opening", now), "at": isoformat_utc(now)}
            self._keep(step, "opening", opening)
            event = AedDoor(opening_id=opening["id"], phase="opened", opened=now)
            step.facts.append(Fact(Lane.EVENT, event, self._id("opened", now)))
            step.prompts.append("door_opened")
            return
        if first_look:
            return
        self._condition(step, "door_left_open", False, now, "")
        before = self._kept["opening"]
        since = datetime.fromisoformat(before["at"])
        event = AedDoor(
            opening_id=before["id"], phase="closed", opened=since, closed=max(now, since)
        )
        step.facts.append(Fact(Lane.EVENT, event, self._id("closed", now)))

    def _button_changed(self, step: Step, now: datetime, t: float) -> None:
        down = self._button.state is True
        self._down_since = t if down else None
        was = self._kept.get("button")
        if was is down:
            return  # held, or stuck, since before a restart: it was told
        self._keep(step, "button", down)
        if not down:
            self._condition(step, "contact_stuck", False, now, "")
            return
        call = self._call(now)
        self._keep(step, "call", call)
        event = AedCall(
            call_id=call["id"],
            pressed=datetime.fromisoformat(call["first"]),
            presses=call["presses"],
            last_pressed=now,
            door_open=self._door.state,
        )
        step.facts.append(Fact(Lane.ALARM, event, self._id("press", now)))
        step.prompts.append("call_sent")

    def _call(self, now: datetime) -> dict[str, Any]:
        last = self._kept.get("call")
        if last is not None:
            since = now - datetime.fromisoformat(last["last"])
            if abs(since) <= timedelta(seconds=self._spans.same_call_s):
                return {**last, "last": isoformat_utc(now), "presses": last["presses"] + 1}
        at = isoformat_utc(now)
        return {"id": self._id("call", now), "first": at, "last": at, "presses": 1}

    def _presence_changed(self, step: Step, now: datetime, t: float) -> None:
        there, looked = self._present.state is True, self._looked
        was, self._looked = self._kept.get("present"), True
        if was is there:
            return
        self._keep(step, "present", there)
        if was is None:
            return  # as it is found at the installation: told as a reading
        if there:
            self._returned(step, now)
            return
        opened = self._was_opened(t, looked)
        removal = {"id": self._id("removal", now), "at": isoformat_utc(now), "opened": opened}
        self._keep(step, "removal", removal)
        step.facts.append(self._taken(removal))
        if opened is False:
            step.prompts.append("removed")

    def _taken(self, removal: dict[str, Any]) -> Fact:
        taken, opened = datetime.fromisoformat(removal["at"]), removal["opened"]
        event = AedRemoval(removal_id=removal["id"], phase="taken", taken=taken, opened=opened)
        return Fact(Lane.EVENT if opened else Lane.ALARM, event, self._id("taken", taken))

    def _returned(self, step: Step, now: datetime) -> None:
        before = self._kept.get("removal")
        if before is None:
            return
        taken = datetime.fromisoformat(before["at"])
        event = AedRemoval(
            removal_id=before["id"],
            phase="returned",
            taken=taken,
            returned=max(now, taken),
            opened=before["opened"],
        )
        step.facts.append(Fact(Lane.EVENT, event, self._id("returned", now)))

    def _was_opened(self, t: float, looked: bool) -> bool | None:
        """``None``: it was gone when this process first looked, and nobody saw how."""
        if self._door.state is True:
            return True
        recently = self._closed_at is not None and (
            t - self._closed_at <= GRACE_S + self._spans.present_s
        )
        return True if recently else (False if looked else None)

    def _lasting(self, step: Step, now: datetime, t: float) -> None:
        if self._open_since is not None and t - self._open_since >= self._spans.door_open_after_s:
            self._condition(step, "door_left_open", True, now, "the door stands open")
        if self._down_since is not None and t - self._down_since >= self._spans.stuck_after_s:
            message = f"the button has been down for {self._spans.stuck_after_s:.0f} s"
            self._condition(step, "contact_stuck", True, now, message)

    def _condition(
        self, step: Step, name: CabinetCondition, active: bool, now: datetime, message: str
    ) -> None:
        standing: dict[str, Any] = dict(self._kept.get("conditions", {}))
        before = standing.pop(name, None)
        if active == (before is not None):
            return
        known = before or {"id": self._id(name, now)}
        if active:
            at = isoformat_utc(now)
            standing[name] = {"id": known["id"], "message": message[:200], "at": at}
        self._keep(step, "conditions", standing)
        event = AedCondition(
            condition_id=known["id"],
            condition=name,
            active=active,
            since=now,
            message=message[:200],
        )
        fact = self._id(f"{name} {active}", now)
        step.facts.append(Fact(Lane.EVENT, event, fact))

    def _keep(self, step: Step, key: str, value: Any) -> None:
        self._kept = {**self._kept, key: value}
        step.changed = True

    def _id(self, what: str, now: datetime) -> str:
        return str(uuid5(NAMESPACE, f"{self._device}/{what}/{isoformat_utc(now)}"))


def reading(values: dict[str, bool], inverted: frozenset[str]) -> Reading:
    """From the lines' values by contact: an inverted one is turned."""
    return Reading(**dict(_turned(values, inverted)))


def _turned(values: dict[str, bool], inverted: frozenset[str]) -> Iterator[tuple[str, bool]]:
    for name, value in values.items():
        yield name, value != (name in inverted)
