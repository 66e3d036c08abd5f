"""The life of an alert, as a state machine that random walks try to break (OPC UA Part 9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vigil_cloud.alerts import lifecycle
from vigil_cloud.alerts.lifecycle import State

START = datetime(2026, 3, 1, tzinfo=UTC)


class AnAlertsLife(RuleBasedStateMachine):
    """Every order of acts; a model of its own remembers what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.state = State()
        self.cleared = False
        self.refused = 0

    @rule(momentary=st.booleans())
    def begin_anew(self, momentary: bool) -> None:
        self.state, self.cleared = State(momentary=momentary), False

    @rule()
    def clear(self) -> None:
        self.state = lifecycle.clear(self.state)
        self.cleared = True

    @rule()
    def acknowledge(self) -> None:
        if self.state.acknowledged:
            with pytest.raises(lifecycle.AlreadyAcknowledged):
                lifecycle.acknowledge(self.state)
        else:
            self.state = lifecycle.acknowledge(self.state)

    @rule()
    def confirm(self) -> None:
        if not self.state.acknowledged:
            with pytest.raises(lifecycle.NotAcknowledged):
                lifecycle.confirm(self.state)
        elif self.state.confirmed:
            with pytest.raises(lifecycle.AlreadyConfirmed):
                lifecycle.confirm(self.state)
        else:
            self.state = lifecycle.confirm(self.state)
            self.cleared |= self.state.momentary

    @rule(seconds=st.integers(-100, 40 * 86400))
    def shelve(self, seconds: int) -> None:
        until = self.now + timedelta(seconds=seconds)
        if 0 < seconds <= 30 * 86400:
            self.state = lifecycle.shelve(self.state, until, self.now)
            assert self.state.shelved(self.now)
        else:
            with pytest.raises(lifecycle.BadShelfTime):
                lifecycle.shelve(self.state, until, self.now)

    @rule()
    def unshelve(self) -> None:
        if self.state.shelved(self.now):
            self.state = lifecycle.unshelve(self.state, self.now)
            assert not self.state.shelved(self.now)
        else:
            with pytest.raises(lifecycle.NotShelved):
                lifecycle.unshelve(self.state, self.now)

    @rule(out=st.booleans())
    def service(self, out: bool) -> None:
        self.state = lifecycle.set_service(self.state, out)
        assert self.state.out_of_service is out

    @rule(seconds=st.integers(0, 86400))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def only_what_was_acknowledged_is_confirmed(self) -> None:
        assert self.state.acknowledged or not self.state.confirmed

    @invariant()
    def what_is_over_stays_over(self) -> None:
        assert self.state.active is not self.cleared

    @invariant()
    def an_active_alert_is_retained(self) -> None:
        assert self.state.retained or (not self.state.active and self.state.acknowledged)

    @invariant()
    def nobody_is_called_about_what_is_taken_on_put_aside_or_over(self) -> None:
        quiet = (
            self.state.acknowledged
            or not self.state.active
            or self.state.out_of_service
            or self.state.shelved(self.now)
        )
        assert self.state.calls(self.now) is not quiet


TestAnAlertsLife = AnAlertsLife.TestCase
