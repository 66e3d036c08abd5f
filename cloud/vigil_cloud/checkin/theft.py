"""A stolen thing as a kind of case: its owner reports it, every station looks out for it, and the
police see where stations see it, for a time and with a reason, while the case is open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.cases import deadlines
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.opening import Wanted, open_case
from vigil_cloud.cases.port import CaseKind, Choice, Fact, Facts, Happened, Section, Words
from vigil_cloud.cases.reported import WATCH_ENDS, reported, watched
from vigil_cloud.cases.service import Desk, find
from vigil_cloud.checkin import watching
from vigil_cloud.checkin.models import Thing
from vigil_cloud.checkin.thing_alerts import WORDS, end_moved
from vigil_cloud.identity import audit, consents, disclosures
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import DOMAIN

KIND: Final = "theft"
WATCHED_FOR: Final = timedelta(days=30)
"""From the report, and again each time that the police look."""
_REPORTED: Final = "stolen-thing"
"""In a session's ``info``: which thing the case is opened for."""


class ReportOnThing(ApiError):
    """A case of a theft is opened by reporting the thing."""

    code: ClassVar[str] = "theft-without-thing"
    remedy: ClassVar[str] = "Report the thing stolen on the family page."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("A theft is reported of a thing that is registered.")


def report(desk: Desk, thing_id: str, text: str) -> CaseRow:
    """Begin, for whoever guards the owner. What is reported already keeps its case. Raises
    ``NotFound``, also of what is somebody else's."""
    feed.lock(desk.session)
    guarded = consents.guarded_by(desk.session, desk.reader.account_id)
    thing = desk.session.get(Thing, thing_id, with_for_update=True, populate_existing=True)
    if thing is None or thing.person_key not in guarded:
        raise NotFound("There is no such thing of yours.")
    person_key = thing.person_key
    if thing.stolen is not None and thing.case_id is not None:
        return desk.session.get_one(CaseRow, thing.case_id)
    desk.session.info[_REPORTED] = thing.id
    try:
        word, _ = WORDS[thing.kind]
        return open_case(
            desk, Wanted(kind=KIND, person_key=person_key, title=f"Stolen {word}", note=text)
        )
    finally:
        desk.session.info.pop(_REPORTED, None)


def of_case(desk: Desk, case_id: str) -> tuple[CaseRow, Thing]:
    """The stolen thing of a case that the reader sees. Raises ``NotFound`` and what ``find``
    raises."""
    case, _ = find(desk, case_id)
    thing = _of(desk.session, case_id)
    if thing is None:
        raise NotFound("Nothing is looked for in this case any more.")
    return case, thing


def happened(event: Happened) -> None:
    """What follows from an event of such a case."""
    match event.action:
        case "opened":
            _begin(event)
        case "access-given":
            _let_know(event)
        case "closed":
            _end(event)


def _begin(event: Happened) -> None:
    """Every station looks out for it, and whoever guards its owner is told of each hit."""
    session, now = event.session, event.now
    thing = session.get(Thing, session.info.get(_REPORTED, ""))
    if thing is None:
        raise ReportOnThing
    end_moved(session, thing, now)
    thing.stolen, thing.case_id = now, event.case.id
    session.flush()
    for guardian in consents.guardians_of(session, thing.person_key):
        _disclose(event, thing, guardian, Role.FAMILY, now + WATCHED_FOR)
    _watch(event, thing)
    _note(event, thing, "thing.watched")


def _let_know(event: Happened) -> None:
    """A police account has said why: it is told of each hit, as long as it may look."""
    thing = _of(event.session, event.case.id)
    if thing is None or event.account is None:
        return
    until = datetime.fromisoformat(event.detail["until"])
    _disclose(event, thing, event.account, Role.POLICE, until)
    for guardian in consents.guardians_of(event.session, thing.person_key):
        _disclose(event, thing, guardian, Role.FAMILY, event.now + WATCHED_FOR)
    _watch(event, thing)


def _end(event: Happened) -> None:
    """Nobody looks for it any more, and the police see and hear no more of it."""
    session = event.session
    thing = _of(session, event.case.id)
    watching.unwatch(session, event.case.id)
    disclosures.end(session, event.case.id, event.now)
    if thing is None:
        return
    thing.stolen = None
    session.flush()
    _note(event, thing, "thing.unwatched")


def _of(session: Session, case_id: str) -> Thing | None:
    return session.scalar(select(Thing).where(Thing.case_id == case_id, Thing.stolen.is_not(None)))


def _watch(event: Happened, thing: Thing) -> None:
    until = event.now + WATCHED_FOR
    watching.watch(
        event.session, thing.person_key, case_id=event.case.id, until=until, tag=thing.tag
    )
    deadlines.prolong(event.session, event.case, WATCH_ENDS, until, event.now)


def _disclose(event: Happened, thing: Thing, account: str, role: Role, until: datetime) -> None:
    disclosures.disclose(
        event.session,
        person_key=thing.person_key,
        account=account,
        role=role,
        case_id=event.case.id,
        until=until,
        now=event.now,
    )


def _note(event: Happened, thing: Thing, action: str) -> None:
    audit.append(
        event.session,
        at=event.now,
        account=event.account or "vigil",
        action=action,
        subject=thing.id,
        person_key=thing.person_key,
        detail={"case": event.case.number},
    )


def sections(facts: Facts) -> Iterator[Section]:
    """What it is, and whether stations look out for it; where it is seen is looked at by itself."""
    thing = facts.session.scalar(select(Thing).where(Thing.case_id == facts.case.id))
    if thing is None:
        return
    word, word_zh = WORDS[thing.kind]
    looked_for = thing.stolen is not None
    yield Section(
        code="thing",
        words=Words("Thing", "物品"),
        facts=[
            Fact(Words("What", "種類"), word, word_zh),
            Fact(*watched(looked_for)),
            Fact(
                Words("Where it is seen", "感測位置"),
                "shown to the police with a reason" if looked_for else "not shown any more",
                "警員敘明理由後可查看" if looked_for else "不再提供查看",
            ),
        ],
        data={"thing": thing.kind, "looked_for": looked_for},
    )


def theft() -> CaseKind:
    """Opened by whoever guards the owner; the police see it for a time and with a reason."""
    return reported(
        KIND,
        DOMAIN,
        Words("Stolen thing", "物品失竊"),
        outcomes=(
            ("recovered", Words("Recovered", "尋回")),
            ("not-stolen", Words("Was not stolen", "並未失竊")),
            ("not-recovered", Words("Not recovered", "未尋回")),
        ),
        ended=Choice("ended", Words("Search ended", "結束協尋")),
        watched_for=WATCHED_FOR,
        sections=sections,
        happened=happened,
    )
