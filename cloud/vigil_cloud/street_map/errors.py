"""What is wrong with a file that is to be the map."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class MapFileInvalid(VigilError):
    """The file is no street map that the pages can draw; nothing was changed."""

    code: ClassVar[str] = "map-file-invalid"
    remedy: ClassVar[str] = (
        "Give a PMTiles 3 file with vector tiles of Protomaps' basemap (layer `roads`), or GeoJSON"
        " of OpenStreetMap with its tags (for example of `osmium export`)."
    )
