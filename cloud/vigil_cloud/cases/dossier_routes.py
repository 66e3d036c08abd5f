"""Dossiers over HTTP. Each is written down before it leaves, and stands in the next one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.cases import bundle, dossier, dossier_pdf, photographs
from vigil_cloud.cases.dossier_pdf import Language
from vigil_cloud.cases.errors import CaseForbidden
from vigil_cloud.cases.package_page import page_of
from vigil_cloud.cases.port import Facts, Record
from vigil_cloud.cases.presentation import open_up
from vigil_cloud.cases.routes import BenchDependency, CaseId, note_look
from vigil_cloud.cases.service import find
from vigil_cloud.database.engine import writing
from vigil_cloud.evidence.service import EvidenceUnknown
from vigil_cloud.identity import audit
from vigil_schemas.dossier import CaseDossier
from vigil_schemas.types import Sha256

router = APIRouter(prefix="/cases", tags=["cases"])
_HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-store",
}


@router.get("/{case_id}/dossier.json", operation_id="get_case_dossier")
def get_case_dossier(case_id: CaseId, bench: BenchDependency, response: Response) -> CaseDossier:
    """The case as a file for programs (`case.dossier.v1`)."""
    made = _made(bench, case_id, "dossier.json", pictures=False).dossier
    response.headers["Content-Disposition"] = f'attachment; filename="{made.number}.json"'
    return made


@router.get(
    "/{case_id}/dossier.pdf",
    operation_id="get_case_dossier_pdf",
    response_class=Response,
    responses={200: {"description": "The dossier", "content": {"application/pdf": {}}}},
)
def get_case_dossier_pdf(
    case_id: CaseId,
    bench: BenchDependency,
    language: Annotated[Language, Query()] = "zh-TW",
) -> Response:
    """The case as a file for people, with the JSON attached."""
    made, pictures, _ = _made(bench, case_id, "dossier.pdf", pictures=True)
    return Response(
        dossier_pdf.render(made, pictures, language),
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{made.number}.pdf"',
            **_HEADERS,
        },
    )


@router.get(
    "/{case_id}/dossier.zip",
    operation_id="get_case_bundle",
    response_class=Response,
    responses={200: {"description": "The bundle", "content": {"application/zip": {}}}},
)
def get_case_bundle(case_id: CaseId, bench: BenchDependency) -> StreamingResponse:
    """The dossier in Chinese and as JSON, with the sealed packages and the records that it rests
    on: `vigil-cloud evidence verify` checks it. Its digest is written into the audit chain."""
    made, pictures, records = _made(bench, case_id, "dossier.zip", pictures=True)
    services, reader = bench.services, bench.reader
    rows = bundle.packages(services, reader, made)
    paper = dossier_pdf.render(made, pictures, "zh-TW")
    content = bundle.Content(made, paper, rows, records)
    file = bundle.write(services, bench.kinds.require(made.kind.code), content)
    with writing(services.sessions) as session:
        audit.append(
            session,
            at=services.now(),
            account=reader.username,
            action="case.dossier-issued",
            subject=case_id,
            detail={
                "case": made.number,
                "sha256": made.sha256,
                "paper": hashlib.sha256(paper).hexdigest(),
                "evidence": [row.sha256 for row in rows],
            },
        )
    return StreamingResponse(
        bundle.stream(file),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{made.number}.zip"',
            **_HEADERS,
        },
    )


@router.get(
    "/{case_id}/evidence/{sha256}.html",
    operation_id="get_case_evidence_page",
    response_class=Response,
    responses={200: {"description": "The page", "content": {"text/html": {}}}},
)
def get_case_evidence_page(
    case_id: CaseId, sha256: Annotated[Sha256, Path()], bench: BenchDependency
) -> Response:
    """A sealed package of the case as one HTML file that verifies itself off line: people and
    plates are blurred, so that it can be given to the person concerned."""
    made = _made(bench, case_id, f"{sha256}.html", pictures=False).dossier
    services = bench.services
    rows = bundle.packages(services, bench.reader, made)
    row = next((one for one in rows if one.sha256 == sha256), None)
    page = None if row is None else page_of(services, bench.kinds.require(made.kind.code), row)
    if page is None:
        raise EvidenceUnknown("There is no such page of this case for you.")
    headers = {"Content-Disposition": f'attachment; filename="{made.number}.html"', **_HEADERS}
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


class _Made(NamedTuple):
    """A dossier, its photographs by name, and the records that it names."""

    dossier: CaseDossier
    pictures: Mapping[str, bytes]
    records: Sequence[Record]


def _made(bench: BenchDependency, case_id: str, what: str, *, pictures: bool) -> _Made:
    with bench.reading() as desk:
        row, kind = find(desk, case_id)
        if not desk.reader.has(*kind.may("dossier")):
            raise CaseForbidden("dossier", kind.may("dossier"))
    note_look(bench.services, bench.reader, row, "case.dossier", what)
    with bench.reading() as desk:
        row, kind = find(desk, case_id)
        opened = open_up(desk, row, kind)
        seen = [one for one in opened.alerts if may_see(desk.reader, one)]
        records = kind.records(bench.services, Facts(desk.session, row, seen))
        made = dossier.build(desk, opened, records)
        shown = [one.id for one in made.photographs] if pictures else []
        objects = bench.services.objects
        read = {one: photographs.read(desk, objects, row, one) for one in shown}
        return _Made(made, read, records)
