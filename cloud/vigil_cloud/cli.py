"""``vigil-cloud``: serve, or its parts alone, and what an operator does by hand.

The commands are in ``commands/``, one file per subject; a new subject is added to
``SUBJECTS``. A domain's own are in its room's ``cli.py``, where it has one.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from vigil_cloud.commands import (
    account,
    alerts,
    audit,
    backup,
    broker_files,
    channel,
    conform,
    consent,
    database,
    dead_letters,
    device,
    evidence,
    gateway,
    household,
    init,
    openapi,
    processes,
    rehearse,
    secret_key,
    street_map,
)
from vigil_cloud.commands.opening import Run, common_options
from vigil_cloud.shipped import SHIPPED
from vigil_schemas import completion
from vigil_schemas.entrance import Parser, one_line, software
from vigil_schemas.errors import VigilError

SUBJECTS: Final = (
    init,
    processes,
    database,
    backup,
    street_map,
    openapi,
    account,
    gateway,
    broker_files,
    device,
    dead_letters,
    conform,
    consent,
    household,
    channel,
    alerts,
    audit,
    evidence,
    secret_key,
    rehearse,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 2 a mistake that the message names."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names are UTF-8 under any locale: what was done must not end in an error of printing it.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    options = _parser().parse_args(arguments)
    run: Run = options.run
    try:
        return run(options)
    except VigilError as error:
        print(f"vigil-cloud: {error.code}: {one_line(error)}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read our output has seen enough; point stdout elsewhere for the exit's flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a folder or a certificate that cannot be used
        print(f"vigil-cloud: file-unavailable: {one_line(error)}", file=sys.stderr)
    except Exception as error:
        if not _is_of_the_database(error):
            raise
        first = str(error).strip().splitlines()[0]
        if _lost_a_race(error):
            said = "somebody else changed this at the same moment; look, and ask again"
            print(f"vigil-cloud: changed-meanwhile: {said}", file=sys.stderr)
            return 2
        print(f"vigil-cloud: database-unavailable: {first}", file=sys.stderr)
    return 2


def _is_of_the_database(error: Exception) -> bool:
    """Asked only once something has failed, so that ``--help`` loads no database."""
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError)


def _lost_a_race(error: Exception) -> bool:
    from vigil_cloud.database.engine import lost_a_race

    return lost_a_race(error)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(prog="vigil-cloud", description="Vigil's cloud")
    parser.add_argument("--version", action="version", version=f"vigil-cloud {software()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for subject in SUBJECTS:
        subject.add(commands, common_options())
    for domain in SHIPPED:
        name = f"vigil_cloud.{domain}.cli"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).add(commands, common_options())
    completion.add(commands, _parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
