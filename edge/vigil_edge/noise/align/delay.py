"""How much later than its sound a clap or a flash is dated in the pictures. Pure.

Each event is known in the sound to a millisecond and in the pictures only to lie between two of
them: before the first picture with the flash, or the last in which the hands still moved, and after
the one before that. Events at many places between two pictures narrow it down: the delay is where
all of them agree. Evenly spaced ones agree about several delays, which is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.align.sight import Seen

Array = npt.NDArray[np.float64]
Kind = Literal["flash", "clap"]

EARLIEST_S: Final = -0.5
LATEST_S: Final = 3.0
"""Between these a camera's delay lies."""
LEAST: Final[dict[Kind, int]] = {"flash": 5, "clap": 8}
SHARE: Final = 0.7
"""Of the events so many have to agree."""
_RIVAL: Final = 0.85
"""Another delay about which so nearly as many agree cannot be told from the best."""
_STEP_S: Final = 0.001


class CannotTell(Exception):
    """Why there is no delay, as one sentence for whoever claps."""


@dataclass(frozen=True, slots=True)
class Delay:
    """What is to be taken off the pictures' moments."""

    seconds: float
    uncertainty_s: float
    """Standard uncertainty."""
    events: int
    """That agree."""
    seen: Kind
    pairs: list[tuple[int, Seen]]
    """Numbers of events in the sound, each with what the pictures show of it."""


def agreed(heard_s: Array, found: list[Seen], pictures_s: Array, kind: Kind) -> Delay:
    """``heard_s`` (n,): when each event happened, by the sound, its way taken off.
    ``pictures_s`` (m,): moments of the pictures. Raises ``CannotTell``."""
    least = LEAST[kind]
    if len(found) < least or len(heard_s) < least:
        what = {"flash": "flashes", "clap": "claps"}[kind]
        raise CannotTell(
            f"{len(found)} {what} were seen and {len(heard_s)} bangs heard;"
            f" at least {least} of both are needed"
        )
    first = np.array([seen.picture for seen in found])
    before, shown = pictures_s[first - 1], pictures_s[first]
    grid = np.arange(EARLIEST_S, LATEST_S, _STEP_S)
    votes = np.zeros((len(grid), len(heard_s)), bool)
    for event, at in enumerate(heard_s):
        # Of this event each picture allows the delays since the one before it.
        inside = (grid[:, None] >= before - at) & (grid[:, None] < shown - at)
        votes[:, event] = inside.any(axis=1)
    counts = votes.sum(axis=1)
    best = int(counts.max())
    if best < LEAST["flash"] or best < SHARE * min(len(heard_s), len(found)):
        raise CannotTell(
            f"only {best} of {len(heard_s)} events agree on one delay:"
            " keep other noise, lights and whatever moves away"
        )
    pause = float(np.median(np.diff(pictures_s)))
    inside = grid[counts == best]
    _unrivalled(counts, grid, inside, best, pause)
    middle = float(inside.mean())
    spread = float(np.ptp(inside)) + _STEP_S
    uncertainty = max(spread, pause / best) / math.sqrt(12.0)
    return Delay(middle, uncertainty, best, kind, _pairs(heard_s + middle, found, before, shown))


def _unrivalled(counts: Any, grid: Array, inside: Array, best: int, pause: float) -> None:
    near = (grid >= inside.min() - pause) & (grid <= inside.max() + pause)
    if counts[~near].max(initial=0) > _RIVAL * best:
        raise CannotTell("the events came too evenly: wait differently long between them")


def _pairs(
    dated_s: Array, found: list[Seen], before: Array, shown: Array
) -> list[tuple[int, Seen]]:
    """Of each event what is seen nearest to when it should be, within a picture."""
    paired = []
    for event, at in enumerate(dated_s):
        off = np.abs((before + shown) / 2 - at)
        index = int(np.argmin(off))
        if off[index] <= shown[index] - before[index]:
            paired.append((event, found[index]))
    return paired
