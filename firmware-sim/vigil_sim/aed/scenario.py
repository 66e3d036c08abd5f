"""What a scenario writes of AEDs: cabinets, and what people do at them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_schemas.types import DeviceId
from vigil_sim.scenario_model import Device, Happening


class Cabinet(Device):
    """A cabinet with an I/O board."""

    transport: Literal["tcp", "rtu"] = "tcp"


class CabinetUse(Happening):
    """Somebody at a cabinet: how a heart that stops is answered, or how a thief does it.

    ``call``: opens it, presses the button, takes the AED. ``button``: presses and waits.
    ``theft``: takes the AED through the side, the door stays closed. ``look``: opens and closes.
    """

    what: Literal["aed"]
    device: DeviceId
    act: Literal["call", "button", "theft", "look"]
    away_s: Annotated[float, Field(gt=0)] = 1e9
    """After so long the AED is back in its place."""
