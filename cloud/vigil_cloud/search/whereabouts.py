"""Where somebody is now: a Bayesian filter over the streets. Pure.

The state of a person is a link of a street in a direction, a halt at a corner, or a way to a place
of theirs; all of it is followed exactly (no samples), a minute at a time:

- **astray**: roughly in one of eight directions, or without any, for a distance drawn from four
  lengths that together give Koester's distances for dementia; then a halt, for hours;
- **habit**: the shortest way to a place that their own check-ins name (home among them), on foot
  or by whatever is faster if their own legs between stations show that they use it;
- **ride**: by bus or bicycle along the shortest ways from the last station, on from there on foot.

Each minute, what a station would have heard is taken off: a station that is online and within
reach hears a beacon at its rate, and a person's next check-in is written no sooner than ten minutes
after the last. What remains is the probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from vigil_cloud.search import rings
from vigil_cloud.search.ground import Floats, Ground, Numbers
from vigil_cloud.search.habits import Habits

HOLD_OFF_S: Final = 600.0
DETECTIONS_A_MINUTE: Final = 0.5
_HEADINGS: Final = 8
_ANGLES: Final = np.arange(_HEADINGS) * 2 * np.pi / _HEADINGS
_DIRECTIONS: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_FASTEST_M_S: Final = 6.0
_NEGLIGIBLE: Final = 1e-5
_IMPOSSIBLE: Final = 1e-250
_EDGE_M: Final = 12.0
"""Reach of a radio ends softly; people also walk beside the street's middle line."""


Singles = NDArray[np.float32]


class Station(NamedTuple):
    """``place`` in metres; times in seconds of the epoch, infinite where it always is online."""

    name: str
    place: tuple[float, float]
    range_m: float
    online_since: float = -np.inf
    online_until: float = np.inf
    detections_a_minute: float = DETECTIONS_A_MINUTE


class Walk(NamedTuple):
    """How far on average somebody astray walks before they halt, and how many do."""

    length_m: float
    share: float


@dataclass(frozen=True, slots=True)
class Model:
    """What is believed of people before anything is known of this one."""

    walks: tuple[Walk, ...] = (
        Walk(300.0, 0.25),
        Walk(1_500.0, 0.3),
        Walk(5_000.0, 0.25),
        Walk(15_000.0, 0.2),
    )
    pace_m_s: float = 0.9
    towards: float = 2.5
    """How much somebody astray prefers their direction: exp(towards · cos(turn from it))."""
    straight: float = 2.5
    """The same, of whoever has no direction, for straight on."""
    aimless: float = 0.2
    """Share of those."""
    away: float = 1.0
    """The same, at first, for the direction in which they came to the last station."""
    leave_halt_per_h: float = 0.3
    leave_place_per_h: float = 0.25
    habit: float = 0.3
    """Share that follows a habit; the rest is astray."""
    still_at_home: float = 0.2
    """Of those who should be at home by their habits: who is missed was looked for there."""
    place_m: float = 120.0
    """A place of theirs is known as well as this."""
    ride_length_m: float = 3_000.0
    ride_wait_s: float = 240.0
    spread: float = 0.05
    """Share for whatever is not thought of: Koester's distances alone."""
    step_s: float = 90.0
    recent_s: float = 4 * 3_600.0
    """Before that, time is followed in ``old_steps`` coarse steps."""
    old_steps: int = 60


@dataclass(frozen=True, slots=True)
class Belief:
    """``links`` (2 m,) and ``nodes`` (n,): probabilities, sum 1 together."""

    links: Floats
    nodes: Floats


@dataclass(frozen=True, slots=True)
class _Ways:
    """The turns of a ground: computed once for all steps."""

    turns: list[csr_array]
    """(links, links), from column to row: for each direction, and for none."""
    leave: csr_array
    """(links, nodes): out of a halt, any way."""


def believe(  # noqa: PLR0913 - what is known of somebody, by name
    ground: Ground,
    stations: Sequence[Station],
    last: tuple[int, float],
    before: tuple[int, float] | None,
    habits: Habits,
    at_s: float,
    model: Model = Model(),
) -> Belief:
    """``last`` and ``before``: station and time of the newest check-in and the one before."""
    return _Filter(ground, stations, last, before, habits, at_s, model).run()


