"""Decision rules that domains choose from, or stand their own beside. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vigil_cloud.cases.lifecycle import Standing, Vote

OPENER = "You opened this case; somebody else decides it."


@dataclass(frozen=True, slots=True)
class OneDecides:
    """The first decision is the decision."""

    opener_may: bool = True
    revealed_after: int = 0
    needed: int = 1

    def bars(self, standing: Standing, account: str) -> str | None:
        """The opener, where the domain says so."""
        return None if self.opener_may or account != standing.opened_by else OPENER

    def settled(self, votes: Sequence[Vote]) -> Vote | None:
        """The first."""
        return votes[0] if votes else None


@dataclass(frozen=True, slots=True)
class TwoAgree:
    """Two people, neither of whom opened the case, each without knowing the other's decision.

    Where the two differ, in the outcome, in the amount or in what they wrote down beside it, a
    third is asked, who sees both. What two people say stands; nobody is fined on one person's
    word. Where two agree on all but the amount, and no two on that, the lower of theirs is owed.
    Where even three have three opinions, further people are asked until two agree.
    """

    revealed_after: int = 2
    needed: int = 2

    def bars(self, standing: Standing, account: str) -> str | None:
        """The opener."""
        return OPENER if account == standing.opened_by else None

    def settled(self, votes: Sequence[Vote]) -> Vote | None:
        """Two alike; from the third on, two that differ in the amount alone."""
        alike = Counter((vote.outcome, vote.amount_twd, vote.entries) for vote in votes)
        for vote in votes:
            if alike[vote.outcome, vote.amount_twd, vote.entries] >= 2:
                return vote
        if len(votes) < 3:
            return None
        outcomes = Counter((vote.outcome, vote.entries) for vote in votes)
        for vote in votes:
            said = (vote.outcome, vote.entries)
            if outcomes[said] >= 2:
                agreed = (one for one in votes if (one.outcome, one.entries) == said)
                return min(agreed, key=lambda one: one.amount_twd or 0)
        return None
