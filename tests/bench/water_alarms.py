"""Of the alarms that inspectors get when a river's recording runs through a gateway: how many are
faults of the sensor.

Bounds are of each station the 0.1 % and 99.9 % quantiles of the corrected series (what a city knows
of its water), the same for every row of what is compared: ``bounds_alone`` judges bare values;
``gateway`` is what a gateway calls, with its quality control and two readings in a row. An alarm is
a fault where an expert labelled a reading between its onset and the second reading after it.

``gateway_saturation`` is the same with oxygen judged by its saturation, as who knows a site's
altitude configures it (``[[water.derived]]``), its bounds the same quantiles: cold water holds more
oxygen than warm, and a bound in mg/L calls of the season. The altitudes are rounded; what the
air's pressure is scales readings and bounds alike.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_edge.water.judge import Judge
from vigil_edge.water.physics import oxygen_saturation
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.recordings.expected import limits_for
from vigil_schemas.recordings.times import TimeReader, decide_order
from vigil_schemas.water import WaterExcursion

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "water"
SIGNALS = ("temp", "cond", "ph", "do")
NONE = ("", "NULL", "NA", "-9999")
LOWEST, HIGHEST = 0.001, 0.999
ALTITUDES_M = {"TonyGrove": 1900.0}
USUAL_ALTITUDE_M = 1400.0
"""Of the valley that the other stations lie in."""
NEAR = 2
"""Readings after an onset that may carry its label."""
Floats = NDArray[np.float64]


class River(NamedTuple):
    """Shapes (rows, signals)."""

    times: list[datetime]
    raw: Floats
    corrected: Floats
    labels: NDArray[np.bool_]


def read(path: Path) -> River:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline=None) as file:
        rows = list(csv.DictReader(file))

    def numbers(form: str) -> Floats:
        cells = [[row[form.format(one)] for one in SIGNALS] for row in rows]
        return np.array([[np.nan if x in NONE else float(x) for x in row] for row in cells])

    reader = TimeReader(decide_order(row["datetime"] for row in rows).order)
    times = [reader.read(row["datetime"]) or datetime.min.replace(tzinfo=UTC) for row in rows]
    labels = [[row[f"{one}_qual"] not in ("", "NULL", "nan") for one in SIGNALS] for row in rows]
    return River(times, numbers("{}"), numbers("{}_cor"), np.array(labels))


def bounds(river: River) -> list[tuple[float, float]]:
    found = []
    trusted = np.where(river.labels, np.nan, river.raw)  # what nobody had to correct
    known = np.where(np.isnan(river.corrected), trusted, river.corrected)
    for column in known.T:
        low, high = np.nanquantile(column, [LOWEST, HIGHEST])
        found.append((float(low), float(high)))
    return found


def pressure_atm(path: Path) -> float:
    """Of the standard atmosphere at a station."""
    known = (height for name, height in ALTITUDES_M.items() if name in path.name)
    return float((1 - 2.25577e-5 * next(known, USUAL_ALTITUDE_M)) ** 5.25588)


def saturation(temperature: float, oxygen: float, pressure: float) -> float:
    """A share; without a number where there is none."""
    try:
        return oxygen / oxygen_saturation(temperature, pressure)
    except ValueError:
        return np.nan


def by_saturation(river: River, pressure: float) -> WaterSettings:
    """Oxygen's bounds are those of its saturation."""
    of = settings(bounds(river)).model_dump(mode="json", by_alias=True, exclude_unset=True)
    trusted = np.where(river.labels, np.nan, river.raw)
    known = np.where(np.isnan(river.corrected), trusted, river.corrected)
    shares = [saturation(row[0], row[3], pressure) for row in known]
    low, high = np.nanquantile(shares, [LOWEST, HIGHEST])
    oxygen = of["signal"][3]
    del oxygen["low"], oxygen["high"]
    of["derived"] = [
        {
            "name": "saturation",
            "formula": "oxygen_saturation",
            "of": "do",
            "temperature": "temp",
            "pressure_atm": pressure,
            "low": 1e3 * float(low),  # the recordings are in mg/L, the formula's input in kg/m3
            "high": 1e3 * float(high),
        }
    ]
    return WaterSettings.model_validate(of)


def settings(of: list[tuple[float, float]]) -> WaterSettings:
    signals: list[dict[str, Any]] = []
    for name, (low, high) in zip(SIGNALS, of, strict=True):
        limits = limits_for(name)
        signal: dict[str, Any] = {"name": name, "low": low, "high": high, "flat_s": limits.flat_s}
        signal["spike_floor"] = limits.spike_floor or limits.spike_floor_share * high
        if limits.fail is not None:
            signal["range_fail"] = limits.fail
        if limits.suspect is not None:
            signal["range_suspect"] = limits.suspect
        signals.append(signal)
    return WaterSettings.model_validate(
        {"device": "river", "driver": "modbus-tcp", "address": "127.0.0.1:502", "signal": signals}
    )


def of_gateway(river: River, bounded: WaterSettings | None = None) -> Iterator[tuple[int, int]]:
    """Row and column of each onset that a gateway sends."""
    judge = Judge(bounded or settings(bounds(river)), None)
    rows = {time: number for number, time in enumerate(river.times)}
    for time, values in zip(river.times, river.raw.tolist(), strict=True):
        given = [None if value != value else value for value in values]
        for one in judge.outgoing([(time, given)]):
            event = one.data
            if isinstance(event, WaterExcursion) and event.phase == "onset":
                name = "do" if event.parameter == "saturation" else event.parameter
                yield rows[event.started], SIGNALS.index(name)


def of_bounds(river: River) -> Iterator[tuple[int, int]]:
    """The same of bare values, each beyond its bound."""
    for column, (low, high) in enumerate(bounds(river)):
        values = river.raw[:, column]
        for beyond in (values > high, values < low):
            for row in np.flatnonzero(np.diff(np.r_[False, beyond].astype(int)) == 1):
                yield int(row), column


def is_fault(river: River, row: int, column: int) -> bool:
    return bool(river.labels[max(row - 1, 0) : row + NEAR + 1, column].any())


def main() -> int:
    paths = sorted(DATA.glob("lro_*.csv.gz"))
    if not paths:
        print("water_alarms skipped: the recordings are not beside the checkout")
        return 0
    rivers = [read(path) for path in paths]
    pressures = [pressure_atm(path) for path in paths]
    ways: dict[str, Callable[[River, float], Iterator[tuple[int, int]]]] = {
        "bounds_alone": lambda river, _: of_bounds(river),
        "gateway": lambda river, _: of_gateway(river),
        "gateway_saturation": lambda river, air: of_gateway(river, by_saturation(river, air)),
    }
    for name, onsets in ways.items():
        found = [
            is_fault(river, *at)
            for river, air in zip(rivers, pressures, strict=True)
            for at in onsets(river, air)
        ]
        print(f"water_alarms {name} alarms: {len(found)}")
        print(f"water_alarms {name} sensor_fault_share: {np.mean(found or [False]):.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
