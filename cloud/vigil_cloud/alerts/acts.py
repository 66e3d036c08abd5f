"""What people do to alerts: found with their rights, acted on with history and audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final, Literal

from sqlalchemy.orm import Session

from vigil_cloud.alerts import aside, feed, lifecycle, outbox
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.lifecycle import State
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.alerts.visibility import may_act, may_see
from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity import audit
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation
from vigil_schemas.types import isoformat_utc

Action = Literal[
    "acknowledged", "confirmed", "shelved", "unshelved", "out-of-service", "in-service"
]


_OPERATIONS: Final[Mapping[Action, Operation]] = {
    "acknowledged": Operation.ACKNOWLEDGE,
    "confirmed": Operation.DECIDE,
    "shelved": Operation.DECIDE,
    "unshelved": Operation.DECIDE,
    "out-of-service": Operation.DECIDE,
    "in-service": Operation.DECIDE,
}


class AlertUnknown(ApiError):
    """No such alert, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "alert-unknown"
    remedy: ClassVar[str] = (
        "Follow the link again while signed in with the role that the alert is for."
    )
    status: ClassVar[int] = 404


class ChangedMeanwhile(ApiError):
    """The reader decided on an older state of the alert."""

    code: ClassVar[str] = "changed-meanwhile"
    remedy: ClassVar[str] = "Look at the alert as it is now, and decide again."
    status: ClassVar[int] = 409


def find(session: Session, reader: Reader, alert_id: str) -> AlertRow:
    """Raises ``AlertUnknown``."""
    row = session.get(AlertRow, alert_id)
    if row is None or not may_see(reader, row):
        raise AlertUnknown("There is no such alert for you.")
    return row


def act(  # noqa: PLR0913 - one act with everything it may carry, by name
    session: Session,
    reader: Reader,
    alert_id: str,
    action: Action,
    *,
    now: datetime,
    comment: str = "",
    until: datetime | None = None,
    version: int | None = None,
) -> AlertRow:
    """One person's act, with history, audit line and feed entry, in the caller's transaction.

    ``until``: of what is put aside. Raises ``AlertUnknown``, ``Forbidden``, ``ChangedMeanwhile``,
    ``BadEnd``, ``AsideTooLong`` and the refusals of ``lifecycle``.
    """
    feed.lock(session)
    row = find(session, reader, alert_id)
    decided = may_act(reader, _OPERATIONS[action], row)
    if not decided.allowed:
        raise Forbidden(f"You may see this alert, and not do this to it: {decided.reason}.")
    if version is not None and version != row.version:
        raise ChangedMeanwhile("Somebody changed this alert just now; look at it again.")
    _do(session, row, reader.username, action, now, comment=comment, until=until)
    return row


def settle(session: Session, row: AlertRow, by: str, now: datetime) -> None:
    """The case that it belongs to was closed, by whoever may close that: nobody is asked a second
    time. What is still called on waits for its domain. The caller holds ``feed.lock``. Idempotent.
    """
    if row.called_on:
        return
    if not row.acknowledged:
        _do(session, row, by, "acknowledged", now)
    if not row.confirmed:
        _do(session, row, by, "confirmed", now)


def _do(  # noqa: PLR0913 - one act with everything it may carry, by name
    session: Session,
    row: AlertRow,
    by: str,
    action: Action,
    now: datetime,
    *,
    comment: str = "",
    until: datetime | None = None,
) -> None:
    before = state_of(row)
    after = _next(row, before, action, until, now)
    if action in {"shelved", "out-of-service"}:
        aside.begun(session, row, until, now)
    row.active, row.acknowledged, row.confirmed = after.active, after.acknowledged, after.confirmed
    row.shelved_until, row.out_of_service = after.shelved_until, after.out_of_service
    row.out_of_service_until = after.out_of_service_until
    if action == "acknowledged":
        row.acknowledged_by, row.acknowledged_at = by, now
    if action == "confirmed":
        row.confirmed_by, row.confirmed_at = by, now
    if before.active and not after.active:
        row.cleared = now
    if action == "confirmed":
        outbox.announce(session, row, now, "closed", step=isoformat_utc(now))
    if action in {"unshelved", "in-service"}:
        aside.ended(row, now)
        outbox.announce(session, row, now, "woken")
    note(session, row, now, by, action, comment)
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action=f"alert.{action}",
        subject=row.id,
        person_key=row.person_key,
        detail=in_case(row.case_id),
    )
    feed.append(session, "alert", row.id, now)


def _next(
    row: AlertRow, state: State, action: Action, until: datetime | None, now: datetime
) -> State:
    match action:
        case "shelved":
            return lifecycle.shelve(state, until or now, now, aside.longest(row, action))
        case "out-of-service":
            aside.check_work(row, until, now)
            return lifecycle.set_service(state, True, until)
        case "acknowledged":
            return lifecycle.acknowledge(state)
        case "confirmed":
            return lifecycle.confirm(state)
        case "unshelved":
            return lifecycle.unshelve(state, now)
        case _:
            return lifecycle.set_service(state, False)
