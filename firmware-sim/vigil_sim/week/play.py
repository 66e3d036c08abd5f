"""The week itself: a city is seeded into a cloud, lives through it, and is counted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from vigil_sim.demo.processes import Children
from vigil_sim.week import behaviour, figures, population
from vigil_sim.week.accounts import People
from vigil_sim.week.assumptions import Assumptions
from vigil_sim.week.behaviour import DAY_S, Period
from vigil_sim.week.driven import DrivenCloud
from vigil_sim.week.figures import Figure
from vigil_sim.week.messages import Outboxes
from vigil_sim.week.population import Population
from vigil_sim.week.stage import Stage
from vigil_sim.week.stand_ins import StandIns
from vigil_sim.week.stories import presses
from vigil_sim.week.stories.discharges import Discharges
from vigil_sim.week.stories.everyday import Everyday
from vigil_sim.week.stories.fires import Fires
from vigil_sim.week.stories.passages import Passages, median_days
from vigil_sim.week.stories.presses import Patrols, Presses
from vigil_sim.week.stories.searches import Searches
from vigil_sim.week.uplink import Uplink

START: Final = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
"""Monday, 2 March 2026, 00:00 in Taipei: the same for every run, so that runs can be compared."""
AFTERMATH_S: Final = 60 * DAY_S
"""So long after the week people go on with its cases; nothing is sent any more."""
OFFLINE_AFTER_S: Final = 4 * 3600.0
"""Longer than any gateway of this week is silent: readings come in rounds, health is thinned."""
POINT_BYTES: Final = 90
"""Of the cloud's files, for each reading; measured, rounded up."""

Progress = Callable[[str, float], None]
"""What is being done, and how much of the whole is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is simulated."""

    city: str
    scale: float
    seed: int
    hours: float


@dataclass(slots=True)
class Came:
    """What has come out."""

    asked: Asked
    figures: list[Figure]
    happened: dict[str, int]
    paths: dict[str, int]
    """What went which way, in numbers."""
    messages: dict[str, int]
    """By event type."""
    points: int
    refused: int
    details: dict[str, Any] = field(default_factory=dict)
    took_s: float = 0.0


def expected_bytes(asked: Asked) -> int:
    """Room that the cloud's files will take."""
    size = behaviour.sizes(asked.scale)
    a_day = size.probes * 7_200 + size.cameras * 2_880 + size.stations * 288
    return int(POINT_BYTES * a_day * asked.hours / 24) + 200_000_000


def room(directory: Path) -> int:
    """Free bytes there."""
    return shutil.disk_usage(directory).free


def play(
    asked: Asked, given: Assumptions, directory: Path, children: Children, progress: Progress
) -> Came:
    """One week. ``directory`` is the caller's to remove. Raises ``VigilError``."""
    began = time.monotonic()
    period = Period(asked.hours * 3600.0, asked.scale)
    plan = behaviour.plan(asked.seed, period, given)
    people_of = Population(asked.seed, behaviour.sizes(asked.scale), given, START)
    outside = StandIns()
    try:
        progress("writing the city's register", 0.0)
        directory.mkdir(parents=True, exist_ok=True)
        seed = directory / "seed.toml"
        seed.touch(mode=0o600)
        seed.write_text(
            population.seed_file(people_of, plan, f"json://{outside.address}/hook"), "utf-8"
        )
        progress("starting the cloud with it", 0.01)
        cloud = DrivenCloud(
            children,
            directory,
            {
                "VIGIL_EMERGENCY_URL": outside.line.url,
                "VIGIL_OFFLINE_AFTER_S": str(OFFLINE_AFTER_S),
                "VIGIL_OPEN_ENROLMENT": "true",
            },
        )
        cloud.start(START - timedelta(seconds=1), seed)
        return _played(asked, plan, people_of, cloud, outside, children, progress, began)
    finally:
        outside.close()


