"""Cohorts: volunteers who were trained together (a class of pupils), or are on the road together
(riders who deliver), with hours of their own. Nobody of a cohort is called outside of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Final, Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.aed import hours, volunteers
from vigil_cloud.aed.models import AedCohort, AedVolunteer
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account

Kind = Literal["pupils", "carriers", "other"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class CohortUnknown(NotFound):
    """No such cohort of volunteers."""

    code: ClassVar[str] = "aed-cohort-unknown"
    remedy: ClassVar[str] = "Look it up in the list of cohorts, or add it first."


class CohortInUse(ApiError):
    """Volunteers are called by its hours. ``members``: how many."""

    code: ClassVar[str] = "aed-cohort-in-use"
    remedy: ClassVar[str] = (
        "Put its members into another cohort, or into none, which calls them at all hours."
    )
    status: ClassVar[int] = 409

    def __init__(self, cohort: str, members: int) -> None:
        super().__init__(f"Cohort {cohort!r} has {members} members.")
        self.members = members


@dataclass(frozen=True, slots=True)
class CohortFields:
    """See ``models.AedCohort``."""

    name: str
    kind: Kind
    hours: str
    name_zh: str = ""
    speed_mps: float | None = None


def put(session: Session, cohort: str, fields: CohortFields, by: str, now: datetime) -> AedCohort:
    """Add it or write it anew. Raises ``BadOpeningHours``."""
    hours.parsed(fields.hours)
    row = session.get(AedCohort, cohort, with_for_update=True) or AedCohort(id=cohort)
    row.name, row.name_zh, row.kind = fields.name, fields.name_zh, fields.kind
    row.hours, row.speed_mps, row.updated = fields.hours, fields.speed_mps, now
    session.add(row)
    session.flush()
    audit.append(session, at=now, account=by, action="aed.cohort-put", subject=cohort)
    return row


def remove(session: Session, cohort: str, by: str, now: datetime) -> None:
    """Idempotent. Raises ``CohortInUse``: without it pupils would be called at all hours, so each
    member is taken out of it, or put into another one, by somebody who means that."""
    row = session.get(AedCohort, cohort, with_for_update=True)
    if row is None:
        return
    members = select(func.count()).where(AedVolunteer.cohort == cohort)
    if number := session.scalar(members):
        raise CohortInUse(cohort, number)
    session.delete(row)
    audit.append(session, at=now, account=by, action="aed.cohort-removed", subject=cohort)


def find(session: Session, cohort: str, *, lock: bool = False) -> AedCohort:
    """Raises ``CohortUnknown``."""
    row = session.get(AedCohort, cohort, with_for_update=lock)
    if row is None:
        raise CohortUnknown(f"There is no cohort {cohort!r}.")
    return row


def listed(session: Session) -> Sequence[tuple[AedCohort, int]]:
    """All of them by their ids, each with how many members it has."""
    query = select(AedVolunteer.cohort).where(AedVolunteer.cohort.is_not(None))
    members = Counter(session.scalars(query))
    rows = session.scalars(select(AedCohort).order_by(AedCohort.id)).all()
    return [(row, members[row.id]) for row in rows]


def join(
    session: Session, username: str, cohort: str | None, by: str, now: datetime
) -> AedVolunteer:
    """A volunteer is of this cohort from now on; ``None``: of none. Raises ``NoVolunteer``,
    ``CohortUnknown``."""
    if cohort is not None:
        find(session, cohort, lock=True)  # it is not removed meanwhile
    row = volunteers.of_account(session, username)
    if row.cohort != cohort:
        row.cohort = cohort
        detail = {"cohort": cohort}
        audit.append(
            session, at=now, account=by, action="aed.cohort-joined", subject=username, detail=detail
        )
    return row


def certify(session: Session, cohort: str, until: date | None, by: str, now: datetime) -> int:
    """The last day of everybody's certificate who was trained with it, by somebody who has seen
    them. How many members it has. Raises ``CohortUnknown``."""
    find(session, cohort)
    query = (
        select(Account.username)
        .join(AedVolunteer, AedVolunteer.account_id == Account.id)
        .where(AedVolunteer.cohort == cohort)
        .order_by(Account.username)
    )
    names = [
        name for name in session.scalars(query).all() if volunteers.is_volunteer(session, name)
    ]
    for name in names:
        volunteers.certify(session, name, until, by, now)
    return len(names)
