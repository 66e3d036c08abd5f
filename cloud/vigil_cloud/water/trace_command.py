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
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from vigil_cloud.spreadsheets import surplus, twice
from vigil_schemas.errors import VigilError
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
    if not (isfinite(most) and 0 < least <= most):
        raise argparse.ArgumentTypeError(
            f"{text!r}: two numbers of seconds above 0, the least first"
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
    traced = trace_in(network, observed, lasting_s=options.lasting)
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
    text, told = _text(path)
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
        observed, zone, notes = _taken(reader, network)
    except csv.Error as error:  # a field without an end, for one
        raise BadObservations([f"line {reader.line_num + 1}: {error}"]) from error
    return observed, zone, told + notes


def _text(path: Path) -> tuple[str, list[str]]:
    """Of a file, packed or not, in whatever encoding recordings are read; and what was guessed."""
    try:
        data = _unpacked(path)
        encoding = detect(lambda: io.BytesIO(data))
        text = data.decode(encoding.name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadObservations([f"{path.name}: {error}"]) from error
    except UnicodeDecodeError as error:
        raise BadObservations([f"{path.name} is no text, or not UTF-8"]) from error
    if "\0" in text:
        raise BadObservations([f"{path.name} is no text"])
    return text, [] if encoding.certain else [f"not UTF-8; read as {encoding.name}"]


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


def _taken(
    rows: Iterable[dict[str, str]], network: Channels
) -> tuple[dict[str, Observed], tzinfo | None, list[str]]:
    import numpy as np

    from vigil_cloud.water.station_curves import SPARSE, Observed

    of: dict[str, dict[float, float]] = defaultdict(dict)
    mistakes: list[str] = []
    zones: set[tzinfo | None] = set()
    before: dict[str, float] = {}
    twice = blank = backward = 0
    for line, row in enumerate(rows, 2):
        if surplus(row):
            mistakes.append(f"line {line}: more cells than columns")
            continue
        try:
            at, zone = _moment(row["time"] or "")
            value = float(row["value"] or "nan")
            station = network.point(row["station"] or "", "station").id
        except (ValueError, VigilError) as error:
            mistakes.append(f"line {line}: {error}")
            continue
        zones.add(zone)
        if not isfinite(value):
            blank += 1
            continue
        backward += at < before.get(station, at)
        before[station] = at
        twice += at in of[station]
        of[station][at] = value
    if len({zone is None for zone in zones}) > 1:
        mistakes.append("some times are in seconds, some in ISO 8601")
    if not mistakes and not of:
        mistakes.append("there is no value in it")
    if mistakes:
        raise BadObservations(mistakes)
    notes = [f"{blank} rows without a value were left out"] if blank else []
    if backward:
        notes.append(f"{backward} rows are earlier than the one before of their station: sorted")
    if None not in zones:
        notes += _future(of)
    notes += [
        f"{station} has fewer than {SPARSE} values: they count as samples, not as a curve"
        for station, held in sorted(of.items())
        if len(held) < SPARSE
    ]
    notes += [f"{twice} rows repeat a time of their station: the last counts"] if twice else []
    observed = {
        station: Observed(np.array([at for at, _ in pairs]), np.array([v for _, v in pairs]))
        for station, held in of.items()
        if (pairs := sorted(held.items()))
    }
    zone = next(iter(zones))
    return observed, zone, notes


def _future(of: dict[str, dict[float, float]]) -> list[str]:
    """Take out what lies in the future: one wrong stamp would stretch the time that is looked at.
    Where everything does, it is of a simulation."""
    latest = datetime.now(UTC).timestamp() + _AHEAD_S
    ahead = [(station, at) for station, held in of.items() for at in held if at > latest]
    if not ahead:
        return []
    if len(ahead) == sum(map(len, of.values())):
        return ["every row lies in the future"]
    for station, at in ahead:
        del of[station][at]
    return [f"{len(ahead)} rows lie in the future and were left out"]


def _moment(text: str) -> tuple[float, tzinfo | None]:
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.timestamp(), moment.tzinfo
    if not isfinite(seconds):
        raise ValueError(f"{text!r} is no time")
    return seconds, None
