"""Velocities as a series: read from a file, and kept for the search for sources."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.upsert import insert
from vigil_cloud.spreadsheets import NoTable, is_blank, named, surplus, twice, written
from vigil_cloud.water.models import Reach, VelocityReading
from vigil_schemas.errors import VigilError

COLUMNS: Final = ("time", "reach", "velocity_m_s")
KEPT: Final = timedelta(days=60)
_FASTEST: Final = 10.0
_AHEAD: Final = timedelta(days=7)
_SHOWN: Final = 5
_AT_ONCE: Final = 5_000
MOST_ROWS: Final = 2_000_000


class BadVelocities(VigilError):
    """A file of velocities of which nothing was taken. ``mistakes``: each with its line."""

    code: ClassVar[str] = "bad-velocities"
    remedy: ClassVar[str] = (
        "Give a CSV with the columns time (ISO 8601), reach and velocity_m_s (m/s; below 0: against"
        " the direction in which the reach is drawn)."
    )

    def __init__(self, mistakes: list[str]) -> None:
        more = f" (and {len(mistakes) - _SHOWN} more)" if len(mistakes) > _SHOWN else ""
        super().__init__("; ".join(mistakes[:_SHOWN]) + more)
        self.mistakes = mistakes


class Velocity(NamedTuple):
    """Of a reach at a moment."""

    line: int
    reach: str
    at: datetime
    velocity_m_s: float


def read(path: Path) -> list[Velocity]:
    """Raises ``BadVelocities``, ``OSError``."""
    try:
        text = written(path.read_bytes())
    except NoTable as error:
        raise BadVelocities([f"{path.name} is {error}"]) from error
    reader = csv.DictReader(text.splitlines())
    try:
        reader.fieldnames = named(reader.fieldnames)
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise BadVelocities([f"there is no column {', '.join(missing)}"])
        if again := twice(reader.fieldnames or ()):
            raise BadVelocities([f"a column is there twice: {', '.join(again)}"])
        return _taken(reader)
    except csv.Error as error:
        raise BadVelocities([f"line {reader.line_num + 1}: {error}"]) from error


def _taken(rows: Iterable[Mapping[str, str | None]]) -> list[Velocity]:
    found: list[Velocity] = []
    mistakes: list[str] = []
    for line, row in enumerate(rows, 2):
        if is_blank(row):
            continue
        if surplus(row):
            mistakes.append(f"line {line}: more cells than columns")
            continue
        try:
            at = datetime.fromisoformat(row["time"] or "")
            velocity = float(row["velocity_m_s"] or "nan")
        except ValueError as error:
            mistakes.append(f"line {line}: {error}")
            continue
        if not isfinite(velocity) or abs(velocity) > _FASTEST:
            mistakes.append(f"line {line}: {row['velocity_m_s']!r} is no velocity in m/s")
            continue
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        found.append(Velocity(line, row["reach"] or "", at, velocity))
        if len(found) > MOST_ROWS:
            raise BadVelocities([f"more than {MOST_ROWS} rows"])
    if not mistakes and not found:
        mistakes.append("there is no velocity in it")
    if mistakes:
        raise BadVelocities(mistakes)
    return found


def put(session: Session, given: list[Velocity], now: datetime) -> int:
    """All or nothing; a moment of a reach that is known is written anew. Raises
    ``BadVelocities``."""
    known = set(session.scalars(select(Reach.id)))
    mistakes = [
        f"line {one.line}: there is no reach {one.reach!r}"
        for one in given
        if one.reach not in known
    ]
    mistakes += [
        f"line {one.line}: {one.at.isoformat()} lies ahead"
        for one in given
        if one.at > now + _AHEAD
    ]
    if mistakes:
        raise BadVelocities(mistakes)
    ages = ages_hold(session, now)
    rows = {
        (one.reach, one.at): one.velocity_m_s for one in given if not ages or one.at > now - KEPT
    }
    whole = [
        {"reach": reach, "at": at, "velocity_m_s": value} for (reach, at), value in rows.items()
    ]
    statement = insert(session, VelocityReading)
    statement = statement.on_conflict_do_update(
        index_elements=["reach", "at"],
        set_={"velocity_m_s": statement.excluded["velocity_m_s"]},
    )
    for first in range(0, len(whole), _AT_ONCE):
        session.execute(statement, whole[first : first + _AT_ONCE])
    if ages:
        session.execute(
            delete(VelocityReading)
            .where(VelocityReading.at < now - KEPT)
            .execution_options(synchronize_session=False)
        )
    return len(whole)
