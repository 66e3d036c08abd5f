"""``vigil-edge water``: quality control over a recording, and a look at a probe."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vigil_edge.water import commissioning
from vigil_edge.water.json_lines import of_block, of_row
from vigil_edge.water.replay import by_columns_here, replay
from vigil_edge.water.rows import Row
from vigil_edge.water.visits import Visits
from vigil_schemas.recordings import options
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.expected import limits_for, with_range
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.progress import Progress
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.tally import Tally
from vigil_schemas.recordings.telling import lines

if TYPE_CHECKING:
    from vigil_edge.water.replay_columns import Block


def add_commands(domain_parser: argparse.ArgumentParser) -> None:
    """Register ``replay`` and ``probe``."""
    commands = domain_parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    command = commands.add_parser("replay", help="flag every row of a recording (CSV, also packed)")
    command.add_argument("file", type=Path, metavar="FILE[.gz]")
    command.add_argument(
        "--range",
        action="append",
        default=[],
        metavar="A=LOW,HIGH",
        help="outside of it signal A fails; without it the range goes by the column's name",
    )
    command.add_argument(
        "--visits",
        type=Path,
        metavar="VISITS.csv",
        help="what cleanings and calibrations found: corrected values stand beside the raw ones",
    )
    options.add_options(command)
    command.set_defaults(run=_replay)
    commissioning.add_command(commands)


def _replay(args: argparse.Namespace) -> int:
    signals = options.signals_of(args)
    wanted = options.wanted_of(args, dict(_limits(text, signals) for text in args.range))
    visits = None if args.visits is None else Visits(args.visits, signals, wanted.offset)
    tally = Tally()
    if not by_columns_here():
        # The results are the same: whoever waits for a long file should know why.
        print("vigil-edge: without numpy every row is read by itself: slower", file=sys.stderr)
    recording = options.opened(args.file, args, signals, wanted)
    try:
        _write(replay(recording, args.time, signals, wanted, tally), recording, visits)
    finally:
        recording.close()
    doubtful = False
    for line in lines(tally):
        doubtful = doubtful or line.doubtful
        print(f"vigil-edge: {options.one_line(line.text)}", file=sys.stderr)
    return options.NOT_STRICT if args.strict and doubtful else 0


def _write(rows: Iterable[Row | Block], recording: Recording, visits: Visits | None) -> None:
    write = sys.stdout.write
    progress = Progress("vigil-edge", recording.path.name, "rows")
    done = 0
    for row in rows:
        if isinstance(row, Row):
            done += 1
            text = of_row(row)
        else:
            done += len(row.times)
            text = of_block(row)
        write(text if visits is None else visits.beside(text))
        progress.show(recording.progress, done)
    progress.end()


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
