"""How long ago the gateway's clock was last measured against its source: chrony's word for it.

The kernel says that its clock is disciplined long after the source has fallen silent. ``chronyc -c
tracking`` (chrony 2 and later) says when the last measurement was taken; a measurement that is to
stand up needs one within minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from vigil_edge.clock import Clock

COMMAND: Final = ("chronyc", "-n", "-c", "tracking")
EVERY_S: Final = 15.0
WITHIN_S: Final = 5.0
_MOST_BYTES: Final = 4096
_FIELDS: Final = 14
_SOURCE: Final = 64

_log = structlog.get_logger("chrony")


@dataclass(frozen=True, slots=True)
class Tracking:
    """What chrony says of its last measurement."""

    measured_s: float
    """When, seconds since 1970."""
    source: str
    """Of which server, by its address or reference."""


def tracking(report: str) -> Tracking | None:
    """Of ``chronyc -c tracking``; ``None`` where it was never synchronised, or says something else.

    Fields: reference id, source, stratum, time of the last measurement, and ten more, of which the
    last is the leap status.
    """
    fields = report.strip().split(",")
    if len(fields) < _FIELDS or fields[13] == "Not synchronised":
        return None
    try:
        measured_s = float(fields[3])
    except ValueError:
        return None
    if not math.isfinite(measured_s) or measured_s <= 0.0:
        return None
    return Tracking(measured_s, (fields[1] or fields[0])[:_SOURCE])


async def asked(command: Sequence[str] = COMMAND) -> Tracking | None:
    """Asks once; ``None`` where there is no chrony, or it does not answer in time."""
    if shutil.which(command[0]) is None:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        _log.warning("chronyc cannot be started", error=str(error))
        return None
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        async with asyncio.timeout(WITHIN_S):
            report = await process.stdout.read(_MOST_BYTES)
            code = await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return tracking(report.decode("ascii", "replace")) if code == 0 else None


async def follow(
    clock: Clock, count: Callable[[str], None], command: Sequence[str] = COMMAND
) -> None:
    """Until cancelled: tell the clock what chrony last said. One that has said something and
    falls silent is counted; the last measurement goes on growing old."""
    answered = False
    while True:
        found = await asked(command)
        if found is not None:
            clock.measured(found.measured_s, found.source)
        elif answered:
            count("chrony-silent")
            _log.warning("chrony no longer says when the clock was measured")
        answered = found is not None
        await asyncio.sleep(EVERY_S)
