"""Searches over HTTP; photographs, notes, access and who acts are the case's own (``/cases``)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import select

from vigil_cloud.alerts import feed
from vigil_cloud.cases import idempotency
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.routes import BenchDependency, CaseId, asked
from vigil_cloud.cases.schema import Case
from vigil_cloud.cases.service import Desk
from vigil_cloud.identity import audit, consents, looks
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import AuditLines, audit_line
from vigil_cloud.parameters import Truth, Whole
from vigil_cloud.qr_code import address_of, drawn
from vigil_cloud.search import exports, service, statistics, tips
from vigil_cloud.search.errors import NoSearchMap
from vigil_cloud.search.map import draw, likely_of, planned, sheet_of, shows
from vigil_cloud.search.models import Search
from vigil_cloud.search.schema import (
    AddEntry,
    EndSearch,
    Likely,
    OpenSearch,
    OpenSearches,
    Reported,
    ReportMissing,
    SearchMap,
    SearchPlan,
)
from vigil_cloud.search.statistics import SearchStatistics

router = APIRouter(prefix="/search", tags=["search"])
_family: Final = require(Role.FAMILY)


@router.post("/reports", operation_id="report_missing", status_code=201)
def report_missing(body: ReportMissing, request: Request, bench: BenchDependency) -> Reported:
    """Report somebody missing (guardian). Who is searched for already is not searched for twice:
    what is said joins the open case."""
    _family(bench.reader)
    said = service.Report(**body.model_dump())
    with bench.writing() as desk:
        feed.lock(desk.session)  # another guardian may be reporting just now
        standing = service.open_search(desk.session, said.person_key)
        asked_before = idempotency.done_at(desk, bench.key)
        row = idempotency.once(
            desk, bench.key, asked(request, body), lambda: service.report(desk, said)
        )
        answer = Reported(
            case_id=row.id,
            number=row.number,
            joined=(
                standing is not None and standing.case_id == row.id
                if asked_before is None
                else (row.opened, row.opened_by) != (asked_before, desk.reader.username)
            ),
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


@router.get("/statistics", operation_id="get_search_statistics")
def get_search_statistics(
    _reader: Annotated[Reader, Depends(require(Role.ADMINISTRATOR))],
    services: ServicesDependency,
    quarter: Annotated[
        str | None,
        Query(pattern=r"^20[0-9]{2}-Q[1-4]$", description="2026-Q1; without it the last one"),
    ] = None,
) -> SearchStatistics:
    """How many searches of one quarter there were, before how many of them somebody had looked at
    the footprint, how long they took and how they ended. Numbers alone: it names nobody, opens no
    case, and withholds what would be of one family."""
    now = services.now()
    with services.sessions() as session:
        return statistics.figures(session, quarter or statistics.last_quarter(now), now)


@router.get("/cases/{case_id}/map", operation_id="get_search_map")
def get_search_map(
    case_id: CaseId,
    request: Request,
    bench: BenchDependency,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> SearchMap:
    """Last place, footprint, stations, rings, hits and entries. The look is written down in the
    transaction that shows them, for the guardian to see."""
    with bench.writing() as desk:
        case, search = service.require(desk, case_id)
        shown = draw(desk, case, search, address_of(bench.services.settings, request))
        _note(desk, case, "location.read", refresh=refresh)
    return shown


@router.get("/cases/{case_id}/plan", operation_id="get_search_plan")
def get_search_plan(
    case_id: CaseId,
    bench: BenchDependency,
    team_hours: Annotated[float, Query(gt=0, le=10_000, allow_inf_nan=False)] = 4.0,
) -> SearchPlan:
    """Where to send whom: so many hours of teams, shared out so that they raise the probability of
    finding the person most. Of the map as it was drawn last."""
    with bench.writing() as desk:
        case, likely = _likely(desk, case_id)
        # An open page asks for it with each new map: that is no look of its own.
        _note(desk, case, "location.read", refresh=True)
    return planned(likely, team_hours)


@router.get(
    "/cases/{case_id}/export.{form}",
    operation_id="export_search_map",
    response_class=Response,
    responses={200: {"description": "The map as a file", "content": {"*/*": {}}}},
)
def export_search_map(
    case_id: CaseId,
    form: Annotated[exports.Format, Path(description="geojson, kml or gpx")],
    bench: BenchDependency,
) -> Response:
    """The map for other programs (CalTopo and SARTopo read it): regions, segments, the last place,
    next stations, what people saw and searched. It names nobody."""
    with bench.writing() as desk:
        case, likely = _likely(desk, case_id)
        search = desk.session.get_one(Search, case_id)
        shown = draw(desk, case, search, "")
        _note(desk, case, "location.exported", refresh=False)
    name = f"search-{case.number}.{form}"
    return Response(
        exports.written(sheet_of(shown, likely), form),
        media_type=exports.MEDIA[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _likely(desk: Desk, case_id: str) -> tuple[CaseRow, Likely]:
    """Raises ``NoSearchMap`` where there is none for this reader, and what ``require`` raises."""
    case, search = service.require(desk, case_id)
    found = likely_of(desk, search, shows(desk, case, search))
    if found is None:
        raise NoSearchMap
    return case, found


def _note(desk: Desk, case: CaseRow, action: str, *, refresh: bool) -> None:
    looks.note(
        desk.session,
        now=desk.now,
        account=desk.reader.username,
        action=action,
        subject="search",
        thing=case.id,
        person_key=case.person_key,
        detail={"case": case.number, "case_id": case.id},
        automatic=refresh,
    )


@router.get("/cases/{case_id}/looks", operation_id="list_search_looks")
def list_search_looks(
    case_id: CaseId,
    bench: BenchDependency,
    before: Annotated[Whole | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> AuditLines:
    """Who looked at this search, and what was done in it, for the person's guardian."""
    with bench.reading() as desk:
        case, search = service.require(desk, case_id)
        consents.require_guardian(desk.session, desk.reader, search.person_key)
        rows = audit.lines_about(
            desk.session, search.person_key, case_id=case.id, before=before, limit=limit + 1
        )
        seen = looks.of_lines(desk.session, [row.number for row in rows])
    lines = [audit_line(row, seen.get(row.number)) for row in rows[:limit]]
    return AuditLines(entries=lines, next=lines[-1].number if len(rows) > limit else None)


