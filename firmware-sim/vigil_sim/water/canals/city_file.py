"""What a city's register has of a network of canals, as GeoJSON: sections and velocities as they
were measured once, which is not how the water runs today. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from vigil_sim.water.canals.flow import Flow
from vigil_sim.water.canals.plan import Plan

_DEGREE_M = 111_000.0


def velocities_off(seed: int, plan: Plan, part: float) -> dict[str, float]:
    """Factors of the registered velocities: a common one and one of each canal, each evenly drawn
    from 1 - ``part`` to 1 + ``part``."""
    draw = random.Random(f"velocities {seed}")
    common = draw.uniform(1 - part, 1 + part)
    return {one.id: common * draw.uniform(1 - part, 1 + part) for one in plan.canals}


def geojson(plan: Plan, flow: Flow, off: Mapping[str, float] | None = None) -> dict[str, Any]:
    """A FeatureCollection as the cloud's command lines and its import read it. Registered
    sections are means over the canal, velocities the flow over them times ``off``."""
    places = _drawn(plan)
    features = [
        _feature(
            "LineString", [places[one.start], places[one.end]], _canal(plan, flow, one.id, off)
        )
        for one in plan.canals
    ]
    for spot in plan.places:
        canal = plan.by_id[spot.canal]
        share = spot.offset_m / canal.length_m
        a, b = places[canal.start], places[canal.end]
        tags = {"id": spot.id, "kind": spot.kind, "reach": canal.id,
                "offset_m": round(spot.offset_m, 3)}  # fmt: skip
        if spot.kind == "outfall":
            tags["permit"] = f"EPB-{spot.id}"
        at = [p + share * (q - p) for p, q in zip(a, b, strict=True)]
        features.append(_feature("Point", at, tags))
    for gate in plan.gates:
        tags = {"id": gate.id, "kind": "gate", "reach": gate.canal, "offset_m": 0.0}
        features.append(_feature("Point", list(places[plan.by_id[gate.canal].start]), tags))
    return {"type": "FeatureCollection", "features": features}


def _canal(
    plan: Plan, flow: Flow, name: str, off: Mapping[str, float] | None
) -> dict[str, str | float]:
    canal = plan.by_id[name]
    area = float(flow.areas[name].mean())
    velocity = float(flow.faces[name].mean()) / area * (1.0 if off is None else off[name])
    tags: dict[str, str | float] = {
        "id": canal.id,
        "from": canal.start,
        "to": canal.end,
        "length_m": round(canal.length_m, 3),
        "slope": canal.slope,
        "area_m2": area,
        "velocity_m_s": velocity,
        "dispersion_m2_s": canal.dispersion_m2_s,
    }
    if canal.storage_share:
        tags |= {"storage_area_m2": area * canal.storage_share, "exchange_1_s": canal.exchange_1_s}
    if canal.decay_1_s:
        tags["decay_1_s"] = canal.decay_1_s
    return tags


def _feature(shape: str, coordinates: Any, tags: Mapping[str, Any]) -> dict[str, Any]:
    geometry = {"type": shape, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": dict(tags)}


def _drawn(plan: Plan) -> dict[str, list[float]]:
    """Nodes on a map: the outlet in the south, branches beside each other."""
    above: dict[str, list[str]] = {}
    for one in plan.canals:
        above.setdefault(one.end, []).append(one.start)
    length = {one.start: one.length_m for one in plan.canals}
    root = next(one.end for one in plan.canals if one.end not in length)
    column: dict[str, float] = {}
    height = {root: 0.0}
    waiting = [root]
    order = []
    while waiting:
        node = waiting.pop()
        order.append(node)
        for upper in above.get(node, ()):
            if upper not in height:
                height[upper] = height[node] + length[upper] * 0.8
                waiting.append(upper)
    leaves = 0
    for node in reversed(order):
        uppers = [column[one] for one in above.get(node, ()) if one in column]
        column[node] = sum(uppers) / len(uppers) if uppers else float(leaves)
        leaves += not uppers
    return {
        node: [120.40 + column[node] * 400 / _DEGREE_M, 23.40 + height[node] / _DEGREE_M]
        for node in order
    }
