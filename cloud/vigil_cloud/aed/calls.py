"""A call from the press of the button to its end: who is called when, and what they answer.

``begin``, ``advance`` and ``finish`` are the steps of a job; ``answer`` is a volunteer's. Whoever
accepts fills their role; a phase is called only for roles that nobody has filled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.dispatch import DAY, ROLES, Call, Phase, Plan, Role
from vigil_cloud.aed.models import AedCallout, AedCallRow, AedVolunteer
from vigil_cloud.aed.service import CALL_NEWS, LATE
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import tell_again
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.clock import jumped_ahead
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role as Rights

Word = Literal["accepted", "declined", "on-the-way", "arrived"]
CLOCK_TOLERANCE: Final = timedelta(seconds=5)
FILLED: Final = frozenset({"accepted", "on-the-way", "arrived"})
COMING: Final = frozenset({"called", "accepted", "on-the-way"})
"""Called or coming, and not there yet."""
GIVEN_BACK: Final = frozenset({"declined", "released"})
"""Answered, perhaps accepted, and not coming after all."""
RELEASED: Final = "volunteer-left"
"""Why a call's card changed: somebody who was called may no longer come."""
_NEXT: Final[Mapping[str, frozenset[Word]]] = {
    "called": frozenset({"accepted", "declined"}),
    "accepted": frozenset({"on-the-way", "arrived", "declined"}),
    "on-the-way": frozenset({"arrived", "declined"}),
}
"""What may follow; who cannot come after all says so, and somebody else is called."""
CLOSED: Final = "closed"
_TO_BEGIN: Final = frozenset({"new", "late"})
NOBODY: Final = "nobody is in reach"
NOT_CALLED: Final = "not-called"
"""Why people are told again: volunteers were left out because nobody looked at the call."""


class CallUnknown(NotFound):
    """No such call, or none that this volunteer was called to."""

    code: ClassVar[str] = "aed-call-unknown"
    remedy: ClassVar[str] = "Open the page again: it shows the calls that you are needed for."


class CallOver(ApiError):
    """The call has ended: nobody is needed any more."""

    code: ClassVar[str] = "aed-call-over"
    remedy: ClassVar[str] = "Nothing is left to be done. Thank you."
    status: ClassVar[int] = 409


class AnswerOutOfTurn(ApiError):
    """This answer does not follow the last one. ``state`` is where it stands."""

    code: ClassVar[str] = "aed-answer-out-of-turn"
    remedy: ClassVar[str] = "Look at the call as it stands now."
    status: ClassVar[int] = 409

    def __init__(self, state: str) -> None:
        super().__init__(f"You have said already: {state}.")
        self.state = state


class NoLongerCalled(ApiError):
    """Released from the call: the consent, the certificate or the role has ended since."""

    code: ClassVar[str] = "aed-released"
    remedy: ClassVar[str] = (
        "Stay where you are: somebody else is called in your place. Consent again, or have your"
        " certificate noted, to be called to the next one."
    )
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("You are not needed at this call any more: others are called.")


def due(session: Session, now: datetime) -> list[tuple[str, str]]:
    """Calls that something is to be done for, with their state, the new ones first. A read: what
    only waits for its dispatcher takes no lock."""
    query = (
        select(AedCallRow, AlertRow.confirmed, CaseRow.state)
        .outerjoin(AlertRow, AlertRow.id == AedCallRow.alert_id)
        .outerjoin(CaseRow, CaseRow.id == AedCallRow.case_id)
        .where(AedCallRow.state != "over")
        .order_by(AedCallRow.received, AedCallRow.id)
    )
    found = [
        (row.id, row.state)
        for row, confirmed, case in session.execute(query).all()
        if row.state in _TO_BEGIN
        or confirmed is not False
        or case == CLOSED
        or not row.filed
        or _phase_is_due(session, row, now)
        or _phases_missed(session, row, now)
    ]
    return sorted(found, key=lambda one: one[1] != "new")


def shown_state(state: str) -> str:
    """As the API says it."""
    return "late" if state == "late-told" else state


def _phase_is_due(session: Session, row: AedCallRow, now: datetime) -> bool:
    """Not where nobody looked for so long that who would be called runs to nobody: that is told
    (``_phases_missed``)."""
    if row.called_phases >= len(row.phases):
        return False
    after = timedelta(seconds=row.phases[row.called_phases]["after_s"])
    waited = now - row.received
    if waited > LATE and not jumped_ahead(session):
        return False
    return waited >= after or waited < -CLOCK_TOLERANCE  # set back: nobody waits for it


def _phases_missed(session: Session, row: AedCallRow, now: datetime) -> bool:
    """Nobody looked for so long: further phases are left that nobody is called to any more."""
    return (
        row.called_phases < len(row.phases)
        and now - row.received > LATE
        and not jumped_ahead(session)
    )