class _Filter:
    def __init__(  # noqa: PLR0913 - as believe
        self,
        ground: Ground,
        stations: Sequence[Station],
        last: tuple[int, float],
        before: tuple[int, float] | None,
        habits: Habits,
        at_s: float,
        model: Model,
    ) -> None:
        self._ground, self._stations, self._habits, self._model = ground, stations, habits, model
        self._last, self._at_s = last, at_s
        self._hears_links = _reach(ground.middles, stations)
        self._hears_nodes = _reach(ground.nodes, stations)
        self._ways = _ways(ground, model)
        heading = _heading(stations, last, before)
        self._kinds = np.full(_HEADINGS + 1, (1 - model.aimless) / _HEADINGS)
        self._kinds[-1] = model.aimless
        self._first_kinds = self._kinds.copy()
        if heading is not None:
            liking = np.exp(model.away * (_DIRECTIONS @ heading))
            self._first_kinds[:-1] = (1 - model.aimless) * liking / liking.sum()
        self._goals = list(habits.goals)
        self._parents = [_parents(ground, goal) for goal in self._goals]
        self._begin()

    def _begin(self) -> None:
        """Within reach of the last station, and what they are about."""
        ground, model, habits = self._ground, self._model, self._habits
        near = _around(ground.nodes, self._stations[self._last[0]])
        out = np.asarray(self._ways.leave @ near)
        nodes = len(ground.nodes)
        habit = model.habit if self._goals else 0.0
        self.riders = habits.ride_share * (1 - habit)
        on_foot = 1 - habit - self.riders
        self.walking = (on_foot * self._first_kinds[:, None] * out).astype(np.float32)
        self.halted = np.zeros(nodes)
        away_m = _distances(ground, int(near.argmax()))
        self._by_distance = np.argsort(away_m)
        self._away_m = away_m[self._by_distance]
        weights = np.array(list(habits.weights))
        self.going = np.zeros((nodes, 2, len(self._goals)))
        for kind, share in enumerate((1 - habits.ride_share, habits.ride_share)):
            self.going[:, kind] = habit * share * near[:, None] * weights
        self.there = np.zeros(len(self._goals))
        self._about = np.zeros((nodes, len(self._goals)))
        for number, goal in enumerate(self._goals):
            apart = np.hypot(*(ground.nodes - ground.nodes[goal]).T)
            around = np.exp(-apart / model.place_m)
            self._about[:, number] = around / around.sum()

    def run(self) -> Belief:
        elapsed = max(0.0, self._at_s - self._last[1])
        model = self._model
        recent = min(elapsed, model.recent_s)
        old = elapsed - recent
        if old > 0:
            self._pass(self._last[1], old, min(model.old_steps, int(np.ceil(old / model.step_s))))
        if recent > 0:
            steps = int(np.ceil(recent / model.step_s))
            self._pass(self._at_s - recent, recent, steps)
        links = self.walking.sum(axis=0, dtype=np.float64)
        nodes = self.halted + self.going.sum(axis=(1, 2))
        self._shell(nodes, elapsed, self.riders)
        there = self.there.copy()
        there[: self._habits.homes] *= model.still_at_home
        nodes += self._about @ there
        total = float(links.sum() + nodes.sum())
        if total < _IMPOSSIBLE:  # every way would have been heard: nothing but the rings is left
            return Belief(np.zeros_like(links), self._rings(elapsed))
        spread = model.spread
        nodes = (1 - spread) * nodes / total + spread * self._rings(elapsed)
        return Belief((1 - spread) * links / total, nodes)

    def _rings(self, elapsed_s: float) -> Floats:
        """Koester's distances alone, as far as anybody gets."""
        away = np.hypot(*(self._ground.nodes - np.array(self._stations[self._last[0]].place)).T)
        far = _FASTEST_M_S * elapsed_s + 300.0
        dense = np.where(away <= far, rings.density(away), 0.0)
        if not dense.any():  # the last station stands far from all streets
            dense[away.argmin()] = 1.0
        return np.asarray(dense / dense.sum())

    def _pass(self, begin_s: float, span_s: float, steps: int) -> None:
        step_s, model = span_s / steps, self._model
        pace, length = model.pace_m_s, self._ground.length_m
        advance = np.minimum(pace * step_s / length, 0.95).astype(np.float32)
        walked_m = advance * length
        jumps = self._jumps(step_s)
        leave_halt = -np.expm1(-self._model.leave_halt_per_h * step_s / 3600)
        leave_place = -np.expm1(-self._model.leave_place_per_h * step_s / 3600)
        mask: tuple[bool, ...] | None = None
        for number in range(steps):
            now = begin_s + (number + 0.5) * step_s
            online = tuple(self._online(now))
            if online != mask:
                mask = online
                rate = np.array(
                    [
                        s.detections_a_minute / 60 * on
                        for s, on in zip(self._stations, online, strict=True)
                    ]
                )
                at_links, at_nodes = self._hears_links @ rate, self._hears_nodes @ rate
                walk_silent = np.exp(-at_links * walked_m / pace).astype(np.float32)
                halt_silent = np.exp(-at_nodes * step_s)
                go_silent = self._silent_ways(at_nodes, jumps)
            since = now - self._last[1]
            stop = self._stops(since * pace)
            self._walk(advance, np.exp(-stop * walked_m).astype(np.float32), walk_silent)
            self._alight(since, step_s)
            self._go(jumps, go_silent)
            self._leave(leave_halt, leave_place)
            self.halted *= halt_silent
            self.there *= self._about.T @ halt_silent

    def _online(self, now: float) -> list[bool]:
        heard_again = now >= self._last[1] + HOLD_OFF_S
        return [heard_again and s.online_since <= now < s.online_until for s in self._stations]

    def _stops(self, walked_m: float) -> float:
        """How many halt a metre, of those who have walked so far."""
        lengths = np.array([walk.length_m for walk in self._model.walks])
        left = np.array([walk.share for walk in self._model.walks]) * np.exp(-walked_m / lengths)
        return float((left / lengths).sum() / max(left.sum(), 1e-12)) if left.any() else 1e-4

    def _walk(self, advance: Singles, stay: Singles, silent: Singles) -> None:
        moving = self.walking * advance
        self.walking -= moving
        moving *= silent
        on = moving * stay
        moving -= on
        halting = moving.sum(axis=0, dtype=np.float64)
        self.halted += np.bincount(self._ground.end, halting, minlength=len(self.halted))
        for kind, turn in enumerate(self._ways.turns):
            self.walking[kind] += turn @ on[kind]

    def _alight(self, since_s: float, step_s: float) -> None:
        """Who leaves the bus in this step, as far along the ways as it has come."""
        if since_s < self._model.ride_wait_s or self.riders < _NEGLIGIBLE:
            return
        ridden_m = self._habits.ride_m_s * step_s
        alighting = self.riders * -np.expm1(-ridden_m / self._model.ride_length_m)
        self.riders -= alighting
        nodes = np.zeros(len(self.halted))
        self._shell(nodes, since_s, alighting)
        self.walking += (self._kinds[:, None] * (self._ways.leave @ nodes)).astype(np.float32)

    def _shell(self, nodes: Floats, since_s: float, share: float) -> None:
        """``share`` spread over where a ride of so long leads."""
        ridden_m = self._habits.ride_m_s * max(0.0, since_s - self._model.ride_wait_s)
        low, high = np.searchsorted(self._away_m, (0.75 * ridden_m - 50, 1.1 * ridden_m + 50))
        among = self._by_distance[low:high] if high > low else self._by_distance[-50:]
        nodes[among] += share / len(among)

    def _jumps(self, step_s: float) -> list[list[tuple[Numbers, float, Numbers]]]:
        """For each pace and goal: where each node's way leads within a step, and the share of a
        step that one such jump takes; and the path, for what hears on it."""
        typical = float(np.median(self._ground.length_m))
        found = []
        for pace in (1.0, self._habits.ride_m_s):
            times = int(np.clip(round(pace * step_s / typical), 1, 12))
            share = min(1.0, pace * step_s / (times * typical))
            row = []
            for parent in self._parents:
                path = [parent]
                for _ in range(times - 1):
                    path.append(parent[path[-1]])
                row.append((path[-1], share, np.array(path)))
            found.append(row)
        return found

    def _silent_ways(self, at_nodes: Floats, jumps: Any) -> list[list[Floats]]:
        typical = float(np.median(self._ground.length_m))
        paces = (1.0, self._habits.ride_m_s)
        return [
            [np.exp(-at_nodes[path].sum(axis=0) * typical / pace) for _, _, path in row]
            for row, pace in zip(jumps, paces, strict=True)
        ]

    def _go(self, jumps: Any, silent: list[list[Floats]]) -> None:
        for kind, row in enumerate(jumps):
            for number, (to, share, _) in enumerate(row):
                mass = self.going[:, kind, number]
                if not mass.any():
                    continue
                moving = mass * share
                mass -= moving
                mass += np.bincount(to, moving * silent[kind][number], minlength=len(mass))
                goal = self._goals[number]
                self.there[number] += mass[goal]
                mass[goal] = 0.0

    def _leave(self, halt: float, place: float) -> None:
        leaving = self.halted * halt
        self.halted -= leaving
        going = self.there * place
        self.there -= going
        leaving += self._about @ going
        self.walking += (self._kinds[:, None] * (self._ways.leave @ leaving)).astype(np.float32)


