"""``vigil-cloud rehearse``: the whole cloud with a clock that standard input moves."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vigil_cloud.commands.opening import Commands, add_command, settings_of
from vigil_cloud.stopping import stoppable

if TYPE_CHECKING:
    from vigil_cloud.rehearsal import Rehearsal


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``rehearse``."""
    text = "everything in one process, by a clock that is moved over standard input (demo only)"
    parser = add_command(commands, "rehearse", _rehearse, text, common)
    parser.add_argument(
        "--start", type=_moment, required=True, metavar="TIME", help="2026-03-02T00:00:00+08:00"
    )
    parser.add_argument("--seed", type=Path, metavar="FILE", help="applied at the start")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with an offset")
    return moment.astimezone(UTC)


def _rehearse(options: argparse.Namespace) -> int:
    from vigil_cloud import rehearsal, seed, serving
    from vigil_cloud.identity import passwords
    from vigil_cloud.stores import build_services

    settings = settings_of(options)
    rehearsal.require_demo(settings)
    clock = rehearsal.RehearsalClock(options.start)
    with (
        stoppable(serving.ended) as stop,
        closing(build_services(settings, clock)) as services,
        passwords.quick(),
    ):
        # Asked before its tables are brought up to this version: a real city's stay as they are.
        rehearsal.require_empty(services)
        rehearsal.hurry(services.engine)
        serving.await_database(services, always=True)
        if options.seed is not None:
            seed.apply(services, seed.read(options.seed))
        stop.hold()
        with serving.running_broker(services) as broker:
            address = serving.broker_address(services.settings, broker)
            with serving.running_ingest(services, address) as ingest:
                rehearsed = rehearsal.Rehearsal(services, clock, ingest)

                def ready(port: int) -> None:
                    url = f"http://{services.settings.http_host}:{port}"
                    where = f"mqtt://{address.host}:{address.port}"
                    serving.say(kind="ready", url=url, broker=where)
                    reader = threading.Thread(
                        target=_follow, args=(rehearsed,), name="steps", daemon=True
                    )
                    reader.start()

                try:
                    serving.serve_api(services, stop, ready, sends=False)
                finally:
                    rehearsed.close()
    return 0


def _follow(rehearsed: Rehearsal) -> None:
    """One line in, one line out. ``{"to": TIME}`` is a step; the end of input ends the process."""
    from vigil_cloud import serving
    from vigil_schemas.errors import VigilError

    for line in sys.stdin:
        try:
            rehearsed.step(_moment(json.loads(line)["to"]))
        except VigilError as error:
            serving.say(kind="refused", code=error.code, message=str(error))
        except Exception as error:  # noqa: BLE001 - whoever drives must hear of it, not wait for ever
            serving.say(kind="failed", message=f"{type(error).__name__}: {error}")
        else:
            serving.say(
                kind="stepped",
                jobs=rehearsed.turns,
                delivered=rehearsed.delivered,
                computed=rehearsed.computed,
            )
    os.kill(os.getpid(), signal.SIGTERM)
