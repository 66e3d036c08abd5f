"""Whatever people do in whatever order, a case is nowhere it may not be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vigil_cloud.cases import lifecycle
from vigil_cloud.cases.errors import DecidedAlready, NotImpartial, WrongState
from vigil_cloud.cases.lifecycle import FROM, Standing, Vote
from vigil_cloud.cases.rules import OneDecides, TwoAgree

PEOPLE = st.sampled_from(["opener", "ana", "bo", "chen", "dee", "eva"])
AMOUNTS = st.sampled_from([1800, 3000, 3600])
OUTCOMES = st.one_of(
    st.tuples(st.just("fine"), AMOUNTS),
    st.sampled_from([("dismissed", None), ("unreadable", None)]),
)
VOTES = st.lists(OUTCOMES, max_size=7)


class ACase(RuleBasedStateMachine):
    """Any step by anybody at any time; what is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.rule = TwoAgree()
        self.case = Standing(opened_by="opener")
        self.appealed_from: set[str] = set()

    def step(self, name: str, call: Any) -> None:
        before = self.case
        allowed = before.state in FROM[name]  # type: ignore[index]
        try:
            self.case = call(before)
        except WrongState:
            assert not allowed
            assert self.case is before
            return
        except (DecidedAlready, NotImpartial):
            assert name == "decide"
            assert self.case is before
            return
        assert allowed

    @rule(who=PEOPLE)
    def assign(self, who: str) -> None:
        self.step("assign", lambda case: lifecycle.assign(case, who))

    @rule(who=PEOPLE, what=OUTCOMES)
    def decide(self, who: str, what: tuple[str, int | None]) -> None:
        self.step("decide", lambda case: lifecycle.decide(case, self.rule, Vote(who, 1, *what)))

    @rule()
    def refer(self) -> None:
        self.step("refer", lifecycle.refer)

    @rule()
    def close(self) -> None:
        self.step("close", lambda case: lifecycle.close(case, "paid"))

    @rule()
    def appeal(self) -> None:
        before = self.case
        self.step("appeal", lifecycle.appeal)
        if self.case.state == "appealed" and self.case is not before:
            self.appealed_from |= {vote.account for vote in before.votes}

    @rule()
    def reopen(self) -> None:
        self.step("reopen", lifecycle.reopen)

    @invariant()
    def nobody_votes_twice_in_a_round_nor_on_what_they_opened(self) -> None:
        votes = [(vote.account, vote.round) for vote in self.case.votes]
        assert len(votes) == len(set(votes))
        assert "opener" not in {vote.account for vote in self.case.votes}

    @invariant()
    def whoever_decided_before_an_appeal_decides_no_more(self) -> None:
        later = {v.account for v in self.case.votes if v.round >= self.case.fresh_from}
        assert self.case.fresh_from == 1 or not later & self.appealed_from

    @invariant()
    def what_is_decided_rests_on_two_people_of_its_round(self) -> None:
        case = self.case
        if case.state in {"decided", "referred", "closed"}:
            agreed = [vote for vote in case.now if vote.outcome == case.outcome]
            assert len({vote.account for vote in agreed}) >= 2
            assert case.amount_twd in {vote.amount_twd for vote in agreed}
        if case.state in {"new", "in_progress"}:
            assert case.outcome is None

    @invariant()
    def others_decisions_are_hidden_until_two_are_in(self) -> None:
        for reader in ("opener", "ana", "stranger"):
            hidden = lifecycle.hidden(self.case, self.rule, reader)
            assert reader not in {account for account, _ in hidden}
            if len(self.case.now) >= 2 or self.case.state not in FROM["decide"]:
                assert not hidden
            else:
                others = {vote.account for vote in self.case.now} - {reader}
                assert {
                    account for account, number in hidden if number == self.case.round
                } == others


TestACase = ACase.TestCase
TestACase.settings = settings(max_examples=300, stateful_step_count=40)


def votes_of(said: list[tuple[str, int | None]]) -> list[Vote]:
    return [Vote(f"r{n}", 1, outcome, amount) for n, (outcome, amount) in enumerate(said)]


@given(VOTES)
def test_nobody_is_fined_on_one_persons_word(said: list[tuple[str, int | None]]) -> None:
    settled = TwoAgree().settled(votes_of(said))

    if settled is not None:
        same = [vote for vote in said if vote[0] == settled.outcome]
        assert len(same) >= 2
        # No more than two people said is owed.
        at_least = [one for one in same if (one[1] or 0) >= (settled.amount_twd or 0)]
        assert len(at_least) >= 2


@given(VOTES)
def test_what_is_settled_is_settled_by_the_first_who_suffice(
    said: list[tuple[str, int | None]],
) -> None:
    """The result is that of the shortest beginning that suffices: order decides, not luck."""
    rule = TwoAgree()
    for count in range(len(said) + 1):
        settled = rule.settled(votes_of(said)[:count])
        if settled is not None:
            assert count >= 2
            assert count == 2 or rule.settled(votes_of(said)[: count - 1]) is None
            return


@pytest.mark.parametrize(
    ("said", "outcome", "amount"),
    [
        ([("fine", 3000)], None, None),
        ([("fine", 3000), ("fine", 3000)], "fine", 3000),
        ([("fine", 3000), ("fine", 3600)], None, None),  # they differ: a third is asked
        ([("fine", 3000), ("fine", 3600), ("fine", 3600)], "fine", 3600),
        ([("fine", 3600), ("fine", 3000), ("fine", 1800)], "fine", 1800),
        ([("fine", 3600), ("dismissed", None), ("fine", 3000)], "fine", 3000),
        ([("fine", 3600), ("dismissed", None), ("dismissed", None)], "dismissed", None),
        ([("fine", 3600), ("dismissed", None), ("unreadable", None)], None, None),
    ],
)
def test_two_agree(
    said: list[tuple[str, int | None]], outcome: str | None, amount: int | None
) -> None:
    settled = TwoAgree().settled(votes_of(said))
    assert (settled and settled.outcome, settled and settled.amount_twd) == (outcome, amount)


def test_one_decides_and_may_be_kept_from_deciding_what_they_opened() -> None:
    case = lifecycle.decide(Standing("ana"), OneDecides(), Vote("ana", 1, "not-found"))
    assert (case.state, case.outcome) == ("decided", "not-found")
    with pytest.raises(NotImpartial):
        lifecycle.decide(Standing("ana"), OneDecides(opener_may=False), Vote("ana", 1, "fine", 1))


def test_a_refusal_says_from_where_the_step_is_possible() -> None:
    with pytest.raises(WrongState, match=r"is new; to refer it, it must be one of: decided\."):
        lifecycle.refer(Standing("ana"))
