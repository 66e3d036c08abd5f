"""The canal: a steady one-dimensional flow that carries and disperses what is let into it.

Advection–dispersion in an unbounded uniform channel (Fischer et al., *Mixing in
Inland and Coastal Waters*, 1979, section 2): closed forms for an instantaneous
and a continuous release. Functions of place and time alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import erfc, erfcx

from vigil_sim.water.scenario import Canal, Discharge
from vigil_sim.world import World

SALT_CONDUCTANCE = 0.19
"""Specific conductance per concentration of sodium chloride, (S/m)/(kg/m³), dilute, 25 °C."""
BUFFER_CAPACITY = 2.4
"""Acid that lowers the pH of the canal's hard water by one unit, mol/m³."""


def instantaneous(
    mass: float, x: float, t: float, *, area: float, velocity: float, dispersion: float
) -> float:
    """Concentration (mass/m³) ``x`` m away, ``t`` s after ``mass`` was poured in at once."""
    if t <= 0:
        return 0.0
    spread = 4 * dispersion * t
    return (
        mass / (area * math.sqrt(math.pi * spread)) * math.exp(-((x - velocity * t) ** 2) / spread)
    )


def continuous(
    rate: float, x: float, t: float, *, area: float, velocity: float, dispersion: float
) -> float:
    """Concentration (mass/m³) ``t`` s after a steady release of ``rate`` mass/s began.

    The time integral of :func:`instantaneous`; ``x`` ≥ 0 lies downstream.
    """
    if t <= 0:
        return 0.0
    root = 2 * math.sqrt(dispersion * t)
    ahead, behind = (x - velocity * t) / root, (x + velocity * t) / root
    # exp(ux/D)·erfc(behind), written so that neither factor overflows.
    image = math.exp(-(ahead**2)) * float(erfcx(behind)) if behind > -5 else 0.0
    return rate / (2 * area * velocity) * (float(erfc(ahead)) - image)


@dataclass(frozen=True, slots=True)
class Water:
    """What a sonde is immersed in."""

    temperature: float
    """°C."""
    specific_conductance: float
    """S/m at 25 °C."""
    pH: float
    dissolved_oxygen: float
    """kg/m³."""
    turbidity_FNU: float
    level: float
    """m."""


def share(canal: Canal, discharge: Discharge, canal_m: float, t: float) -> float:
    """Part of the water at ``canal_m`` that came out of the pipe, 0..1."""
    x = canal_m - discharge.canal_m
    if x < 0:
        return 0.0
    flow = {
        "area": canal.area_m2,
        "velocity": canal.velocity_m_s,
        "dispersion": canal.dispersion_m2_s,
    }
    since = t - discharge.at_s
    volume = continuous(discharge.flow_m3_s, x, since, **flow) - continuous(
        discharge.flow_m3_s, x, since - discharge.duration_s, **flow
    )
    return min(max(volume, 0.0), 1.0)


def water_at(
    canal: Canal, discharges: Sequence[Discharge], canal_m: float, t: float, phases: Sequence[float]
) -> Water:
    """The water at one place and time, with a slow natural wander drawn from six ``phases``."""

    def wander(index: int, period_s: float) -> float:
        return math.sin(2 * math.pi * (t / period_s + phases[index]))

    temperature = canal.temperature_c + 0.15 * wander(0, 2900)
    conductance = canal.specific_conductance_s_m * (1 + 0.012 * wander(1, 1700))
    pH = canal.pH + 0.03 * wander(2, 2300)
    oxygen = canal.dissolved_oxygen_mg_l + 0.12 * wander(3, 3100)
    turbidity = canal.turbidity_fnu * (1 + 0.06 * wander(4, 1300))
    level = canal.level_m + 0.004 * wander(5, 900)
    acid = 0.0
    for discharge in discharges:
        part = share(canal, discharge, canal_m, t)
        if discharge.temperature_c is not None:
            temperature += part * (discharge.temperature_c - temperature)
        conductance += part * discharge.salt_kg_m3 * SALT_CONDUCTANCE
        acid += part * discharge.acid_mol_m3
        oxygen -= part * discharge.oxygen_demand_mg_l
        turbidity += part * discharge.turbidity_fnu
        level += part * discharge.flow_m3_s * 0.05
    # A buffer that is used up: the fall is steep at first and levels out towards pH 2.
    pH -= (pH - 2.0) * (1 - math.exp(-acid / (BUFFER_CAPACITY * (pH - 2.0))))
    return Water(
        temperature=temperature,
        specific_conductance=conductance,
        pH=pH,
        dissolved_oxygen=max(oxygen, 0.0) / 1000,
        turbidity_FNU=turbidity,
        level=level,
    )


class Reach:
    """The canal of one world: where, when → water. A pure function of scenario and seed."""

    def __init__(self, world: World) -> None:
        self._canal = world.scenario.table("canal", Canal)
        self._discharges = world.scenario.happenings(Discharge)
        draw = world.random("canal")
        self._phases = tuple(draw.random() for _ in range(6))

    def water(self, canal_m: float, t: float) -> Water:
        """The water ``canal_m`` metres along the canal at world time ``t``, s."""
        return water_at(self._canal, self._discharges, canal_m, t, self._phases)
