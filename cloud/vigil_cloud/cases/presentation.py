"""From rows to what the API shows, for one reader: the only place that opens sealed texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.titles import titles
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.cases import entries, history, lifecycle, sealing
from vigil_cloud.cases.entries import NOTHING, Written
from vigil_cloud.cases.lifecycle import Standing
from vigil_cloud.cases.models import (
    CaseDeadline,
    CaseEvent,
    CasePhotograph,
    CaseRow,
    CaseVote,
)
from vigil_cloud.cases.photographs import ZONE_ASSUMED
from vigil_cloud.cases.port import Act, CaseKind, Entry, Everything, Facts, Section, Words
from vigil_cloud.cases.schema import (
    Case,
    CaseAlertEntry,
    CaseDeadlineEntry,
    CaseDecision,
    CaseEventEntry,
    CaseFact,
    CaseKindEntry,
    CasePhotographEntry,
    CaseSection,
    CaseSummary,
    EntryField,
    EntryGiven,
    Named,
    OutcomeEntry,
)
from vigil_cloud.cases.service import Desk, alerts_of, standing_of, state_of
from vigil_cloud.cases.visibility import NOT_ADMITTED, admitted_to, sight
from vigil_cloud.cases.written import CLOCK_OFF_S, WRITTEN
from vigil_cloud.identity import person_keys
from vigil_cloud.identity.cipher import Undecipherable

_STEPS: Final = frozenset(lifecycle.FROM)


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything of one case in the clear, before it is decided what the reader sees of it."""

    session: Session
    row: CaseRow
    kind: CaseKind
    standing: Standing
    alerts: Sequence[AlertRow]
    events: Sequence[CaseEvent]
    texts: Mapping[int, str]
    """By the event's number; empty ones are left out."""
    entries: Mapping[int, Written]
    """What decisions carry, by the event's number."""
    photographs: Sequence[CasePhotograph]
    deadlines: Sequence[CaseDeadline]

    @property
    def facts(self) -> Facts:
        """For the domain."""
        return Facts(self.session, self.row, self.alerts)


def open_up(desk: Desk, row: CaseRow, kind: CaseKind) -> Opened:
    """Seven statements, however much there is."""
    session = desk.session
    sealer = sealing.reader(session, desk.cipher, row)
    events = session.scalars(
        select(CaseEvent).where(CaseEvent.case_id == row.id).order_by(CaseEvent.number)
    ).all()
    votes = session.scalars(select(CaseVote).where(CaseVote.case_id == row.id)).all()
    photographs = select(CasePhotograph).where(CasePhotograph.case_id == row.id)
    deadlines = select(CaseDeadline).where(CaseDeadline.case_id == row.id)
    return Opened(
        session,
        row,
        kind,
        standing_of(desk, row),
        alerts_of(session, row.id),
        events,
        {
            event.number: sealing.opened(sealer, history.TEXT, event.text)
            for event in events
            if event.text is not None
        },
        {vote.event: entries.read(sealer, vote) for vote in votes if vote.entries is not None},
        session.scalars(photographs.order_by(CasePhotograph.event)).all(),
        session.scalars(deadlines.order_by(CaseDeadline.due, CaseDeadline.id)).all(),
    )


def present(desk: Desk, opened: Opened) -> Case:
    """The whole of a case that the reader may see."""
    row, kind, standing = opened.row, opened.kind, opened.standing
    hidden = lifecycle.hidden(standing, kind.rule, desk.reader.username)
    shown = [one for one in opened.alerts if may_see(desk.reader, one)]
    resolution = kind.resolution(row.resolution or "")
    return Case(
        **_summary(desk, row, kind, len(standing.now), withheld=False).model_dump(),
        round=row.round,
        resolution=row.resolution,
        resolution_title=resolution.words.english if resolution else None,
        resolution_title_zh=resolution.words.chinese if resolution else None,
        kept_until=row.kept_until,
        erased=row.erased,
        latitude=row.latitude,
        longitude=row.longitude,
        may=may(desk, opened),
        may_not_decide=_may_not_decide(desk, opened),
        outcomes=[_outcome(opened, outcome.code) for outcome in kind.outcomes],
        entries=[_entry_field(desk, opened, entry) for entry in kind.entries],
        resolutions=[_named(one.code, one.words) for one in kind.resolutions],
        alerts=[_alert(desk, alert) for alert in shown],
        alerts_withheld=len(opened.alerts) - len(shown),
        sections=[_section(section) for section in kind.sections(opened.facts)],
        decisions_given=decisions(desk, opened, hidden),
        photographs=[_photograph(opened, one) for one in opened.photographs],
        deadlines=[_deadline(desk, opened, one) for one in opened.deadlines],
        history=[_event(opened, event, hidden) for event in opened.events],
        evidence=list(dict.fromkeys(a.evidence_sha256 for a in shown if a.evidence_sha256)),
    )


