"""Seals what earlier versions wrote in the open: a job, since migrations have no key.

Until it has passed, what it would seal is shown as it was before. A row that cannot be sealed
stays as it is and is told in the log.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.details import to_keep
from vigil_cloud.alerts.history import WRITTEN
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.sealing import seal_content, seal_text
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Undecipherable
from vigil_cloud.identity.secret_key import WrongSecretKey
from vigil_cloud.services import Services

EVERY: Final = timedelta(days=1)
_PAGE: Final = 200
_log = structlog.get_logger(__name__)


class _Page(NamedTuple):
    looked_at: int
    sealed: int
    last: Any


def seal_what_lies_open(services: Services, stopping: threading.Event | None = None) -> int:
    """Everything, page by page, each in a short transaction. Returns how much was sealed."""
    sealed = 0
    for page in (_details, _texts):
        after: Any = None
        while stopping is None or not stopping.is_set():
            with writing(services.sessions) as session:
                done = page(session, after)
            sealed, after = sealed + done.sealed, done.last
            if done.looked_at < _PAGE:
                break
    if sealed:
        _log.info("alerts-sealed", number=sealed)
    return sealed


def _details(session: Session, after: str | None) -> _Page:
    query = select(AlertRow).where(AlertRow.typed.is_(False)).order_by(AlertRow.id).limit(_PAGE)
    rows = session.scalars(query if after is None else query.where(AlertRow.id > after)).all()
    sealed = 0
    for row in rows:
        kept = to_keep(row.domain, row.detail)
        # What an old version wrote is no doubt about the message.
        marks = row.detail.get("shape_doubtful")
        whole = {key: value for key, value in kept.open.items() if key != "shape_doubtful"}
        if marks is not None:
            whole["shape_doubtful"] = marks
        values: dict[str, Any] = {"typed": True, "detail": whole}
        if kept.personal:
            try:
                values["private"] = seal_content(session, row, kept.personal)
            except (Undecipherable, WrongSecretKey) as error:
                _log.error("alert-detail-not-sealed", alert=row.id, error=error)
                continue
            sealed += 1
        # Past the mapper: the alert is the same, and pages that show it stay up to date.
        session.execute(
            update(AlertRow)
            .where(AlertRow.id == row.id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
    return _Page(len(rows), sealed, rows[-1].id if rows else None)


def _texts(session: Session, after: int | None) -> _Page:
    query = (
        select(AlertHistory, AlertRow)
        .join(AlertRow, AlertRow.id == AlertHistory.alert_id)
        .where(
            AlertHistory.account.is_not(None),
            AlertHistory.comment != "",
            AlertHistory.text.is_(None),
            AlertHistory.action.in_(WRITTEN),
        )
        .order_by(AlertHistory.id)
        .limit(_PAGE)
    )
    rows = session.execute(query if after is None else query.where(AlertHistory.id > after)).all()
    sealed = 0
    for line, row in rows:
        try:
            line.text, line.comment = seal_text(session, row, line.comment), ""
            sealed += 1
        except (Undecipherable, WrongSecretKey) as error:
            _log.error("alert-text-not-sealed", alert=row.id, error=error)
    return _Page(len(rows), sealed, rows[-1][0].id if rows else None)
