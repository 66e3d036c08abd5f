"""A canal with two arms, its probes, outfalls, gates and fields, as files are brought in."""

from __future__ import annotations

import json
from typing import Any

UPPER, LOWER = "sonde-1", "sonde-2"


def _feature(shape: str, coordinates: Any, **tags: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": shape, "coordinates": coordinates},
        "properties": tags,
    }


def features(upper: str = UPPER, lower: str = LOWER) -> list[dict[str, Any]]:
    """Water flows from west to east: tail (r1) and side arm (r2) into r3, on into r4."""
    west, middle, east, end = [120.43, 23.47], [120.44, 23.47], [120.45, 23.47], [120.46, 23.47]
    names = {"name": "Daojiang canal", "name_zh": "道將圳"}
    return [
        _feature("LineString", [west, middle], id="r1", **{"from": "a", "to": "b"}, **names),
        _feature("LineString", [[120.44, 23.48], middle], id="r2", **{"from": "e", "to": "b"}),
        _feature(
            "LineString",
            [middle, east],
            id="r3",
            **{"from": "b", "to": "c"},
            velocity_m_s=0.5,
            slope=0.001,
            flow_m3_s=1.2,
        ),
        _feature("LineString", [east, end], id="r4", **{"from": "c", "to": "d"}, velocity_m_s=1.0),
        _feature("Point", [120.448, 23.47], id="s1", kind="station", device=upper, name="Upper"),
        _feature("Point", [120.455, 23.4701], id="s2", kind="station", device=lower, name="Lower"),
        _feature(
            "Point",
            [120.445, 23.4703],
            id="o-plating",
            kind="outfall",
            permit="EPB-114-0031",
            name="Hsin plating works",
            name_zh="新電鍍廠",
            owner="Hsin Metals Ltd",
        ),
        _feature(
            "Point",
            [120.44, 23.475],
            id="o-yard",
            kind="outfall",
            permit="EPB-114-0044",
            name="Backyard dye works",
            name_zh="後院染坊",
            owner="林大明",
            owner_is_person=True,
        ),
        _feature(
            "Point",
            [120.458, 23.47],
            id="o-below",
            kind="outfall",
            permit="EPB-114-0050",
            name="Below the probes",
        ),
        _feature(
            "Point",
            [120.452, 23.47],
            id="g1",
            kind="gate",
            name="North gate",
            name_zh="北水門",
            area="f1",
        ),
        _feature(
            "Polygon",
            [[[120.452, 23.471], [120.456, 23.471], [120.456, 23.474], [120.452, 23.471]]],
            id="f1",
            name="Rice fields north",
            name_zh="北側稻田",
        ),
    ]


def geojson(**devices: str) -> str:
    return json.dumps(
        {"type": "FeatureCollection", "features": features(**devices)}, ensure_ascii=False
    )
