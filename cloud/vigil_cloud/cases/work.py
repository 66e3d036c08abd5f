"""What people do with a case: the steps of its life, notes, and access for a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.acts import settle
from vigil_cloud.cases import deadlines, entries, lifecycle, sealing
from vigil_cloud.cases.errors import (
    AccessOver,
    BadDecision,
    CannotTakeCase,
    CaseForbidden,
    CaseUnknown,
    OutcomeBarred,
    WrongState,
)
from vigil_cloud.cases.lifecycle import Vote
from vigil_cloud.cases.models import CaseAccess, CaseRow, CaseVote
from vigil_cloud.cases.port import CaseKind, Outcome
from vigil_cloud.cases.service import (
    Desk,
    Held,
    admit,
    alerts_of,
    apply,
    facts,
    hold,
    keep,
    told,
)
from vigil_cloud.cases.visibility import sight
from vigil_cloud.cases.written import Written
from vigil_cloud.identity.models import Account


def take(desk: Desk, case_id: str, version: int) -> CaseRow:
    """The reader works on it from now on. Idempotent."""
    held = hold(desk, case_id, "take", None)
    if held.row.assignee == desk.reader.username and held.row.state != "new":
        return held.row
    held = hold(desk, case_id, "take", version)
    apply(desk, held.row, lifecycle.assign(held.standing, desk.reader.username, step="take"))
    told(desk, held.row, "taken")
    deadlines.met_by(desk, held.row, held.kind, "take")
    return held.row


def hand_over(desk: Desk, case_id: str, version: int, to: str, text: str) -> CaseRow:
    """Somebody else works on it from now on. Raises ``CannotTakeCase``."""
    held = hold(desk, case_id, "assign", version)
    if to not in {name for name, _ in candidates(desk.session, held.kind)}:
        raise CannotTakeCase(to)
    before = held.row.assignee
    apply(desk, held.row, lifecycle.assign(held.standing, to))
    told(desk, held.row, "handed-over", {"from": before, "to": to}, text)
    return held.row


def candidates(session: Session, kind: CaseKind) -> list[tuple[str, str]]:
    """User and display names of those who may work on cases of this kind."""
    may = {role.value for role in kind.may("take")}
    open_ones = session.scalars(
        select(Account).where(Account.active).order_by(Account.username)
    ).all()
    return [(one.username, one.display_name) for one in open_ones if may & set(one.roles)]


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decides."""

    outcome: str
    amount_twd: int | None
    reason: str
    entries: Mapping[str, str] = field(default_factory=dict)
    """By code; what the kind says that the outcome carries."""


def decide(desk: Desk, case_id: str, version: int, said: Decided) -> CaseRow:
    """The reader's own decision. Raises ``BadDecision``, ``OutcomeBarred``, ``DecidedAlready``,
    ``NotImpartial``, ``WrongState``."""
    held = hold(desk, case_id, "decide", version)
    outcome, amount_twd = said.outcome, said.amount_twd
    chosen = held.kind.outcome(outcome)
    if chosen is None:
        codes = [one.code for one in held.kind.outcomes]
        there = ", ".join(codes)
        message = f"A case of this kind has no outcome {outcome!r}; there are: {there}."
        raise BadDecision(message, chosen=outcome, offered=codes)
    _check_amount(chosen, amount_twd)
    values = entries.checked(held.kind, outcome, said.entries)
    vote = Vote(
        desk.reader.username, held.row.round, outcome, amount_twd, tuple(sorted(values.items()))
    )
    known = facts(desk.session, held.row)
    bars = {one.code: held.kind.bar(known, one.code) for one in held.kind.outcomes}
    barred = [code for code, why in bars.items() if why is not None]
    after = lifecycle.decide(held.standing, held.kind.rule, vote, barred)
    if (bar := bars[outcome]) is not None:
        raise OutcomeBarred(bar.english)
    row = held.row
    was = row.state
    apply(desk, row, after)
    sealer = sealing.writer(desk.session, desk.cipher, row.person_key, desk.now)
    sealed, digest = entries.seal(sealer, values)
    detail = {"round": row.round, "outcome": outcome, "amount_twd": amount_twd}
    detail |= {"entries": digest} if digest else {}
    event = told(desk, row, "decision-given", detail, said.reason)
    desk.session.add(
        CaseVote(
            case_id=row.id,
            round=row.round,
            account=desk.reader.username,
            outcome=outcome,
            amount_twd=amount_twd,
            entries=sealed,
            event=event.number,
        )
    )
    if row.state == "decided" and was != "decided":
        told(desk, row, "decided", {"outcome": row.outcome, "amount_twd": row.amount_twd})
        deadlines.met_by(desk, row, held.kind, "decide")
    return row


