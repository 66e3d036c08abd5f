"""The register over HTTP: for everybody who is signed in; changed by those who keep it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from vigil_cloud.aed import exchange, patrol_photos, register, tagged, tester
from vigil_cloud.aed.exchange import BadImport
from vigil_cloud.aed.hours import readable
from vigil_cloud.aed.models import AedPatrol, AedSite
from vigil_cloud.aed.register import SiteFields
from vigil_cloud.aed.schema import (
    Imported,
    PatrolBody,
    PatrolEntry,
    PatrolList,
    SiteBody,
    SiteEntry,
    SiteId,
    SiteList,
    TagBody,
)
from vigil_cloud.aed.tester import TesterResult
from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import (
    CurrentAccount,
    IdempotencyKey,
    ServicesDependency,
    require,
)
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import Whole
from vigil_cloud.services import Services

router = APIRouter(prefix="/aed", tags=["aed"])
Keeper = Annotated[Reader, Depends(require(Role.ADMINISTRATOR, Role.MAINTAINER))]
Format = Literal["csv", "geojson"]
_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "geojson": "application/geo+json"}
_LARGEST: Final = 8 * 1024 * 1024
_SEES_TAGS: Final = (Role.ADMINISTRATOR, Role.MAINTAINER, Role.POLICE)
_OF_TAG: Final = ("tag", "tag_seen", "tag_station")
_AT_ONCE: Final = 50
"""So many AEDs of a file are written in one transaction: an alarm waits for no more."""
_LOOKED_UP: Final = 500
_TEXT: Final = {"schema": {"type": "string"}}
_OBJECT: Final = {"schema": {"type": "object"}}


def entry(row: AedSite, services: Services, reader: Reader) -> SiteEntry:
    """One AED as it is shown to this reader."""
    now = services.now()
    fields = {name: getattr(row, name) for name in (*SiteFields.__dataclass_fields__, "id")}
    usable = register.usable(row, now)
    due = register.due(row, now)
    if reader.has(*_SEES_TAGS):
        fields |= {name: getattr(row, name) for name in _OF_TAG}
    else:
        fields |= dict.fromkeys(_OF_TAG)
    return SiteEntry(
        **fields,
        checked=row.checked,
        taken=row.taken,
        usable=usable,
        open_now=register.is_open(row, now),
        hours_readable=readable(row.opening_hours),
        always_reachable=register.always_reachable(row, now),
        due=due,
        overdue=due <= now.astimezone(CITY_ZONE).date(),
    )


@router.get("/sites", operation_id="list_aed_sites")
def list_sites(reader: CurrentAccount, services: ServicesDependency) -> SiteList:
    """All AEDs: where they are is public."""
    with services.sessions() as session:
        found = [entry(row, services, reader) for row in register.sites(session)]
    return SiteList(sites=found, reachable=sum(one.always_reachable for one in found))


@router.get(
    "/sites/export",
    operation_id="export_aed_sites",
    response_class=Response,
    responses={
        200: {
            "description": "The register",
            "content": {"text/csv": _TEXT, "application/geo+json": _OBJECT},
        }
    },
)
def export_sites(
    _reader: CurrentAccount,
    services: ServicesDependency,
    format: Annotated[Format, Query()] = "csv",
) -> Response:
    """The register as a file, in OpenStreetMap's keys."""
    with services.sessions() as session:
        rows = register.sites(session)
        is_csv = format == "csv"  # with a byte order mark: spreadsheets here take it for Big5 else
        content = exchange.to_csv(rows).encode("utf-8-sig") if is_csv else exchange.to_geojson(rows)
    name = f'attachment; filename="aed.{format}"'
    return Response(content, media_type=_MEDIA[format], headers={"Content-Disposition": name})


