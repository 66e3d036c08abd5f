"""What a search tells people: two alerts while it lasts, and one at its end.

``call`` is for every police account: it names nobody and no place. ``missing`` is about the
person, for those who may know where they are: relatives with a consent, the guardians, and police
accounts that have opened the case with a reason. Each hit changes it and is told again at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.amendments import Amendment, Coordinates, amend
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.places import Place
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.city_time import city_clock
from vigil_cloud.identity import persons
from vigil_cloud.search.models import Search, SearchHit
from vigil_schemas.types import Domain, isoformat_utc

SEARCH: Final[Domain] = "search"
_TIP: Final = "tip "
"""How the reason begins for which an alert is told again."""


def call_police(session: Session, case: CaseRow, district: str | None, now: datetime) -> AlertRow:
    """``district``: where the person was heard last; none: whoever covers the whole city."""
    return record(
        session,
        Occurrence(
            domain=SEARCH,
            reference=f"call:{case.id}",
            kind="call",
            gateway="",
            device="",
            title=f"Somebody is missing: case {case.number}",
            title_zh=f"有人走失：案件 {case.number}",
            severity="critical",
            event_time=now,
            active=True,
            detail=_detail(case, "call"),
            district=district,
        ),
        now,
    )


def tell_family(session: Session, case: CaseRow, now: datetime) -> AlertRow:
    """That the person is reported missing."""
    title, title_zh = "{person} is reported missing", "{person} 已通報走失"
    return record(session, _about(session, case, "missing", title, title_zh), now)


def tell_hit(
    session: Session, case: CaseRow, hit: SearchHit, place: Place, *, late: bool, now: datetime
) -> None:
    """Everybody who may know is told again, with the place; whoever took it on, too."""
    at = city_clock(hit.last, now)
    title = f"{{person}} was seen at {place.name}, {at}"
    title_zh = f"{{person}} {at} 出現在 {place.name_zh}"
    if late:
        title, title_zh = f"{title} (told late)", f"{title_zh}（延遲回報）"
    hit_again = replace(
        _about(session, case, "missing", title, title_zh),
        tell_again=f"hit {hit.id}",
        detail=_detail(
            case,
            "missing",
            seen=isoformat_utc(hit.last),
            device=hit.device,
            place=place.name,
            place_zh=place.name_zh,
        ),
    )
    row = record(session, hit_again, now)
    known = place.latitude is not None and place.longitude is not None
    if not known:  # nobody may be sent to where an earlier hit was
        row.latitude = row.longitude = None
        session.flush()
    newest = Amendment(
        title=title,
        title_zh=title_zh,
        place=Coordinates(place.latitude or 0.0, place.longitude or 0.0) if known else None,
        reason=f"hit {hit.id}",
    )
    amend(session, row.id, newest, now)


def tell_tip(session: Session, search: Search, number: int, now: datetime) -> None:
    """A passer-by says that they saw the person: whoever may know is told again. What the alert
    says of the last place stays: nobody has checked it."""
    row = session.get(AlertRow, search.alert_id)
    if row is None or not row.active:
        return
    again = Occurrence(
        domain=SEARCH,
        reference=row.key.split(":", 2)[2],
        kind=row.kind,
        gateway="",
        device=row.device,
        title=row.title,
        title_zh=row.title_zh,
        severity="critical",
        event_time=row.event_time,
        active=True,
        tell_again=f"{_TIP}{number}",
    )
    record(session, again, now)


def tip_told(session: Session, search: Search) -> datetime | None:
    """When whoever may know was told last of what a passer-by said."""
    told = select(func.max(AlertHistory.at)).where(
        AlertHistory.alert_id == search.alert_id,
        AlertHistory.action == "told-again",
        AlertHistory.comment.startswith(_TIP),
    )
    return session.scalar(told)


def tell_found(session: Session, search: Search, case: CaseRow, now: datetime) -> None:
    """Both alerts are over, and the family is told how."""
    end_alert(session, search.call_id, now)
    end_alert(session, search.alert_id, now)
    title, title_zh = "{person}: the search has ended", "{person} 的協尋已結束"
    found = replace(
        _about(session, case, "found", title, title_zh),
        severity="info",
        momentary=True,
        event_time=now,
        detail=_detail(case, "found", outcome=case.outcome or ""),
    )
    record(session, found, now)


def end_alert(session: Session, alert_id: str, now: datetime) -> None:
    """It is over, with its history and for whoever was called. Idempotent."""
    row = session.get(AlertRow, alert_id)
    if row is not None and row.active:
        record(session, _ended(row, now), now)


def _about(session: Session, case: CaseRow, kind: str, title: str, title_zh: str) -> Occurrence:
    """Urgent, of now or of whenever the caller says, and told to those who may know."""
    person = case.person_key or ""
    return Occurrence(
        domain=SEARCH,
        reference=f"{kind}:{case.id}",
        kind=kind,
        gateway="",
        device="",
        title=title,
        title_zh=title_zh,
        severity="critical",
        event_time=case.opened,
        active=True,
        supersedes=True,
        detail=_detail(case, kind),
        person_key=person,
        case_id=case.id,
        person_name=persons.sealed_name(session, person),
    )


def _detail(case: CaseRow, kind: str, **more: str) -> dict[str, str]:
    return {"type": f"{SEARCH}-{kind}", "case": case.id, "number": case.number, **more}


def _ended(row: AlertRow, now: datetime) -> Occurrence:
    return Occurrence(
        domain=SEARCH,
        reference=row.key.split(":", 2)[2],
        kind=row.kind,
        gateway="",
        device=row.device,
        title=row.title,
        title_zh=row.title_zh,
        severity="info",
        event_time=row.event_time,
        active=False,
        ended=now,
    )
