"""Something flows into a canal: an excursion, an incident, an inspection."""

from __future__ import annotations

from functools import partial

from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import WaterExcursion
from vigil_sim.week.behaviour import Discharge, by_working_day
from vigil_sim.week.stage import Stage

_INSPECTOR = "inspector-water"


class Discharges:
    """Every discharge past a probe."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def schedule(self) -> None:
        """All of them."""
        for index, one in enumerate(self._stage.plan.discharges):
            begin, end = one.at_s, one.at_s + one.lasts_s
            name = f"discharge-{index:04}"
            self._stage.at(begin, partial(self._begins, one, name))
            self._stage.at(end, partial(self._tells, one, name, one.at_s))
            visit = by_working_day(begin, one.inspected_days)
            self._stage.at(visit, partial(self._inspects, one))

    def _begins(self, one: Discharge, name: str, at_s: float) -> None:
        self._tells(one, name, at_s, None)

    def _tells(self, one: Discharge, name: str, began_s: float, ended_s: float | None) -> None:
        stage, device = self._stage, f"probe-{one.probe}"
        event = WaterExcursion(
            excursion_id=name,
            phase="onset" if ended_s is None else "end",
            parameter="specific_conductance",
            unit="S/m",
            kind="above",
            limit=0.25,
            value=0.31 if ended_s is None else 0.44,
            flag=QartodFlag.GOOD,
            started=stage.moment(began_s),
            ended=None if ended_s is None else stage.moment(ended_s),
        )
        at = stage.moment(began_s if ended_s is None else ended_s)
        stage.tell(stage.outboxes.event(Lane.EVENT, f"gw-{device}", device, at, event))
        if ended_s is None:
            stage.happened["discharges past a probe"] += 1

    def _inspects(self, one: Discharge, _: float) -> None:
        people, device = self._stage.people, f"probe-{one.probe}"
        query = f"/alerts?domain=water&device={device}&state=new"
        alerts = people.get(_INSPECTOR, query)["alerts"]
        if not alerts:  # a neighbour's incident holds it, or its case is open already
            self._stage.happened["discharges inspected with another's"] += 1
            return
        people.post(_INSPECTOR, f"/alerts/{alerts[0]['id']}/acknowledge", {"comment": ""})
        body = {"kind": "water-inspection", "alerts": [alerts[0]["id"]]}
        case = people.post(_INSPECTOR, "/cases", body)
        outcome = "natural" if one.natural else "source-found"
        decision = {"version": case["version"], "outcome": outcome, "reason": "seen on site"}
        people.post(_INSPECTOR, f"/cases/{case['id']}/decisions", decision)
        self._stage.happened["discharges inspected"] += 1
