"""Looks: one line in the audit log for each time that somebody looked, whatever a page loads.

The line is written in the transaction that shows the thing, so that nothing is shown
unlogged. The same account at the same thing again within ``WINDOW`` is the same look,
counted. What an open page loads by itself prolongs its look (it "lasted until") and is no
look of its own; only where there is none to prolong it begins one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Look

WINDOW: Final = timedelta(minutes=10)
FOLLOWED: Final = timedelta(hours=8)
"""A page that has loaded nothing for so long is taken for closed: its session may be over."""
_AT_ONCE: Final = 200


def note(  # noqa: PLR0913 - columns of one look, all by name
    session: Session,
    *,
    account: str,
    action: str,
    subject: str,
    now: datetime,
    person_key: str | None = None,
    thing: str = "",
    detail: Mapping[str, Any] | None = None,
    automatic: bool = False,
) -> None:
    """Write down one look, in the transaction that shows what is looked at.

    ``thing`` tells what ``subject`` does not of what is shown (a period): another thing is
    another look. ``automatic``: an open page asks again by itself.
    """
    audit.lock(session)  # two requests at once are one look
    what = hashlib.sha256("\0".join((action, person_key or "", subject, thing)).encode())
    open_look = session.scalar(
        select(Look)
        .where(Look.account == account, Look.what == what.hexdigest(), Look.closed.is_(False))
        .order_by(Look.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if open_look is not None:
        # Far ahead it was written by a clock that has been set back since: that look is over.
        if abs(now - open_look.last) <= (FOLLOWED if automatic else WINDOW):
            open_look.last = max(open_look.last, now)
            open_look.count += not automatic
            session.flush()
            return
        _close(session, open_look, now)
    number = audit.append(
        session,
        at=now,
        account=account,
        action=action,
        subject=subject,
        person_key=person_key,
        detail=detail,
    )
    session.add(
        Look(
            number=number,
            account=account,
            person_key=person_key,
            what=what.hexdigest(),
            first=now,
            last=now,
            count=1,
            closed=False,
        )
    )
    session.flush()


def of_lines(session: Session, numbers: Sequence[int]) -> dict[int, Look]:
    """The looks that began with these audit lines."""
    if not numbers:
        return {}
    return {
        look.number: look for look in session.scalars(select(Look).where(Look.number.in_(numbers)))
    }


def close_old(session: Session, now: datetime) -> int:
    """Put what is over under the chain's hash; how many looks, at most so many at once."""
    over = session.scalars(
        select(Look)
        .where(Look.closed.is_(False), Look.last < now - FOLLOWED)
        .order_by(Look.number)
        .limit(_AT_ONCE)
    ).all()
    for look in over:
        _close(session, look, now)
    return len(over)


def _close(session: Session, look: Look, now: datetime) -> None:
    look.closed = True
    if look.count > 1 or look.last > look.first:
        audit.append(
            session,
            at=now,
            account=look.account,
            action=audit.LOOK_CLOSED,
            subject=str(look.number),
            person_key=look.person_key,
            detail={"count": look.count, "last": look.last.isoformat()},
        )
