"""Whatever services, people, shelves, clocks and two senders do: a delivery is told, or ends with
a reason that holds, and nothing is told twice without saying so.

The long form (``VIGIL_FULL=1``) takes more than 100,000 steps.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vigil_cloud.alerts import lifecycle
from vigil_cloud.alerts.lifecycle import State
from vigil_cloud.notify import progress
from vigil_cloud.notify.progress import Delivering, End, Send, Standing, Wait

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
SPANS = st.sampled_from([1, 5, 30, 60, 300, 600, 3600, 7200, 86400]).map(
    lambda seconds: timedelta(seconds=seconds)
)


@dataclass(frozen=True)
class InHand:
    """One sender's lease: with it the message goes, whatever happens to the sender."""

    attempt: int
    marked: bool


class DeliveryMachine(RuleBasedStateMachine):
    """Deliveries one after the other, senders that die and come back, a service, and people."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.queue(True, False, False)

    @rule(critical=st.booleans(), conditional=st.booleans(), settles=st.booleans())
    def queue(self, critical: bool, conditional: bool, settles: bool) -> None:
        """The next one, where the last has come to its end."""
        if self.hands_full():
            return
        self.hands: list[InHand] = []
        self.told: list[bool] = []
        """For each message that reached somebody, whether it said that it may be a repetition."""
        self.perhaps = 0
        self.delivery = Delivering(queued=self.now, due=self.now)
        self.standing = Standing(
            State(), critical=critical, conditional=conditional, settles=settles
        )
        self.ended_when: Standing | None = None
        self.ended_at = self.now

    def hands_full(self) -> bool:
        return hasattr(self, "delivery") and (self.delivery.phase == "waiting" or bool(self.hands))

    @rule(span=SPANS)
    def time_passes(self, span: timedelta) -> None:
        self.now += span
        self.look()

    def look(self) -> None:
        if not self.delivery.ready(self.now):
            return
        match progress.look(self.delivery, self.standing, self.now):
            case Send():
                assert not self.standing.state.held(self.now), "its device is put aside"
                self.delivery = progress.lease(self.delivery, self.now)
                self.hands.append(InHand(self.delivery.attempts, self.delivery.perhaps_told))
            case Wait() as wait:
                assert wait.until > self.now, "it would be looked at for ever"
                self.delivery = progress.hold(self.delivery, wait)
            case End() as verdict:
                self.delivery = progress.end(self.delivery, verdict)
                self.ended_when, self.ended_at = self.standing, self.now

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 3), dies=st.booleans())
    def the_service_takes_it(self, which: int, dies: bool) -> None:
        hand = self.hands.pop(which % len(self.hands))
        self.told.append(hand.marked)
        if not dies:
            self.delivery = progress.accepted(self.delivery)

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 3), arrives=st.booleans())
    def no_answer_comes(self, which: int, arrives: bool) -> None:
        hand = self.hands.pop(which % len(self.hands))
        if arrives:
            self.told.append(hand.marked)
        self.perhaps += 1
        if self.current(hand):
            self.delivery = progress.unanswered(
                self.delivery, self.now, critical=self.standing.critical
            )

    @precondition(lambda self: self.hands)
    @rule(
        which=st.integers(0, 3),
        asked=st.none() | SPANS,
        reason=st.sampled_from(["refused", "limited", "unreachable", "elsewhere"]),
        arrives=st.booleans(),
    )
    def it_fails(
        self, which: int, asked: timedelta | None, reason: progress.Reason, arrives: bool
    ) -> None:
        hand = self.hands.pop(which % len(self.hands))
        if arrives:  # a server that fails after it passed the message on
            self.told.append(hand.marked)
        if not self.current(hand):
            return
        before = self.now
        self.delivery = progress.failed(
            self.delivery,
            self.now,
            critical=self.standing.critical,
            reason=reason,
            retry_after=asked,
            perhaps_told=arrives,
        )
        if self.delivery.phase == "waiting" and asked is not None:
            assert self.delivery.due >= before + min(asked, progress.LONGEST_RETRY_AFTER)

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 3))
    def a_sender_dies_before_it_sends(self, which: int) -> None:
        self.hands.pop(which % len(self.hands))

    @rule(
        act=st.sampled_from(
            [
                *("acknowledge", "sign", "sign", "shelve", "out", "in", "in", "over", "right"),
                *("device aside", "device back"),
            ]
        ),
        span=SPANS,
    )
    def somebody_acts(self, act: str, span: timedelta) -> None:
        standing = self.standing
        state = standing.state
        match act:
            case "acknowledge" if not state.acknowledged:
                after = lifecycle.acknowledge(state)
                self.standing = replace(standing, state=after, acknowledged_at=self.now)
            case "sign":
                self.standing = replace(
                    standing, state=lifecycle.renew(state), acknowledged_at=None
                )
            case "shelve":
                after = lifecycle.shelve(state, self.now + span, self.now)
                self.standing = replace(standing, state=after)
            case "out" | "in":
                after = lifecycle.set_service(state, act == "out")
                self.standing = replace(standing, state=after)
                if act == "in" and self.delivery.reason == "out-of-service":
                    self.delivery = replace(self.delivery, due=self.now)
            case "device aside" | "device back":
                until = self.now + (span if act == "device aside" else timedelta())
                after = replace(state, held_until=until)
                self.standing = replace(standing, state=after, device_hold="device-shelved")
                if act == "device back" and self.delivery.reason == "device-shelved":
                    self.delivery = replace(self.delivery, due=self.now)
            case "over" if state.active:
                after = lifecycle.clear(state)
                self.standing = replace(standing, state=after, over_since=self.now)
            case "right" if self.delivery.attempts > 3:
                self.standing = replace(standing, allowed=False)

    def current(self, hand: InHand) -> bool:
        """As the sender asks: whether no later lease decides, and nothing is final."""
        return self.delivery.phase == "waiting" and hand.attempt == self.delivery.attempts

    @invariant()
    def at_most_one_message_is_unmarked(self) -> None:
        assert self.told.count(False) <= 1

    @invariant()
    def each_end_has_a_reason_that_held(self) -> None:
        delivery, standing = self.delivery, self.ended_when
        match delivery.phase:
            case "sent":
                assert self.told or (delivery.reason == "unconfirmed" and self.perhaps)
                assert not (delivery.reason == "unconfirmed" and self.standing.critical)
            case "skipped":
                assert standing is not None
                match delivery.reason:
                    case "not-allowed":
                        assert not standing.allowed
                    case "acknowledged":
                        assert standing.state.acknowledged
                        assert standing.conditional or delivery.attempts > 0
                    case "over":
                        assert not standing.state.active
                        assert standing.conditional or standing.settles
                    case other:
                        raise AssertionError(f"skipped for {other}")
            case "failed":
                assert delivery.attempts > 0
                if delivery.reason == "gave-up":
                    assert not self.standing.critical
                    assert delivery.attempts >= progress.FEWEST_TRIES
                else:
                    assert delivery.reason == "over"
                    assert standing is not None
                    assert standing.over_since is not None
                    assert self.ended_at - standing.over_since >= progress.OVER_KEPT

    @invariant()
    def what_waits_is_looked_at_again(self) -> None:
        delivery = self.delivery
        if delivery.phase == "waiting":
            latest = self.now + lifecycle.LONGEST_SHELF
            assert delivery.due <= latest
            assert delivery.leased_until is None or delivery.leased_until <= latest

    def teardown(self) -> None:
        """Left alone with a service that works, it comes to its end."""
        self.hands.clear()
        state = lifecycle.set_service(self.standing.state, False)
        self.standing = replace(self.standing, state=state)
        for _ in range(20):
            self.now += lifecycle.LONGEST_SHELF
            self.look()
            if self.hands:
                self.the_service_takes_it(0, False)
        assert self.delivery.phase != "waiting"
        self.each_end_has_a_reason_that_held()
        self.at_most_one_message_is_unmarked()


FULL = os.environ.get("VIGIL_FULL") == "1"
TestDeliveries = DeliveryMachine.TestCase
TestDeliveries.settings = settings(
    max_examples=1500 if FULL else 150,
    stateful_step_count=80 if FULL else 50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_lease_that_ran_out_is_remembered_while_the_alert_is_held_back() -> None:
    """Found by the long form: the sender died after telling it, then the alert was shelved."""
    conditional = Standing(State(), critical=True, conditional=True)
    shelved = replace(conditional, state=lifecycle.set_service(State(), True))
    leased = progress.lease(Delivering(queued=START, due=START), START)
    later = START + progress.LEASE
    held = progress.look(leased, shelved, later)
    assert isinstance(held, Wait)

    again = progress.lease(progress.hold(leased, held), held.until)

    assert again.perhaps_told
