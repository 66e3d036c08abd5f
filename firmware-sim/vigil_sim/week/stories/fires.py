"""Alarms in homes: fires and burnt rice, from the ring to the recorded cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane
from vigil_sim.week.accounts import Refused
from vigil_sim.week.behaviour import WINDOW_S, HomeFire, Nuisance
from vigil_sim.week.population import CODE, HOMES_A_GATEWAY
from vigil_sim.week.stage import SOON_S, Stage

RINGS_ON_S: Final = 600.0
"""An alarm falls silent so long after the brigade is there."""
LOOK_S: Final = 15.0
"""How often a dispatcher's page asks again, until somebody is on the way."""
GIVES_UP_S: Final = 1800.0
_CONFLICT: Final = 409


@dataclass(slots=True)
class _Alarm:
    """One home that rings."""

    name: str
    home: int
    rings_s: float
    brigade_after_s: float
    cause: str
    neighbour_after_s: float | None = None
    fire: str = ""
    on_the_way: bool = False
    over: bool = False
    devices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Caught:
    """What the cloud's own record of a fire says."""

    ignited: datetime
    first: datetime | None
    """When somebody was there first who can do something; ``None``: the alarm told nobody."""
    growth_s: float
    by: str
    """``resident``, ``neighbour``, ``brigade`` or empty."""

    @property
    def early(self) -> bool:
        """Before it had outgrown what somebody there can do."""
        return (
            self.first is not None and (self.first - self.ignited).total_seconds() <= self.growth_s
        )


