"""What the operator has set for the web pages."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency

router = APIRouter(tags=["screen"])


class MapTiles(BaseModel):
    """Raster tiles: an address with ``{z}``, ``{x}`` and ``{y}``, and whom to name for them."""

    url: str
    attribution: str


class Screen(BaseModel):
    """Settings of the web pages; without ``tiles`` they draw their own map."""

    tiles: MapTiles | None


@router.get("/screen", operation_id="get_screen")
def get_screen(_reader: CurrentAccount, services: ServicesDependency) -> Screen:
    """Settings of the web pages."""
    settings = services.settings
    if not settings.map_tiles_url:
        return Screen(tiles=None)
    tiles = MapTiles(url=settings.map_tiles_url, attribution=settings.map_tiles_attribution)
    return Screen(tiles=tiles)
