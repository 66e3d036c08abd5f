"""What the columns and the first rows of a recording are: time, clock, zone, station, units.

Pure: looks at the header and a sample of rows. What it takes for granted that the file
does not say is put into ``notices``.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta, tzinfo
from typing import Final, NamedTuple

from vigil_schemas.recordings.cells import FAMILY
from vigil_schemas.recordings.errors import RecordingUnreadable
from vigil_schemas.recordings.expected import unit_in
from vigil_schemas.recordings.recording import Recording, folded
from vigil_schemas.recordings.times import TimeReader
from vigil_schemas.recordings.zones import CENTRAL, TAIWAN, in_header, in_preface, is_american, zone

Rows = Sequence[tuple[int, list[str]]]
SAMPLE: Final = 400
_MOST: Final = 0.8
_HEADER_ROWS: Final = 3
"""Rows below the header that may say units, formats or how a value was made."""
_CLOCK: Final = re.compile(
    r"(?:(?:上午|下午|[AP]M)\s*)?\d{1,2}[:時时]\d{1,2}分?(?::?\d{1,2}(?:\.\d+)?秒?)?\s*(?:[AP]\.?M\.?)?",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}|\d{7,8}|\d{1,2}[- ][A-Za-z]{3}[A-Za-z]*[-, ]+\d{2,4}"
    r"|[A-Za-z]{3}[a-z]* \d{1,2},? \d{4}|(?:中華)?(?:民國)?\s*\d{2,4}年\d{1,2}月\d{1,2}日?|\d{5}"
)
_MIDNIGHT: Final = re.compile(r"(.*\d)(?:[ T]+(?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?[Aa][Mm]))")
"""What a spreadsheet adds to a date that has none."""
_NUMERIC: Final = re.compile(r"[<>]?\s*[-+]?\d[\d.,' ]*")
_DAY_ZERO: Final = re.compile(r"(?:1899-12-3[01]|1900-01-0[01]|0?1/0/1900)[ T]+(.*)")
"""What a spreadsheet adds to a time of day."""
_ZONE_NAMES: Final = frozenset(
    {"tz", "tzcd", "timezone", "tzcode", "zone", "utcoffset", "offset", "時區", "时区"}
)
_SURELY_ZONE: Final = _ZONE_NAMES - {"zone", "offset"}
_STATION_NAMES: Final = frozenset(
    {"station", "stationid", "stationname", "stationno", "stationcode", "stn", "site", "siteid"}
    | {"siteno", "sitename", "sitecode", "location", "locationid", "locationname", "loc", "probe"}
    | {"sensor", "sensorid", "sensorname", "device", "deviceid", "devicename", "sonde", "sondeid"}
    | {"logger", "loggerid", "well", "monitoringlocationidentifier", "monitoringlocationname"}
    | {
        "測站",
        "測站名稱",
        "測站代碼",
        "測站編號",
        "測站代號",
        "站名",
        "站號",
        "站點",
        "站別",
        "樣站",
    }
    | {
        "採樣點",
        "採樣地點",
        "監測站",
        "監測點",
        "地點",
        "設備",
        "設備編號",
        "儀器",
        "儀器編號",
        "测站",
        "站点",
    }
)
_ITEM_NAMES: Final = frozenset(
    {"item", "itemname", "itemengname", "parameter", "parametername", "parametercode", "param"}
    | {"variable", "variablename", "observedproperty", "characteristic", "characteristicname"}
    | {
        "analyte",
        "測項",
        "測項名稱",
        "項目",
        "項目名稱",
        "監測項目",
        "檢測項目",
        "檢驗項目",
        "參數",
    }
)
_UNIT_NAMES: Final = frozenset({"unit", "units", "itemunit", "單位", "测量单位"})
_STATISTIC: Final = re.compile(
    r"(min(imum)?|max(imum)?|mean|average|avg|std|st\.? ?dev\.?|standard deviation|sum|count|total"
    r"|median|最大值?|最小值?|平均值?|均值|標準差|标准差|總計|合計|中位數)( value)?\s*[:：]?",
    re.IGNORECASE,
)


class TimeColumns(NamedTuple):
    """Where a row's time stands; ``clock`` where that is another column than the date."""

    date: int
    clock: int | None = None


def split_names(text: str) -> list[str]:
    """``"Date,Time"`` as two names."""
    return [name.strip() for name in next(csv.reader([text]), [])]


