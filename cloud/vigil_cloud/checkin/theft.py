"""A stolen thing as a kind of case: its owner reports it, and the police see where stations see it,
for a time and with a reason, while the case is open."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from sqlalchemy import select

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.opening import Wanted, open_case
from vigil_cloud.cases.port import CaseKind, Choice, Fact, Facts, Happened, Outcome, Section, Words
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.cases.service import Desk, find
from vigil_cloud.checkin.models import Thing
from vigil_cloud.checkin.thing_alerts import WORDS, end_moved
from vigil_cloud.identity import consents
from vigil_cloud.identity.roles import Role
from vigil_schemas.checkin import DOMAIN

KIND: Final = "theft"
ACCESS: Final = timedelta(hours=24)
_REPORTED: Final = "stolen-thing"
"""In a session's ``info``: which thing the case is opened for."""
_FAMILY: Final = frozenset({Role.FAMILY})
_POLICE: Final = frozenset({Role.POLICE})
_BOTH: Final = _FAMILY | _POLICE


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
    thing = desk.session.scalar(
        select(Thing).where(Thing.case_id == case_id, Thing.stolen.is_not(None))
    )
    if thing is None:
        raise NotFound("Nothing is looked for in this case any more.")
    return case, thing


def happened(event: Happened) -> None:
    """What follows from an event of such a case."""
    session = event.session
    if event.action == "opened":
        thing = session.get(Thing, session.info.get(_REPORTED, ""))
        if thing is None:
            raise ReportOnThing
        end_moved(session, thing, event.now)
        thing.stolen, thing.case_id = event.now, event.case.id
        session.flush()
    elif event.action == "closed":
        for thing in session.scalars(select(Thing).where(Thing.case_id == event.case.id)):
            thing.stolen = None  # the police see no more of it
        session.flush()


def sections(facts: Facts) -> list[Section]:
    """What it is; where it is seen is looked at by itself."""
    thing = facts.session.scalar(select(Thing).where(Thing.case_id == facts.case.id))
    if thing is None:
        return []
    word, word_zh = WORDS[thing.kind]
    looked_for = thing.stolen is not None
    return [
        Section(
            code="thing",
            words=Words("Thing", "物品"),
            facts=[
                Fact(Words("What", "種類"), word, word_zh),
                Fact(
                    Words("Where it is seen", "感測位置"),
                    "shown to the police with a reason" if looked_for else "not shown any more",
                    "警員敘明理由後可查看" if looked_for else "不再提供查看",
                ),
            ],
            data={"thing": thing.kind, "looked_for": looked_for},
        )
    ]


def theft() -> CaseKind:
    """Opened by whoever guards the owner; the police see it for a time and with a reason."""
    return CaseKind(
        name=KIND,
        domain=DOMAIN,
        words=Words("Stolen thing", "物品失竊"),
        rule=OneDecides(),
        outcomes=(
            Outcome("recovered", Words("Recovered", "尋回"), follows=False),
            Outcome("not-stolen", Words("Was not stolen", "並未失竊"), follows=False),
            Outcome("not-recovered", Words("Not recovered", "未尋回"), follows=False),
        ),
        resolutions=(Choice("ended", Words("Search ended", "結束協尋")),),
        rights={
            "open": _FAMILY,
            "note": _BOTH,
            "photograph": _BOTH,
            "take": _POLICE,
            "assign": _POLICE,
            "decide": _BOTH,
            "close": _BOTH,
            "dossier": _POLICE,
        },
        on_request=_POLICE,
        access_for=ACCESS,
        by_hand=True,
        about_person=True,
        kept_for=timedelta(days=3650),
        sections=sections,
        happened=happened,
    )