def _check_amount(outcome: Outcome, amount_twd: int | None) -> None:
    if outcome.fined != (amount_twd is not None):
        needs = "needs an amount in TWD" if outcome.fined else "has no amount"
        raise BadDecision(f"The outcome {outcome.code!r} {needs}.", chosen=outcome.code)


def refer(desk: Desk, case_id: str, version: int, text: str) -> CaseRow:
    """Handed to the authority that acts on it."""
    held = hold(desk, case_id, "refer", version)
    after = lifecycle.refer(held.standing)
    _require_consequence(held, "referred")
    apply(desk, held.row, after)
    told(desk, held.row, "referred", {}, text)
    deadlines.met_by(desk, held.row, held.kind, "refer")
    return held.row


def close(desk: Desk, case_id: str, version: int, resolution: str, text: str) -> CaseRow:
    """Nothing more is to be done, and its alerts wait for nobody. Raises ``BadDecision`` for an
    unknown resolution."""
    held = hold(desk, case_id, "close", version)
    if held.kind.resolution(resolution) is None:
        codes = [one.code for one in held.kind.resolutions]
        there = ", ".join(codes)
        message = f"A case of this kind is not closed as {resolution!r}, but as: {there}."
        raise BadDecision(message, chosen=resolution, offered=codes)
    apply(desk, held.row, lifecycle.close(held.standing, resolution))
    told(desk, held.row, "closed", {"resolution": resolution}, text)
    deadlines.met_by(desk, held.row, held.kind, "close")
    keep(desk, held.row, held.kind)
    end_access(desk, held.row)
    for alert in alerts_of(desk.session, held.row.id):
        settle(desk.session, alert, desk.reader.username, desk.now)
    return held.row


def appeal(desk: Desk, case_id: str, version: int, text: str) -> CaseRow:
    """The person concerned objects: others decide anew."""
    held = hold(desk, case_id, "appeal", version)
    after = lifecycle.appeal(held.standing)
    _require_consequence(held, "appealed")
    apply(desk, held.row, after)
    held.row.kept_until = None
    told(desk, held.row, "appealed", {"round": held.row.round}, text)
    deadlines.begin(desk, held.row, held.kind, "appeal")
    return held.row


def reopen(desk: Desk, case_id: str, version: int, text: str) -> CaseRow:
    """There is something new: it is in progress again, without an outcome."""
    held = hold(desk, case_id, "reopen", version)
    apply(desk, held.row, lifecycle.reopen(held.standing))
    held.row.kept_until = None
    told(desk, held.row, "reopened", {"round": held.row.round}, text)
    deadlines.begin(desk, held.row, held.kind, "reopen")
    return held.row


def _require_consequence(held: Held, what: str) -> None:
    outcome = held.kind.outcome(held.row.outcome or "")
    if outcome is not None and not outcome.follows:
        message = f"A case decided {outcome.code!r} is closed, not {what}."
        raise WrongState(message, state=held.row.state)


def note(desk: Desk, case_id: str, text: str, written: Written | None = None) -> CaseRow:
    """Something that is to be remembered. Possible at any time."""
    held = hold(desk, case_id, "note", None)
    told(desk, held.row, "noted", (written or Written()).detail(desk.now), text)
    return held.row


def ask_access(desk: Desk, case_id: str, reason: str) -> CaseRow:
    """See one case for the time that its kind allows, with a reason that stands in its history.
    Raises ``CaseUnknown``, ``CaseForbidden``."""
    feed.lock(desk.session)
    row = desk.session.get(CaseRow, case_id, with_for_update=True, populate_existing=True)
    kind = desk.kinds.get(row.kind) if row is not None else None
    if row is None or kind is None or sight(kind, desk.reader, row=row) == "none":
        raise CaseUnknown("There is no such case for you.")
    if not desk.reader.has(*kind.on_request):
        raise CaseForbidden("access", kind.on_request)
    if row.state == "closed":
        raise AccessOver(row.number)
    until = desk.now + desk.access_for(kind)
    admit(desk.session, row.id, desk.reader.username, until)
    told(desk, row, "access-given", {"until": until.isoformat()}, reason)
    return row


def end_access(desk: Desk, row: CaseRow) -> None:
    """Whoever was admitted for a time sees it no longer."""
    timed = (CaseAccess.case_id == row.id, CaseAccess.until > desk.now)
    desk.session.execute(update(CaseAccess).where(*timed).values(until=desk.now))
