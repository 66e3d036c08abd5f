"""What a replay came across, counted, for its end (``telling`` makes lines of it)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from vigil_schemas.recordings.times import TimeReader

Side = Literal["high", "low"]
"""Which end of what a sensor can measure."""


@dataclass(slots=True)
class Tally:
    """One replay's; keys are signals where nothing else is said."""

    rows: int = 0
    moments: int = 0
    """Times that differ from the one before, station by station."""
    unreadable_times: int = 0
    first_unreadable: tuple[int, str] | None = None
    beyond_years: int = 0
    first_beyond: tuple[int, str] | None = None
    backward: int = 0
    """Rows whose time is before the one before, series by series."""
    first_backward: tuple[int, str] | None = None
    too_long: int = 0
    """Rows with more cells than the header has names."""
    first_too_long: int | None = None
    blank_zones: int = 0
    reader: TimeReader | None = None
    unreadable_values: int = 0
    """Cells with a text that is neither a number nor known for "no reading"."""
    dropped: dict[str, Counter[str]] = field(default_factory=dict)
    """Of these, by text."""
    assumed: dict[str, Counter[float]] = field(default_factory=dict)
    """Numbers taken for "no reading"."""
    off_scale: Counter[tuple[str, Side]] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    """Rows that should have had a reading."""
    no_readings: Counter[str] = field(default_factory=Counter)
    """Rows that are none, by kind: units, headers, statistics, other stations or items."""
    groups: set[tuple[str, str]] = field(default_factory=set)
    """Stations and items that were met."""
    station_column: str | None = None
    item_column: str | None = None
    """Where rows of several are in one file, and it was not asked for one."""
    stated: list[str] = field(default_factory=list)
    """What the file itself says, and should be known."""
    guessed: list[str] = field(default_factory=list)
    """What was assumed: with ``--strict`` it is an error."""
