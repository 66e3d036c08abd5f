"""What a smoke alarm's chamber feels of a kitchen, a bathroom and of fires: sources, room, entry.

Sources, all as functions of time:

- Fires grow with the square of time, Q = a t² (NFPA 72 annex B; slow 2.93, medium 11.72, fast 46.9
  W/s²), with the soot yield and heat of combustion of SFPE's handbook (wood 0.015 g/g, 17.9 kJ/g
  effective; polyurethane foam 0.13 g/g, 26 kJ/g). Smouldering: a mass loss that grows linearly, as
  in the beds of cotton and wood of EN 54 TF2 and TF3, with a smoke yield of 0.1 g/g.
- Cooking gives off fine particles: 0.1 to 3 mg/s (frying, toasting; Buonanno and others 2009, He
  and others 2004), burnt food ten times that.
- Steam is droplets that the shower gives off and that settle or evaporate within a minute or two.

Extinction per mass: 8.7 m²/g for flaming soot (Mulholland and Croarkin 2000), 4.4 for smouldering
smoke (Seader and Einhorn 1976), 4 for cooking oil, 0.5 for mist.

The room is one well-mixed layer with air exchange; further rooms follow through the door. The
ceiling jet's temperature is Alpert's (1972). Smoke enters the chamber with Heskestad's lag, L/v
(L = 3 m for optical chambers, v the ceiling jet's speed). Optical chambers see by scattered light:
of black soot they see about 40 %, of mist three quarters. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["cooking", "burnt-food", "steam", "smouldering", "flaming"]
KINDS: Final[tuple[Kind, ...]] = ("cooking", "burnt-food", "steam", "smouldering", "flaming")
FIRES: Final[frozenset[Kind]] = frozenset({"smouldering", "flaming"})

EXTINCTION_M2_G: Final[dict[Kind, float]] = {
    "cooking": 4.0,
    "burnt-food": 4.4,
    "steam": 0.5,
    "smouldering": 4.4,
    "flaming": 8.7,
}
SCATTERS: Final[dict[Kind, float]] = {
    "cooking": 1.0,
    "burnt-food": 1.0,
    "steam": 0.75,
    "smouldering": 1.0,
    "flaming": 0.4,
}
"""What an optical chamber sees of it, where 1 is the grey smoke that it was set by."""
ENTRY_LENGTH_M: Final = 3.0
_QUIET_AIR_M_S: Final = 0.05
"""Speed of the air at a ceiling without a plume."""
_ROOM_C: Final = 24.0
_STEAM_LIVES_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Source:
    """One event. ``grams_s(t)`` and ``kilowatts(t)`` since it began; ``away_m`` from the alarm."""

    kind: Kind
    grams_s: Callable[[float], float]
    kilowatts: Callable[[float], float]
    away_m: float = 2.0
    lasts_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Room:
    """Where it happens, and the room beyond its door."""

    floor_m2: float = 12.0
    height_m: float = 2.5
    changes_h: float = 2.0
    """Air changes an hour; a hood or an open window 10 and more."""
    door_m3_s: float = 0.03
    """Air that passes into the next room: 0.01 with the door ajar, 0.1 with it open."""
    next_floor_m2: float = 25.0


@dataclass(frozen=True, slots=True)
class Felt:
    """At one second."""

    t: float
    obscuration: float
    """At the alarm of the room, as its chamber sees it, % per metre."""
    beyond: float
    """The same at the alarm of the next room."""
    celsius: float
    """Of the air at the alarm of the room."""


def burning(alpha_w_s2: float, *, soot_g_g: float, heat_kj_g: float, most_kw: float) -> Source:
    """A flaming fire that grows with the square of time up to ``most_kw``."""

    def kilowatts(t: float) -> float:
        return min(alpha_w_s2 * t * t / 1000.0, most_kw) if t > 0 else 0.0

    return Source("flaming", lambda t: kilowatts(t) / heat_kj_g * soot_g_g, kilowatts)


def smouldering(growth_g_s2: float, *, yield_g_g: float = 0.1, most_g_s: float = 0.3) -> Source:
    """A bed that chars: its loss of mass grows linearly."""

    def loss(t: float) -> float:
        return min(growth_g_s2 * t, most_g_s) if t > 0 else 0.0

    return Source("smouldering", lambda t: loss(t) * yield_g_g, lambda t: loss(t) * 5.0)


def cooking(milligrams_s: float, lasts_s: float, *, stove_kw: float = 1.5) -> Source:
    """A pan or a toaster: a steady emission as long as it lasts."""
    return Source(
        "cooking",
        lambda t: milligrams_s / 1000.0 if 0 <= t < lasts_s else 0.0,
        lambda t: stove_kw if 0 <= t < lasts_s else 0.0,
        lasts_s=lasts_s,
    )


def burnt_food(milligrams_s: float, noticed_s: float) -> Source:
    """Toast or a pot that is forgotten: it smokes ever more until somebody notices."""
    return Source(
        "burnt-food",
        lambda t: milligrams_s / 1000.0 * t / noticed_s if 0 <= t < noticed_s else 0.0,
        lambda t: 1.5 if 0 <= t < noticed_s else 0.0,
        lasts_s=noticed_s,
    )


def steam(grams_s: float, lasts_s: float) -> Source:
    """A hot shower whose door opens."""
    return Source(
        "steam",
        lambda t: grams_s if 0 <= t < lasts_s else 0.0,
        lambda _t: 0.0,
        lasts_s=lasts_s,
    )


def felt(source: Source, room: Room, until_s: float, step_s: float = 1.0) -> Iterator[Felt]:
    """Second by second, from clear air."""
    near_m3, far_m3 = room.floor_m2 * room.height_m, room.next_floor_m2 * room.height_m
    out_m3_s = near_m3 * room.changes_h / 3600.0
    decays = step_s / _STEAM_LIVES_S if source.kind == "steam" else 0.0
    seen = EXTINCTION_M2_G[source.kind] * SCATTERS[source.kind]
    near_g = far_g = near = far = 0.0
    warm_c = 0.0
    t = 0.0
    while t <= until_s:
        passes_g = near_g / near_m3 * room.door_m3_s * step_s
        returns_g = far_g / far_m3 * room.door_m3_s * step_s
        leaves_g = near_g / near_m3 * out_m3_s * step_s
        near_g += source.grams_s(t) * step_s - passes_g + returns_g - leaves_g - near_g * decays
        far_g += passes_g - returns_g - far_g * decays - far_g * room.changes_h / 3600 * step_s
        power = source.kilowatts(t)
        speed = jet_m_s(power, room.height_m, source.away_m)
        near += (near_g / near_m3 - near) * min(step_s * speed / ENTRY_LENGTH_M, 1.0)
        far += (far_g / far_m3 - far) * min(step_s * _QUIET_AIR_M_S / ENTRY_LENGTH_M, 1.0)
        # The gas layer warms slowly, the jet at once.
        warm_c += (0.35 * power / (1.2 * near_m3) - warm_c / 300.0) * step_s
        celsius = _ROOM_C + warm_c + jet_k(power, room.height_m, source.away_m)
        yield Felt(t, _obscuration(near * seen), _obscuration(far * seen), celsius)
        t += step_s


def jet_m_s(kilowatts: float, height_m: float, away_m: float) -> float:
    """Alpert's ceiling jet: its speed at ``away_m`` from the plume's axis."""
    if kilowatts <= 0:
        return _QUIET_AIR_M_S
    if away_m / height_m <= 0.15:
        speed = 0.96 * math.pow(kilowatts / height_m, 1 / 3)
    else:
        speed = 0.195 * math.cbrt(kilowatts) * math.sqrt(height_m) / math.pow(away_m, 5 / 6)
    return max(speed, _QUIET_AIR_M_S)


def jet_k(kilowatts: float, height_m: float, away_m: float) -> float:
    """By how much it is hotter than the air of the room."""
    if kilowatts <= 0:
        return 0.0
    if away_m / height_m <= 0.18:
        return 16.9 * math.pow(kilowatts, 2 / 3) / math.pow(height_m, 5 / 3)
    return 5.38 * math.pow(kilowatts / away_m, 2 / 3) / height_m


def _obscuration(per_m: float) -> float:
    """% per metre, of an extinction per metre."""
    return 100.0 * (1.0 - math.exp(-per_m))
