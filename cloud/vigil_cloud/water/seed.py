"""Waterways, and what belongs to one incident, from the seed file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict
from sqlalchemy.orm import Session

from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_cloud.water import incidents, network_files, register
from vigil_cloud.water.incidents import BadRule
from vigil_cloud.water.network_files import BadNetwork


class SeedRules(Section):
    """The ``[[incident_rules]]`` table: what is left out stays as it is."""

    join_minutes: float | None = None
    reopen_minutes: float | None = None
    neighbour_m: float | None = None
    longest_hours: float | None = None
    false_per_week: float | None = None


class SeedWaterway(Section):
    """One ``[[waterway]]`` table: a reach, a point or an area, with the columns of a CSV file."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    kind: str


def _apply(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    ways: Sequence[SeedWaterway] = sections["waterway"]
    if ways:
        try:
            found = network_files.from_tables((one.model_dump() for one in ways), "waterway")
            register.put(session, found, SEEDER, now)
        except BadNetwork as error:
            raise BadSeed(str(error)) from error
    rules: Sequence[SeedRules] = sections["incident_rules"]
    for one in rules:
        try:
            incidents.set_rules(session, one.model_dump(exclude_none=True), SEEDER, now)
        except BadRule as error:
            raise BadSeed(f"incident_rules: {error}") from error


SEED: Final = SeedPart({"waterway": SeedWaterway, "incident_rules": SeedRules}, _apply)