def begin(session: Session, row: AedCallRow, plan: Plan, now: datetime) -> None:
    """Write the plan down and call its first phase. The caller holds the feed's lock."""
    row.state = "calling"
    row.phases = [_phase_json(phase) for phase in plan.phases]
    audit.append(
        session,
        at=now,
        account="platform",
        action="aed.dispatch",
        subject=row.id,
        detail={"candidates": len(plan.candidates), "lapsed": len(plan.lapsed)},
    )
    detail: dict[str, Any] = {
        "in_reach": len(plan.candidates),
        "nobody_in_reach": not plan.candidates,
        "lapsed_certificates": len(plan.lapsed),
    }
    alert = session.get(AlertRow, row.alert_id)
    title, title_zh = None, None
    if not plan.candidates and alert is not None:
        title, title_zh = f"{alert.title}: {NOBODY}", f"{alert.title_zh}：附近無志工"
    change = Amendment(title=title, title_zh=title_zh, detail=detail, reason="dispatch")
    amend(session, row.alert_id, change, now)
    advance(session, row, now)


def advance(session: Session, row: AedCallRow, now: datetime) -> bool:
    """Call every phase that is due, for the roles that are unfilled; whether anybody was."""
    called = False
    while _phase_is_due(session, row, now):
        phase = row.phases[row.called_phases]
        filled = filled_roles(session, row.id)
        row.called_phases += 1
        for one in phase["calls"]:
            if one["role"] not in filled:
                called |= _call(session, row, one, now)
    if called:
        told(session, row, now)
    if _phases_missed(session, row, now):
        called |= _tell_missed(session, row, now)
    return called


def _tell_missed(session: Session, row: AedCallRow, now: datetime) -> bool:
    """Whoever was told of the call hears, once, that volunteers were left out and nobody calls
    them now; whether any were. Where every role was filled nobody is missing."""
    left, row.called_phases = row.phases[row.called_phases :], len(row.phases)
    filled = filled_roles(session, row.id)
    number = sum(one["role"] not in filled for phase in left for one in phase["calls"])
    if number == 0:
        return False
    why = f"{number} volunteers were not called: nobody could look at the call in time"
    amend(
        session, row.alert_id, Amendment(detail={"dispatch_trouble": why}, reason=NOT_CALLED), now
    )
    alert = session.get(AlertRow, row.alert_id, populate_existing=True)
    if alert is not None:
        tell_again(session, alert, f"{NOT_CALLED} #{row.called_phases}", now)
    feed.append(session, CALL_NEWS, row.id, now)
    return True


def filled_roles(session: Session, call_id: str) -> Collection[str]:
    """Roles that somebody has accepted, and not given back."""
    query = select(AedCallout.role).where(
        AedCallout.call_id == call_id, AedCallout.state.in_(FILLED)
    )
    return set(session.scalars(query))


def answer(
    session: Session, reader: Reader, call_id: str, word: Word, now: datetime
) -> tuple[AedCallRow, bool]:
    """A volunteer's word; and whether it is the first acceptance of the call. Idempotent.

    Raises ``CallUnknown``, ``CallOver``, ``NoLongerCalled``, ``AnswerOutOfTurn``.
    """
    feed.lock(session)
    row = session.get(AedCallRow, call_id, with_for_update=True, populate_existing=True)
    mine = session.scalar(
        select(AedCallout)
        .where(AedCallout.call_id == call_id, AedCallout.account_id == reader.account_id)
        .with_for_update()
    )
    if row is None or mine is None:
        raise CallUnknown("There is no such call for you.")
    if mine.state == word:
        return row, False
    if row.state == "over":
        raise CallOver("This call is over.")
    if mine.state == "released" or (word != "declined" and not _consents(session, reader)):
        raise NoLongerCalled
    if word not in _NEXT.get(mine.state, frozenset()):
        raise AnswerOutOfTurn(mine.state)
    first = word == "accepted" and not filled_roles(session, call_id)
    was, mine.state = mine.state, word
    if mine.answered is None:
        mine.answered = now
    if word == "arrived":
        mine.arrived = now
    if word == "accepted":
        _count(session, reader.account_id, row.received, accepted=True)
    if word == "declined":
        _instead(session, row, mine, was, now)
    session.flush()
    audit.append(session, at=now, account=reader.username, action=f"aed.{word}", subject=row.id)
    told(session, row, now)
    return row, first


def _consents(session: Session, reader: Reader) -> bool:
    """Whether whoever answers still agrees to be called."""
    query = select(AedVolunteer.consented).where(AedVolunteer.account_id == reader.account_id)
    return session.scalar(query) is not None


def release(session: Session, call_id: str, callout: int, now: datetime) -> str:
    """Whoever was called may no longer come: others are called at once, as if they had declined.
    Where they stood before. The caller holds the feed's lock."""
    row = session.get_one(AedCallRow, call_id, with_for_update=True, populate_existing=True)
    mine = session.get_one(AedCallout, callout, with_for_update=True, populate_existing=True)
    was, mine.state = mine.state, "released"
    session.flush()
    _instead(session, row, mine, was, now)
    told(session, row, now, RELEASED)
    return was


