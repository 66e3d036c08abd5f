"""How a home goes through the programme, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_cloud.smoke.programme import progress
from vigil_cloud.smoke.programme.eligibility import RISKS, objections, priority
from vigil_cloud.smoke.programme.progress import (
    MOST_ALARMS,
    OVER,
    PARTIES,
    Fitted,
    NotWhatHangs,
    OutOfTurn,
    Party,
    Signature,
    State,
)

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
TODAY = date(2026, 3, 1)
TEN_YEARS = timedelta(days=3650)
WHO = {"household": "resident", "installer": "vendor", "city": "officer"}


def alarm(serial: str, day: date = TODAY, *, life: timedelta = TEN_YEARS) -> Fitted:
    return Fitted(serial, "SA-1", "bedroom", day + life, day)


def signed(state: State, party: Party, who: str, now: datetime = NOON) -> State:
    """For what hangs there."""
    return progress.signed(state, Signature(party, who, now, state.round, state.digest))


def in_service(*serials: str) -> State:
    state = progress.scheduled(progress.accepted(State()), NOON + timedelta(days=3), NOON)
    state = progress.installed(state, [alarm(one) for one in serials or ("S-001",)], TODAY)
    for party in PARTIES:
        state = signed(state, party, WHO[party])
    return state


def test_from_application_to_service() -> None:
    state = in_service("S-001", "S-002")
    assert state.phase == "in-service"
    assert state.warranty_until == TODAY + progress.WARRANTY
    assert state.due == TODAY + progress.VISITED_EVERY
    assert {one.party for one in state.signatures} == set(PARTIES)


def test_three_people_sign_and_each_once() -> None:
    state = progress.scheduled(progress.accepted(State()), NOON + timedelta(days=3), NOON)
    state = progress.installed(state, [alarm("S-001")], TODAY)
    state = signed(state, "city", "officer")
    assert signed(state, "city", "officer") == state
    with pytest.raises(OutOfTurn, match="another party"):
        signed(state, "installer", "officer")
    with pytest.raises(OutOfTurn, match="signed already"):
        signed(state, "city", "another")
    assert state.phase == "installed"


def test_a_signature_is_for_the_alarms_that_were_looked_at() -> None:
    """Given a party who looks, and a fitter who comes again before it has signed."""
    state = progress.scheduled(progress.accepted(State()), NOON + timedelta(days=3), NOON)
    state = progress.installed(state, [alarm("S-001"), alarm("S-002")], TODAY)
    seen = state
    state = progress.sent_back(state, "silent", TODAY)
    state = progress.scheduled(state, NOON + timedelta(days=3), NOON)
    state = progress.installed(state, [alarm("S-003")], TODAY)
    for number, digest in (
        (seen.round, seen.digest),
        (state.round + 1, state.digest),
        (None, None),
    ):
        with pytest.raises(NotWhatHangs, match="other alarms"):
            progress.signed(state, Signature("city", "officer", NOON, number, digest))
    assert signed(state, "city", "officer").signatures[0].digest == state.digest


FIELDS = ("serial", "model", "room", "expires", "fitted", "device")


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.text(min_size=1), st.text(), st.text()), min_size=1, max_size=2),
    st.sampled_from((*FIELDS, "round", "order")),
)
def test_a_digest_names_everything_that_hangs_there(
    number: int, texts: list[tuple[str, str, str]], changed: str
) -> None:
    """Whatever changes of what hangs is another digest; the order in which it was fitted is not."""
    alarms = tuple(
        Fitted(f"{at}{serial}", model, room, TODAY + TEN_YEARS, TODAY, device=None)
        for at, (serial, model, room) in enumerate(texts)
    )
    state = State(round=number, alarms=alarms)
    if changed == "order":
        assert replace(state, alarms=alarms[::-1]).digest == state.digest
        return
    other = replace(state, round=number + 1)
    if changed != "round":
        before: Any = getattr(alarms[0], changed)
        after: Any = before + timedelta(days=1) if isinstance(before, date) else f"{before or ''}x"
        first = replace(alarms[0], **{changed: after})
        other = replace(state, alarms=(first, *alarms[1:]))
    assert other.digest != state.digest
    taken_down = Fitted("old", "", "", TODAY, TODAY, until=TODAY)
    assert replace(state, alarms=(*alarms, taken_down)).digest == state.digest


def test_what_is_found_wrong_is_fitted_anew() -> None:
    state = progress.scheduled(progress.accepted(State()), NOON + timedelta(days=3), NOON)
    state = progress.installed(state, [alarm("S-001")], TODAY)
    state = progress.sent_back(signed(state, "city", "officer"), "silent", TODAY)
    assert (state.phase, state.hanging, state.signatures) == ("accepted", (), ())


@pytest.mark.parametrize("count", [0, 3])
def test_a_home_gets_two_alarms_at_most(count: int) -> None:
    state = progress.scheduled(progress.accepted(State()), NOON + timedelta(days=3), NOON)
    with pytest.raises(OutOfTurn, match="one or two"):
        progress.installed(state, [alarm(f"S-{number}") for number in range(count)], TODAY)


def test_a_renewed_subsidy_is_for_alarms_that_expire() -> None:
    state = in_service("S-001")
    with pytest.raises(OutOfTurn, match="last until"):
        progress.renewed(state, TODAY + timedelta(days=365))
    late = TODAY + TEN_YEARS - progress.RENEWED_BEFORE
    again = progress.renewed(state, late)
    assert (again.phase, again.round, again.hanging) == ("applied", 2, state.hanging)
    assert progress.refused(again, "served-already").phase == "in-service", "they hang still"
    noon = NOON + (late - TODAY)
    again = progress.scheduled(progress.accepted(again), noon + timedelta(days=3), noon)
    again = progress.installed(again, [alarm("S-009", late)], late)
    assert [one.serial for one in again.hanging] == ["S-009"]


def test_a_visit_replaces_what_hangs_there_and_nothing_else() -> None:
    state = in_service("S-001", "S-002")
    later = TODAY + timedelta(days=300)
    with pytest.raises(OutOfTurn, match="hang there"):
        progress.visited(state, [("S-009", alarm("S-010", later))], later)
    state = progress.visited(state, [("S-001", alarm("S-010", later))], later)
    assert {one.serial for one in state.hanging} == {"S-002", "S-010"}
    assert state.next_visit == later + progress.VISITED_EVERY


def test_what_hangs_is_visited_and_replaced_while_a_further_round_waits() -> None:
    late = TODAY + TEN_YEARS - progress.RENEWED_BEFORE
    state = replace(in_service("S-001", "S-002"), next_visit=late + timedelta(days=20))
    noon = NOON + (late - TODAY)
    applied = progress.renewed(state, late)
    accepted = progress.accepted(applied)
    scheduled = progress.scheduled(accepted, noon + timedelta(days=30), noon)
    for waiting in (applied, accepted, scheduled):
        assert waiting.due == late + timedelta(days=20), "its visit is due as before"
        day = late + timedelta(days=3)
        after = progress.visited(waiting, [("S-001", alarm("S-010", day))], day)
        assert {one.serial for one in after.hanging} == {"S-002", "S-010"}
        assert (after.phase, after.round) == (waiting.phase, 2)
        assert (after.appointment, after.due) == (waiting.appointment, day + progress.VISITED_EVERY)
    fitted = progress.installed(scheduled, [alarm("S-020", late)], late)
    with pytest.raises(OutOfTurn, match="installed"):
        progress.visited(fitted, [("S-020", alarm("S-021", late))], late)


def test_where_nothing_hangs_yet_nothing_is_visited() -> None:
    for state in (State(), progress.accepted(State())):
        assert state.due is None
        with pytest.raises(OutOfTurn, match="nothing hangs"):
            progress.visited(state, [], TODAY)


def _acts(number: int, who: str, day: date, now: datetime) -> list[Callable[[State], State]]:
    new = alarm(f"S-{number:04}", day, life=timedelta(days=400))
    return [
        progress.accepted,
        lambda state: progress.refused(state, "no-risk-group"),
        progress.withdrawn,
        progress.applied_again,
        lambda state: progress.scheduled(state, now + timedelta(days=5), now),
        progress.missed,
        lambda state: progress.installed(state, [new], day),
        lambda state: progress.installed(
            state, [new, alarm(f"T-{number:04}", day, life=timedelta(days=300))], day
        ),
        *(lambda state, party=party: signed(state, party, who, now) for party in PARTIES),
        lambda state: progress.sent_back(state, "silent", day),
        lambda state: progress.visited(state, [], day),
        lambda state: progress.visited(
            state, [(state.hanging[0].serial, new)] if state.hanging else [], day
        ),
        lambda state: progress.renewed(state, day),
        lambda state: progress.closed(state, "moved", day),
    ]


def _holds(state: State) -> None:
    """What is true of every home, whatever happened."""
    assert len(state.hanging) <= MOST_ALARMS
    serials = [one.serial for one in state.alarms]
    assert len(set(serials)) == len(serials), "no alarm is fitted twice"
    assert (state.appointment is not None) == (state.phase == "scheduled")
    assert len({one.party for one in state.signatures}) == len(state.signatures)
    assert len({one.who for one in state.signatures}) == len(state.signatures)
    if state.phase == "installed":
        assert all(one.digest == state.digest for one in state.signatures)
    if state.phase == "in-service":
        assert state.hanging
        assert state.warranty_until is not None
        assert state.due is not None
    if state.phase in OVER:
        assert not state.hanging
    if state.phase in progress.SERVED and state.hanging:
        assert state.due is not None, "somebody visits it within a year"
    if not state.hanging:
        assert state.due is None
    for one in state.alarms:
        assert one.fitted <= (one.until or one.fitted)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from("abc"), st.integers(0, 200)), max_size=60
    )
)
def test_whatever_happens_in_whatever_order(acts: list[tuple[int, str, int]]) -> None:
    state, day, now = State(), TODAY, NOON
    for number, (which, who, days) in enumerate(acts):
        day, now = day + timedelta(days=days), now + timedelta(days=days)
        found = _acts(number, who, day, now)
        before: Any = state
        with suppress(OutOfTurn):
            state = found[which % len(found)](state)
        _holds(state)
        assert state.round >= before.round
        assert {one.serial for one in before.alarms} <= {one.serial for one in state.alarms}


def test_who_is_eligible() -> None:
    assert objections([], served=False, applied_elsewhere=False) == ("no-risk-group",)
    assert objections(["elder-alone"], served=True, applied_elsewhere=True) == (
        "served-already",
        "another-application",
    )
    assert all(not objections([one], served=False, applied_elsewhere=False) for one in RISKS)
    assert priority(["narrow-lane", "elder-alone"]) < priority(["narrow-lane"])
