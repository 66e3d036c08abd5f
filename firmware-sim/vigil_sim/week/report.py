"""The week in words and numbers: a table for a terminal, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vigil_sim.week.assumptions import Assumptions, Target
from vigil_sim.week.figures import Figure
from vigil_sim.week.play import Came
from vigil_sim.week.sensitivity import Hangs
from vigil_sim.week.stories.everyday import THINNED


def shown(value: float | None, unit: str, digits: int = 1) -> str:
    """A share as per cent, a span in days; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.{digits}f} d" if unit == "d" else f"{100 * value:.{digits}f} %"


def theirs(target: Target) -> str:
    """What is told of the service, as it is told."""
    digits = 0 if target.unit == "d" else 2 if round(1e4 * target.value) % 100 else 0
    value = shown(target.value, target.unit, digits)
    if target.until is not None:
        value = f"{100 * target.value:.0f}–{100 * target.until:.0f} %"
    return f"{value} {target.mark}"


def ours(figure: Figure, unit: str) -> str:
    """Value, 95 % interval and how many units."""
    low, high = shown(figure.low, unit), shown(figure.high, unit)
    return f"{shown(figure.value, unit)}  ({low} to {high}, n = {figure.count})"


def pairs(came: Came, given: Assumptions) -> list[tuple[Target, Figure]]:
    """Each figure of the service beside ours."""
    by_key = {figure.key: figure for figure in came.figures}
    return [(target, by_key[target.key]) for target in given.targets]


def table(came: Came, given: Assumptions, base: dict[str, float], hangs: Sequence[Hangs]) -> str:
    """For a terminal."""
    asked = came.asked
    lines = [
        f"{asked.city}, scale {asked.scale:g}, seed {asked.seed}, {asked.hours:g} h of city time"
        f" in {came.took_s / 60:.1f} min",
        "",
        f"{'figure':<44} {'service':<12} ours, 95 % interval  [behaviour alone]",
    ]
    for target, figure in pairs(came, given):
        alone = shown(base[target.key], target.unit)
        lines.append(
            f"{target.title:<44} {theirs(target):<12} {ours(figure, target.unit)}  [{alone}]"
        )
    lines += ["", "what each hangs on (behaviour alone, scale 1)"]
    units = {target.key: target.unit for target in given.targets}
    for one in hangs:
        unit = units[one.figure]
        lines.append(
            f"  {one.figure:<13} {one.assumption} {one.low:g} to {one.high:g}:"
            f" {shown(one.at_low, unit)} to {shown(one.at_high, unit)}"
        )
    lines += ["", "which way it went"]
    lines += [f"  {count:>11,}  {what}" for what, count in came.paths.items()]
    lines.append(f"  {came.refused:>11,}  messages refused by the cloud")
    lines += ["", "thinned by volume"]
    lines += [f"  {one.what} ({one.of})" for one in THINNED]
    lines += ["", "what happened"]
    lines += [f"  {count:>11,}  {what}" for what, count in came.happened.items()]
    return "\n".join(lines)


def document(came: Came, given: Assumptions, base: dict[str, float], hangs: Sequence[Hangs]) -> str:
    """All of it as JSON."""
    found: dict[str, Any] = {
        **asdict(came),
        "service": [target.model_dump() for target in given.targets],
        "behaviour_alone": base,
        "sensitivity": [asdict(one) for one in hangs],
        "thinned": [asdict(one) for one in THINNED],
        "assumptions": {key: one.model_dump() for key, one in given.entries.items()},
        "venues": [one.model_dump() for one in given.venues],
    }
    return json.dumps(found, ensure_ascii=False, indent=2)