def finish(session: Session, row: AedCallRow, now: datetime) -> bool:
    """End it where its alert was confirmed or is gone, or its case was closed; whether it ended.
    The caller holds the feed's lock."""
    alert = session.get(AlertRow, row.alert_id, populate_existing=True)
    case = None if row.case_id is None else session.get(CaseRow, row.case_id)
    closed = case is not None and case.state == CLOSED
    if alert is not None and not alert.confirmed and not closed:
        return False
    row.state, row.over = "over", now
    for one in callouts(session, row.id):
        if one.state in COMING:
            one.state = "recalled"
    session.flush()
    feed.append(session, CALL_NEWS, row.id, now)
    return True


def callouts(session: Session, call_id: str) -> Sequence[AedCallout]:
    """Of one call, in the order in which they were called."""
    query = select(AedCallout).where(AedCallout.call_id == call_id).order_by(AedCallout.id)
    return session.scalars(query).all()


def told(session: Session, row: AedCallRow, now: datetime, why: str = "volunteers") -> None:
    """Put how it stands on the alert, and tell the open pages."""
    known = callouts(session, row.id)
    released = sum(one.state == "released" for one in known)
    detail: dict[str, Any] = {"called": len(known), "released": released}
    for role in ROLES:
        detail[f"{role}_role"] = how_far(known, role)
    amend(session, row.alert_id, Amendment(detail=detail, reason=why), now)
    feed.append(session, CALL_NEWS, row.id, now)


HowFar = Literal["unfilled", "accepted", "on-the-way", "arrived"]
_ORDER: Final[tuple[HowFar, ...]] = get_args(HowFar)


def how_far(known: Sequence[AedCallout], role: str) -> HowFar:
    """Of those who were called for this role, the one who is farthest."""
    ranks = [
        _ORDER.index(word)
        for one in known
        if one.role == role
        for word in _ORDER
        if word == one.state
    ]
    return _ORDER[max(ranks, default=0)]


def _instead(session: Session, row: AedCallRow, mine: AedCallout, was: str, now: datetime) -> None:
    """Who declines is replaced, unless somebody else fills the role already; who had accepted
    and cannot come leaves the role to whoever can."""
    if mine.role in filled_roles(session, row.id):
        return
    if mine.on_reject is not None:
        _call(session, row, mine.on_reject, now)
    if was in FILLED:
        _call_those_left_out(session, row, mine.role, now)
        advance(session, row, now)


def _call_those_left_out(session: Session, row: AedCallRow, role: str, now: datetime) -> None:
    """A role that was filled is free again: whoever a phase, or somebody's refusal, did not call
    for that reason is called now."""
    for phase in row.phases[: row.called_phases]:
        for one in phase["calls"]:
            if one["role"] == role:
                _call(session, row, one, now)
    for other in callouts(session, row.id):
        if other.state in GIVEN_BACK and other.role == role and other.on_reject is not None:
            _call(session, row, other.on_reject, now)


def _call(session: Session, row: AedCallRow, one: Mapping[str, Any], now: datetime) -> bool:
    """Whether anybody is called. Who was chosen as the button was pressed and may no longer be
    called is passed over, for whoever would follow a refusal."""
    account_id = int(one["who"])
    known = select(AedCallout.id).where(
        AedCallout.call_id == row.id, AedCallout.account_id == account_id
    )
    if session.scalar(known) is not None:
        return False
    if not may_be_called(session, account_id):
        following = one.get("then")
        return following is not None and _call(session, row, following, now)
    session.add(
        AedCallout(
            call_id=row.id,
            account_id=account_id,
            role=one["role"],
            site=one["aed"],
            predicted_s=one["predicted_s"],
            on_reject=one.get("then"),
            called=now,
            state="called",
        )
    )
    _count(session, account_id, row.received, accepted=False)
    session.flush()
    return True


def may_be_called(session: Session, account_id: int) -> bool:
    """Whether the account is still open, a volunteer's who agrees to it, and on call."""
    query = (
        select(Account.roles)
        .join(AedVolunteer, AedVolunteer.account_id == Account.id)
        .where(Account.id == account_id, Account.active)
        .where(AedVolunteer.on_call, AedVolunteer.consented.is_not(None))
    )
    return Rights.VOLUNTEER.value in (session.scalar(query) or ())


def _count(session: Session, account_id: int, moment: datetime, *, accepted: bool) -> None:
    """Of the volunteer's history, by day or by night."""
    volunteer = session.get(AedVolunteer, account_id, with_for_update=True)
    if volunteer is None:
        return
    when = "day" if DAY[0] <= moment.astimezone(CITY_ZONE).hour < DAY[1] else "night"
    name = f"{'accepted' if accepted else 'asked'}_{when}"
    setattr(volunteer, name, getattr(volunteer, name) + 1)


def _phase_json(phase: Phase) -> dict[str, Any]:
    spare = {one.who: _call_json(one) for one in phase.spare}
    calls = [{**_call_json(one), "then": spare.get(one.on_reject or "")} for one in phase.calls]
    return {"after_s": phase.after_s, "calls": calls}


def _call_json(one: Call) -> dict[str, Any]:
    return {key: value for key, value in asdict(one).items() if key != "on_reject"}


def role_of(text: str) -> Role:
    """The column's word, checked."""
    return next(role for role in ROLES if role == text)
