"""Elders who go astray, and what their families do: look, go there, report, find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from vigil_sim.week.behaviour import MINUTE_S, Episode
from vigil_sim.week.stage import SOON_S, Stage
from vigil_sim.week.stories.everyday import Everyday

GOES_THERE_S = 15 * MINUTE_S


@dataclass(slots=True)
class _Lost:
    """One episode under way."""

    index: int
    episode: Episode
    found: bool = False
    case_id: str = ""


@dataclass(frozen=True, slots=True)
class FirstAct:
    """What the cloud's own records say that a family did first."""

    elder: int
    looked: datetime | None
    """The relative's first look at the footprint, from the audit log."""
    reported: datetime | None
    """When the search's case was opened."""

    @property
    def looked_first(self) -> bool:
        """Whether they looked before they reported."""
        if self.looked is None:
            return False
        return self.reported is None or self.looked <= self.reported


class Searches:
    """Every episode, from leaving to being found."""

    def __init__(self, stage: Stage, everyday: Everyday) -> None:
        self._stage = stage
        self._everyday = everyday
        self._lost: list[_Lost] = []

    def schedule(self) -> None:
        """All of them."""
        for index, episode in enumerate(self._stage.plan.episodes):
            lost = _Lost(index, episode)
            self._lost.append(lost)
            self._stage.at(episode.left_s, partial(self._leaves, lost))

    def _leaves(self, lost: _Lost, _: float) -> None:
        episode, stage = lost.episode, self._stage
        stage.away.add(episode.elder)
        stage.happened["elders went astray"] += 1
        for after, draw in episode.hops:
            stage.at(episode.left_s + after, partial(self._passes_by, lost, draw))
        if episode.looks_s is not None and episode.looks_s <= episode.reports_s:
            stage.at(episode.looks_s, lambda at: self._looks(lost, at))
        else:
            stage.at(episode.reports_s, lambda at: self._reports(lost, at))

    def _passes_by(self, lost: _Lost, draw: int, at_s: float) -> None:
        if lost.found:
            return
        station = draw % self._stage.population.size.stations
        visit = self._everyday.visit(lost.episode.elder, at_s)
        self._stage.tell(self._everyday.told(visit, station, at_s))

    def _looks(self, lost: _Lost, at_s: float) -> None:
        """What the page shows decides what happens next."""
        stage, elder = self._stage, lost.episode.elder
        shown = stage.people.get(f"family-{elder}", f"/people/elder-{elder}/footprints")["visits"]
        stage.happened["families looked at a footprint"] += 1
        newest = max((datetime.fromisoformat(one["last_seen"]) for one in shown), default=None)
        fresh = timedelta(seconds=lost.episode.fresh_s)
        if newest is not None and stage.moment(at_s) - newest <= fresh and lost.episode.found_there:
            stage.at(at_s + GOES_THERE_S, lambda _: self._found_by_family(lost))
        else:
            later = max(lost.episode.reports_s, at_s + GOES_THERE_S)
            stage.at(later, lambda at: self._reports(lost, at))

    def _found_by_family(self, lost: _Lost) -> None:
        self._stage.happened["found by their family, without a search"] += 1
        self._is_found(lost)

    def _reports(self, lost: _Lost, at_s: float) -> None:
        stage, elder = self._stage, lost.episode.elder
        body = {"person_key": f"elder-{elder}", "clothes": "blue jacket", "place": "market"}
        case = stage.people.post(f"family-{elder}", "/search/reports", body)
        lost.case_id = case["case_id"]
        stage.happened["searches reported"] += 1
        stage.at(at_s + 4 * MINUTE_S, lambda _: self._police_look(lost))
        stage.at(at_s + lost.episode.search_s, lambda at: self._ends(lost, at))

    def _police_look(self, lost: _Lost) -> None:
        reason = {"reason": "search under way"}
        self._stage.people.post("police", f"/cases/{lost.case_id}/access", reason)
        self._stage.people.get("police", f"/search/cases/{lost.case_id}/map")
        self._stage.happened["searches opened by the police"] += 1

    def _ends(self, lost: _Lost, at_s: float) -> None:
        stage, elder = self._stage, lost.episode.elder
        case: dict[str, Any] = stage.people.get(f"family-{elder}", f"/cases/{lost.case_id}")
        body = {"version": case["version"], "outcome": "found-well", "text": "found"}
        stage.people.post(f"family-{elder}", f"/search/cases/{lost.case_id}/end", body)
        stage.happened["searches ended"] += 1
        self._is_found(lost)
        stage.at(at_s + SOON_S, lambda _: None)

    def _is_found(self, lost: _Lost) -> None:
        lost.found = True
        self._stage.away.discard(lost.episode.elder)

    def first_acts(self) -> list[FirstAct]:
        """From the audit log and the cases, as the guardian may see both; of episodes in which a
        family has done anything at all."""
        found = []
        for lost in self._lost:
            elder, begins = lost.episode.elder, self._stage.moment(lost.episode.left_s)
            who = f"family-{elder}"
            lines = self._stage.people.get(who, f"/people/elder-{elder}/audit?limit=500")
            looks = [
                datetime.fromisoformat(line["at"])
                for line in lines["entries"]
                if (line["account"], line["action"]) == (who, "location.read")
                and line["subject"] == "footprints"
            ]
            ends = self._stage.moment(lost.episode.reports_s + lost.episode.search_s + 6 * 3600)
            looked = min((at for at in looks if begins <= at <= ends), default=None)
            reported = None
            if lost.case_id:
                case = self._stage.people.get(who, f"/cases/{lost.case_id}")
                reported = datetime.fromisoformat(case["opened"])
            if looked is not None or reported is not None:
                found.append(FirstAct(elder, looked, reported))
        return found
