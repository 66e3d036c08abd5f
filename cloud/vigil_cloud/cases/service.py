"""Cases: opened from alerts or by hand, and changed by people. Knows no HTTP.

Every change is one transaction: the case's row is locked and its version compared, the step is
asked of ``lifecycle`` and of the kind's rule, and the event, its line in the audit chain and the
entry of the feed are written together.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases import entries, history, lifecycle, sealing
from vigil_cloud.cases.errors import (
    CaseChanged,
    CaseForbidden,
    CaseFull,
    CaseNeedsReason,
    CaseUnknown,
)
from vigil_cloud.cases.history import Action, Said
from vigil_cloud.cases.lifecycle import Standing, State, Vote
from vigil_cloud.cases.models import CaseAccess, CaseAlert, CaseEvent, CaseRow, CaseVote
from vigil_cloud.cases.port import Act, CaseKind, CaseKinds, Facts, Happened
from vigil_cloud.cases.visibility import NOT_ADMITTED, admitted_to, sight
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader

TOLD: Final = 5
"""So many changes by others are named where somebody acted on an older version."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who acts, when, and with what: everything that a step needs."""

    session: Session
    cipher: Cipher
    kinds: CaseKinds
    reader: Reader
    now: datetime
    kept_days: Mapping[str, float]
    """``[retention] cases_days``."""
    access_hours: Mapping[str, float] = field(default_factory=dict)
    """``cases_access_hours``."""

    def access_for(self, kind: CaseKind) -> timedelta:
        """So long a case of this kind is shown to whoever asks with a reason."""
        hours = self.access_hours.get(kind.name)
        return kind.access_for if hours is None else timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Held:
    """A case that the reader may work on, locked until the transaction ends."""

    row: CaseRow
    kind: CaseKind
    standing: Standing


def find(desk: Desk, case_id: str, *, locked: bool = False) -> tuple[CaseRow, CaseKind]:
    """Raises ``CaseUnknown``, ``CaseNeedsReason``."""
    row = desk.session.get(CaseRow, case_id, with_for_update=locked, populate_existing=locked)
    kind = desk.kinds.get(row.kind) if row is not None else None
    if row is None or kind is None:
        raise CaseUnknown("There is no such case for you.")
    admitted = admitted_to(desk.session, desk.reader, [case_id], desk.now)
    match sight(kind, desk.reader, admitted=admitted.get(case_id, NOT_ADMITTED), row=row):
        case "none":
            raise CaseUnknown("There is no such case for you.")
        case "withheld":
            raise CaseNeedsReason(row.number)
        case "whole":
            return row, kind


def hold(desk: Desk, case_id: str, act: Act, version: int | None) -> Held:
    """The case, locked, for one act. ``version``: the one that the reader looked at; ``None`` for
    what only adds. Raises ``CaseUnknown``, ``CaseForbidden``, ``CaseChanged``."""
    feed.lock(desk.session)
    row, kind = find(desk, case_id, locked=True)
    if not desk.reader.has(*kind.may(act)):
        raise CaseForbidden(act, kind.may(act))
    standing = standing_of(desk, row)
    if version is not None and version != row.version:
        since = _since(desk.session, row, version)
        # Whoever decides twice is told so, not that the case has changed.
        hidden = lifecycle.hidden(standing, kind.rule, desk.reader.username)
        blind = frozenset(account for account, _ in hidden) | {desk.reader.username}
        if version > row.version or not all(_unseen(event, blind) for event in since):
            raise CaseChanged(_what_others_did(row, since))
    return Held(row, kind, standing)


def standing_of(desk: Desk, row: CaseRow) -> Standing:
    """The row's place in the life cycle."""
    votes = desk.session.scalars(
        select(CaseVote).where(CaseVote.case_id == row.id).order_by(CaseVote.event)
    ).all()
    sealer = sealing.reader(desk.session, desk.cipher, row)
    return Standing(
        opened_by=row.opened_by,
        state=state_of(row),
        assignee=row.assignee,
        round=row.round,
        fresh_from=row.fresh_from,
        outcome=row.outcome,
        amount_twd=row.amount_twd,
        resolution=row.resolution,
        votes=tuple(_vote(sealer, one) for one in votes),
    )


