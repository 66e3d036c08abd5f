"""``vigil-cloud water transport``: what a release does to the water at a station, as CSV."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from math import floor, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from vigil_schemas.errors import VigilError

if TYPE_CHECKING:
    from vigil_cloud.water.channels import Channels
    from vigil_cloud.water.transport import Inflow, Source, Transport

MOST_ROWS: Final = 1_000_000
_MOST: Final = {"--release": 1e15, "--inflow-concentration": 1e8}
"""Grams, or grams a second: a billion tonnes; and g/m³, more than anything weighs."""
_LONGEST_S: Final = 1e13
"""From 0 to either side: beyond it seconds are not told apart, nor do the years have names."""


class BadTransportOption(VigilError):
    """An option that cannot be read. ``option`` names it."""

    code: ClassVar[str] = "bad-transport-option"
    remedy: ClassVar[str] = (
        "Write `--release OUTFALL,GRAMS,TIME`, `--release OUTFALL,GRAMS_PER_SECOND,FROM,UNTIL`, or"
        " `--inflow-concentration G_PER_M3,FROM,UNTIL`; times all in seconds, or all in ISO 8601."
    )

    def __init__(self, option: str, message: str) -> None:
        super().__init__(f"{option}: {message}")
        self.option = option


class _Times(NamedTuple):
    """How times are written: as seconds, or as moments of ISO 8601."""

    read: Callable[[str, str], float]
    write: Callable[[float], str]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is released where and when, and what is asked for."""
    parser.add_argument("network", type=Path, metavar="NETWORK.geojson")
    text = "OUTFALL,GRAMS,TIME or OUTFALL,GRAMS_PER_SECOND,FROM,UNTIL; may be repeated"
    parser.add_argument("--release", action="append", default=[], metavar="RELEASE", help=text)
    text = "G_PER_M3,FROM,UNTIL in all reaches with nothing upstream; may be repeated"
    parser.add_argument(
        "--inflow-concentration", action="append", default=[], metavar="INFLOW", help=text
    )
    parser.add_argument("--station", required=True)
    parser.add_argument("--until", required=True, metavar="TIME")
    parser.add_argument("--step", required=True, metavar="SECONDS")


def transport(options: argparse.Namespace) -> int:
    """Print ``time,concentration`` (g/m³ above the background). Raises ``BadChannels``,
    ``BadTransportOption``, ``OSError``."""
    from vigil_cloud.water import channels

    times = _form(options)
    network = channels.load(options.network)
    sources = [_source(text, network, times) for text in options.release]
    inflows = [_inflow(text, times) for text in options.inflow_concentration]
    if not sources and not inflows:
        raise BadTransportOption("--release", "nothing is released and nothing flows in")
    step, until = _length("--step", options.step), times.read("--until", options.until)
    first = _first(sources, inflows, times, step)
    steps = (until - first) / step
    if steps >= MOST_ROWS:
        raise BadTransportOption("--step", f"that makes {steps:.4g} rows, {MOST_ROWS} at most")
    rows = floor(steps + 1e-9) + 1
    if rows < 2:
        raise BadTransportOption("--until", "it is not later than what is released")
    _print(options, network, sources, inflows, times, [first + step * n for n in range(rows)])
    return 0


def _print(
    options: argparse.Namespace,
    network: Channels,
    sources: Sequence[Source],
    inflows: Sequence[Inflow],
    times: _Times,
    moments: Sequence[float],
) -> None:
    import numpy as np

    from vigil_cloud.water.pace import beside, concentrations_in
    from vigil_cloud.water.transport import Transport

    station = network.point(options.station, "station")
    transport = Transport(network, station, [one.outfall for one in sources])
    _tell_of_what_does_not_count(network, sources, transport)
    if odd := beside(network, moments[0], moments[-1]):
        _tell(odd)
    found = concentrations_in(network, transport, np.array(moments), sources, inflows)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("time", "concentration"))
    for moment, value in zip(moments, found.tolist(), strict=True):
        writer.writerow((times.write(moment), f"{value:.9g}"))


