"""``vigil-edge water``: the gateway's own quality control, over a recording."""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
from collections.abc import Iterable
from datetime import timezone
from pathlib import Path

from vigil_edge.water.errors import OptionWrong
from vigil_edge.water.expected import limits_for, with_range
from vigil_edge.water.qc import Limits
from vigil_edge.water.recording import Recording
from vigil_edge.water.replay import SENTINELS, Row, Tally, replay
from vigil_edge.water.times import parse_offset
from vigil_schemas.types import isoformat_utc


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``replay``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    command = commands.add_parser("replay", help="flag every row of a recording (CSV, also packed)")
    # argparse takes -07:00 for an option: to it only -7 and -7.0 look like numbers.
    command._negative_number_matcher = re.compile(r"-(\d+(:?\d\d)?|\d*\.\d+)$")
    command.add_argument("file", type=Path, metavar="FILE[.gz]")
    command.add_argument("--time", required=True, metavar="COLUMN")
    command.add_argument("--signals", required=True, metavar="A,B", help="columns to check")
    command.add_argument(
        "--range",
        action="append",
        default=[],
        metavar="A=LOW,HIGH",
        help="outside of it signal A fails; without it the range goes by the column's name",
    )
    command.add_argument(
        "--utc-offset", default="UTC", metavar="+HH:MM", help="of times that state no zone"
    )
    command.add_argument(
        "--sentinel",
        action="append",
        default=[],
        type=float,
        metavar="NUMBER",
        help="a number that stands for a missing reading, besides -9999",
    )
    command.set_defaults(run=_replay)


def _replay(args: argparse.Namespace) -> int:
    signals = [name.strip() for name in next(csv.reader([args.signals]), [])]
    if not any(signals):
        raise OptionWrong("--signals names no column; write it as --signals ph,cond")
    limits = dict(_limits(text, signals) for text in args.range)
    offset = _offset(args.utc_offset)
    tally = Tally()
    recording = Recording(args.file, [args.time, *signals])
    try:
        rows = replay(
            recording,
            args.time,
            signals,
            limits=limits,
            offset=offset,
            sentinels=SENTINELS.union(args.sentinel),
            tally=tally,
        )
        _write(rows)
    finally:
        recording.close()
    _conclude(tally)
    return 0


def _write(rows: Iterable[Row]) -> None:
    write, dumps = sys.stdout.write, json.dumps
    for row in rows:
        t = None if row.t is None else isoformat_utc(row.t)
        write(dumps({"t": t, "values": row.values, "flags": row.flags}, ensure_ascii=False) + "\n")


def _conclude(tally: Tally) -> None:
    if tally.first_unreadable is None:
        return
    line, text = tally.first_unreadable
    print(
        f"vigil-edge: {tally.unreadable_times} of {tally.rows} rows have a time that cannot be"
        f" read; they are there with t null (first: line {line}: {text[:60]!r})",
        file=sys.stderr,
    )


def _limits(text: str, signals: list[str]) -> tuple[str, Limits]:
    name, equals, bounds = text.rpartition("=")
    try:
        low, high = (float(bound) for bound in bounds.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not equals or not low <= high:
        raise OptionWrong(f"--range {text!r}: write it as SIGNAL=LOW,HIGH, such as ph=6,9")
    if name.strip() not in signals:
        raise OptionWrong(f"--range {text!r}: {name.strip()!r} is not among --signals")
    return name.strip(), with_range(limits_for(name), low, high)


def _offset(text: str) -> timezone:
    try:
        return parse_offset(text)
    except ValueError as error:
        raise OptionWrong(f"--utc-offset: {error}") from error