def _played(  # noqa: PLR0913 - the parts of one run, given in one place
    asked: Asked,
    plan: behaviour.Plan,
    people_of: Population,
    cloud: DrivenCloud,
    outside: StandIns,
    children: Children,
    progress: Progress,
    began: float,
) -> Came:
    uplink = Uplink(cloud.broker, children.check)
    people = People(cloud.url)
    try:
        stage = Stage(people_of, plan, cloud, people, uplink, Outboxes(asked.seed), outside)
        length_s = asked.hours * 3600.0
        everyday = Everyday(stage, length_s)
        searches, fires, passages = Searches(stage, everyday), Fires(stage), Passages(stage)
        buttons = Presses(stage)
        for story in (
            everyday,
            searches,
            fires,
            passages,
            buttons,
            Patrols(stage, length_s),
            Discharges(stage),
        ):
            story.schedule()
        stage.run(length_s, lambda at: progress(_day(stage, at), 0.03 + 0.9 * at / length_s))
        register = presses.register(stage)
        progress("the cases of the week are decided", 0.93)
        stage.run(length_s + AFTERMATH_S, lambda _: progress(_day(stage, length_s), 0.96))
        progress("counting", 0.99)
        came = _counted(asked, stage, searches, fires, passages, register)
        came.details["first volunteers, seconds after the press"] = sorted(
            round(one) for one in buttons.arrived_s
        )[:200]
        came.took_s = time.monotonic() - began
        return came
    finally:
        people.close()
        uplink.close()


def _day(stage: Stage, at_s: float) -> str:
    local = stage.moment(at_s) + timedelta(hours=8)
    return local.strftime("%a %H:%M")


def _counted(
    asked: Asked,
    stage: Stage,
    searches: Searches,
    fires: Fires,
    passages: Passages,
    register: dict[str, Any],
) -> Came:
    acts, caught, decided = searches.first_acts(), fires.caught(), passages.decided()
    noise = passages.statistics()
    days = [one.baseline_days - one.days for one in decided if one.days is not None]
    fined = sum(one.outcome == "fine" for one in decided)
    found = [
        figures.share(
            "looked_first",
            sum(one.looked_first for one in acts),
            len(acts),
            "audit log of looks, against the time at which each search's case was opened",
            "查看紀錄（稽核）與協尋案件成立時間之比較",
        ),
        figures.share(
            "aed_always",
            register["reachable"],
            len(register["sites"]),
            "register of AEDs: opening hours, pads, patrols, at the end of the week",
            "AED 清冊：開放時間、貼片效期與巡檢結果（週末時）",
        ),
        figures.share(
            "fires_early",
            sum(one.early for one in caught),
            len(caught),
            "steps of each fire: who stood there first, against how fast it grew",
            "各火警之處置紀錄：最先到場者與火勢成長時間之比較",
        ),
        figures.mean(
            "days_saved",
            days,
            asked.seed,
            "history of each noise case, against the assumed way without instruments",
            "各噪音案件歷程，與假設之無儀器作業方式比較",
        ),
        figures.share(
            "actionable",
            fined,
            len(decided),
            "outcomes of the exceedances' cases",
            "超標案件之審查結果",
        ),
    ]
    counts = stage.outboxes.counts
    return Came(
        asked=asked,
        figures=found,
        happened=dict(sorted(stage.happened.items())),
        paths={
            "messages through MQTT and ingest, receipted": sum(counts.values()),
            "readings in them": stage.outboxes.points,
            "messages sent again": stage.uplink.repeated,
            "requests of people over HTTP": sum(stage.people.requests.values()),
            "of these, signing in": stage.people.requests["sign-in"],
            "sealed packages uploaded": stage.people.requests["evidence"],
            "messages to telephones": stage.outside.counts["messages to telephones"],
            "calls to 119 (CAP)": stage.outside.counts["calls to 119"],
            "calls that 119 refused": stage.outside.counts["calls that 119 refused"],
            "steps of the cloud's clock": stage.cloud.steps,
            "turns of jobs": stage.cloud.last.get("jobs", 0),
            "pieces of heavy work": stage.cloud.last.get("computed", 0),
        },
        messages=dict(sorted(counts.items())),
        points=stage.outboxes.points,
        refused=stage.uplink.refusals(),
        details={
            "days_to_decision_median": median_days(decided),
            "statistics_of_the_cloud": {
                key: noise[key]
                for key in (
                    "exceedances",
                    "cases",
                    "decided",
                    "violations",
                    "actionable_share",
                    "days_to_decision_median",
                )
            },
            "outcomes": noise["outcomes"],
            "fires_first_on_the_spot": {
                who or "nobody": sum(one.by == who for one in caught)
                for who in ("resident", "neighbour", "brigade", "")
            },
        },
    )
