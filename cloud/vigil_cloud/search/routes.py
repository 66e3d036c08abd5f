"""Searches over HTTP; photographs, notes, access and who acts are the case's own (``/cases``)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from vigil_cloud.cases import idempotency
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.routes import BenchDependency, CaseId, asked
from vigil_cloud.cases.schema import Case
from vigil_cloud.cases.service import Desk
from vigil_cloud.identity import consents, looks
from vigil_cloud.identity.dependencies import require
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import Truth
from vigil_cloud.search import service
from vigil_cloud.search.map import draw
from vigil_cloud.search.models import Search
from vigil_cloud.search.schema import (
    AddEntry,
    EndSearch,
    OpenSearch,
    OpenSearches,
    Reported,
    ReportMissing,
    SearchMap,
)

router = APIRouter(prefix="/search", tags=["search"])
_family: Final = require(Role.FAMILY)


@router.post("/reports", operation_id="report_missing", status_code=201)
def report_missing(body: ReportMissing, request: Request, bench: BenchDependency) -> Reported:
    """Report somebody missing (guardian). Who is searched for already is not searched for twice:
    what is said joins the open case."""
    _family(bench.reader)
    said = service.Report(**body.model_dump())
    with bench.writing() as desk:
        before = service.open_search(desk.session, said.person_key)
        row = idempotency.once(
            desk, bench.key, asked(request, body), lambda: service.report(desk, said)
        )
        answer = Reported(
            case_id=row.id,
            number=row.number,
            joined=before is not None and before.case_id == row.id,
        )
    bench.services.changed.announce()
    return answer


@router.get("/open", operation_id="list_open_searches")
def list_open_searches(bench: BenchDependency) -> OpenSearches:
    """Searches under way for persons whom the reader guards."""
    _family(bench.reader)
    with bench.reading() as desk:
        mine = consents.guarded_by(desk.session, desk.reader.account_id)
        rows = desk.session.execute(
            select(Search, CaseRow.number)
            .join(CaseRow, CaseRow.id == Search.case_id)
            .where(Search.person_key.in_(sorted(mine)), Search.ended.is_(None))
            .order_by(Search.opened)
        ).all()
    return OpenSearches(
        searches=[
            OpenSearch(
                case_id=search.case_id,
                number=number,
                person_key=search.person_key,
                opened=search.opened,
            )
            for search, number in rows
        ]
    )


@router.get("/cases/{case_id}/map", operation_id="get_search_map")
def get_search_map(
    case_id: CaseId,
    bench: BenchDependency,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> SearchMap:
    """Last place, footprint, stations, rings, hits and entries. The look is written down in the
    transaction that shows them, for the guardian to see."""
    with bench.writing() as desk:
        case, search = service.require(desk, case_id)
        shown = draw(desk, case, search)
        looks.note(
            desk.session,
            now=desk.now,
            account=desk.reader.username,
            action="location.read",
            subject="search",
            thing=case.number,
            person_key=search.person_key,
            detail={"case": case.number},
            automatic=refresh,
        )
    return shown


@router.post("/cases/{case_id}/entries", operation_id="add_search_entry")
def add_search_entry(
    case_id: CaseId, body: AddEntry, request: Request, bench: BenchDependency
) -> Case:
    """Somebody was seen, or a place was searched."""
    entry = service.Entry(**body.model_dump())

    def act(desk: Desk) -> CaseRow:
        return service.add_entry(desk, case_id, entry)

    return bench.change(asked(request, body), act)


@router.post("/cases/{case_id}/end", operation_id="end_search")
def end_search(case_id: CaseId, body: EndSearch, request: Request, bench: BenchDependency) -> Case:
    """How it ended: the case is decided and closed, the watch list withdrawn, access ends."""

    def act(desk: Desk) -> CaseRow:
        return service.found(desk, case_id, body.version, body.outcome, body.text)

    return bench.change(asked(request, body), act)