def _tell_of_what_does_not_count(
    network: Channels, sources: Sequence[Source], transport: Transport
) -> None:
    for names in network.apart():
        _tell(f"not connected with the rest: {names}")
    silent = {one.outfall.id for one in sources if not transport.reaches_station(one.outfall)}
    for name in sorted(silent):
        _tell(f"{name} does not flow past the station: it counts for nothing")


def _tell(text: str) -> None:
    sys.stderr.write(f"vigil-cloud: {text}\n")


def _form(options: argparse.Namespace) -> _Times:
    try:
        float(options.until)
    except ValueError:
        zone = _moment("--until", options.until).tzinfo
        return _Times(
            lambda option, text: _moment(option, text).timestamp(),
            lambda value: (
                (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value))
                .astimezone(zone)
                .isoformat()
            ),
        )
    return _Times(_seconds, lambda value: f"{value:.10g}")


def _first(
    sources: Sequence[Source], inflows: Sequence[Inflow], times: _Times, step: float
) -> float:
    """With the first release; of times in seconds a whole number of steps, and 0 or before it."""
    from vigil_cloud.water.transport import Pulse

    begun = [one.at_s if isinstance(one, Pulse) else one.from_s for one in sources]
    first = min(begun + [one.from_s for one in inflows])
    if times.read is not _seconds:
        return first
    before = min(first, 0.0)
    # So many steps that they are no number are refused by their count.
    return floor(before / step) * step if isfinite(before / step) else before


def _source(text: str, network: Channels, times: _Times) -> Source:
    from vigil_cloud.water.transport import Discharge, Pulse

    option = "--release"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4):
        raise BadTransportOption(option, f"{text!r} has {len(parts)} parts, 3 or 4 are wanted")
    outfall = network.point(parts[0], "outfall")
    amount = _not_below_0(option, parts[1])
    if len(parts) == 3:
        return Pulse(outfall, amount, times.read(option, parts[2]))
    return Discharge(outfall, amount, *_span(option, parts[2], parts[3], times))


def _inflow(text: str, times: _Times) -> Inflow:
    from vigil_cloud.water.transport import Inflow

    option = "--inflow-concentration"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3:
        raise BadTransportOption(option, f"{text!r} has {len(parts)} parts, 3 are wanted")
    return Inflow(_not_below_0(option, parts[0]), *_span(option, parts[1], parts[2], times))


def _span(option: str, first: str, last: str, times: _Times) -> tuple[float, float]:
    begin, end = times.read(option, first), times.read(option, last)
    if end <= begin:
        raise BadTransportOption(option, f"{last} is not later than {first}")
    return begin, end


def _number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadTransportOption(option, f"{text!r} is no number") from error
    if not isfinite(value):
        raise BadTransportOption(option, f"{text!r} is no number")
    return value


def _length(option: str, text: str) -> float:
    value = _seconds(option, text)
    if value <= 0:
        raise BadTransportOption(option, f"{text} is not above 0")
    return value


def _not_below_0(option: str, text: str) -> float:
    value = _number(option, text)
    if value < 0:
        raise BadTransportOption(option, f"{text} is below 0")
    if value > _MOST[option]:
        raise BadTransportOption(option, f"{text} is more than {_MOST[option]:g}")
    return value


def _seconds(option: str, text: str) -> float:
    value = _number(option, text)
    if abs(value) > _LONGEST_S:
        raise BadTransportOption(option, f"{text} seconds is no time")
    return value


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTransportOption(option, f"{text!r} is no time in ISO 8601") from error
    if not MINYEAR < moment.year < MAXYEAR:
        raise BadTransportOption(option, f"{text!r}: there is no day before or after it")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)  # all of them alike, so that only differences count
    return moment