def heard(points: Floats, stations: Sequence[Station]) -> Floats:
    """(points,): how much of a beacon there some station hears, 0 to 1."""
    best = np.zeros(len(points))
    reach = _reach(points, stations).tocoo()
    np.maximum.at(best, reach.row, reach.data)
    return best


def _reach(points: Floats, stations: Sequence[Station]) -> csr_array:
    """(points, stations): how much of a beacon at each point each station hears, 0 to 1."""
    from scipy.spatial import cKDTree

    shape = (len(points), len(stations))
    if not stations:
        return csr_array(shape)
    places = np.array([station.place for station in stations])
    reach = np.array([station.range_m for station in stations])
    within = cKDTree(points).query_ball_point(places, reach + 2 * _EDGE_M)
    rows = np.concatenate([np.array(some, dtype=np.int64) for some in within])
    columns = np.repeat(np.arange(len(stations)), [len(some) for some in within])
    apart = np.hypot(*(points[rows] - places[columns]).T)
    values = np.clip((reach[columns] - apart) / _EDGE_M / 2 + 0.5, 0, 1)
    return csr_array((values, (rows, columns)), shape=shape)


def _around(nodes: Floats, station: Station) -> Floats:
    """(nodes,): where somebody is whom the station has just heard."""
    apart = np.hypot(*(nodes - np.array(station.place)).T)
    inside = np.clip((station.range_m - apart) / _EDGE_M / 2 + 0.5, 0, 1)
    if not inside.any():
        inside[apart.argmin()] = 1.0
    return np.asarray(inside / inside.sum())


