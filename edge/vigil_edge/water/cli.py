"""``vigil-edge water``: quality control over a recording, and a look at a probe."""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Iterable
from datetime import timezone
from pathlib import Path
from typing import Final

from vigil_edge.progress import Progress
from vigil_edge.water import commissioning
from vigil_edge.water.json_lines import of_block, of_row
from vigil_edge.water.replay import replay
from vigil_edge.water.replay_columns import Block
from vigil_edge.water.rows import Row
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.expected import limits_for, with_range
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.series import Wanted
from vigil_schemas.recordings.tally import Tally
from vigil_schemas.recordings.telling import lines
from vigil_schemas.recordings.zones import parse_offset

_NOT_STRICT: Final = 3
"""Exit status where ``--strict`` does not take what was guessed or left out."""
_COMMAS: Final = {"comma": "decimal", "point": "grouping"}


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``replay`` and ``probe``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    command = commands.add_parser("replay", help="flag every row of a recording (CSV, also packed)")
    # argparse takes -07:00 for an option: to it only -7 and -7.0 look like numbers.
    command._negative_number_matcher = re.compile(r"-(\d+(:?\d\d)?|\d*\.\d+)$")
    command.add_argument("file", type=Path, metavar="FILE[.gz]")
    command.add_argument(
        "--time", required=True, metavar="COLUMN", help="or DATE,CLOCK where it stands in two"
    )
    command.add_argument("--signals", required=True, metavar="A,B", help="columns to check")
    command.add_argument(
        "--range",
        action="append",
        default=[],
        metavar="A=LOW,HIGH",
        help="outside of it signal A fails; without it the range goes by the column's name",
    )
    command.add_argument(
        "--utc-offset",
        metavar="+HH:MM",
        help="of times that state no zone, instead of the header's; by default UTC",
    )
    _add_numbers(command)
    _add_layout(command)
    command.set_defaults(run=_replay)
    commissioning.add_command(commands)


def _add_numbers(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--sentinel",
        action="append",
        default=[],
        type=float,
        metavar="NUMBER",
        help="a number that stands for a missing reading, besides -9999 and its family",
    )
    command.add_argument(
        "--keep",
        action="append",
        default=[],
        type=float,
        metavar="NUMBER",
        help="a number of that family (such as 999) that is a reading",
    )
    command.add_argument(
        "--decimal", choices=sorted(_COMMAS), help="what sets decimals apart, where cells differ"
    )


def _add_layout(command: argparse.ArgumentParser) -> None:
    command.add_argument("--station", metavar="COLUMN=NAME", help="only this station's rows")
    command.add_argument(
        "--item", metavar="COLUMN", help="of a table with one value to a row: what was measured"
    )
    command.add_argument("--value", metavar="COLUMN", help="its value; --signals then names items")
    command.add_argument("--encoding", metavar="NAME", help="such as big5, cp1252, utf-16")
    command.add_argument(
        "--strict", action="store_true", help="exit 3 where anything was guessed or left out"
    )


def _replay(args: argparse.Namespace) -> int:
    signals = [name.strip() for name in next(csv.reader([args.signals]), [])]
    if not any(signals):
        raise OptionWrong("--signals names no column; write it as --signals ph,cond")
    wanted, tally = _wanted(args, signals), Tally()
    columns = [wanted.item, wanted.value] if wanted.item and wanted.value else signals
    station = [] if wanted.station is None else [wanted.station[0]]
    recording = Recording(
        args.file, [args.time, *[name for name in columns if name], *station], args.encoding
    )
    try:
        _write(replay(recording, args.time, signals, wanted, tally), recording)
    finally:
        recording.close()
    doubtful = False
    for line in lines(tally):
        doubtful = doubtful or line.doubtful
        print(f"vigil-edge: {_one_line(line.text)}", file=sys.stderr)
    return _NOT_STRICT if args.strict and doubtful else 0


def _wanted(args: argparse.Namespace, signals: list[str]) -> Wanted:
    if (args.item is None) != (args.value is None):
        raise OptionWrong("--item and --value belong together: the columns of names and of values")
    station: tuple[str, str] | None = None
    if args.station is not None:
        column, equals, name = args.station.partition("=")
        if not equals or not column.strip():
            raise OptionWrong(f"--station {args.station!r}: write it as COLUMN=NAME")
        station = column.strip(), name.strip()
    return Wanted(
        limits=dict(_limits(text, signals) for text in args.range),
        offset=None if args.utc_offset is None else _offset(args.utc_offset),
        sentinels=frozenset(args.sentinel),
        kept=frozenset(args.keep),
        commas=_COMMAS.get(args.decimal),  # type: ignore[arg-type]  # its values are `Commas`
        station=station,
        item=args.item,
        value=args.value,
    )


def _write(rows: Iterable[Row | Block], recording: Recording) -> None:
    write, progress = sys.stdout.write, Progress(recording.path.name, "rows")
    done = 0
    for row in rows:
        if isinstance(row, Row):
            done += 1
            write(of_row(row))
        else:
            done += len(row.times)
            write(of_block(row))
        progress.show(recording.progress, done)
    progress.end()


def _one_line(text: str) -> str:
    """Whatever a file's own bytes brought into it, nothing of it reaches the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


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
