"""A search as a kind of case: who reports, who looks and for how long, how it ends."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from vigil_cloud.cases.port import CaseKind, Choice, Fact, Facts, Section, Words
from vigil_cloud.cases.reported import reported, watched
from vigil_cloud.search import service
from vigil_cloud.search.calls import SEARCH
from vigil_cloud.search.models import Search, SearchHit
from vigil_schemas.types import isoformat_utc


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
            Fact(*watched(search.ended is None)),
        ],
        data={"hits": hits, "ended": search.ended is not None, "until": until},
    )


def missing_person() -> CaseKind:
    """Opened by a guardian; the police see it for a time and with a reason."""
    return reported(
        service.KIND,
        SEARCH,
        Words("Missing person", "走失協尋"),
        outcomes=(
            ("found-well", Words("Found, well", "尋獲，平安")),
            ("found-hurt", Words("Found, hurt", "尋獲，受傷")),
            ("found-dead", Words("Found, dead", "尋獲，已歿")),
            ("home", Words("Came home by themselves", "自行返家")),
            ("not-missing", Words("Was not missing", "並未走失")),
            ("not-found", Words("Not found, search ended", "未尋獲，結束協尋")),
        ),
        ended=Choice(service.RESOLUTION, Words("Search ended", "協尋結束")),
        watched_for=service.WATCHED_FOR,
        sections=sections,
        happened=service.happened,
    )
