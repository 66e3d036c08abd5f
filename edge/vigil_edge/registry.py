"""The domains of a gateway: the one file that names them all."""

from __future__ import annotations

from typing import Final

from vigil_edge.aed.domain import AED
from vigil_edge.checkin.domain import CHECKIN
from vigil_edge.domain import EdgeDomain
from vigil_edge.noise.domain import NOISE
from vigil_edge.smoke.domain import SMOKE
from vigil_edge.water.domain import WATER

DOMAINS: Final[tuple[EdgeDomain, ...]] = (NOISE, WATER, CHECKIN, SMOKE, AED)