@router.post(
    "/sites/import",
    operation_id="import_aed_sites",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": _TEXT, "application/geo+json": _OBJECT},
        }
    },
)
async def import_sites(
    request: Request,
    keeper: Keeper,
    services: ServicesDependency,
    format: Annotated[Format, Query()] = "csv",
) -> Imported:
    """CSV in UTF-8, UTF-16 or Big5 (also the national register's table), or GeoJSON. A file with a
    mistake is not taken at all. AEDs are known by their ``ref``; what the file does not say of one,
    and those that are not in it, stay as they are. Columns and keys that nothing is taken from are
    named."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST:
            raise BadImport([f"more than {_LARGEST} bytes"])
    return await run_in_threadpool(_import, services, keeper, bytes(received), format)


def _import(services: Services, keeper: Reader, received: bytes, format: Format) -> Imported:
    read = exchange.from_csv(received) if format == "csv" else _geojson(received)
    found = read.sites
    kept_out: list[str] = []
    _refuse_devices(services, found)
    # Looked at whole before the first is written; written in small pieces, so that nobody waits
    # for the register. A process that dies in between leaves the rest to the next import.
    for first in range(0, len(found), _AT_ONCE):
        with writing(services.sessions) as session:
            kept_out += [
                one.ref
                for one in found[first : first + _AT_ONCE]
                if register.bring_in(session, one.ref, one.fields, keeper.username, services.now())
            ]
    return Imported(sites=len(found), kept_out=kept_out, unknown=read.unknown)


def _refuse_devices(services: Services, found: Sequence[exchange.Imported]) -> None:
    """Raises ``BadImport``: what the file itself cannot show, before anything of it is written."""
    named = {one.ref: one.fields["device"] for one in found if one.fields.get("device")}
    with services.sessions() as session:
        wrong: dict[str, ApiError] = {}
        devices = sorted({*named.values()})
        for first in range(0, len(devices), _LOOKED_UP):
            wrong |= register.not_cabinets(session, devices[first : first + _LOOKED_UP])
    mistakes = [f"{ref}: {wrong[device]}" for ref, device in named.items() if device in wrong]
    if mistakes:
        raise BadImport(mistakes)


def _geojson(received: bytes) -> exchange.Found:
    """Always UTF-8 (RFC 8259)."""
    try:
        text = received.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadImport(["it is not UTF-8"]) from error
    return exchange.from_geojson(text)


@router.put("/sites/{site}", operation_id="put_aed_site")
def put_site(
    site: SiteId, body: SiteBody, keeper: Keeper, services: ServicesDependency
) -> SiteEntry:
    """Add an AED, or write it anew."""
    fields = SiteFields(**body.model_dump())
    with writing(services.sessions) as session:
        row = register.put(session, site, fields, keeper.username, services.now())
        return entry(row, services, keeper)


@router.put("/sites/{site}/tag", operation_id="tag_aed_site")
def tag_site(
    site: SiteId, body: TagBody, keeper: Keeper, services: ServicesDependency
) -> SiteEntry:
    """Which tag sticks on it: stations that see it tell where a taken AED is."""
    with writing(services.sessions) as session:
        row = tagged.put_tag(session, site, body.tag, keeper.username, services.now())
        return entry(row, services, keeper)


@router.delete("/sites/{site}", status_code=204, operation_id="remove_aed_site")
def remove_site(site: SiteId, keeper: Keeper, services: ServicesDependency) -> None:
    """It is no longer there; its patrols go with it."""
    with writing(services.sessions) as session:
        register.remove(session, site, keeper.username, services.now())


@router.get("/sites/{site}/patrols", operation_id="list_aed_patrols")
def list_patrols(
    site: SiteId,
    _keeper: Keeper,
    services: ServicesDependency,
    limit: Annotated[Whole, Query(ge=1, le=200)] = 20,
) -> PatrolList:
    """Who stood before it, and what they found."""
    with services.sessions() as session:
        rows = register.patrols(session, site, limit)
        photos = patrol_photos.of_patrols(session, [row.id for row in rows])
    return PatrolList(patrols=[_patrol(row, photos.get(row.id, [])) for row in rows])


def _patrol(row: AedPatrol, photos: list[int]) -> PatrolEntry:
    tested = None if row.tester is None else TesterResult.model_validate(row.tester)
    return PatrolEntry(
        patrol=row.id,
        at=row.at,
        account=row.account,
        findings=row.findings,
        usable=row.usable,
        pads_until=row.pads_until,
        battery_until=row.battery_until,
        note=row.note,
        tester=tested,
        troubles=[] if tested is None else tester.troubles(tested),
        photos=photos,
    )


@router.post("/sites/{site}/patrols", operation_id="patrol_aed_site")
def patrol_site(
    site: SiteId,
    body: PatrolBody,
    keeper: Keeper,
    services: ServicesDependency,
    key: IdempotencyKey = None,
) -> SiteEntry:
    """Somebody was there and looked."""
    findings = {item: getattr(body, item) for item in register.CHECKLIST}
    with writing(services.sessions) as session:
        row = register.patrol(
            session,
            site,
            findings=findings,
            pads_until=body.pads_until,
            battery_until=body.battery_until,
            note=body.note,
            by=keeper.username,
            now=services.now(),
            tested=body.tester,
            key=key,
        )
        return entry(row, services, keeper)
