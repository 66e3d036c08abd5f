"""Disclosures: who may know what an open case tells of where somebody is, beside those who have
the person's consent. Each belongs to one case and rests on one role; it ends by itself, with its
case, and with the role."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from vigil_cloud.identity.models import Account, Disclosure
from vigil_cloud.identity.roles import Role


def disclosed_at(at: datetime) -> ColumnElement[bool]:
    """Disclosures that count at this moment."""
    return and_(Disclosure.given <= at, Disclosure.until > at)


def disclose(  # noqa: PLR0913 - one disclosure's columns, all by name
    session: Session,
    *,
    person_key: str,
    account: str,
    role: Role,
    case_id: str,
    until: datetime,
    now: datetime,
) -> None:
    """Let an account know, or know for longer; never for a shorter time. Idempotent. Unknown
    accounts are left out."""
    account_id = session.scalar(select(Account.id).where(Account.username == account))
    if account_id is None:
        return
    row = session.scalar(
        select(Disclosure).where(
            Disclosure.case_id == case_id,
            Disclosure.account_id == account_id,
            Disclosure.role == role.value,
        )
    )
    if row is None:
        session.add(
            Disclosure(
                person_key=person_key,
                account_id=account_id,
                case_id=case_id,
                role=role.value,
                given=now,
                until=until,
            )
        )
    else:
        row.until = max(row.until, until)
    session.flush()


def end(session: Session, case_id: str, now: datetime) -> None:
    """Nobody knows by this case any longer. Idempotent."""
    _end(session, Disclosure.case_id == case_id, now)


def end_for(
    session: Session, *, person_key: str, account_id: int, role: Role, now: datetime
) -> None:
    """As this, the account knows by no case any longer where the person is. Idempotent."""
    of_both = and_(
        Disclosure.person_key == person_key,
        Disclosure.account_id == account_id,
        Disclosure.role == role.value,
    )
    _end(session, of_both, now)


def _end(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    for row in session.scalars(select(Disclosure).where(which, Disclosure.until > now)):
        row.until = now
    session.flush()
