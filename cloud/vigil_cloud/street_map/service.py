"""Which street map the pages draw: put one in, say which, take it away. Knows no HTTP."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.street_map.models import StreetMapRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from vigil_cloud.services import Services
    from vigil_cloud.street_map.pmtiles_file import MapFile

KEPT: Final = 2
"""The drawn one, and the one before it: pages that are open go on drawing that."""
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """What was put in, and what of the file was not."""

    row: StreetMapRow
    left_out: int
    """GeoJSON features that no map draws."""
    guessed_attribution: bool
    """Whether the map names OpenStreetMap because the file says nothing."""


def put(
    services: Services,
    path: Path,
    *,
    by: str,
    attribution: str = "",
    told: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Check a file (PMTiles, or GeoJSON that is made into PMTiles) and draw it from now on.

    Raises ``MapFileInvalid``, ``ObjectsUnavailable``, ``OSError``; the map of before is drawn then.
    """
    # Only here: it brings numpy, which no other command and no service needs.
    from vigil_cloud.street_map import geojson_file, pmtiles_file

    with path.open("rb") as file:
        begins = file.read(7)
    if begins == b"PMTiles" or path.suffix.lower() == ".pmtiles":
        checked = pmtiles_file.read(path)
        named = pmtiles_file.plain(attribution) or checked.attribution
        row = _keep(services, path, checked, path.name, named, by)
        return Imported(row, 0, guessed_attribution=False)
    from vigil_cloud.street_map import tiling

    streets = geojson_file.read(path)
    with tempfile.TemporaryDirectory(prefix="vigil-map-") as folder:
        made = Path(folder) / "streets.pmtiles"
        tiling.write(streets, made, told)
        checked = pmtiles_file.read(made)
        named = pmtiles_file.plain(attribution) or checked.attribution
        row = _keep(services, made, checked, path.name, named, by)
    return Imported(row, streets.left_out, guessed_attribution=not (streets.said or attribution))


def _keep(
    services: Services, path: Path, checked: MapFile, source: str, attribution: str, by: str
) -> StreetMapRow:
    """The object first: a row never names what is not there."""
    sha256, size = _digest(path)
    west, south, east, north = checked.bounds
    row = StreetMapRow(
        sha256=sha256,
        object_name=f"maps/{sha256}.pmtiles",
        size=size,
        west=west,
        south=south,
        east=east,
        north=north,
        min_zoom=checked.min_zoom,
        max_zoom=checked.max_zoom,
        attribution=attribution,
        source=source[:200],
        imported=services.now(),
    )
    with services.sessions() as session:
        drawn = current(session)
    if drawn is not None and drawn.sha256 == sha256 and drawn.attribution == attribution:
        return drawn  # a city that is seeded at each start draws what it drew
    services.objects.put(row.object_name, path)
    with writing(services.sessions) as session:
        kept = session.merge(row)
        audit.append(
            session,
            at=row.imported,
            account=by,
            action="map.imported",
            subject=sha256,
            detail={"source": row.source, "bytes": size},
        )
        session.flush()
        session.expunge(kept)
    _forget(services, KEPT)
    return kept


def current(session: Session) -> StreetMapRow | None:
    """The one that is drawn."""
    return session.scalar(_newest_first().limit(1))


def remove(services: Services, *, by: str) -> bool:
    """Draw the villages' borders alone again; ``False`` where there was no map."""
    with writing(services.sessions) as session:
        row = current(session)
        if row is None:
            return False
        audit.append(
            session,
            at=services.now(),
            account=by,
            action="map.removed",
            subject=row.sha256,
            detail={"source": row.source},
        )
    _forget(services, 0)
    return True


def _forget(services: Services, kept: int) -> None:
    """The rows first: whoever asks meanwhile is told that there is none, and draws without."""
    with writing(services.sessions) as session:
        old = list(session.scalars(_newest_first().offset(kept)))
        names = [row.object_name for row in old]
        for row in old:
            session.delete(row)
    for name in names:
        services.objects.delete(name)


def _newest_first() -> Select[StreetMapRow]:
    return select(StreetMapRow).order_by(StreetMapRow.imported.desc(), StreetMapRow.sha256)


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
