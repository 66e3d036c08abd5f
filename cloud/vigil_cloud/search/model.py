"""What is believed of people before anything is known of this one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vigil_cloud.search.ground import Floats


class Walk(NamedTuple):
    """How far on average somebody astray walks before they halt, and how many do."""

    length_m: float
    share: float


@dataclass(frozen=True, slots=True)
class Model:
    """What is believed of people before anything is known of this one."""

    walks: tuple[Walk, ...] = (Walk(600.0, 0.47), Walk(6_500.0, 0.53))
    pace_m_s: float = 0.8
    """With rests."""
    towards: float = 2.5
    """How much somebody astray prefers their direction: exp(towards · cos(turn from it))."""
    straight: float = 2.5
    """The same, of whoever has no direction, for straight on."""
    aimless: float = 0.2
    """Share of those."""
    away: float = 1.0
    """The same, at first, for the direction in which they came to the last station."""
    leave_halt_per_h: float = 0.1
    gone_median_s: float = 2.6 * 3_600.0
    """How long ago somebody went astray who is missed now; log-normal."""
    gone_spread: float = 0.75
    usual: float = 0.2
    """Share of those who go on as they use to, also now: at a place of theirs, or on the way."""
    leave_place_per_h: float = 1.0
    outings_a_day: float = 1.5
    still_at_home: float = 0.2
    """Of those who should be at home by their habits: who is missed was looked for there."""
    place_m: float = 120.0
    """A place of theirs is known as well as this."""
    ride_length_m: float = 3_000.0
    ride_wait_s: float = 240.0
    spread: float = 0.03
    """Share for whatever is not thought of: Koester's distances alone."""
    step_s: float = 150.0
    back_s: float = 3 * 3_600.0
    """So long before the last check-in they are followed from home, if they may have been astray
    by then; twice as coarsely."""
    boards: float = 0.5
    """Of those who were astray at the last station and ride at all: how many ride on from it."""
    unlike: float = 0.1
    """Share of those heard astray that came there as nobody thinks of."""
    unlike_a_day: float = 1.2
    """So often a day a station hears somebody whom neither habit nor a walk brings there."""
    recent_s: float = 6 * 3_600.0
    """Before that, time is followed in ``old_steps`` coarse steps."""
    old_steps: int = 30

    def gone_since(self, ago_s: float) -> float:
        """How many of those who are missed now have gone astray within so long."""
        from scipy.special import ndtr

        if ago_s <= 0:
            return 0.0
        return float(ndtr(np.log(ago_s / self.gone_median_s) / self.gone_spread))


@dataclass(frozen=True, slots=True)
class Belief:
    """``links`` (2 m,) and ``nodes`` (n,): probabilities, sum 1 together."""

    links: Floats
    nodes: Floats
