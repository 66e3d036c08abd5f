"""AEDs: patrols on their rounds, and buttons that are pressed."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from urllib.parse import quote

from vigil_schemas.aed import AedCall
from vigil_schemas.types import Lane
from vigil_sim.week.behaviour import DAY_S, Draw, Press, by_working_day
from vigil_sim.week.population import CABINETS_A_GATEWAY, place
from vigil_sim.week.stage import SOON_S, Stage

BEFORE_S: Final = 60.0
LOOKS_S: Final = (2.0, 20.0, 45.0, 90.0, 150.0, 240.0)
"""When phones are looked at after a press."""
OVER_S: Final = 1500.0


class Presses:
    """Every press of a button."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._answered: set[tuple[str, str]] = set()
        self.arrived_s: list[float] = []
        """Of those who came, seconds after the press."""

    def schedule(self) -> None:
        """All of them."""
        for index, press in enumerate(self._stage.plan.presses):
            at = press.at_s
            self._stage.at(at - BEFORE_S, partial(self._go_on_call, press))
            self._stage.at(at, partial(self._pressed, press, index))

    def _go_on_call(self, press: Press, _: float) -> None:
        stage = self._stage
        for number in stage.population.near(press.cabinet):
            who = f"volunteer-{number}"
            latitude, longitude = place("volunteer", number, stage.population.seed)
            stage.people.put(who, "/aed/volunteer/consent", {"consent": True})
            position = {"position": [longitude, latitude]}
            stage.people.put(who, "/aed/volunteer/on-call", position)
            stage.happened["volunteers went on call"] += 1

    def _pressed(self, press: Press, index: int, at_s: float) -> None:
        stage, at = self._stage, self._stage.moment(at_s)
        gateway = f"gw-aed-{press.cabinet // CABINETS_A_GATEWAY}"
        call = AedCall(call_id=f"press-{index:05}", pressed=at, last_pressed=at, door_open=True)
        stage.tell(stage.outboxes.event(Lane.ALARM, gateway, f"aed-{press.cabinet}", at, call))
        stage.happened["AED buttons pressed"] += 1
        key = f"{gateway}:{call.call_id}"
        for after in LOOKS_S:
            stage.at(at_s + after, lambda then: self._phones(key, press, then))
        stage.at(at_s + OVER_S, lambda _: self._over(key))

    def _call(self, key: str) -> dict[str, Any] | None:
        calls = self._stage.people.get("duty", "/aed/calls?limit=20")["calls"]
        return next((one for one in calls if one["call"] == key), None)

    def _phones(self, key: str, press: Press, at_s: float) -> None:
        call = self._call(key)
        for number, callout in enumerate(call["callouts"] if call else ()):
            who = callout["username"]
            if callout["state"] != "called" or (key, who) in self._answered:
                continue
            self._answered.add((key, who))
            turn = number % len(press.accepts)
            then = at_s + press.answers_s[turn]
            if press.accepts[turn]:
                arrives = then + (callout["predicted_s"] or 300.0)
                self._stage.at(then, partial(self._answers, key, who, "accepted"))
                self._stage.at(arrives, partial(self._arrives, key, who, press.at_s))
            else:
                self._stage.at(then, partial(self._answers, key, who, "declined"))

    def _says(self, key: str, who: str, word: str) -> bool:
        path = f"/aed/calls/{quote(key, safe='')}/answer"
        mine = self._stage.people.get(who, "/aed/calls/mine")["calls"]
        if any(one["call"] == key and one["over"] for one in mine):
            return False
        self._stage.people.post(who, path, {"answer": word})
        self._stage.happened[f"volunteers {word}"] += 1
        return True

    def _answers(self, key: str, who: str, word: str, _: float) -> None:
        self._says(key, who, word)

    def _arrives(self, key: str, who: str, pressed_s: float, at_s: float) -> None:
        if self._says(key, who, "arrived"):
            self.arrived_s.append(at_s - pressed_s)

    def _over(self, key: str) -> None:
        call = self._call(key)
        if call is None:
            self._stage.happened["AED calls that the cloud does not list"] += 1
            return
        for act in ("acknowledge", "confirm"):
            self._stage.people.post("duty", f"/alerts/{call['alert']}/{act}", {"comment": ""})


class Patrols:
    """Each AED once in so many days, by day."""

    def __init__(self, stage: Stage, length_s: float) -> None:
        self._stage = stage
        self._length_s = length_s

    def schedule(self) -> None:
        """This week's."""
        stage = self._stage
        every_s = stage.population.given["aed.patrol_every_days"] * DAY_S
        for site in range(stage.population.size.aeds):
            at = Draw(stage.population.seed, "patrol", site).uniform(0.0, every_s)
            if at < self._length_s:
                then = min(by_working_day(at, 0.0), self._length_s - SOON_S)
                stage.at(then, partial(self._stands_before, site))

    def _stands_before(self, site: int, _: float) -> None:
        population = self._stage.population
        unfit = Draw(population.seed, "unfit", site).chance(population.given["aed.found_unfit"])
        body = dict.fromkeys(("present", "pads_sealed", "cabinet_ok", "sign_visible"), True)
        body["indicator_ok"] = not unfit
        who = f"patrol-{site % population.size.patrollers}"
        self._stage.people.post(who, f"/aed/sites/site-{site}/patrols", body)
        self._stage.happened["AEDs patrolled"] += 1


def register(stage: Stage) -> dict[str, Any]:
    """The register as everybody who is signed in sees it."""
    found: dict[str, Any] = stage.people.get("duty", "/aed/sites")
    return found