def _heading(
    stations: Sequence[Station], last: tuple[int, float], before: tuple[int, float] | None
) -> Floats | None:
    """In which direction they came to the last station, a unit vector."""
    if before is None or last[1] - before[1] > 3_600 or before[0] == last[0]:
        return None
    way = np.array(stations[last[0]].place) - np.array(stations[before[0]].place)
    far = float(np.hypot(*way))
    return way / far if far > 1 else None


def _ways(ground: Ground, model: Model) -> _Ways:
    links, nodes = len(ground.begin), len(ground.nodes)
    all_links = np.arange(links)
    step = (ground.nodes[ground.end] - ground.nodes[ground.begin]) / ground.length_m[:, None]
    order = np.argsort(ground.begin, kind="stable")
    first = np.searchsorted(ground.begin[order], np.arange(nodes + 1))
    ways_out = np.diff(first)
    counts = ways_out[ground.end]
    source = np.repeat(all_links, counts)
    offset = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    target = order[first[ground.end[source]] + offset]
    back = (target == (source + links // 2) % links) & (counts[source] > 1)
    structure = csr_array((np.arange(len(source)), (target, source)), shape=(links, links))
    place = structure.data.copy()
    likings = [model.towards * (step @ direction)[target] for direction in _DIRECTIONS]
    likings.append(model.straight * (step[source] * step[target]).sum(axis=1))
    turns = []
    for liking in likings:
        weight = np.where(back, 0.1, 1.0) * np.exp(liking)
        weight /= np.bincount(source, weight, minlength=links)[source]
        data = weight[place].astype(np.float32)
        turns.append(csr_array((data, structure.indices, structure.indptr), shape=(links, links)))
    leave = csr_array(
        (1.0 / ways_out[ground.begin], (all_links, ground.begin)), shape=(links, nodes)
    )
    return _Ways(turns, leave)


def _distances(ground: Ground, node: int) -> Floats:
    """(nodes,): along the streets from ``node``, metres."""
    from scipy.sparse.csgraph import dijkstra

    return np.asarray(dijkstra(_graph(ground), indices=node))


def _graph(ground: Ground) -> csr_array:
    nodes = len(ground.nodes)
    return coo_array((ground.length_m, (ground.begin, ground.end)), shape=(nodes, nodes)).tocsr()


def _parents(ground: Ground, goal: int) -> Numbers:
    """(nodes,): the next node of the shortest way to ``goal``; its own for the goal."""
    from scipy.sparse.csgraph import dijkstra

    before = dijkstra(_graph(ground), indices=goal, return_predecessors=True)[1].astype(np.int64)
    return np.asarray(np.where(before < 0, goal, before))