def time_columns(
    recording: Recording, name: str, sample: Rows, taken: Iterable[int]
) -> tuple[TimeColumns, str | None]:
    """By name; a date column is joined with the clock column beside it, and the reverse.

    Also what is to be told where it was not asked for two.
    """
    names, header = split_names(name), recording.header
    exact = folded(name) in map(folded, header)
    if not exact and len(names) == 2 and all(map(recording.has, names)):
        first, second = recording.column(names[0]), recording.column(names[1])
        backwards = _mostly(sample, first, _is_clock) and not _mostly(sample, second, _is_clock)
        return (TimeColumns(second, first) if backwards else TimeColumns(first, second)), None
    at = recording.column(name)
    is_date, is_time = _mostly(sample, at, _is_date), _mostly(sample, at, _is_clock)
    if not is_date and not is_time:
        return TimeColumns(at), None
    wanted = _is_clock if is_date else _is_date
    for beside in _near(at, len(header), set(taken)):
        if _mostly(sample, beside, wanted):
            date, clock = (at, beside) if is_date else (beside, at)
            told = (
                f"the time stands in two columns: {header[date]!r} and {header[clock]!r} are joined"
            )
            return TimeColumns(date, clock), told
    return TimeColumns(at), None


def date_text(text: str) -> str:
    """Without the midnight that a spreadsheet writes where there is no time of day."""
    plain = text.strip()
    midnight = _MIDNIGHT.fullmatch(plain)
    return plain if midnight is None else midnight[1]


def cell(cells: Sequence[str], at: int) -> str:
    """A row's cell; nothing where the row is too short."""
    return cells[at] if at < len(cells) else ""


def clock_text(text: str) -> str:
    """``0815``, ``8``, ``81530`` and ``0.34375`` (of a day) as a time of day."""
    plain = text.strip()
    day_zero = _DAY_ZERO.fullmatch(plain)
    if day_zero is not None:
        return day_zero[1]
    if plain.isdigit():
        if len(plain) <= 2:
            return f"{plain}:00"
        if len(plain) <= 4:
            return f"{plain[:-2]}:{plain[-2:]}"
        return f"{plain[:-4]}:{plain[-4:-2]}:{plain[-2:]}" if len(plain) <= 6 else plain
    if plain.startswith(("0.", ".")) and plain.replace(".", "", 1).isdigit():
        return str(timedelta(seconds=round(float(plain) * 86_400)))
    return plain


def zone_column(recording: Recording, sample: Rows) -> int | None:
    """A column that gives each row's zone."""
    for at, name in enumerate(recording.header):
        plain = _squeezed(name)
        if plain not in _ZONE_NAMES or not _values(sample, at):
            continue
        # Where the name leaves no doubt, a zone that is not known must not become UTC.
        if plain in _SURELY_ZONE or _mostly(
            sample, at, lambda text: zone(text, CENTRAL) is not None
        ):
            return at
    return None


def meaning_of_cst(
    recording: Recording, sample: Rows, time_at: int, zone_at: int | None, given: tzinfo | None
) -> tzinfo | None:
    """Chicago's or Taipei's: by the zones beside it, else by the offset that was given."""
    if zone_at is not None and _squeezed(recording.header[zone_at]) == "tzcd":
        return CENTRAL
    places = [time_at] if zone_at is None else [time_at, zone_at]
    for _, cells in sample:
        for at in places:
            if at < len(cells) and is_american(cells[at].rpartition(" ")[2]):
                return CENTRAL
    if given is not None:
        ahead = given.utcoffset(None)
        return given if ahead in (timedelta(hours=8), timedelta(hours=-6)) else None
    return TAIWAN if any(re.search("[\u4e00-\u9fff]", name) for name in recording.header) else None


def stated_zone(recording: Recording, columns: TimeColumns) -> tzinfo | None:
    """What the header of the time, or a line before the header, says of the zone."""
    for at in (columns.date, columns.clock):
        if at is not None and (found := in_header(recording.header[at])) is not None:
            return found
    for line in recording.preface:
        if (found := in_preface(line)) is not None:
            return found
    return None


def header_rows(
    sample: Rows, columns: TimeColumns, signals: Sequence[int], reader: TimeReader
) -> tuple[set[int], dict[int, str]]:
    """Lines right below the header that are no readings, and the units that they give."""
    lines: set[int] = set()
    units: dict[int, str] = {}
    for line, cells in sample[:_HEADER_ROWS]:
        date = cells[columns.date] if columns.date < len(cells) else ""
        words = [cells[at].strip() for at in signals if at < len(cells)]
        if reader.read(date) is not None or not any(words):
            break
        if any(is_number(word) or _NUMERIC.fullmatch(word) for word in words):
            break
        lines.add(line)
        if not units:
            units = {at: cell for at, cell in enumerate(cells) if unit_in(cell)}
    return lines, units


