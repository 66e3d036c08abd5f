"""Volunteers, defibrillators and streets as files hold them: refused with line and column."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from vigil_cloud.aed.dispatch import Aed, Hours, Volunteer, clock_time, daily
from vigil_cloud.spreadsheets import is_blank, number, twice
from vigil_schemas.errors import VigilError

if TYPE_CHECKING:
    from vigil_cloud.aed.streets import Position

VOLUNTEER_COLUMNS: Final = (
    *("id", "lon", "lat", "speed_mps", "available", "certificate_until"),
    *("asked_day", "accepted_day", "asked_night", "accepted_night", "answer_s"),
)
AED_COLUMNS: Final = ("id", "lon", "lat", "opens", "closes")
_FASTEST_MPS: Final = 60.0
_WHOLE: Final = re.compile(r"[0-9]{1,18}")
Row = Mapping[str, str]
_T = TypeVar("_T")


class BadDispatchFile(VigilError):
    """A file cannot be used. ``path``, ``line`` (0: the file as a whole) and ``column``."""

    code: ClassVar[str] = "bad-dispatch-file"
    remedy: ClassVar[str] = "Correct the line that is named."

    def __init__(self, path: Path, line: int, column: str, message: str) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {f'{column}: ' if column else ''}{message}")
        self.path = path
        self.line = line
        self.column = column


class _Cells:
    """One row, read cell by cell."""

    def __init__(self, path: Path, line: int, row: Row) -> None:
        self._path = path
        self._line = line
        self._row = row

    def cell(self, column: str, read: Callable[[str], _T]) -> _T:
        text = self._row[column].strip()
        try:
            return read(text)
        except ValueError as error:
            message = f"{text[:40]!r}: {error}" if text else "nothing is given"
            raise BadDispatchFile(self._path, self._line, column, message) from error

    def wrong(self, column: str, message: str) -> BadDispatchFile:
        return BadDispatchFile(self._path, self._line, column, message)


def volunteers(path: Path) -> list[Volunteer]:
    """Raises ``BadDispatchFile``, ``OSError``."""
    return [_volunteer(cells) for cells in _rows(path, VOLUNTEER_COLUMNS)]


def aeds(path: Path) -> list[Aed]:
    """Raises ``BadDispatchFile``, ``OSError``."""
    return [_aed(cells) for cells in _rows(path, AED_COLUMNS)]


def streets(path: Path) -> list[list[Position]]:
    """LineStrings and MultiLineStrings of a GeoJSON file that lead somewhere. Raises
    ``BadDispatchFile``, ``OSError``."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        found = [line for line in _lines(document) if len(set(line)) > 1]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise BadDispatchFile(path, 0, "", f"is no GeoJSON of streets: {error}") from error
    if not found:
        raise BadDispatchFile(path, 0, "", "holds not one LineString that leads anywhere")
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[_Cells]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or [])]
            if missing:
                raise BadDispatchFile(path, 1, missing[0], "there is no such column")
            if again := twice(reader.fieldnames or []):
                raise BadDispatchFile(path, 1, again[0], "this column is there twice")
            seen: set[str] = set()
            for row in reader:
                line = reader.line_num
                if is_blank(row):
                    continue
                if None in row or None in row.values():
                    raise BadDispatchFile(path, line, "", "more or fewer cells than columns")
                cells = _Cells(path, line, row)
                name = cells.cell("id", _text)
                if name in seen:
                    raise cells.wrong("id", f"{name!r} is there twice")
                seen.add(name)
                yield cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadDispatchFile(path, 0, "", f"is no CSV in UTF-8: {error}") from error


def _volunteer(cells: _Cells) -> Volunteer:
    asked_day, accepted_day = _answered(cells, "day")
    asked_night, accepted_night = _answered(cells, "night")
    return Volunteer(
        id=cells.cell("id", _text),
        at=_position(cells),
        speed_mps=cells.cell("speed_mps", _within(0.0, _FASTEST_MPS, open_=True)),
        available=cells.cell("available", _yes),
        certificate_until=cells.cell("certificate_until", _date),
        asked_day=asked_day,
        accepted_day=accepted_day,
        asked_night=asked_night,
        accepted_night=accepted_night,
        answer_s=cells.cell("answer_s", _within(0.0, 86_400.0)),
    )


def _answered(cells: _Cells, when: str) -> tuple[int, int]:
    asked = cells.cell(f"asked_{when}", _count)
    accepted = cells.cell(f"accepted_{when}", _count)
    if accepted > asked:
        raise cells.wrong(f"accepted_{when}", f"{accepted} of {asked} who were asked")
    return asked, accepted


def _aed(cells: _Cells) -> Aed:
    opens, closes = cells.cell("opens", clock_time), cells.cell("closes", clock_time)
    if opens == closes:
        raise cells.wrong("closes", "the same as opens; write 00:00 to 24:00 for the whole day")
    return Aed(cells.cell("id", _text), _position(cells), daily(Hours(opens, closes)))


def _position(cells: _Cells) -> Position:
    return cells.cell("lon", _within(-180.0, 180.0)), cells.cell("lat", _within(-90.0, 90.0))


def _text(text: str) -> str:
    if not text:
        raise ValueError("nothing is given")
    return text


def _within(low: float, high: float, *, open_: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = number(text)
        if not isfinite(value) or not low <= value <= high or (open_ and value == low):
            raise ValueError(f"lies outside of {low:g} to {high:g}")
        return value

    return read


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("write yes or no")
    return text == "yes"


def _date(text: str) -> date | None:
    """Nothing: there is no certificate."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError("is no day such as 2027-05-31") from None


def _count(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("is no whole number from 0 on")
    return int(text)


def _lines(document: Any) -> Iterator[list[Position]]:
    kind = document["type"]
    if kind == "FeatureCollection":
        for feature in document["features"]:
            yield from _lines(feature)
    elif kind == "Feature":
        if document["geometry"] is not None:
            yield from _lines(document["geometry"])
    elif kind == "GeometryCollection":
        for geometry in document["geometries"]:
            yield from _lines(geometry)
    elif kind == "LineString":
        yield [_vertex(one) for one in document["coordinates"]]
    elif kind == "MultiLineString":
        for line in document["coordinates"]:
            yield [_vertex(one) for one in line]


def _vertex(found: Any) -> Position:
    lon, lat = found[0], found[1]
    if isinstance(lon, bool) or not isinstance(lon, int | float):
        raise ValueError(f"{lon!r} is no longitude")
    if isinstance(lat, bool) or not isinstance(lat, int | float):
        raise ValueError(f"{lat!r} is no latitude")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ValueError(f"({lon}, {lat}) lies outside of the world: longitude comes first")
    return float(lon), float(lat)
