"""Closed cases whose time is over are removed, and pictures that nobody can read any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases.models import CasePhotograph, CaseRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.objects.port import Objects
from vigil_cloud.services import Services

BATCH: Final = 50


def expire(services: Services, now: datetime, by: str) -> int:
    """Remove some closed cases that are kept no longer; how many, with pictures whose key is gone.

    Objects go first: a row without
    its object is removed by the next round, an object without its row would stay for good.
    """
    lost = remove_lost(services)
    over = (CaseRow.state == "closed", CaseRow.kept_until < now)
    with services.sessions() as session:
        found = session.scalars(select(CaseRow.id).where(*over).limit(BATCH)).all()
        names = _objects(session, found)
    remove_objects(services.objects, names)
    if not found:
        return lost
    with writing(services.sessions) as session:
        feed.lock(session)
        # Asked again under the lock: one may have been reopened meanwhile.
        still = session.scalars(select(CaseRow).where(CaseRow.id.in_(found), *over)).all()
        for row in still:
            audit.append(
                session,
                at=now,
                account=by,
                action="case.removed",
                subject=row.id,
                person_key=row.person_key,
                detail={"case": row.number, "kept_until": str(row.kept_until)},
            )
            feed.append(session, "case", row.id, now)
        gone = [row.id for row in still]
        statement = delete(CaseRow).where(CaseRow.id.in_(gone))
        session.execute(statement.execution_options(synchronize_session=False))
    return len(gone) + lost


def remove_lost(services: Services) -> int:
    """Remove some pictures whose key was destroyed with a person's; how many."""
    lost = select(CasePhotograph).where(CasePhotograph.key.is_(None)).limit(BATCH)
    with services.sessions() as session:
        found = [(one.id, one.object_name) for one in session.scalars(lost)]
    remove_objects(services.objects, [name for _, name in found])
    if found:
        with writing(services.sessions) as session:
            gone = CasePhotograph.id.in_([photograph for photograph, _ in found])
            session.execute(delete(CasePhotograph).where(gone))
    return len(found)


def remove_objects(objects: Objects, names: Sequence[str]) -> None:
    """Raises ``ObjectsUnavailable``; what is left is noise, for its key is gone."""
    for name in names:
        objects.delete(name)


def _objects(session: Session, case_ids: Sequence[str]) -> list[str]:
    query = select(CasePhotograph.object_name).where(CasePhotograph.case_id.in_(case_ids))
    return list(session.scalars(query)) if case_ids else []