class Fires:
    """Every alarm. What the dispatcher does follows what the cloud shows and sends."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._fires: list[tuple[HomeFire, _Alarm]] = []

    def schedule(self) -> None:
        """All of them; homes that will need it set their code first."""
        stage = self._stage
        for index, fire in enumerate(stage.plan.fires):
            alarm = _Alarm(
                f"fire-{index:05}",
                fire.home,
                fire.rings_s,
                fire.brigade_after_s,
                "fire",
                fire.neighbour_after_s,
            )
            self._fires.append((fire, alarm))
            stage.happened["fires in homes"] += 1
            if not fire.rings:
                stage.happened["fires whose alarm did not ring"] += 1
                continue
            stage.at(fire.rings_s, partial(self._rings, alarm, "a"))
            if fire.resident_s is not None:
                stage.at(fire.resident_s, partial(self._burns, alarm, "resident"))
            if fire.second_alarm_s is not None:
                second = max(fire.second_alarm_s, fire.rings_s)
                stage.at(second, partial(self._rings, alarm, "b"))
        for index, burnt in enumerate(stage.plan.nuisances):
            self._schedule_nuisance(index, burnt)

    def _schedule_nuisance(self, index: int, burnt: Nuisance) -> None:
        stage = self._stage
        alarm = _Alarm(
            f"rice-{index:05}", burnt.home, burnt.rings_s, burnt.brigade_after_s, "cooking"
        )
        stage.happened["burnt rice"] += 1
        stage.at(10.0, lambda _: self._sets_code(burnt.home))
        stage.at(burnt.rings_s, lambda at: self._rings(alarm, "a", at))
        if burnt.code_after_s is not None:
            stage.at(burnt.rings_s + burnt.code_after_s, lambda at: self._takes_back(alarm, at))

    def _sets_code(self, home: int) -> None:
        who, path = f"resident-{home}", f"/smoke/homes/home-{home}/code"
        self._stage.people.put(who, path, {"code": CODE})

    def _event(self, alarm: _Alarm, device: str, at_s: float, *, active: bool) -> None:
        stage = self._stage
        gateway = f"gw-alarm-{alarm.home // HOMES_A_GATEWAY}"
        event = SmokeAlarm(
            alarm_id=f"{alarm.name}-{device[-1]}",
            condition="smoke",
            active=active,
            since=stage.moment(at_s),
        )
        message = stage.outboxes.event(Lane.ALARM, gateway, device, stage.moment(at_s), event)
        stage.tell(message)

    def _rings(self, alarm: _Alarm, part: str, at_s: float) -> None:
        if alarm.over:
            return
        device = f"alarm-{alarm.home}{part}"
        alarm.devices.append(device)
        self._event(alarm, device, at_s, active=True)
        if part == "a":
            self._stage.at(at_s + SOON_S, lambda _: self._is_led(alarm))
            self._stage.at(at_s + WINDOW_S + SOON_S, lambda at: self._look(alarm, at))
        else:
            self._stage.at(at_s + 2 * SOON_S, lambda at: self._look(alarm, at))

    def _is_led(self, alarm: _Alarm) -> None:
        if alarm.fire:
            return
        fires = self._stage.people.get(f"resident-{alarm.home}", "/smoke/fires/mine")["fires"]
        alarm.fire = fires[0]["fire"]

    def _burns(self, alarm: _Alarm, who: str, at_s: float) -> None:
        """Somebody stands before it, and says so."""
        if alarm.over:
            return
        self._is_led(alarm)
        path = f"/smoke/fires/{alarm.fire}/burns"
        self._stage.people.post(f"{who}-{alarm.home}", path)
        self._stage.at(at_s + SOON_S, lambda at: self._look(alarm, at))

    def _takes_back(self, alarm: _Alarm, at_s: float) -> None:
        self._is_led(alarm)
        stage, path = self._stage, f"/smoke/fires/{alarm.fire}/safe"
        stage.people.post(f"resident-{alarm.home}", path, {"code": CODE})
        stage.happened["taken back with the home's code"] += 1
        alarm.on_the_way = True
        stage.at(at_s + 120.0, lambda at: self._silent(alarm, at))
        stage.at(at_s + 125.0, lambda _: self._records(alarm))

    def _look(self, alarm: _Alarm, at_s: float) -> None:
        """The dispatcher: once 119 has answered an engine leaves, and a neighbour who was told
        may go there."""
        if alarm.on_the_way or alarm.over:
            return
        stage = self._stage
        card = self._card(alarm)
        answered = [call["answered"] for call in card["calls"] if call["answered"]]
        if not answered:
            if at_s - alarm.rings_s < GIVES_UP_S:
                stage.at(at_s + LOOK_S, lambda at: self._look(alarm, at))
            else:
                stage.happened["fires that 119 never heard of"] += 1
            return
        alarm.on_the_way = True
        stage.people.post("duty", f"/smoke/fires/{alarm.fire}/lead/acknowledge")
        left_s = self._since(answered[0])
        stage.happened["fires that 119 was called to"] += 1
        stage.at(left_s + alarm.brigade_after_s, lambda at: self._arrives(alarm, at))
        told = stage.outside.told.get(f"neighbour-{alarm.home}")
        if alarm.neighbour_after_s is not None and told:
            stage.at(at_s + alarm.neighbour_after_s, partial(self._burns, alarm, "neighbour"))

    def _arrives(self, alarm: _Alarm, at_s: float) -> None:
        stage = self._stage
        stage.people.post("duty", f"/smoke/fires/{alarm.fire}/lead/arrived")
        stage.at(at_s + RINGS_ON_S, lambda at: self._silent(alarm, at))
        stage.at(at_s + RINGS_ON_S + SOON_S, lambda at: self._clear(alarm, at))

    def _clear(self, alarm: _Alarm, at_s: float) -> None:
        self._stage.people.post("duty", f"/smoke/fires/{alarm.fire}/lead/all-clear")
        self._stage.at(at_s + SOON_S, lambda _: self._records(alarm))

    def _silent(self, alarm: _Alarm, at_s: float) -> None:
        alarm.over = True
        for device in alarm.devices:
            self._event(alarm, device, at_s, active=False)

    def _records(self, alarm: _Alarm) -> None:
        try:
            path = f"/smoke/fires/{alarm.fire}/cause"
            self._stage.people.post("duty", path, {"cause": alarm.cause})
        except Refused as refused:
            if refused.status != _CONFLICT:
                raise
            self._stage.happened["fires not over when their cause was to be recorded"] += 1
        else:
            self._stage.happened["fires closed with a cause"] += 1

    def _card(self, alarm: _Alarm) -> Mapping[str, Any]:
        self._is_led(alarm)
        card: Mapping[str, Any] = self._stage.people.get("duty", f"/smoke/fires/{alarm.fire}")
        return card

    def _since(self, moment: str) -> float:
        return (datetime.fromisoformat(moment) - self._stage.population.start).total_seconds()

    def caught(self) -> list[Caught]:
        """Of every fire, those included whose alarm did not ring, from the steps on its page."""
        found = []
        for fire, alarm in self._fires:
            first: datetime | None = None
            by = ""
            steps = self._card(alarm)["steps"] if alarm.fire else ()
            for step in steps:
                there = _on_the_spot(step)
                if there and first is None:
                    first, by = datetime.fromisoformat(step["at"]), there
            ignited = self._stage.moment(fire.ignited_s)
            found.append(Caught(ignited, first, fire.growth_s, by))
        return found


def _on_the_spot(step: Mapping[str, Any]) -> str:
    """Who is there by this line of the fire's history; empty: nobody."""
    if step["what"] == "arrived":
        return "brigade"
    if step["what"] == "burns":
        return str(step["who"]).partition("-")[0]
    return ""
