"""A search as a kind of case: who reports, who looks and for how long, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from vigil_cloud.cases.port import (
    CaseKind,
    Choice,
    DeadlineRule,
    Fact,
    Facts,
    Outcome,
    Section,
    Words,
)
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.identity.roles import Role
from vigil_cloud.search import service
from vigil_cloud.search.calls import SEARCH
from vigil_cloud.search.models import Search, SearchHit
from vigil_schemas.types import isoformat_utc

ACCESS: Final = timedelta(hours=24)
_FAMILY: Final = frozenset({Role.FAMILY})
_POLICE: Final = frozenset({Role.POLICE})
_BOTH: Final = _FAMILY | _POLICE


def sections(facts: Facts) -> Iterator[Section]:
    """How the search stands, in numbers; places are on its map, which is looked at by itself."""
    search = facts.session.get(Search, facts.case.id)
    if search is None:
        return
    query = select(func.count()).where(SearchHit.case_id == search.case_id)
    hits = facts.session.scalar(query) or 0
    until = isoformat_utc(search.ended or search.watch_until)
    yield Section(
        code="search",
        words=Words("Search", "協尋"),
        facts=[
            Fact(Words("Hits", "感測到的次數"), str(hits)),
            Fact(
                Words("Watched for", "監看狀態"),
                "ended" if search.ended else "at every station",
                "已結束" if search.ended else "所有站點",
            ),
        ],
        data={"hits": hits, "ended": search.ended is not None, "until": until},
    )


def missing_person() -> CaseKind:
    """Opened by a guardian; the police see it for a time and with a reason."""
    return CaseKind(
        name=service.KIND,
        domain=SEARCH,
        words=Words("Missing person", "走失協尋"),
        rule=OneDecides(),
        outcomes=(
            Outcome("found-well", Words("Found, well", "尋獲，平安"), follows=False),
            Outcome("found-hurt", Words("Found, hurt", "尋獲，受傷"), follows=False),
            Outcome("found-dead", Words("Found, dead", "尋獲，已歿"), follows=False),
            Outcome("home", Words("Came home by themselves", "自行返家"), follows=False),
            Outcome("not-missing", Words("Was not missing", "並未走失"), follows=False),
            Outcome(
                "not-found", Words("Not found, search ended", "未尋獲，結束協尋"), follows=False
            ),
        ),
        resolutions=(Choice(service.RESOLUTION, Words("Search ended", "協尋結束")),),
        rights={
            "open": _FAMILY,
            "note": _BOTH,
            "photograph": _BOTH,
            "take": _POLICE,
            "assign": _POLICE,
            "decide": _BOTH,
            "close": _BOTH,
            "deadline": _POLICE,
            "dossier": _POLICE,
        },
        on_request=_POLICE,
        access_for=ACCESS,
        by_hand=True,
        about_person=True,
        deadlines=(
            DeadlineRule(
                service.DEADLINE,
                Words("The watch list ends", "監看名單到期"),
                service.WATCHED_FOR,
                frozenset({"close"}),
                timedelta(days=1),
            ),
        ),
        kept_for=timedelta(days=3650),
        sections=lambda facts: list(sections(facts)),
        happened=service.happened,
    )
