"""What happens at a cabinet, from its contacts: given times, without a device."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.aed.cabinet import GRACE_S, Cabinet, Fact, Reading, Spans, reading
from vigil_edge.contacts.contact import Contact
from vigil_schemas.aed import AedCall, AedCondition, AedDoor, AedRemoval
from vigil_schemas.types import Lane

BEGAN = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


class Play:
    """A cabinet that is looked at every ``step`` seconds."""

    def __init__(self, state: bytes | None = None, at: float = 0.0, **spans: float) -> None:
        self.cabinet = Cabinet("aed-1", Spans(**spans), state)
        self.t = at
        self.facts: list[Fact] = []
        self.prompts: list[str] = []

    def see(self, seconds: float, step: float = 0.05, **contacts: Any) -> list[Fact]:
        """The contacts stay so for a while; what follows."""
        seen = _with(contacts)
        before = len(self.facts)
        end = self.t + seconds
        while self.t < end - 1e-9:
            now = BEGAN + timedelta(seconds=self.t)
            found = self.cabinet.take(seen, now, self.t)
            self.facts += found.facts
            self.prompts += found.prompts
            self.t += step
        return self.facts[before:]


def _with(contacts: dict[str, Any]) -> Reading:
    base: dict[str, Any] = {"door": False, "button": False, "present": True, "fault": False}
    return Reading(**(base | contacts))


def test_a_call_as_people_make_it() -> None:
    play = Play()
    assert play.see(5) == []

    (opened,) = play.see(2, door=True)
    (pressed,) = play.see(0.4, door=True, button=True)
    assert play.see(3, door=True) == []
    (taken,) = play.see(5, door=True, present=False)
    (closed,) = play.see(5, present=False)
    (back,) = play.see(5)

    assert isinstance(opened.event, AedDoor)
    assert isinstance(pressed.event, AedCall)
    assert (pressed.lane, pressed.event.door_open) == (Lane.ALARM, True)
    assert isinstance(taken.event, AedRemoval)
    assert (taken.lane, taken.event.opened) == (Lane.EVENT, True), "no theft"
    assert isinstance(closed.event, AedDoor)
    assert closed.event.opening_id == opened.event.opening_id
    assert isinstance(back.event, AedRemoval)
    assert (back.event.removal_id, back.event.phase) == (taken.event.removal_id, "returned")
    assert play.prompts == ["door_opened", "call_sent"]


def test_taken_without_opening_is_an_alarm() -> None:
    play = Play()
    play.see(60)
    (taken,) = play.see(3, present=False)
    assert isinstance(taken.event, AedRemoval)
    assert (taken.lane, taken.event.opened) == (Lane.ALARM, False)
    assert play.prompts == ["removed"]


def test_taken_just_after_the_door_was_closed_was_taken_through_it() -> None:
    play = Play()
    play.see(60)
    play.see(3, door=True)
    play.see(GRACE_S / 2)
    (taken,) = play.see(3, present=False)
    assert isinstance(taken.event, AedRemoval)
    assert taken.event.opened is True

    later = Play()
    later.see(60)
    later.see(3, door=True)
    later.see(GRACE_S * 3)
    (stolen,) = later.see(3, present=False)
    assert isinstance(stolen.event, AedRemoval)
    assert stolen.event.opened is False


def test_gone_when_the_gateway_looks_again_is_an_alarm_that_nobody_saw() -> None:
    before = Play()
    before.see(10)
    after = Play(before.cabinet.state(), at=10_000)
    (taken,) = after.see(3, present=False)
    assert isinstance(taken.event, AedRemoval)
    assert (taken.lane, taken.event.opened) == (Lane.ALARM, None)


def test_an_empty_cabinet_at_its_installation_is_no_theft() -> None:
    play = Play()
    assert play.see(30, present=False) == []
    assert play.cabinet.present is False


def test_pressed_again_is_the_same_call_and_much_later_another() -> None:
    play = Play(same_call_s=60.0)
    play.see(5)
    (first,) = play.see(0.3, button=True)
    play.see(1)
    (second,) = play.see(0.3, button=True)
    play.see(120)
    (third,) = play.see(0.3, button=True)
    calls = [fact.event for fact in (first, second, third)]
    assert all(isinstance(call, AedCall) for call in calls)
    ids = [call.call_id for call in calls if isinstance(call, AedCall)]
    assert ids[0] == ids[1] != ids[2]
    assert [call.presses for call in calls if isinstance(call, AedCall)] == [1, 2, 1]
    assert second.id != first.id, "a repetition is a fact of its own"


def test_a_button_that_is_down_when_the_gateway_starts_calls_and_a_stuck_one_once() -> None:
    play = Play(stuck_after_s=30.0)
    found = play.see(120, button=True)
    assert [fact.event.TYPE for fact in found] == [AedCall.TYPE, AedCondition.TYPE]
    stuck = found[1].event
    assert isinstance(stuck, AedCondition)
    assert (stuck.condition, stuck.active) == ("contact_stuck", True)

    again = Play(play.cabinet.state(), at=1000, stuck_after_s=30.0)
    assert again.see(120, button=True) == [], "no call at each restart"
    (well,) = again.see(1)
    assert isinstance(well.event, AedCondition)
    assert (well.event.condition_id, well.event.active) == (stuck.condition_id, False)


def test_a_door_left_open_and_a_failed_self_test_are_conditions_that_end() -> None:
    play = Play(door_open_after_s=30.0)
    play.see(5)
    found = play.see(60, door=True, fault=True)
    conditions = [f.event for f in found if isinstance(f.event, AedCondition)]
    assert {one.condition for one in conditions} == {"device_fault", "door_left_open"}
    assert play.cabinet.conditions.keys() == {"device_fault", "door_left_open"}
    play.see(5)
    assert play.cabinet.conditions == {}


def test_what_stands_is_told_again_as_it_was_told_and_not_once_it_is_over() -> None:
    play = Play(door_open_after_s=30.0)
    play.see(5)
    play.see(60, door=True, present=False, fault=True)
    told = {fact.id: fact for fact in play.facts}
    again = Cabinet("aed-1", Spans(), play.cabinet.state()).standing()
    assert {fact.id for fact in again} == set(told)
    assert all(told[fact.id] == fact for fact in again)
    play.see(5)
    assert play.cabinet.standing() == []


def test_what_was_not_kept_is_derived_again_as_the_same_fact() -> None:
    play = Play()
    play.see(5)
    kept = play.cabinet.state()
    (first,) = play.see(0.3, button=True)
    crashed = Play(kept, at=5.0)
    (again,) = crashed.see(0.3, button=True)
    assert (again.id, again.event) == (first.id, first.event)


def test_an_inverted_contact_is_turned() -> None:
    values = {"door": True, "button": True, "present": True}
    assert reading(values, frozenset({"door"})) == Reading(False, True, True, None)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.2)), max_size=60))
def test_a_contact_never_changes_faster_than_it_is_debounced(
    seen: list[tuple[bool, float]],
) -> None:
    contact, t, changes = Contact(0.05), 0.0, []
    for value, pause in seen:
        t += pause
        if contact.take(value, t):
            changes.append((t, value))
    assert all(later - sooner >= 0.05 - 1e-9 for (sooner, _), (later, _) in pairwise(changes))
    assert all(one != other for (_, one), (_, other) in pairwise(changes))


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans(), st.floats(0.01, 40.0)),
        max_size=40,
    ),
    st.integers(0, 39),
)
def test_every_press_is_told_and_a_restart_tells_nothing_twice(
    seen: list[tuple[bool, bool, bool, float]], restart_at: int
) -> None:
    """Whatever people do, and wherever the gateway is started anew."""
    spans = Spans(debounce_s=0.0, present_s=0.0)
    cabinet, t, facts, rising, was = Cabinet("aed-1", spans), 0.0, [], 0, False
    for number, (door, button, present, pause) in enumerate(seen):
        if number == restart_at:
            state = json.loads(cabinet.state())
            assert all(isinstance(key, str) for key in state)
            cabinet = Cabinet("aed-1", spans, cabinet.state())
        t += pause
        rising += button and not was
        was = button
        now = BEGAN + timedelta(seconds=t)
        facts += cabinet.take(Reading(door, button, present), now, t).facts
    calls = [fact.event for fact in facts if isinstance(fact.event, AedCall)]
    assert len(calls) == rising
    assert len({fact.id for fact in facts}) == len(facts)
    phases = [f.event.phase for f in facts if isinstance(f.event, AedRemoval)]
    assert all(one != other for one, other in pairwise(phases))
    alarms = [fact for fact in facts if fact.lane is Lane.ALARM]
    assert all(isinstance(fact.event, AedCall | AedRemoval) for fact in alarms)
