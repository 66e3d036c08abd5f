"""The domains of the simulated city: the one file that names them all."""

from __future__ import annotations

from typing import Final

from vigil_sim.aed.domain import AED
from vigil_sim.checkin.domain import CHECKIN
from vigil_sim.domain import SimulatedDomain
from vigil_sim.noise.domain import NOISE
from vigil_sim.smoke.domain import SMOKE
from vigil_sim.water.domain import WATER

DOMAINS: Final[tuple[SimulatedDomain, ...]] = (NOISE, WATER, CHECKIN, SMOKE, AED)