def summaries(desk: Desk, rows: Sequence[CaseRow]) -> list[CaseSummary]:
    """Rows that the reader sees, in the same order. Three statements, however many."""
    ids = [row.id for row in rows]
    admitted = admitted_to(desk.session, desk.reader, ids, desk.now)
    person_keys.load(desk.session, (row.person_key for row in rows if row.person_key is not None))
    votes: dict[tuple[str, int], int] = {}
    if ids:
        query = select(CaseVote.case_id, CaseVote.round).where(CaseVote.case_id.in_(ids))
        for case_id, number in desk.session.execute(query):
            votes[case_id, number] = votes.get((case_id, number), 0) + 1
    found = []
    for row in rows:
        kind = desk.kinds.require(row.kind)  # a list holds none that nobody described
        seen = sight(kind, desk.reader, admitted=admitted.get(row.id, NOT_ADMITTED), row=row)
        given = votes.get((row.id, row.round), 0)
        found.append(_summary(desk, row, kind, given, withheld=seen != "whole"))
    return found


def kind_entry(desk: Desk, kind: CaseKind) -> CaseKindEntry:
    """For the form that opens a case."""
    return CaseKindEntry(
        name=kind.name,
        domain=kind.domain,
        title=kind.words.english,
        title_zh=kind.words.chinese,
        may_open=desk.reader.has(*kind.may("open")),
        by_hand=kind.by_hand,
        about_person=kind.about_person,
        alert_domains=sorted(kind.alert_domains),
    )


def may(desk: Desk, opened: Opened) -> list[Act]:
    """What the reader may do now."""
    kind, standing = opened.kind, opened.standing
    steps = lifecycle.possible(standing)
    outcome = kind.outcome(opened.row.outcome or "")
    found: list[Act] = []
    for act in Everything:
        if act == "open" or not desk.reader.has(*kind.may(act)):
            continue
        if act in _STEPS and act not in steps:
            continue
        if act == "deadline" and standing.state == "closed":
            continue
        if act in {"refer", "appeal"} and outcome is not None and not outcome.follows:
            continue
        if act == "decide" and _may_not_decide(desk, opened) is not None:
            continue
        if act == "take" and standing.assignee == desk.reader.username:
            continue
        found.append(act)
    return found


def _may_not_decide(desk: Desk, opened: Opened) -> str | None:
    standing, name = opened.standing, desk.reader.username
    if "decide" not in lifecycle.possible(standing):
        return None
    if not desk.reader.has(*opened.kind.may("decide")):
        return None
    if any(vote.account == name for vote in standing.now):
        return "decided-already"
    return None if lifecycle.barred(standing, opened.kind.rule, name) is None else "not-impartial"


def decisions(desk: Desk, opened: Opened, hidden: frozenset[tuple[str, int]]) -> list[CaseDecision]:
    """Each person's, by round; without those that are not to be known yet."""
    found = []
    for event in opened.events:
        if event.action != "decision-given" or _is_hidden(event, hidden):
            continue
        outcome = opened.kind.outcome(event.detail["outcome"])
        found.append(
            CaseDecision(
                round=event.detail["round"],
                account=event.account or "",
                at=event.at,
                outcome=event.detail["outcome"],
                outcome_title=outcome.words.english if outcome else event.detail["outcome"],
                outcome_title_zh=outcome.words.chinese if outcome else event.detail["outcome"],
                amount_twd=event.detail["amount_twd"],
                reason=opened.texts.get(event.number, ""),
                entries=_entries_given(desk, opened, event.number),
            )
        )
    return found


def _entry_field(desk: Desk, opened: Opened, entry: Entry) -> EntryField:
    seen = desk.reader.has(*entry.seen_by)
    return EntryField(
        code=entry.code,
        title=entry.words.english,
        title_zh=entry.words.chinese,
        outcomes=sorted(entry.outcomes),
        read=list(entry.read(opened.facts)) if seen else [],
    )


def _entries_given(desk: Desk, opened: Opened, event: int) -> list[EntryGiven]:
    values = opened.entries.get(event, NOTHING).values
    found = []
    for entry in opened.kind.entries:
        if entry.code not in values:
            continue
        seen = desk.reader.has(*entry.seen_by)
        read = next(iter(entry.read(opened.facts)), None) if seen else None
        found.append(
            EntryGiven(
                code=entry.code,
                title=entry.words.english,
                title_zh=entry.words.chinese,
                value=values[entry.code] if seen else None,
                read=None if read is None or entry.form(read) == values[entry.code] else read,
            )
        )
    return found


def entries_broken(opened: Opened) -> list[int]:
    """Events whose decision carries something else than the history says. What was erased
    cannot be compared."""
    told = {event.number: event.detail.get("entries", "") for event in opened.events}
    return [
        number
        for number, written in opened.entries.items()
        if written is not NOTHING and told.get(number) != written.digest
    ]


def _is_hidden(event: CaseEvent, hidden: frozenset[tuple[str, int]]) -> bool:
    return (event.account, event.detail.get("round")) in hidden


