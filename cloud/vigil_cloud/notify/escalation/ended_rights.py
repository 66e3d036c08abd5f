"""What somebody had taken on whose right to it has ended since: open again, for others.

An account that is closed or limited lets go at once (``answers.InHand``). What belongs to a home, a
person or a case is open to an account for as long as it belongs to that home, a consent lasts or
the case discloses it, and these also end by themselves, at their time. So whoever stands as having
taken on such an alert is asked about again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, cast

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.alerts.visibility import Placed, may_act
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import readers_of
from vigil_cloud.identity.rights import Operation
from vigil_cloud.notify.escalation import answers
from vigil_cloud.notify.escalation.people import CHANNEL

EVERY: Final = timedelta(seconds=10)
_AT_ONCE: Final = 500
"""Alerts of one turn: everybody who changes an alert waits for it."""


class _Taken(Placed, Protocol):
    """What decides whether it is still whose it is, without the rest of the row."""

    @property
    def id(self) -> str:
        """The alert."""

    @property
    def confirmed(self) -> bool:
        """As ``AlertRow`` has it."""

    @property
    def priority(self) -> int | None:
        """0: nothing is to be done for it any more."""

    @property
    def acknowledged_by(self) -> str | None:
        """Who has taken it on."""

    @property
    def acknowledged_at(self) -> datetime | None:
        """When."""


_COLUMNS: Final = (
    AlertRow.id,
    AlertRow.acknowledged_by,
    AlertRow.acknowledged_at,
    AlertRow.confirmed,
    AlertRow.priority,
    AlertRow.domain,
    AlertRow.person_key,
    AlertRow.case_id,
    AlertRow.household,
    AlertRow.district,
    AlertRow.only_roles,
    AlertRow.raised,
    AlertRow.active,
)
# ``answers.IN_HAND``, of which the rest is asked of what is found: an order, or a word on who took
# it on or how urgent it is, would have a database walk along all that was ever acknowledged. What
# stands and is in hand is little, however many alerts there are.
_IN_HAND: Final = union(
    *(select(*_COLUMNS).where(AlertRow.acknowledged, one) for one in answers.TO_BE_DONE)
)


def anything_ended(session: Session, now: datetime) -> bool:
    """Whether ``release`` would do anything: reads alone."""
    return bool(_ended(session, now))


def release(session: Session, now: datetime) -> bool:
    """To somebody else who accepted, or its people are called again; whether there was anything.
    In the caller's transaction. Idempotent. The audit log says of each whose it was: a right that
    ends by its time leaves no other line."""
    if not _ended(session, now):
        return False  # nearly always so, and nobody waits for it
    feed.lock(session)
    ids = _ended(session, now)[:_AT_ONCE]
    query = select(AlertRow).where(AlertRow.id.in_(ids)).order_by(AlertRow.id)
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    for row in rows:
        audit.append(
            session,
            at=now,
            account="platform",
            action="alert.released",
            subject=row.id,
            person_key=row.person_key,
            detail={"account": row.acknowledged_by, **(in_case(row.case_id) or {})},
        )
    answers.pass_on(session, rows, now)
    return bool(rows)


def _ended(session: Session, now: datetime) -> Sequence[str]:
    """In the order of their ids. Not of what was taken on after ``now``, while this one waited: the
    right to it may have begun after that as well."""
    found = [cast("_Taken", row) for row in session.execute(_IN_HAND)]
    taken = [
        one
        for one in found
        if not one.confirmed and (one.priority or 0) > 0
        if not (one.acknowledged_by or CHANNEL).startswith(CHANNEL)
        and (one.acknowledged_at is None or one.acknowledged_at <= now)
    ]
    if not taken:
        return ()
    names = sorted({one.acknowledged_by for one in taken if one.acknowledged_by is not None})
    accounts = session.scalars(select(Account).where(Account.username.in_(names), Account.active))
    readers = {one.username: one for one in readers_of(session, accounts.all(), now).values()}
    return sorted(
        one.id
        for one in taken
        if (reader := readers.get(one.acknowledged_by or "")) is None
        or not may_act(reader, Operation.ACKNOWLEDGE, one).allowed
    )
