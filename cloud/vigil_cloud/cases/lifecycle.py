"""The life of a case: a pure state machine. Who may do what is asked elsewhere (``rights``).

    new ─ take ─▶ in_progress ─ decide ─▶ decided ─ refer ─▶ referred ─ close ─▶ closed
                       ▲                     │                   │                 │
                       ├───── reopen ────────┴───────────────────┴─────────────────┤
                       │                     └────── appeal ─────┴─────────────────┤
                       └────────── decide ◀── appealed ◀───────────────────────────┘

Decisions come in rounds. A round ends when the domain's rule says that it is settled; an appeal
and a reopening begin another. Nothing is taken back: an earlier round stays in the history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, get_args

from vigil_cloud.cases.errors import DecidedAlready, NotImpartial, WrongState

State = Literal["new", "in_progress", "decided", "referred", "closed", "appealed"]
STATES: Final[tuple[State, ...]] = get_args(State)
Step = Literal["take", "assign", "decide", "refer", "close", "appeal", "reopen"]

FROM: Final[dict[Step, frozenset[State]]] = {
    "take": frozenset({"new", "in_progress", "decided", "referred", "appealed"}),
    "assign": frozenset({"new", "in_progress", "decided", "referred", "appealed"}),
    "decide": frozenset({"new", "in_progress", "appealed"}),
    "refer": frozenset({"decided"}),
    "close": frozenset({"decided", "referred"}),
    "appeal": frozenset({"decided", "referred", "closed"}),
    "reopen": frozenset({"decided", "referred", "closed"}),
}
"""From where each step is possible. Notes, photographs and deadlines are possible anywhere but a
deadline in a closed case: what was seen on site must not be lost because somebody closed it."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's decision in one round. ``amount_twd``: whole New Taiwan dollars."""

    account: str
    round: int
    outcome: str
    amount_twd: int | None = None
    entries: tuple[tuple[str, str], ...] = ()
    """Codes and texts of what was written down beside it: whoever differs in one does not agree."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands."""

    opened_by: str
    state: State = "new"
    assignee: str | None = None
    round: int = 1
    fresh_from: int = 1
    """Whoever decided in a round before this one may not decide any more: an appeal is judged by
    other people."""
    outcome: str | None = None
    amount_twd: int | None = None
    resolution: str | None = None
    votes: tuple[Vote, ...] = ()

    @property
    def now(self) -> tuple[Vote, ...]:
        """The decisions of the present round, in their order."""
        return tuple(vote for vote in self.votes if vote.round == self.round)


class DecisionRule(Protocol):
    """When several people's decisions settle a case, and who may give one. Pure."""

    @property
    def revealed_after(self) -> int:
        """So many decisions of a round are given blind: until then nobody sees another's."""

    @property
    def needed(self) -> int:
        """How many decisions settle a round when all agree."""

    def bars(self, standing: Standing, account: str) -> str | None:
        """Why this account may not decide, as one sentence; ``None`` where it may."""

    def settled(self, votes: Sequence[Vote]) -> Vote | None:
        """What a round's decisions come to, in whose words; ``None`` while they do not."""


def possible(standing: Standing) -> frozenset[Step]:
    """The steps that this state allows."""
    return frozenset(step for step, states in FROM.items() if standing.state in states)


def _require(standing: Standing, step: Step) -> None:
    if standing.state not in FROM[step]:
        allowed = ", ".join(state for state in STATES if state in FROM[step])
        raise WrongState(
            f"This case is {standing.state.replace('_', ' ')};"
            f" to {step} it, it must be one of: {allowed.replace('_', ' ')}.",
            state=standing.state,
        )


def assign(standing: Standing, assignee: str, *, step: Step = "assign") -> Standing:
    """Somebody works on it from now on. Raises ``WrongState``."""
    _require(standing, step)
    state: State = "in_progress" if standing.state == "new" else standing.state
    return replace(standing, state=state, assignee=assignee)


def decide(
    standing: Standing, rule: DecisionRule, vote: Vote, barred_outcomes: Collection[str] = ()
) -> Standing:
    """One person's decision; the case is decided where the rule says so, but never with an outcome
    that may not be chosen now, whoever chose it earlier: then further people are asked.

    Raises ``WrongState``, ``DecidedAlready``, ``NotImpartial``.
    """
    _require(standing, "decide")
    vote, account = replace(vote, round=standing.round), vote.account
    if any(one.account == account for one in standing.now):
        raise DecidedAlready("You have given your decision on this case; another person is needed.")
    if (reason := barred(standing, rule, account)) is not None:
        raise NotImpartial(reason)
    state: State = "in_progress" if standing.state == "new" else standing.state
    after = replace(standing, state=state, votes=(*standing.votes, vote))
    settled = rule.settled(after.now)
    if settled is None or settled.outcome in barred_outcomes:
        return after
    return replace(after, state="decided", outcome=settled.outcome, amount_twd=settled.amount_twd)


def more_known(standing: Standing) -> Standing:
    """There is more to judge than those saw who have decided in this round already: what they said
    counts for what they saw, and everybody decides on the whole in another round."""
    if standing.state not in FROM["decide"] or not standing.now:
        return standing
    return replace(standing, round=standing.round + 1)


def barred(standing: Standing, rule: DecisionRule, account: str) -> str | None:
    """Why this account may not decide in the present round."""
    before = (vote for vote in standing.votes if vote.round < standing.fresh_from)
    if any(vote.account == account for vote in before):
        return "You decided this case before the appeal; an appeal is judged by others."
    return rule.bars(standing, account)


def hidden(standing: Standing, rule: DecisionRule, reader: str) -> frozenset[tuple[str, int]]:
    """Whose decisions, of which round, this reader may not see yet: all but their own, as long as
    the present round is blind and open. So are those of a round that ended before it was seen
    (``more_known``): they are about most of what is decided on now."""
    if standing.state not in FROM["decide"] or len(standing.now) >= rule.revealed_after:
        return frozenset()
    given = Counter(vote.round for vote in standing.votes)
    return frozenset(
        (vote.account, vote.round)
        for vote in standing.votes
        if vote.account != reader and given[vote.round] < rule.revealed_after
    )


def refer(standing: Standing) -> Standing:
    """Handed to the authority that acts on it. Raises ``WrongState``."""
    _require(standing, "refer")
    return replace(standing, state="referred")


def close(standing: Standing, resolution: str) -> Standing:
    """Nothing more is to be done. Raises ``WrongState``."""
    _require(standing, "close")
    return replace(standing, state="closed", resolution=resolution)


def appeal(standing: Standing) -> Standing:
    """The person concerned objects: other people decide anew. Raises ``WrongState``."""
    _require(standing, "appeal")
    following = standing.round + 1
    return replace(
        standing, state="appealed", round=following, fresh_from=following, resolution=None
    )


def reopen(standing: Standing) -> Standing:
    """There is something new. The outcome no longer stands; the same people may decide again.
    Raises ``WrongState``."""
    _require(standing, "reopen")
    return replace(
        standing,
        state="in_progress",
        round=standing.round + 1,
        outcome=None,
        amount_twd=None,
        resolution=None,
    )
