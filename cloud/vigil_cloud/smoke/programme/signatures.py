"""Three parties sign for what hangs in a home. Callers hold a writing transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.identity.models import Account, HouseholdMember
from vigil_cloud.identity.reader import Relation, member_at
from vigil_cloud.smoke.fires import TOLD_AT_HOME
from vigil_cloud.smoke.programme import home_rows, progress
from vigil_cloud.smoke.programme.errors import ProgrammeOutOfTurn, in_turn
from vigil_cloud.smoke.programme.progress import Signature
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammeStep

ON_PAPER: Final = "on paper"
"""Who signed for a household without an account; no user name has a blank."""


def sign(session: Session, row: ProgrammeHome, signature: Signature, *, by: str) -> None:
    """One party signs: its account, or ``ON_PAPER``, which ``by`` keeps. Three people look at it:
    who fitted the alarms signs for no other party, and who keeps a signature on paper gives none;
    nor is there one on paper of a household that can sign itself. Raises ``AlarmsChanged``,
    ``ProgrammeOutOfTurn``."""
    party, who, now = signature.party, signature.who, signature.at
    if who == ON_PAPER and signs_itself(session, row, now):
        raise ProgrammeOutOfTurn(row.phase, "somebody who lives there has an account, and signs")
    state = home_rows.state_of(session, row)
    others: set[str | None] = {one.who for one in state.signatures if one.party != party}
    done = _done_by(session, row)
    if ON_PAPER in others:
        others |= {one for what, one in done if what == "signed:household"}
    if party != "installer":
        others |= {one for what, one in done if what.startswith("installed:")}
    if by in others:
        raise ProgrammeOutOfTurn(row.phase, f"{by} has acted for another party")
    with in_turn(row):
        after = progress.signed(state, signature)
    home_rows.keep(session, row, after, f"signed:{party}", by, now)


def _done_by(session: Session, row: ProgrammeHome) -> Sequence[tuple[str, str | None]]:
    """Steps since alarms were last fitted there, with that one, and who took each."""
    fitted = select(func.max(ProgrammeStep.id)).where(
        ProgrammeStep.home == row.id, ProgrammeStep.what.like("installed:%")
    )
    query = select(ProgrammeStep.what, ProgrammeStep.who).where(
        ProgrammeStep.home == row.id, ProgrammeStep.id >= fitted.scalar_subquery()
    )
    return [(step.what, step.who) for step in session.execute(query)]


def signs_itself(session: Session, row: ProgrammeHome, now: datetime) -> bool:
    """Whether a resident has an account that may sign: then nobody brings a paper for them."""
    query = (
        select(Account.roles)
        .join(HouseholdMember, HouseholdMember.account_id == Account.id)
        .where(
            HouseholdMember.household == row.household,
            HouseholdMember.relation == Relation.RESIDENT.value,
            member_at(now),
            Account.active,
        )
    )
    may = {role.value for role in TOLD_AT_HOME}
    return any(may.intersection(roles) for roles in session.scalars(query))
