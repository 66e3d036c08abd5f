"""Smoke that rises while its alarm rings: what of it is more than what was told. Pure.

A home may have taken back any of what was told. So each rise by half is told; and smoke that has
fallen by half since, and doubles again, is told as well, wherever it had been before: whoever took
back burnt toast, and aired the kitchen, has said nothing of what burns an hour later behind the
same alarm, which never fell silent (docs/decisions/0123).
"""

from __future__ import annotations

from typing import Final

from vigil_edge.smoke.condition import Active

RISE: Final = 1.5
"""Smoke has clearly risen at this many times what it was, and by ``RISE_LEAST``."""
RISE_LEAST: Final = 0.05
"""In the device's measure; with dB/m about 1 % per metre."""
ANEW: Final = 2.0
"""It has fallen, and rises anew, by this: a chamber's own noise is less."""
TOLD: Final = 16
"""From the faintest alarm to smoke in which nobody sees a hand is 13 rises (dB/m): whoever took it
back at one of them hears of the next. So many are told that go beyond all before, and so many that
do not: smoke that comes and goes uses up nothing of what a growing fire needs."""


def begin(active: Active, density: float) -> None:
    """What a rise is measured against at first."""
    active.density = active.densest = density


def rises(active: Active, density: float, clear: float) -> bool:
    """Whether this is told, with ``density`` in the device's measure; it is noted then. ``clear``:
    what the device measured in clear air, which no smoke that is told anew is below."""
    before = active.density
    assert before is not None  # noqa: S101 - ``begin`` came first
    densest = before if active.densest is None else active.densest
    active.least = density if active.least is None else min(active.least, density)
    if not (_has_risen(before, density) or _rises_anew(before, active.least, density, clear)):
        return False
    beyond = _has_risen(densest, density)
    if (active.rises - active.again if beyond else active.again) >= TOLD:
        return False
    active.density, active.densest, active.least = density, max(densest, density), None
    active.rises += 1
    active.again += not beyond
    return True


def _has_risen(before: float, density: float) -> bool:
    return density > max(before * RISE, before + RISE_LEAST)


def _rises_anew(before: float, least: float, density: float, clear: float) -> bool:
    """``before``: as it was told last; ``least``: since then."""
    fallen = least * ANEW <= before and least + RISE_LEAST <= before
    risen = density >= max(least * ANEW, least + RISE_LEAST)
    return fallen and risen and density > clear + RISE_LEAST
