"""The canal of a scenario as a city registers it: reaches, the probes on them, outfalls, a gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from vigil_sim.scenario_model import Scenario
from vigil_sim.water.scenario import Canal, Discharge, Sonde
from vigil_sim.world import World

if TYPE_CHECKING:
    from vigil_sim.domain import SeedTable

REACH_M: Final = 400.0
_REACHES: Final = 2
_GATE_M: Final = 520.0
_FIELD_M: Final = (20.0, 220.0)


def seed(scenario: Scenario, _relatives: Sequence[str], _expires: str) -> list[SeedTable]:
    """``[[waterway]]`` tables. The canal flows east through the first probe's place; each
    discharge of the play has its registered outfall, and there is one more that does nothing."""
    sondes = scenario.tables("water", Sonde)
    if not sondes:
        return []
    canal = scenario.table("canal", Canal)
    first = sondes[0]
    begin = (first.at[0] - first.canal_m, first.at[1])
    draw = _Drawing(World(scenario, scenario.seed), begin)
    tables: list[dict[str, Any]] = [
        {
            "kind": "reach",
            "id": f"daoyang-{n + 1}",
            "name": f"Daoyang canal {n + 1}",
            "name_zh": f"道將圳第{n + 1}段",
            "from": f"node-{n}",
            "to": f"node-{n + 1}",
            "length_m": REACH_M,
            "velocity_m_s": canal.velocity_m_s,
            "dispersion_m2_s": canal.dispersion_m2_s,
            "area_m2": canal.area_m2,
            "flow_m3_s": canal.velocity_m_s * canal.area_m2,
            "wkt": draw.line(n * REACH_M, (n + 1) * REACH_M),
        }
        for n in range(_REACHES)
    ]
    tables += [
        {
            "kind": "area",
            "id": "fields",
            "name": "Rice fields",
            "name_zh": "稻田",
            "wkt": draw.field(),
        },
        {
            "kind": "gate",
            "id": "gate-north",
            "name": "North gate",
            "name_zh": "北水門",
            "area": "fields",
            "wkt": draw.point(_GATE_M),
        },
    ]
    tables += [
        {
            "kind": "station",
            "id": f"at-{one.device}",
            "name": one.name,
            "name_zh": one.name_zh,
            "device": one.device,
            "wkt": draw.point(one.canal_m),
        }
        for one in sondes
        if 0 <= one.canal_m <= _REACHES * REACH_M
    ]
    places = [one.canal_m for one in scenario.happenings(Discharge)]
    tables += [
        {
            "kind": "outfall",
            "id": f"outfall-{n}",
            "name": f"Registered outfall {n}",
            "name_zh": f"列管排放口 {n}",
            "permit": f"EPB-114-{n:04d}",
            "owner": "Demo Plating Ltd",
            "wkt": draw.point(metres),
        }
        for n, metres in enumerate(sorted({*places, first.canal_m / 2}), 1)
        if 0 <= metres <= _REACHES * REACH_M
    ]
    return [("waterway", table) for table in tables]


class _Drawing:
    """Places along the canal, as WKT."""

    def __init__(self, world: World, begin: tuple[float, float]) -> None:
        self._world = world
        self._begin = begin

    def _at(self, east_m: float, north_m: float = 0.0) -> str:
        place = (self._begin[0] + east_m, self._begin[1] + north_m)
        latitude, longitude = self._world.geographic(place)
        return f"{longitude} {latitude}"

    def point(self, metres: float) -> str:
        return f"POINT ({self._at(metres)})"

    def line(self, from_m: float, to_m: float) -> str:
        return f"LINESTRING ({self._at(from_m)}, {self._at(to_m)})"

    def field(self) -> str:
        low, high = _FIELD_M
        corners = [(_GATE_M, low), (_GATE_M + 200, low), (_GATE_M + 200, high), (_GATE_M, low)]
        return f"POLYGON (({', '.join(self._at(*corner) for corner in corners)}))"
