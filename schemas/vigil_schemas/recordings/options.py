"""The options of a command that reads a recording: the same words in every program."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Mapping, Sequence
from datetime import timezone
from pathlib import Path
from typing import Final

from vigil_schemas.recordings.cells import Commas
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.series import Wanted
from vigil_schemas.recordings.zones import parse_offset

NOT_STRICT: Final = 3
"""Exit status where ``--strict`` does not take what was guessed or left out."""
_COMMAS: Final[Mapping[str, Commas]] = {"comma": "decimal", "point": "grouping"}


def add_options(command: argparse.ArgumentParser) -> None:
    """Of times, numbers and layout."""
    # argparse takes -07:00 for an option: to it only -7 and -7.0 look like numbers.
    command._negative_number_matcher = re.compile(r"-(\d+(:?\d\d)?|\d*\.\d+)$")
    command.add_argument(
        "--time", required=True, metavar="COLUMN", help="or DATE,CLOCK where it stands in two"
    )
    command.add_argument("--signals", required=True, metavar="A,B", help="columns to check")
    command.add_argument(
        "--utc-offset",
        metavar="+HH:MM",
        help="of times that state no zone, instead of the header's; by default UTC",
    )
    _add_numbers(command)
    _add_layout(command)


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


def signals_of(args: argparse.Namespace) -> list[str]:
    """Those of ``--signals``. Raises ``OptionWrong``."""
    signals = [name.strip() for name in next(csv.reader([args.signals]), [])]
    if not any(signals):
        raise OptionWrong("--signals names no column; write it as --signals ph,cond")
    return signals


def wanted_of(args: argparse.Namespace, limits: Mapping[str, Limits]) -> Wanted:
    """Raises ``OptionWrong``."""
    if (args.item is None) != (args.value is None):
        raise OptionWrong("--item and --value belong together: the columns of names and of values")
    station: tuple[str, str] | None = None
    if args.station is not None:
        column, equals, name = args.station.partition("=")
        if not equals or not column.strip():
            raise OptionWrong(f"--station {args.station!r}: write it as COLUMN=NAME")
        station = column.strip(), name.strip()
    return Wanted(
        limits=limits,
        offset=None if args.utc_offset is None else offset_of(args.utc_offset),
        sentinels=frozenset(args.sentinel),
        kept=frozenset(args.keep),
        commas=None if args.decimal is None else _COMMAS[args.decimal],
        station=station,
        item=args.item,
        value=args.value,
    )


def opened(
    path: Path, args: argparse.Namespace, signals: Sequence[str], wanted: Wanted
) -> Recording:
    """The recording, its header found by the columns that are asked for. To be closed."""
    columns = [wanted.item, wanted.value] if wanted.item and wanted.value else signals
    station = [] if wanted.station is None else [wanted.station[0]]
    return Recording(
        path, [args.time, *[name for name in columns if name], *station], args.encoding
    )


def one_line(text: str) -> str:
    """Whatever a file's own bytes brought into it, nothing of it reaches the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def offset_of(text: str) -> timezone:
    """What ``--utc-offset`` says. Raises ``OptionWrong``."""
    try:
        return parse_offset(text)
    except ValueError as error:
        raise OptionWrong(f"--utc-offset: {error}") from error
