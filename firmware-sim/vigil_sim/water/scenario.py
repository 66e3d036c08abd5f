"""What a scenario writes of water: the canal, its sondes, and what is let into it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_sim.scenario_model import Device, Happening, Part


class Sonde(Device):
    """A multi-parameter probe in the canal."""

    canal_m: float
    """Distance along the canal, downstream of its beginning."""
    mode: Literal["poll", "logger"] = "poll"
    interval_s: Annotated[float, Field(gt=0)] = 20.0
    """World seconds between two readings."""


class Canal(Part):
    """A straight reach of steady flow."""

    velocity_m_s: Annotated[float, Field(gt=0, le=5)] = 0.6
    dispersion_m2_s: Annotated[float, Field(gt=0, le=500)] = 3.0
    area_m2: Annotated[float, Field(gt=0, le=1000)] = 2.5
    temperature_c: float = 26.0
    specific_conductance_s_m: Annotated[float, Field(gt=0)] = 0.045
    pH: Annotated[float, Field(ge=0, le=14)] = 7.4
    dissolved_oxygen_mg_l: Annotated[float, Field(ge=0)] = 6.2
    turbidity_fnu: Annotated[float, Field(ge=0)] = 12.0
    level_m: float = 0.85


class Discharge(Happening):
    """Waste water enters the canal for a while."""

    what: Literal["discharge"]
    canal_m: float
    duration_s: Annotated[float, Field(gt=0)]
    flow_m3_s: Annotated[float, Field(gt=0)]
    salt_kg_m3: Annotated[float, Field(ge=0)] = 0.0
    acid_mol_m3: Annotated[float, Field(ge=0)] = 0.0
    temperature_c: float | None = None
    oxygen_demand_mg_l: Annotated[float, Field(ge=0)] = 0.0
    turbidity_fnu: Annotated[float, Field(ge=0)] = 0.0
