"""The week's timetable: what happens when, and the cloud's clock that follows it."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from vigil_sim.week.accounts import People
from vigil_sim.week.behaviour import Plan
from vigil_sim.week.driven import DrivenCloud
from vigil_sim.week.messages import Outboxes, Sent
from vigil_sim.week.population import Population
from vigil_sim.week.stand_ins import StandIns
from vigil_sim.week.uplink import Uplink

Act = Callable[[float], None]
"""Something that happens, told the seconds since the week's beginning."""
SOON_S: Final = 1.0


@dataclass(slots=True)
class Stage:
    """What every story is given."""

    population: Population
    plan: Plan
    cloud: DrivenCloud
    people: People
    uplink: Uplink
    outboxes: Outboxes
    outside: StandIns
    away: set[int] = field(default_factory=set)
    """Elders who are astray: their everyday visits rest."""
    happened: Counter[str] = field(default_factory=Counter)
    _due: list[tuple[float, int, Act]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def moment(self, at_s: float) -> datetime:
        """As an aware time, in whole milliseconds."""
        return self.population.start + timedelta(milliseconds=round(at_s * 1000))

    def at(self, at_s: float, act: Act) -> None:
        """Have it happen then, or at once where that is over."""
        heapq.heappush(self._due, (at_s, next(self._order), act))

    def tell(self, *messages: Sent) -> None:
        """Send, and wait until the cloud has stored it."""
        self.uplink.send(messages)
        self.uplink.flush()

    def run(self, until_s: float, progress: Callable[[float], None]) -> None:
        """Everything that is due by then, each at its own time of the cloud's clock."""
        at_s = 0.0
        while self._due and self._due[0][0] <= until_s:
            due, _, act = heapq.heappop(self._due)
            at_s = max(at_s, due)
            self.cloud.step(self.moment(at_s))
            act(at_s)
            progress(at_s)

    @property
    def waiting(self) -> bool:
        """Whether anything is still to happen."""
        return bool(self._due)