@router.post("/cases/{case_id}/entries", operation_id="add_search_entry")
def add_search_entry(
    case_id: CaseId, body: AddEntry, request: Request, bench: BenchDependency
) -> Case:
    """Somebody was seen, or a place was searched."""
    entry = service.Entry(**body.model_dump())

    def act(desk: Desk) -> CaseRow:
        return service.add_entry(desk, case_id, entry)

    return bench.change(asked(request, body), act)


@router.post("/cases/{case_id}/link", operation_id="make_search_link")
def make_search_link(case_id: CaseId, request: Request, bench: BenchDependency) -> Case:
    """A link for passers-by: under it anybody reports, without an account, that they saw the
    person. It is on the map, and its QR code beside it. Idempotent."""
    asked_for = idempotency.digest(request.method, request.url.path)
    return bench.change(asked_for, lambda desk: tips.make_link(desk, case_id))


@router.delete("/cases/{case_id}/link", operation_id="withdraw_search_link")
def withdraw_search_link(case_id: CaseId, request: Request, bench: BenchDependency) -> Case:
    """Under the link nothing can be reported any more. Idempotent."""
    asked_for = idempotency.digest(request.method, request.url.path)
    return bench.change(asked_for, lambda desk: tips.withdraw_link(desk, case_id))


@router.get(
    "/cases/{case_id}/link.svg",
    operation_id="get_search_link_code",
    response_class=Response,
    responses={200: {"description": "The QR code", "content": {"image/svg+xml": {}}}},
)
def get_search_link_code(case_id: CaseId, request: Request, bench: BenchDependency) -> Response:
    """The link as a QR code, to be printed."""
    with bench.reading() as desk:
        _, search = service.require(desk, case_id)
        path = tips.path_of(desk.cipher, search)
    if path is None:
        raise tips.TipLinkUnknown
    return drawn(address_of(bench.services.settings, request) + path)


@router.post("/cases/{case_id}/end", operation_id="end_search")
def end_search(case_id: CaseId, body: EndSearch, request: Request, bench: BenchDependency) -> Case:
    """How it ended: the case is decided and closed, the watch list withdrawn, access ends."""

    def act(desk: Desk) -> CaseRow:
        return service.found(desk, case_id, body.version, body.outcome, body.text)

    return bench.change(asked(request, body), act)
