"""Cooking, steam and fires drawn at random, as homes have them. Pure and seeded.

Ranges are those that ``chamber`` names; where it happens and how well the room is aired is drawn
as well. ``radio_lost`` says which of an alarm's messages a bad link swallows.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from vigil_sim.smoke import chamber
from vigil_sim.smoke.chamber import Kind, Room, Source

_ALPHAS_W_S2: Final = (2.93, 11.72, 46.9)
"""Slow, medium, fast."""


def source(kind: Kind, rng: random.Random) -> Source:
    """One event of this kind."""
    made: Source
    match kind:
        case "cooking":
            made = chamber.cooking(rng.lognormvariate(-0.7, 0.8), rng.uniform(240, 1200))
        case "burnt-food":
            made = chamber.burnt_food(rng.uniform(10, 60), rng.uniform(60, 240))
        case "steam":
            made = chamber.steam(rng.lognormvariate(-3.0, 0.7), rng.uniform(120, 900))
        case "smouldering":
            made = chamber.smouldering(rng.uniform(0.0002, 0.001))
        case "flaming":
            wood = rng.random() < 0.5
            made = chamber.burning(
                rng.choice(_ALPHAS_W_S2),
                soot_g_g=0.015 if wood else 0.13,
                heat_kj_g=17.9 if wood else 26.0,
                most_kw=rng.uniform(500, 2000),
            )
    return replace(made, away_m=rng.uniform(1.5, 6.0))


def room(kind: Kind, rng: random.Random) -> Room:
    """Where it happens."""
    aired = kind in ("cooking", "burnt-food") and rng.random() < 0.6
    return Room(
        floor_m2=rng.uniform(4, 8) if kind == "steam" else rng.uniform(8, 20),
        height_m=rng.uniform(2.4, 3.0),
        changes_h=rng.uniform(8, 20) if aired else rng.uniform(0.5, 4),
        door_m3_s=rng.uniform(0.01, 0.1),
        next_floor_m2=rng.uniform(15, 40),
    )


def radio_lost(rng: random.Random, share: float) -> bool:
    """Whether one message does not arrive."""
    return rng.random() < share
