"""The dossier of a case: everything that its reader may see, with who looked, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from vigil_cloud.cases import history
from vigil_cloud.cases.port import Record, Words
from vigil_cloud.cases.presentation import Opened, entries_broken, present
from vigil_cloud.cases.schema import Case, CaseDecision
from vigil_cloud.cases.service import Desk
from vigil_cloud.identity import audit, looks
from vigil_cloud.identity.models import AuditEntry, AuditHead, Look
from vigil_schemas.dossier import (
    CaseDossier,
    DossierAlert,
    DossierDeadline,
    DossierDecision,
    DossierEntry,
    DossierEvent,
    DossierFact,
    DossierLook,
    DossierPhotograph,
    DossierRecord,
    DossierSection,
    DossierWords,
)

LOOKS: tuple[str, ...] = ("case.read", "case.dossier")


def build(desk: Desk, opened: Opened, records: Sequence[Record] = ()) -> CaseDossier:
    """As the reader sees the case; other people's blind decisions are not in it. ``records``: the
    files that its digest seals."""
    row, kind, case = opened.row, opened.kind, present(desk, opened)
    outcome, resolution = kind.outcome(row.outcome or ""), kind.resolution(row.resolution or "")
    head = desk.session.get(AuditHead, 1, populate_existing=True)
    made = CaseDossier(
        number=row.number,
        kind=_words(kind.name, kind.words),
        domain=kind.domain,
        title=case.title,
        title_zh=case.title_zh,
        state=case.state,
        opened=row.opened,
        opened_by=row.opened_by,
        assignee=row.assignee,
        outcome=_words(outcome.code, outcome.words) if outcome else None,
        amount_twd=row.amount_twd,
        resolution=_words(resolution.code, resolution.words) if resolution else None,
        alerts=[
            DossierAlert.model_validate(one.model_dump(exclude={"active"})) for one in case.alerts
        ],
        alerts_withheld=case.alerts_withheld,
        sections=[
            DossierSection(
                code=one.code,
                title=one.title,
                title_zh=one.title_zh,
                facts=[DossierFact.model_validate(fact.model_dump()) for fact in one.facts],
                data=one.data,
            )
            for one in case.sections
        ],
        records=[_record(one) for one in records],
        decisions=[_decision(one) for one in case.decisions_given],
        photographs=[
            DossierPhotograph.model_validate(one.model_dump(exclude={"width", "height", "size"}))
            for one in case.photographs
        ],
        deadlines=[
            DossierDeadline(title=one.title, title_zh=one.title_zh, due=one.due, met=one.met)
            for one in case.deadlines
        ],
        history=_history(opened, case),
        history_broken=sorted(
            {*history.broken(desk.session, opened.events, opened.texts), *entries_broken(opened)}
        ),
        looks=_looks(desk, row.id),
        audit_head=head.hash if head else audit.GENESIS,
        made=desk.now,
        made_by=desk.reader.username,
        sha256="0" * 64,
    )
    return made.model_copy(update={"sha256": made.digest()})


def _words(code: str, words: Words) -> DossierWords:
    return DossierWords(code=code, title=words.english, title_zh=words.chinese)


def _record(one: Record) -> DossierRecord:
    return DossierRecord(
        name=one.name,
        title=one.words.english,
        title_zh=one.words.chinese,
        sha256=hashlib.sha256(one.content).hexdigest(),
        size=len(one.content),
    )


def _decision(one: CaseDecision) -> DossierDecision:
    return DossierDecision(
        round=one.round,
        account=one.account,
        at=one.at,
        outcome=DossierWords(
            code=one.outcome, title=one.outcome_title, title_zh=one.outcome_title_zh
        ),
        amount_twd=one.amount_twd,
        reason=one.reason,
        entries=[DossierEntry.model_validate(entry.model_dump()) for entry in one.entries],
    )


def _history(opened: Opened, case: Case) -> list[DossierEvent]:
    lines = {event.number: event.audit for event in opened.events}
    return [DossierEvent(**one.model_dump(), audit_line=lines[one.number]) for one in case.history]


def _looks(desk: Desk, case_id: str) -> list[DossierLook]:
    query = select(AuditEntry).where(AuditEntry.subject == case_id, AuditEntry.action.in_(LOOKS))
    entries = desk.session.scalars(query.order_by(AuditEntry.number)).all()
    found = looks.of_lines(desk.session, [entry.number for entry in entries])
    return [_look(entry, found.get(entry.number)) for entry in entries]


def _look(entry: AuditEntry, look: Look | None) -> DossierLook:
    what = str(entry.detail.get("what", "page"))
    last: datetime = look.last if look else entry.at
    times = look.count if look else 1
    return DossierLook(
        account=entry.account, what=what, first=entry.at, last=last, times=max(1, times)
    )
