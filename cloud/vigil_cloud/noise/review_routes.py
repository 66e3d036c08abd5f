"""The queue of a reviewer: what waits for a decision, the longest first, with a picture of each in
which nobody can be recognised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import visible as alert_visible
from vigil_cloud.cases import listing
from vigil_cloud.cases.listing import Wanted
from vigil_cloud.cases.models import CaseAlert, CaseRow
from vigil_cloud.cases.presentation import summaries
from vigil_cloud.cases.routes import BenchDependency
from vigil_cloud.cases.schema import View
from vigil_cloud.cases.service import Desk
from vigil_cloud.evidence.coarse import has_picture
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.noise.statistics import KIND
from vigil_cloud.parameters import Whole
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/noise", tags=["noise"])
MOST: Final = 200


class ReviewEntry(BaseModel):
    """One case of the queue."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    case: str
    number: str
    opened: UtcDatetime
    started: UtcDatetime | None
    """Of its first measurement that the reader may see; null where there is none."""
    device: str | None
    LAFmax: float | None
    threshold_db: float | None
    alert: str | None
    """Of that measurement."""
    evidence_sha256: str | None
    """Null until the sealed package has come."""
    thumbnail: bool
    """There is a coarse picture at ``/alerts/{alert}/thumbnail``: a look at the queue is none at
    the evidence."""
    decisions: int
    decisions_needed: int


class ReviewQueue(BaseModel):
    """The longest waiting first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    cases: list[ReviewEntry]
    more: bool
    """There are more than were asked for."""


@router.get("/review", operation_id="list_noise_review")
def list_noise_review(
    bench: BenchDependency,
    view: View = "to_decide",
    limit: Annotated[Whole, Query(ge=1, le=MOST)] = 50,
) -> ReviewQueue:
    """Noise cases that the reader sees, as a queue to work through."""
    with bench.reading() as desk:
        wanted = Wanted(view, kind=KIND)
        rows = listing.waiting(desk.session, desk.kinds, desk.reader, wanted, desk.now, limit + 1)
        found = _entries(desk, rows[:limit])
    return ReviewQueue(cases=found, more=len(rows) > limit)


def _entries(desk: Desk, rows: Sequence[CaseRow]) -> list[ReviewEntry]:
    """Three statements, however many there are."""
    first = _first_measurements(desk, rows)
    found = []
    for one in summaries(desk, rows):
        measured, sha256, pictured = first.get(one.id, (None, None, False))
        found.append(
            ReviewEntry(
                case=one.id,
                number=one.number,
                opened=one.opened,
                started=measured.started if measured else None,
                device=measured.device if measured else None,
                LAFmax=measured.LAFmax if measured else None,
                threshold_db=measured.threshold_db if measured else None,
                alert=measured.alert_id if measured else None,
                evidence_sha256=sha256,
                thumbnail=bool(pictured),
                decisions=one.decisions,
                decisions_needed=one.decisions_needed,
            )
        )
    return found


def _first_measurements(
    desk: Desk, rows: Sequence[CaseRow]
) -> dict[str, tuple[Exceedance, str | None, bool]]:
    """Of each case; the digest of its package where that has come, and whether it shows
    anything."""
    query = (
        select(CaseAlert.case_id, Exceedance, EvidenceRow.sha256, has_picture())
        .join(AlertRow, AlertRow.id == CaseAlert.alert_id)
        .join(Exceedance, Exceedance.alert_id == AlertRow.id)
        .outerjoin(
            EvidenceRow,
            (EvidenceRow.sha256 == AlertRow.evidence_sha256)
            & (EvidenceRow.gateway == AlertRow.gateway),
        )
        .where(CaseAlert.case_id.in_([row.id for row in rows]), alert_visible(desk.reader))
        .order_by(Exceedance.started.desc())
    )
    found = desk.session.execute(query)
    return {case: (measured, sha256, pictured) for case, measured, sha256, pictured in found}
