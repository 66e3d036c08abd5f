"""Where somebody is now: a Bayesian filter over the streets. Pure.

The state of a person is a link of a street in a direction, a halt at a corner, a way to a place of
theirs or a stay there; all of it is followed exactly (no samples), a few minutes at a time:

- **astray**: roughly in one of six directions, or without any, for a distance drawn from two
  lengths that together give Koester's distances for dementia; then a halt, for hours. Some go by
  bus first;
- **usual life**: the shortest way to a place that their own check-ins name (home among them), on
  foot or by whatever is faster if their own legs between stations show that they use it; a stay;
  home; another place at the hours at which they are out;
- from usual life people go **astray** at an unknown time: who is missed now has been gone for
  hours, not for days. How long ago the last check-in is says how many were astray by then; so does
  whether they use to come by there: they are followed from home to it.

Each step, what a station would have heard is taken off: a station that is online and within reach
hears a beacon at its rate, and a person's next check-in is written no sooner than ten minutes after
the last. What remains is the probability. What people say they saw, and where it was searched in
vain, are taken in when they were (``clues``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from vigil_cloud.search import origins, reach, turns
from vigil_cloud.search.clues import Clue
from vigil_cloud.search.ground import Floats, Ground, Numbers, Singles
from vigil_cloud.search.habits import Habits
from vigil_cloud.search.model import Belief, Model
from vigil_cloud.search.reach import HOLD_OFF_S, Station

_SURELY: Final = 0.8
"""If more of the missed than this went astray after the last check-in, all are taken to have: maps
of long silences cost most already."""
_NEGLIGIBLE: Final = 1e-6
_IMPOSSIBLE: Final = 1e-250
_UNTOLD: Final = 1e-30
"""Less than this a table of singles does not tell from nothing."""
_MOST_MOVES: Final = 0.95
_DAY_S: Final = 86_400.0


def believe(  # noqa: PLR0913 - what is known of somebody, by name
    ground: Ground,
    stations: Sequence[Station],
    seen: Sequence[tuple[int, float]],
    habits: Habits,
    at_s: float,
    model: Model = Model(),
    clues: Sequence[Clue] = (),
) -> Belief:
    """``seen``: station and time of each check-in, the newest last."""
    return _Filter(ground, stations, seen, habits, at_s, model, clues).run()


class _Filter:
    def __init__(  # noqa: PLR0913 - as believe
        self,
        ground: Ground,
        stations: Sequence[Station],
        seen: Sequence[tuple[int, float]],
        habits: Habits,
        at_s: float,
        model: Model,
        clues: Sequence[Clue],
    ) -> None:
        last = seen[-1]
        before = seen[-2] if len(seen) > 1 else None
        self._heard_at = -np.inf
        self._since = last[1] - model.back_s
        self._trail = [one for one in seen if one[1] > self._since]
        self._daily = origins.daily(stations, seen, self._since)
        self._ground, self._stations, self._habits, self._model = ground, stations, habits, model
        self._last, self._before, self._at_s = last, before, at_s
        known = (one for one in clues if last[1] <= one.at_s <= at_s)
        self._clues = sorted(known, key=lambda one: one.at_s)
        self._clues_left = list(self._clues)
        self._hears_links, self._hears_nodes = reach.on(ground, stations)
        self._kinds = np.full(turns.HEADINGS + 1, (1 - model.aimless) / turns.HEADINGS)
        self._kinds[-1] = model.aimless
        self._lengths = np.array([walk.length_m for walk in model.walks])
        shares = np.array([walk.share for walk in model.walks])
        self._by_length = np.tile(np.eye(len(shares), dtype=np.float32), (len(self._kinds), 1))
        self._fresh = np.outer(self._kinds, shares).ravel().astype(np.float32)
        self._ways = turns.ways(
            *(ground, model.towards, model.straight, model.pace_m_s * model.step_s, len(shares))
        )
        self._goals = list(habits.goals)
        self._parents = [turns.parents(ground, goal) for goal in self._goals]
        self._begin()
        before_it = model.back_s > 0 and model.gone_since(at_s - last[1]) < _SURELY
        if habits.homes and before_it and stations[last[0]].detections_a_minute:
            self._retrace()

    def _begin(self) -> None:
        """Within reach of the last station, and what they are about."""
        ground, model, habits = self._ground, self._model, self._habits
        near = reach.around(ground.nodes, self._stations[self._last[0]])
        nodes = len(ground.nodes)
        gone = 1 - model.gone_since(self._at_s - self._last[1])
        usual = 1 - (1 - model.usual) * gone if self._goals else 0.0
        self._usual = usual
        self.riders = habits.ride_share * (1 - usual)
        on_foot = 1 - usual - self.riders
        rather = self._first_kinds() / self._kinds
        first = self._fresh * np.repeat(rather, len(self._lengths)).astype(np.float32)
        # (links, kinds and lengths), as in the tables of the ways.
        self.walking = turns.shared_out(on_foot * self._ways.leave(near), first)
        self._wanting, self._room = np.empty_like(self.walking), np.empty_like(self.walking)
        self.halted = np.zeros(nodes)
        away_m = turns.distances(ground, int(near.argmax()))
        self._by_distance = np.argsort(away_m)
        self._away_m = away_m[self._by_distance]
        weights = np.array(habits.weights)
        self.going = np.zeros((2, len(self._goals), nodes))
        self._set_out(near, usual)
        self.there = np.zeros((len(self._goals), nodes))
        self._about = np.ascontiguousarray(habits.about(ground, model.place_m).T)
        self._bus = np.zeros(nodes)
        for number, weight in enumerate(weights):
            apart = np.hypot(*(ground.nodes - ground.nodes[self._goals[number]]).T)
            far = np.exp(-apart / model.ride_length_m) * (apart > 500)
            self._bus += weight * far / max(far.sum(), 1e-12)

    def _retrace(self) -> None:
        """From home until the last check-in, by what was heard on the way and what was not: whether
        they were about their day there, how far they had come astray, and in which direction. What
        hears at no rate (a report, a station on the move) tells nothing of how often they come."""
        model, habits, ground = self._model, self._habits, self._ground
        gone = (1 - model.usual) * (1 - model.gone_since(self._at_s - self._since))
        away = origins.around_home(ground, habits)
        self.riders = 0.0
        self.walking = turns.shared_out(0.5 * gone * self._ways.leave(away), self._fresh)
        self.halted = 0.5 * gone * away
        self.going[:] = 0.0
        self.there[:] = (1 - gone) * np.array(habits.weights)[:, None] * self._about
        now = self._since
        for station, at in self._trail:
            if at - now > 1.0:
                self._pass(now, at - now, int(np.ceil((at - now) / model.step_s / 2)))
            now = self._heard_at = at
            if self._stations[station].detections_a_minute:
                self._hear(station, at)
        self._usual = float(self.going.sum())
        boarding = habits.ride_share * model.boards
        self.riders = boarding * (1 - self._usual)
        self.walking *= np.float32(1 - boarding)
        self.halted *= 1 - boarding

    def _hear(self, station: int, at_s: float) -> None:
        """The usual day brought them there as often as it does; who is astray has to be near."""
        model = self._model
        rate = self._stations[station].detections_a_minute / 60
        lived = float(self.going.sum() + self.there.sum())
        everybody = lived + float(self.walking.sum() + self.halted.sum())
        self.walking *= turns.singles(rate * reach.of(self._hears_links, station))
        self.halted *= rate * reach.of(self._hears_nodes, station)
        lived *= self._daily.rate(station, at_s)
        astray = float(self.walking.sum() + self.halted.sum())
        other = model.unlike_a_day / _DAY_S * everybody * float(self._daily.near[station])
        other += model.unlike * astray
        total = lived + astray + other
        if total < _UNTOLD:  # every way would have been heard
            self.walking[:], self.halted[:] = 0.0, 0.0
            lived, other, total = 0.0, 1.0, 1.0
        near = reach.around(self._ground.nodes, self._stations[station])
        self.walking += turns.shared_out(other * self._ways.leave(near), self._fresh)
        self.walking /= np.float32(total)
        self.halted /= total
        self._set_out(near, lived / total)
        self.there[:] = 0.0

    def _set_out(self, near: Floats, share: float) -> None:
        """From the station to whatever the usual day brings next."""
        weights, rides = np.array(self._habits.weights)[:, None], self._habits.ride_share
        for kind, those in enumerate((1 - rides, rides)):
            self.going[kind] = share * those * near * weights

    def _first_kinds(self) -> Floats:
        """Headings of who was astray at the last station: rather on than back."""
        heading = origins.heading(self._stations, self._last, self._before)
        kinds = self._kinds.copy()
        if heading is not None:
            liking = np.exp(self._model.away * (turns.DIRECTIONS @ heading))
            kinds[:-1] = (1 - self._model.aimless) * liking / liking.sum()
        return kinds

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
        self._take_in(self._at_s)
        links = self.walking.sum(axis=1, dtype=np.float64)
        nodes = self.halted + self.going.sum(axis=(0, 1))
        self._shell(nodes, elapsed, self.riders)
        self.there[: self._habits.homes] *= model.still_at_home
        nodes += self.there.sum(axis=0)
        return self._with_rings(links, nodes, elapsed)

    def _with_rings(self, links: Floats, nodes: Floats, elapsed_s: float) -> Belief:
        rings_alone = self._rings(elapsed_s)
        rest = rings_alone.copy()
        for clue in self._clues:  # also of what is not thought of, where nobody moves
            rest *= clue.factors(self._ground.nodes, self._ground.box)
        kept = float(rest.sum())
        # What people are certain of may leave no place at all: then it cannot be so.
        rest = rest / kept if kept >= _IMPOSSIBLE else rings_alone
        total = float(links.sum() + nodes.sum())
        if total < _IMPOSSIBLE:  # every way would have been heard: nothing but the rings is left
            return Belief(np.zeros_like(links), rest)
        spread = self._model.spread
        nodes = (1 - spread) * nodes / total + spread * rest
        return Belief((1 - spread) * links / total, nodes)

    def _rings(self, elapsed_s: float) -> Floats:
        return origins.rings_of(
            self._ground, self._stations[self._last[0]].place, self._habits, self._usual, elapsed_s
        )

    def _pass(self, begin_s: float, span_s: float, steps: int) -> None:
        step_s, model = span_s / steps, self._model
        pace, length = model.pace_m_s, self._ground.length_m
        advance = np.minimum(pace * step_s / length, _MOST_MOVES)
        goes_on = np.exp(-length[:, None] / self._lengths).astype(np.float32)
        stays = np.repeat(turns.singles(1 - advance), self.walking.shape[1], axis=1)
        jumps = self._jumps(step_s)
        leave_halt = -np.expm1(-model.leave_halt_per_h * step_s / 3600)
        mask: tuple[bool, ...] | None = None
        for number in range(steps):
            now = begin_s + (number + 0.5) * step_s
            self._take_in(now)
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
                moves = turns.singles(advance * np.exp(-at_links * length / pace))
                walks = np.tile(moves * goes_on, len(self._kinds)) * self._ways.shares
                halts = moves * (1 - goes_on)
                halt_silent = np.exp(-at_nodes * step_s)
                go_silent = self._silent_ways(at_nodes, jumps)
            self._walk(stays, walks, halts)
            self._go(jumps, go_silent)
            self._leave(now, step_s, leave_halt)
            self.halted *= halt_silent
            self.there *= halt_silent

    def _online(self, now: float) -> list[bool]:
        after = self._last[1] if now >= self._last[1] else self._heard_at
        heard_again = now >= after + HOLD_OFF_S
        return [heard_again and s.online_since <= now < s.online_until for s in self._stations]

    def _walk(self, stays: Singles, walks: Singles, halts: Floats) -> None:
        """Of whoever is on a link: how many stay there in this step, how many come to its end and
        go on, by the ways' shares, and how many halt there."""
        halting = np.einsum("ij,ij->i", self.walking @ self._by_length, halts)
        np.multiply(self.walking, walks, out=self._wanting)
        self.walking *= stays
        self._ways.go_on(self.walking, self._wanting, self._room)
        self.halted += np.bincount(self._ground.end, halting, minlength=len(self.halted))

    def _alighting(self, since_s: float, step_s: float) -> Floats | None:
        """(nodes,): who leaves the bus in this step, as far along the ways as it has come."""
        if since_s < self._model.ride_wait_s or self.riders < _NEGLIGIBLE:
            return None
        ridden_m = self._habits.ride_m_s * step_s
        alighting = self.riders * -np.expm1(-ridden_m / self._model.ride_length_m)
        self.riders -= alighting
        nodes = np.zeros(len(self.halted))
        self._shell(nodes, since_s, alighting)
        return nodes

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
        worth = self.going.sum(axis=2) >= _NEGLIGIBLE
        for kind, row in enumerate(jumps):
            for number, (to, share, _) in enumerate(row):
                mass = self.going[kind, number]
                if not worth[kind, number]:
                    continue
                moving = mass * share
                mass -= moving
                mass += np.bincount(to, moving * silent[kind][number], minlength=len(mass))
                goal = self._goals[number]
                self.there[number] += mass[goal] * self._about[number]
                mass[goal] = 0.0

    def _leave(self, now: float, step_s: float, leave_halt: float) -> None:
        """Out of a halt, off a bus, and out of usual life: all of them walk astray from here on.
        Others go on with their usual day."""
        leaving = self.halted * leave_halt
        self.halted -= leaving
        if self._goals:
            self._live_on(now, step_s)
            share = self._going_astray(now, step_s)
            astray = self.there.sum(axis=0) * share
            self.there *= 1 - share
            ridden = self._habits.ride_share * float(astray.sum())
            leaving += (1 - self._habits.ride_share) * astray + ridden * self._bus
        alighting = self._alighting(now - self._last[1], step_s)
        if alighting is not None:
            leaving += alighting
        self.walking += turns.shared_out(self._ways.leave(leaving), self._fresh, self._room)

    def _going_astray(self, now: float, step_s: float) -> float:
        """The share that goes astray in this step, of those who lived as they use to until now."""
        usual = self._model.usual
        ago = self._at_s - now
        before, after = (self._model.gone_since(ago + side * step_s / 2) for side in (1, -1))
        return (1 - usual) * (before - after) / ((1 - usual) * before + usual)

    def _live_on(self, now: float, step_s: float) -> None:
        """Home from a place; out to a place at the hours at which they are out."""
        homes, habits, model = self._habits.homes, self._habits, self._model
        weights = np.array(habits.weights)
        if not homes or homes == len(weights):
            return
        hour = int(now % _DAY_S // 3_600) % 24
        out_per_h = model.outings_a_day * habits.hours[hour]
        to_home, to_places = weights[:homes].copy(), weights[homes:].copy()
        for some, into, goals, per_h in (
            (slice(homes, None), slice(None, homes), to_home, model.leave_place_per_h),
            (slice(None, homes), slice(homes, None), to_places, out_per_h),
        ):
            leave = -np.expm1(-per_h * step_s / 3600)
            begin = self.there[some].sum(axis=0) * leave
            if float(begin.sum()) < _NEGLIGIBLE or goals.sum() <= 0:
                continue
            self.there[some] *= 1 - leave
            wanted = (goals / goals.sum())[:, None] * begin
            for kind, share in enumerate((1 - habits.ride_share, habits.ride_share)):
                self.going[kind, into] += share * wanted

    def _take_in(self, now: float) -> None:
        """What people said and searched until now."""
        while self._clues_left and self._clues_left[0].at_s <= now:
            clue = self._clues_left.pop(0)
            at_nodes = clue.factors(self._ground.nodes, self._ground.box)
            at_links = turns.singles(clue.factors(self._ground.middles, self._ground.box))
            if clue.anywhere:  # it may also be true where nothing was thought of
                self._open_up(now)
            self.walking *= at_links
            self.halted *= at_nodes
            self.going *= at_nodes
            self.there *= at_nodes

    def _open_up(self, now: float) -> None:
        """A share of all is anywhere within Koester's distances, and walks."""
        spread = self._model.spread
        total = float(self.walking.sum() + self.halted.sum() + self.going.sum() + self.there.sum())
        for mass in (self.walking, self.halted, self.going, self.there):
            mass *= 1 - spread
        rest = self._rings(now - self._last[1]) * total * spread
        self.walking += turns.shared_out(self._ways.leave(rest), self._fresh)
