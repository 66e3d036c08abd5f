"""What the operator has set for the web pages."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel

from vigil_cloud.domain.registry import domains
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.services import Services
from vigil_cloud.street_map import service as street_map
from vigil_schemas.types import Domain

router = APIRouter(tags=["screen"])


class MapTiles(BaseModel):
    """Raster tiles: an address with ``{z}``, ``{x}`` and ``{y}``, and whom to name for them."""

    url: str
    attribution: str


class StreetMap(BaseModel):
    """The city's own streets: a PMTiles file in the layers of Protomaps' basemap."""

    url: str
    """Read in ranges; it names the content, so another map has another address."""
    attribution: str
    """Plain text."""
    bounds: tuple[float, float, float, float]
    """West, south, east, north, degrees."""
    min_zoom: int
    max_zoom: int


class ScreenLook(BaseModel):
    """How to draw a domain that the pages were built without."""

    icon: str
    colour: str
    colour_dark: str


class ScreenDomain(BaseModel):
    """A domain of which the reader may see something, by its name in both languages."""

    name: Domain
    title: str
    title_zh: str
    look: ScreenLook | None


class Screen(BaseModel):
    """Settings of the web pages; without ``tiles`` they draw ``streets``, without those the
    borders of villages."""

    tiles: MapTiles | None
    streets: StreetMap | None
    domains: list[ScreenDomain]


@router.get("/screen", operation_id="get_screen")
def get_screen(reader: CurrentAccount, services: ServicesDependency) -> Screen:
    """Settings of the web pages."""
    settings = services.settings
    tiles = None
    if settings.map_tiles_url:
        tiles = MapTiles(url=settings.map_tiles_url, attribution=settings.map_tiles_attribution)
    shown = [
        ScreenDomain(
            name=one.name,
            title=one.title,
            title_zh=one.title_zh,
            look=one.look and ScreenLook.model_validate(asdict(one.look)),
        )
        for one in domains()
        if reader.has(*one.alert_roles, *one.consent_roles, *one.household_roles, *one.device_roles)
    ]
    return Screen(tiles=tiles, streets=_streets(services), domains=shown)


def _streets(services: Services) -> StreetMap | None:
    with services.sessions() as session:
        row = street_map.current(session)
    if row is None:
        return None
    return StreetMap(
        url=f"/api/v1/maps/{row.sha256}.pmtiles",
        attribution=row.attribution,
        bounds=(row.west, row.south, row.east, row.north),
        min_zoom=row.min_zoom,
        max_zoom=row.max_zoom,
    )