def station_column(
    recording: Recording, sample: Rows, columns: TimeColumns, signals: Iterable[int]
) -> int | None:
    """A column that says of which station a row is: by its name, or by what it sets apart."""
    taken = {columns.date, columns.clock, *signals}
    named = [
        at
        for at, name in enumerate(recording.header)
        if at not in taken and _squeezed(name) in _STATION_NAMES
    ]
    if named:
        return max(named, key=lambda at: len(_values(sample, at)))
    return _setting_apart(recording, sample, columns, taken)


def item_column(recording: Recording, signals: Iterable[int]) -> int | None:
    """A column that says what was measured, in a table with one value to a row."""
    taken = set(signals)
    return next(
        (
            at
            for at, name in enumerate(recording.header)
            if at not in taken and _squeezed(name) in _ITEM_NAMES
        ),
        None,
    )


def unit_column(recording: Recording) -> int | None:
    """A column with the unit of each row's value."""
    names = enumerate(recording.header)
    return next((at for at, name in names if _squeezed(name) in _UNIT_NAMES), None)


def typical(sample: Rows, at: int) -> float | None:
    """The median of a column's plain numbers that are no sentinels."""
    numbers = sorted(
        float(cells[at])
        for _, cells in sample
        if at < len(cells) and is_number(cells[at]) and float(cells[at]) not in FAMILY
    )
    return numbers[len(numbers) // 2] if numbers else None


def check_width(recording: Recording, sample: Rows, not_readings: set[int]) -> None:
    """Raises ``RecordingUnreadable`` where each row has digits more than the header has names.

    ``8,125`` without quotation marks in a table that commas separate would be read as 8.
    """
    columns, rows = len(recording.header), [r for r in sample if r[0] not in not_readings]
    if not rows or recording.delimiter != ",":
        return
    more = {len(cells) - columns for _, cells in rows}
    if len(more) == 1 and more.pop() > 0 and all(c[-1].strip().isdigit() for _, c in rows):
        raise RecordingUnreadable(
            recording.path,
            f"its header names {columns} columns, and its rows have {len(rows[0][1])} cells"
            f" (line {rows[0][0]}): decimal commas that are not quoted, or a column without a name",
        )


def is_statistic(cells: Sequence[str]) -> bool:
    """Whether a row without a time is a summary: its first words are ``Max`` or ``平均值``."""
    words = [cell.strip() for cell in cells if cell.strip() and not is_number(cell)]
    return any(_STATISTIC.fullmatch(word) for word in words[:3])


def is_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is the header once more."""
    same = sum(cell.strip() == name for cell, name in zip(cells, header, strict=False) if name)
    return same > len(header) / 2


def _setting_apart(
    recording: Recording, sample: Rows, columns: TimeColumns, taken: set[int | None]
) -> int | None:
    """Where many rows share a moment: the one text column that never repeats within it."""
    moments = Counter(_moment(cells, columns) for _, cells in sample)
    if sum(count for count in moments.values() if count > 1) < 0.3 * max(len(sample), 1):
        return None
    for at in range(len(recording.header)):
        values = _values(sample, at)
        if at in taken or not 2 <= len(values) <= 50 or len(values) > len(sample) / 3:
            continue
        pairs = Counter(
            (_moment(cells, columns), cells[at]) for _, cells in sample if at < len(cells)
        )
        words = sum(not is_number(value) or value.isdigit() for value in values)
        if max(pairs.values()) == 1 and words == len(values):
            return at
    return None


def _moment(cells: list[str], columns: TimeColumns) -> tuple[str, ...]:
    places = (columns.date, columns.clock)
    return tuple(cells[at] for at in places if at is not None and at < len(cells))


def _values(sample: Rows, at: int) -> set[str]:
    return {cells[at].strip() for _, cells in sample if at < len(cells) and cells[at].strip()}


def _mostly(sample: Rows, at: int, right: Callable[[str], bool]) -> bool:
    texts = [cells[at].strip() for _, cells in sample if at < len(cells) and cells[at].strip()]
    return bool(texts) and sum(map(right, texts)) >= _MOST * len(texts)


def _is_clock(text: str) -> bool:
    return _CLOCK.fullmatch(_DAY_ZERO.sub(r"\1", text)) is not None


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(date_text(text)) is not None


def _near(at: int, columns: int, taken: set[int]) -> list[int]:
    """The column to the right, the one to the left, and then the others by distance."""
    others = [other for other in range(columns) if other != at and other not in taken]
    return sorted(others, key=lambda other: (abs(other - at), other < at))


def is_number(text: str) -> bool:
    """Whether Python reads it as one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_\-.()\[\]:]", "", folded(name))
