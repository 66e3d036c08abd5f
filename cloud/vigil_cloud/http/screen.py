"""What the operator has set for the web pages."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel

from vigil_cloud.domain.registry import domains
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_schemas.types import Domain

router = APIRouter(tags=["screen"])


class MapTiles(BaseModel):
    """Raster tiles: an address with ``{z}``, ``{x}`` and ``{y}``, and whom to name for them."""

    url: str
    attribution: str


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
    """Settings of the web pages; without ``tiles`` they draw their own map."""

    tiles: MapTiles | None
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
    return Screen(tiles=tiles, domains=shown)