def _summary(
    desk: Desk, row: CaseRow, kind: CaseKind, given: int, *, withheld: bool
) -> CaseSummary:
    outcome = kind.outcome(row.outcome or "")
    title, title_zh = ("", "") if withheld else _titles(desk, row)
    return CaseSummary(
        id=row.id,
        number=row.number,
        version=row.version,
        domain=row.domain,
        kind=kind.name,
        kind_title=kind.words.english,
        kind_title_zh=kind.words.chinese,
        title=title,
        title_zh=title_zh,
        state=state_of(row),
        since=row.since,
        opened=row.opened,
        opened_by="" if withheld else row.opened_by,
        assignee=None if withheld else row.assignee,
        due=row.due,
        overdue=row.state != "closed" and row.due is not None and row.due <= desk.now,
        outcome=None if withheld else row.outcome,
        outcome_title=outcome.words.english if outcome and not withheld else None,
        outcome_title_zh=outcome.words.chinese if outcome and not withheld else None,
        amount_twd=None if withheld else row.amount_twd,
        decisions=given,
        decisions_needed=kind.rule.needed,
        withheld=withheld,
    )


def _titles(desk: Desk, row: CaseRow) -> tuple[str, str]:
    if row.title is None:
        return row.label, row.label_zh
    sealer = sealing.reader(desk.session, desk.cipher, row)
    said = sealing.opened(sealer, sealing.TITLE, row.title)
    return said or row.label, said or row.label_zh


def _alert(desk: Desk, alert: AlertRow) -> CaseAlertEntry:
    try:
        title, title_zh, _ = titles(desk.cipher, alert, desk.session)
    except Undecipherable:  # the person was erased just now
        title, title_zh = alert.title, alert.title_zh
    return CaseAlertEntry(
        id=alert.id,
        domain=alert.domain,
        device=alert.device,
        title=title,
        title_zh=title_zh,
        event_time=alert.event_time,
        active=alert.active,
        evidence_sha256=alert.evidence_sha256,
    )


def _outcome(opened: Opened, code: str) -> OutcomeEntry:
    outcome = opened.kind.outcome(code)
    assert outcome is not None  # noqa: S101 - it is one of the kind's own
    bar = opened.kind.bar(opened.facts, code)
    return OutcomeEntry(
        code=code,
        title=outcome.words.english,
        title_zh=outcome.words.chinese,
        fined=outcome.fined,
        follows=outcome.follows,
        barred=bar.english if bar else None,
        barred_zh=bar.chinese if bar else None,
        proposed_twd=opened.kind.amount(opened.facts, code) if outcome.fined else None,
    )


def _named(code: str, words: Words) -> Named:
    return Named(code=code, title=words.english, title_zh=words.chinese)


def _section(section: Section) -> CaseSection:
    return CaseSection(
        code=section.code,
        title=section.words.english,
        title_zh=section.words.chinese,
        facts=[
            CaseFact(
                title=fact.words.english,
                title_zh=fact.words.chinese,
                value=fact.value,
                value_zh=fact.value_zh or fact.value,
                verdict=fact.verdict,
            )
            for fact in section.facts
        ],
        data=dict(section.data),
    )


def _photograph(opened: Opened, one: CasePhotograph) -> CasePhotographEntry:
    detail = next((event.detail for event in opened.events if event.number == one.event), {})
    return CasePhotographEntry(
        id=one.id,
        caption=opened.texts.get(one.event, ""),
        width=one.width,
        height=one.height,
        size=one.size,
        sha256=one.sha256,
        received_sha256=one.received_sha256,
        location_removed=one.location_removed,
        taken=one.taken,
        zone_assumed=bool(detail.get(ZONE_ASSUMED)),
        written=detail.get(WRITTEN),
        clock_off_s=detail.get(CLOCK_OFF_S),
        added=one.added,
        added_by=one.added_by,
    )


def _deadline(desk: Desk, opened: Opened, one: CaseDeadline) -> CaseDeadlineEntry:
    rule = next((rule for rule in opened.kind.deadlines if rule.code == one.code), None)
    said = opened.texts.get(one.event, "")
    return CaseDeadlineEntry(
        id=one.id,
        code=one.code,
        title=rule.words.english if rule else said,
        title_zh=rule.words.chinese if rule else said,
        due=one.due,
        met=one.met,
        overdue=one.met is None and one.due <= desk.now,
    )


def _event(opened: Opened, event: CaseEvent, hidden: frozenset[tuple[str, int]]) -> CaseEventEntry:
    secret = event.action == "decision-given" and _is_hidden(event, hidden)
    return CaseEventEntry.model_validate(
        {
            "number": event.number,
            "at": event.at,
            "account": event.account,
            "action": event.action,
            "detail": {} if secret else event.detail,
            "text": "" if secret else opened.texts.get(event.number, ""),
        }
    )
