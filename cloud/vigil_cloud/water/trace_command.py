"""``vigil-cloud water trace``: which outfall explains what the stations saw, as JSON."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final

from vigil_cloud.spreadsheets import is_blank, surplus, twice
from vigil_schemas.errors import VigilError
from vigil_schemas.recordings.cells import SENTINELS
from vigil_schemas.recordings.encodings import detect

if TYPE_CHECKING:
    from vigil_cloud.water.channels import Channels
    from vigil_cloud.water.station_curves import Observed

COLUMNS: Final = ("time", "station", "value")
_DELIMITERS: Final = ",;\t|"
_PACKED: Final = b"\x1f\x8b"
_SHOWN: Final = 5
_FIRST_S: Final = datetime(2, 1, 1, tzinfo=UTC).timestamp()
_LAST_S: Final = datetime(9998, 12, 31, tzinfo=UTC).timestamp()
_LARGEST: Final = 64 * 2**20
"""Bytes, unpacked: some two million readings."""
_MOST_MISTAKES: Final = 1000
_LONGEST_S: Final = 1e8
_SEARCHED_S: Final = 60.0
"""For longer no further source is tried: a chain of thousands of reaches would take hours."""
_SHORT_S: Final = 10.0
"""Values of so little time altogether: it is written in days."""
_OTHERS: Final = ("cp950", "gb18030", "cp1252")
_HIGHEST: Final = 1e8
"""g/m³, and more than anything weighs: a sentinel, or what a spoilt cell was read as."""
_FAR: Final = 50
"""Times the usual step of a station, and an hour at least: a value so far from others is alone."""
_FAR_S: Final = 3600.0
_AHEAD_S: Final = 86400.0
"""Seconds: so far ahead a clock may be wrong, or in another zone."""


class BadObservations(VigilError):
    """A file of observations that cannot be used. ``mistakes``: each with its line."""

    code: ClassVar[str] = "bad-observations"
    remedy: ClassVar[str] = (
        "Give a CSV with the columns time, station and value (g/m³ above the background); times all"
        " in seconds, or all in ISO 8601."
    )

    def __init__(self, mistakes: list[str]) -> None:
        more = f" (and {len(mistakes) - _SHOWN} more)" if len(mistakes) > _SHOWN else ""
        super().__init__("; ".join(mistakes[:_SHOWN]) + more)
        self.mistakes = mistakes


def add_options(parser: argparse.ArgumentParser) -> None:
    """The network and what was seen."""
    parser.add_argument("network", type=Path, metavar="NETWORK.geojson")
    parser.add_argument("observations", type=Path, metavar="OBSERVATIONS.csv")
    parser.add_argument(
        "--lasting",
        type=_lasting,
        metavar="LEAST,MOST",
        help="seconds that the release lasted, where that is known (a tank that burst: 1,120)",
    )


def _lasting(text: str) -> tuple[float, float]:
    """Raises ``ArgumentTypeError``."""
    try:
        least, most = map(float, text.split(","))
    except ValueError:
        least = most = 0.0
    if not 1 <= least <= most <= _LONGEST_S:
        raise argparse.ArgumentTypeError(
            f"{text!r}: two numbers of seconds, from 1 to {_LONGEST_S:g}, the least first"
        )
    return least, most


def trace(options: argparse.Namespace) -> int:
    """Print the suspects, the likeliest first. Raises ``BadChannels``, ``BadObservations``,
    ``OSError``."""
    from vigil_cloud.water import channels
    from vigil_cloud.water.pace import beside, trace_in
    from vigil_cloud.water.plume_forecast import forecast

    network = channels.load(options.network)
    observed, zone, notes = _read(options.observations, network)
    notes += [f"not connected with the rest: {names}" for names in network.apart()]
    until = monotonic() + _SEARCHED_S
    traced = trace_in(
        network, observed, lasting_s=options.lasting, spare=lambda: monotonic() < until
    )
    if traced.untried:
        notes.append(f"the network is large: {traced.untried} possible sources were not tried")
    if traced.apart:
        names = ", ".join(traced.apart)
        notes.append(f"no single release can have reached {names} and the other stations: left out")
    suspects = traced.suspects
    first = min(float(one.times_s[0]) for one in observed.values())
    last = max(float(one.times_s[-1]) for one in observed.values())
    if odd := beside(network, first, last):
        notes.append(odd)
    ahead = forecast(network, traced, observed, now_s=last)
    for note in notes:
        sys.stderr.write(f"vigil-cloud: {note}\n")
    if not suspects:
        notes.append("no station has seen anything that a release in this network explains")

    def moment(seconds: float) -> float | str:
        if zone is None:
            return round(seconds, 1)
        # What says nothing of when has an interval that no calendar goes on to.
        bounded = min(max(seconds, _FIRST_S), _LAST_S)
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(bounded))
        return shown.astimezone(zone).isoformat()

    found = [
        {
            "reach": one.reach,
            "outfall": one.outfall,
            "probability": round(one.probability, 6),
            "start": [moment(one.start_s[0]), moment(one.start_s[1])],
            "mass": [float(f"{one.mass_g[0]:.6g}"), float(f"{one.mass_g[1]:.6g}")],
            "duration_s": round(one.duration_s, 1),
            "explains": list(one.explains),
        }
        for one in suspects
    ]
    answer = {
        "suspects": found,
        "unexplained": round(traced.unexplained, 6),
        "misfit": float(f"{traced.misfit:.4g}"),
        "next_samples": [
            {
                "reach": one.reach,
                "offset_m": network.reaches[one.reach].length_m,
                "suspected": round(one.suspected, 4),
                "bits": round(one.bits, 4),
                "passes": [moment(one.from_s), moment(one.until_s)],
            }
            for one in ahead.samples
        ],
        "notes": notes,
    }
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return 0


def _read(path: Path, network: Channels) -> tuple[dict[str, Observed], tzinfo | None, list[str]]:
    text, told = _text(path, [name for name in network.points if not name.isascii()])
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in reader.fieldnames]:
            raise BadObservations([f"there is no column {', '.join(missing)}"])
        if again := twice(reader.fieldnames):
            raise BadObservations([f"a column is there twice: {', '.join(again)}"])
        observed, zone, notes = _taken(reader, network, delimiter)
    except csv.Error as error:  # a field without an end, for one
        raise BadObservations([f"line {reader.line_num + 1}: {error}"]) from error
    return observed, zone, told + notes


def _text(path: Path, names: Sequence[str]) -> tuple[str, list[str]]:
    """Of a file, packed or not, in whatever encoding recordings are read; and what was guessed.
    ``names``: of two letters little is guessed, but they may be known ones."""
    try:
        data = _unpacked(path)
        encoding = detect(lambda: io.BytesIO(data))
        name, text = encoding.name, data.decode(encoding.name)
        for other in () if encoding.certain or any(one in text for one in names) else _OTHERS:
            tried = data.decode(other, "replace")
            if any(one in tried for one in names):
                name, text = other, tried
                break
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadObservations([f"{path.name}: {error}"]) from error
    except UnicodeDecodeError as error:
        raise BadObservations([f"{path.name} is no text, or not UTF-8"]) from error
    if "\0" in text:
        raise BadObservations([f"{path.name} is no text"])
    return text, [] if encoding.certain else [f"not UTF-8; read as {name}"]


def _unpacked(path: Path) -> bytes:
    """What is in it; a little file that is packed may hold more than there is memory. Raises
    ``BadObservations``, and what a damaged one raises."""
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if data.startswith(_PACKED) and len(data) <= _LARGEST:
        with gzip.open(path) as unpacked:
            data = unpacked.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        most = _LARGEST // 2**20
        raise BadObservations(
            [f"{path.name} holds more than {most} MiB: give the hours that matter alone"]
        )
    return data


class _Rows:
    """Values by station and time, and what is odd about the rows."""

    def __init__(self, network: Channels, delimiter: str) -> None:
        self._network, self._decimal_comma = network, delimiter != ","
        self.of: dict[str, dict[float, float]] = defaultdict(dict)
        self.zones: set[tzinfo | None] = set()
        self.mistakes: list[str] = []
        self._before: dict[str, float] = {}
        self._twice = self._blank = self._beyond = self._backward = self._unzoned = self._zoned = 0

    def take(self, line: int, row: dict[str, str]) -> None:
        if is_blank(row):
            return
        if surplus(row):
            self.mistakes.append(f"line {line}: more cells than columns")
            return
        try:
            at, zone, stated = _moment(row["time"] or "")
            value = self._number(row["value"] or "nan")
            station = self._network.point(row["station"] or "", "station").id
        except (ValueError, VigilError) as error:
            self.mistakes.append(f"line {line}: {error}")
            return
        self.zones.add(zone)
        self._unzoned += not stated
        self._zoned += stated
        if not isfinite(value) or value in SENTINELS:
            self._blank += 1
            return
        if abs(value) > _HIGHEST:
            self._beyond += 1
            return
        self._backward += at < self._before.get(station, at)
        self._before[station] = at
        self._twice += at in self.of[station]
        self.of[station][at] = value

    def _number(self, text: str) -> float:
        """Where cells are set apart by something else, a single comma is a decimal one."""
        if self._decimal_comma and "." not in text and text.count(",") == 1:
            text = text.replace(",", ".")
        return float(text)

    def finish(self) -> list[str]:
        """What is odd, in words. Raises ``BadObservations``."""
        from vigil_cloud.water.station_curves import SPARSE

        if len({zone is None for zone in self.zones}) > 1:
            self.mistakes.append("some times are in seconds, some in ISO 8601")
        if not self.mistakes and not self.of:
            more = f": {self._beyond} are more than {_HIGHEST:g} g/m³" if self._beyond else ""
            self.mistakes.append(f"there is no value in it{more}")
        if self.mistakes:
            raise BadObservations(self.mistakes)
        counted = (
            (self._blank, "rows without a value were left out"),
            (self._beyond, f"rows of more than {_HIGHEST:g} g/m³ (no water holds it) left out"),
            (self._backward, "rows are earlier than the one before of their station: sorted"),
        )
        notes = [f"{count} {text}" for count, text in counted if count]
        if self._zoned and self._unzoned:
            notes.append(f"{self._unzoned} rows have no zone: read as UTC")
        if None not in self.zones:
            notes += _beside(self.of)
        notes += _short(self.of) + _alone(self.of)
        notes += [
            f"{station} has fewer than {SPARSE} values: they count as samples, not as a curve"
            for station, held in sorted(self.of.items())
            if 0 < len(held) < SPARSE
        ]
        if self._twice:
            notes.append(f"{self._twice} rows repeat a time of their station: the last counts")
        return notes


def _taken(
    given: Iterable[dict[str, str]], network: Channels, delimiter: str
) -> tuple[dict[str, Observed], tzinfo | None, list[str]]:
    import numpy as np

    from vigil_cloud.water.station_curves import Observed

    rows = _Rows(network, delimiter)
    for line, row in enumerate(given, 2):
        rows.take(line, row)
        if len(rows.mistakes) >= _MOST_MISTAKES:
            rows.mistakes.append("what follows was not read")
            break
    notes = rows.finish()
    observed = {
        station: Observed(np.array([at for at, _ in pairs]), np.array([v for _, v in pairs]))
        for station, held in rows.of.items()
        if (pairs := sorted(held.items()))
    }
    zone = next(iter(rows.zones))
    return observed, zone, notes


def _beside(of: dict[str, dict[float, float]]) -> list[str]:
    """Take out what lies in the future, or before there were clocks that count so: one wrong stamp
    would stretch the time that is looked at. Where everything does, it is of a simulation."""
    notes: list[str] = []
    latest = datetime.now(UTC).timestamp() + _AHEAD_S
    for low, high, where in ((latest, inf, "in the future"), (-inf, 0.0, "before 1970")):
        beside = [(name, at) for name, held in of.items() for at in held if low < at < high]
        if not beside:
            continue
        if len(beside) == sum(map(len, of.values())):
            return [*notes, f"every row lies {where}"]
        for station, at in beside:
            del of[station][at]
        notes.append(f"{len(beside)} rows lie {where} and were left out")
    return notes


def _alone(of: dict[str, dict[float, float]]) -> list[str]:
    """A value that stands by itself has another time, or another place: no curve goes there."""
    notes = []
    for station, held in sorted(of.items()):
        times = sorted(held)
        gaps = [later - at for at, later in pairwise(times)]
        if len(gaps) < _SHOWN:
            continue
        far = max(_FAR * sorted(gaps)[len(gaps) // 2], _FAR_S)
        beside = zip([inf, *gaps], times, [*gaps, inf], strict=True)
        if alone := [at for before, at, after in beside if min(before, after) > far]:
            notes.append(
                f"{len(alone)} values of {station} stand hours from all its others: are their times"
                " right?"
            )
    return notes


def _short(of: dict[str, dict[float, float]]) -> list[str]:
    every = [at for held in of.values() for at in held]
    span = max(every, default=0.0) - min(every, default=0.0)
    if len(every) < _SHOWN or not 0 < span < _SHORT_S:
        return []
    return [f"all times lie within {span:.3g} s: are they in seconds?"]


def _moment(text: str) -> tuple[float, tzinfo | None, bool]:
    """Seconds, the zone, and whether it is stated; without one: as those of seconds are."""
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC).timestamp(), UTC, False
        return moment.timestamp(), moment.tzinfo, True
    if not abs(seconds) <= _LAST_S:
        raise ValueError(f"{text!r} is no time")
    return seconds, None, True
