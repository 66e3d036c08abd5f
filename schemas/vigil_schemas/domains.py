"""The shipped domains' contracts: a further one is added here."""

from __future__ import annotations

from typing import Final

from vigil_schemas import aed, checkin, noise, smoke, water
from vigil_schemas.contract import DomainContract, register

SHIPPED: Final[tuple[DomainContract, ...]] = (
    noise.CONTRACT,
    water.CONTRACT,
    checkin.CONTRACT,
    smoke.CONTRACT,
    aed.CONTRACT,
)

for _contract in SHIPPED:
    register(_contract)
