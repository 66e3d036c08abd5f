"""What a cabinet's contacts show, from what people do at it. Pure: a function of world time.

How long people take is from trials of public access cabinets: door, button and defibrillator
follow each other within seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from vigil_sim.aed.scenario import CabinetUse

STATE_STYLES: Final = ("button-stuck", "door-stuck", "chatter", "self-test-failed")
"""Of the contacts, for as long as their window lasts; ``chatter``: each reading of the door is
the other one, as a worn switch gives it."""
PRESS_S: Final = 0.4
BUTTON_AFTER_S: Final = 2.0
TAKEN_AFTER_S: Final = 5.0
CLOSED_AFTER_S: Final = 15.0


class Shown(NamedTuple):
    """The contacts; 1 as they are wired: door open, button down, AED in place, self test failed."""

    door: bool = False
    button: bool = False
    present: bool = True
    fault: bool = False


def shown(uses: Sequence[CabinetUse], t: float, speed: float = 1.0) -> Shown:
    """At world second ``t``. A finger stays on the button for as long on the wall's clock however
    fast the world's runs: the gateway reads it by the former."""
    press_s = PRESS_S * max(1.0, speed)
    door = button = away = False
    for use in uses:
        since = t - use.at_s
        if since < 0:
            continue
        opens = use.act in ("call", "look")
        door |= opens and since < CLOSED_AFTER_S
        pressed = BUTTON_AFTER_S if use.act == "call" else 0.0
        presses = use.act in ("call", "button")
        button |= presses and pressed <= since < pressed + press_s
        taken = TAKEN_AFTER_S if use.act == "call" else 0.0
        takes = use.act in ("call", "theft")
        away |= takes and taken <= since < taken + use.away_s
    return Shown(door, button, not away)
