"""The street map over HTTP, in ranges: a page reads the tiles that it draws out of one file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import StreamingResponse

from vigil_cloud.api_errors import NotFound
from vigil_cloud.evidence.reading import requested
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.street_map.models import StreetMapRow
from vigil_schemas.types import Sha256

router = APIRouter(tags=["screen"])
_FOR_GOOD = "private, max-age=31536000, immutable"
"""The address names the content: another map has another address. Private, since the map of a
district in which a city works is for those who are signed in."""
_Named = Annotated[str | None, Header(pattern=r"^[ -~]*$", max_length=200)]


@router.get(
    "/maps/{sha256}.pmtiles",
    operation_id="get_street_map",
    response_class=Response,
    responses={
        200: {"description": "The whole file", "content": {"application/vnd.pmtiles": {}}},
        206: {"description": "A part of it", "content": {"application/vnd.pmtiles": {}}},
        304: {"description": "As the reader has it"},
    },
)
def get_street_map(
    sha256: Annotated[Sha256, Path()],
    reader: CurrentAccount,
    services: ServicesDependency,
    range: _Named = None,
    if_range: _Named = None,
    if_none_match: _Named = None,
) -> Response:
    """The file of ``screen.streets``, whole or a range of it. For whoever is signed in."""
    del reader  # streets are everybody's; who may see what stands in them is asked elsewhere
    with services.sessions() as session:
        row = session.get(StreetMapRow, sha256)
    if row is None:
        raise NotFound("There is no such map any more.")
    tag = f'"{sha256}"'
    headers = {"ETag": tag, "Cache-Control": _FOR_GOOD, "Accept-Ranges": "bytes"}
    if if_none_match is not None and tag in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    size = services.objects.size(row.object_name)
    # RFC 9110 13.1.5: a part is only good for whoever has the rest of the same file.
    part = requested(range if if_range in (None, tag) else None, size)
    start, end = part or (0, size - 1)
    headers["Content-Length"] = str(end - start + 1)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    body = services.objects.read(row.object_name, start, end - start + 1)
    return StreamingResponse(body, 206 if part else 200, headers, "application/vnd.pmtiles")