def _vote(sealer: sealing.Sealer, row: CaseVote) -> Vote:
    values = entries.read(sealer, row).values
    if row.entries is not None and not values:
        values = {"": row.account}  # what nobody can read agrees with nothing
    said = tuple(sorted(values.items()))
    return Vote(row.account, row.round, row.outcome, row.amount_twd, said)


def state_of(row: CaseRow) -> State:
    """The state's word, checked."""
    return next(state for state in lifecycle.STATES if state == row.state)


def apply(desk: Desk, row: CaseRow, standing: Standing) -> None:
    """Put the case where ``lifecycle`` says that it stands now."""
    if row.state != standing.state:
        row.since = desk.now
    row.state, row.assignee = standing.state, standing.assignee
    row.round, row.fresh_from = standing.round, standing.fresh_from
    row.outcome, row.amount_twd = standing.outcome, standing.amount_twd
    row.resolution = standing.resolution


def told(
    desk: Desk,
    row: CaseRow,
    action: Action,
    detail: Mapping[str, Any] | None = None,
    text: str = "",
    *,
    by: str | None = None,
) -> CaseEvent:
    """One event more: the version rises, the audit chain and the feed have it. Raises
    ``CaseFull``, ``PersonErased``."""
    number = history.next_number(desk.session, row.id)
    if number > history.MOST:
        raise CaseFull(history.MOST, "entries")
    if number > 1:
        row.version += 1
    sealed = None
    if text:
        sealer = sealing.writer(desk.session, desk.cipher, row.person_key, desk.now)
        sealed = sealer.seal(history.TEXT, text)
    said = Said(action, by or desk.reader.username, detail or {}, text)
    event = history.append(desk.session, row, number, said, sealed, desk.now)
    feed.append(desk.session, "case", row.id, desk.now)
    kind = desk.kinds.get(row.kind)
    if kind is not None:
        account = by or desk.reader.username
        kind.happened(Happened(desk.session, row, action, account, detail or {}, desk.now))
    return event


def alerts_of(session: Session, case_id: str) -> Sequence[AlertRow]:
    """The alerts that a case is about, in the order in which they were raised."""
    query = (
        select(AlertRow)
        .join(CaseAlert, CaseAlert.alert_id == AlertRow.id)
        .where(CaseAlert.case_id == case_id)
        .order_by(AlertRow.raised, AlertRow.id)
    )
    return session.scalars(query).all()


def facts(session: Session, row: CaseRow) -> Facts:
    """What the domain is given."""
    return Facts(session, row, alerts_of(session, row.id))


def admit(session: Session, case_id: str, account: str, until: datetime | None) -> None:
    """Let an account see one case as who opened it (``None``), or until then; where it is let in
    until then already, for longer, and never for a shorter time."""
    query = select(CaseAccess).where(CaseAccess.case_id == case_id, CaseAccess.account == account)
    row = session.scalar(query)
    if row is None:
        row = CaseAccess(case_id=case_id, account=account, opener=False, until=None)
        session.add(row)
    if until is None:
        row.opener = True
    else:
        row.until = until if row.until is None else max(row.until, until)
    session.flush()


def keep(desk: Desk, row: CaseRow, kind: CaseKind) -> None:
    """From when on a case that was closed just now is no longer kept."""
    days = desk.kept_days.get(kind.name)
    span = kind.kept_for if days is None else timedelta(days=days)
    row.kept_until = desk.now + span if span > timedelta() else None


def new_id() -> str:
    """Random: nothing about a case can be told from its address."""
    return str(uuid.uuid4())


def _since(session: Session, row: CaseRow, version: int) -> Sequence[CaseEvent]:
    query = select(CaseEvent).where(CaseEvent.case_id == row.id, CaseEvent.version > version)
    return session.scalars(query.order_by(CaseEvent.number)).all()


def _unseen(event: CaseEvent, blind: frozenset[str]) -> bool:
    """A blind decision of somebody else is no reason to refuse one's own: it is not to be known.
    Nor is one's own a surprise."""
    return event.action == "decision-given" and event.account in blind


def _what_others_did(row: CaseRow, since: Sequence[CaseEvent]) -> str:
    done = [
        f"{event.account or 'the platform'} {event.action.replace('-', ' ')}"
        f" at {event.at:%Y-%m-%d %H:%M} UTC"
        for event in since[-TOLD:]
    ]
    what = "; ".join(done) or f"it is at version {row.version}"
    return f"This case changed since you looked at it ({what}). Look at it again, then decide."
