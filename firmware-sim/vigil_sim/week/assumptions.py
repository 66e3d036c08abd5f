"""The one file that says what people and things do: read, checked, changed for the sensitivity."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ROOMS: Final = ("checkin", "aed", "smoke", "noise", "water")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Assumption(_Table):
    """One value with where it comes from; ``low`` and ``high`` for the sensitivity table."""

    value: float
    source: Literal["service", "literature", "assumption"]
    note: str
    low: float | None = None
    high: float | None = None


class Target(_Table):
    """A figure that is told of the service which this follows."""

    key: str
    value: float
    until: float | None = None
    unit: str = "%"
    title: str
    title_zh: str
    mark: Literal["[C]", "[S]", "[?]"]
    note: str
    note_zh: str


class Venue(_Table):
    """Where an indoor AED hangs."""

    kind: str
    share: float = Field(gt=0, le=1)
    hours: str
    """As OpenStreetMap writes opening hours."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """All of them, by room and name: ``given["smoke.acts"]``."""

    entries: Mapping[str, Assumption]
    venues: tuple[Venue, ...]
    targets: tuple[Target, ...]

    def __getitem__(self, key: str) -> float:
        return self.entries[key].value

    def changed(self, key: str, value: float) -> Assumptions:
        """With another value of one of them."""
        entry = self.entries[key].model_copy(update={"value": value})
        return replace(self, entries={**self.entries, key: entry})

    def unsure(self) -> Iterator[tuple[str, float, float]]:
        """Those that have a low and a high value."""
        for key, entry in self.entries.items():
            if entry.low is not None and entry.high is not None:
                yield key, entry.low, entry.high


@cache
def shipped() -> Assumptions:
    """Those of ``assumptions.toml``."""
    text = files("vigil_sim.week").joinpath("assumptions.toml").read_text("utf-8")
    written = tomllib.loads(text)
    rooms = TypeAdapter(dict[str, Assumption])
    entries = {
        f"{room}.{name}": entry
        for room in ROOMS
        for name, entry in rooms.validate_python(written.pop(room)).items()
    }
    venues = TypeAdapter(tuple[Venue, ...]).validate_python(written.pop("venue"))
    targets = TypeAdapter(tuple[Target, ...]).validate_python(written.pop("target"))
    if written:
        raise ValueError(f"assumptions.toml: unknown tables {sorted(written)}")
    return Assumptions(entries, venues, targets)
