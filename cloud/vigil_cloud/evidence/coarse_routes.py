"""The coarse picture of an alert, for a list."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from sqlalchemy import select

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import visible
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.evidence.service import EvidenceUnknown
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency

router = APIRouter(tags=["evidence"])


@router.get(
    "/alerts/{alert_id}/thumbnail",
    operation_id="get_alert_thumbnail",
    response_class=Response,
    responses={
        200: {"description": "A small JPEG", "content": {"image/jpeg": {}}},
        304: {"description": "As the reader has it"},
    },
)
def get_alert_thumbnail(
    alert_id: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")],
    reader: CurrentAccount,
    services: ServicesDependency,
    if_none_match: Annotated[str | None, Header(pattern=r"^[ -~]*$", max_length=200)] = None,
) -> Response:
    """A picture so coarse that neither a face nor a plate can be made out in it, where an alert's
    `thumbnail` says that there is one. For whoever may open the alert's evidence; as it shows
    nobody, it is no look at the evidence and none is written down."""
    query = (
        select(EvidenceRow.coarse)
        .join(
            AlertRow,
            (AlertRow.evidence_sha256 == EvidenceRow.sha256)
            & (AlertRow.gateway == EvidenceRow.gateway),
        )
        .where(AlertRow.id == alert_id, visible(reader))
    )
    with services.sessions() as session:
        picture = session.scalar(query)
    if not picture:
        raise EvidenceUnknown("There is no such picture for you.")
    tag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        # Asked for anew each time: rights end, and so does the evidence.
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie",
        "Content-Disposition": 'inline; filename="thumbnail.jpg"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if if_none_match is not None and tag in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(picture, headers=headers, media_type="image/jpeg")
