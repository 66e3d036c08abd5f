"""Bounds tried on a recording, over HTTP."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import StringConstraints

from vigil_cloud.identity.dependencies import require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole
from vigil_cloud.water import dry_run
from vigil_cloud.water.incident_view import INSPECTS
from vigil_cloud.water.schema import DryRunAlarm, DryRunEntry, DryRunRate
from vigil_schemas.recordings.errors import OptionWrong

router = APIRouter(prefix="/water", tags=["water"])
LARGEST: Final = 20_000_000
"""Bytes: ten years of readings each quarter of an hour."""
_TEXT: Final = {"schema": {"type": "string"}}
Inspecting = Annotated[Reader, Depends(require(*sorted(INSPECTS)))]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]


@router.post(
    "/dry-run",
    operation_id="try_water_bounds",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": _TEXT}}},
)
async def try_water_bounds(  # noqa: PLR0913 - FastAPI: one argument for each parameter
    request: Request,
    _reader: Inspecting,
    time: Annotated[Name | None, Query()] = None,
    bound: Annotated[list[Name] | None, Query(max_length=20)] = None,
    hysteresis: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
    consecutive: Annotated[Whole, Query(ge=1, le=100)] = 2,
    station: Annotated[Name | None, Query()] = None,
    encoding: Annotated[Name | None, Query()] = None,
    utc_offset: Annotated[Name | None, Query()] = None,
) -> DryRunEntry:
    """What would have been alarmed in a recording, and how often a week. ``bound``:
    ``COLUMN=LOW,HIGH``, either left out; without any the recording's columns are answered. Nothing
    is kept."""
    with tempfile.TemporaryDirectory(prefix="vigil-dry-run-") as folder:
        path = Path(folder) / "recording"
        received = 0
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > LARGEST:
                    raise dry_run.BadRecording(OptionWrong(f"it has more than {LARGEST} bytes"))
                file.write(chunk)
        if not bound:
            header = await run_in_threadpool(dry_run.columns, path, encoding)
            return DryRunEntry(columns=header, rows=0, weeks=0.0, rates=[], alarms=[], notes=[])
        if time is None:
            raise dry_run.BadRecording(OptionWrong("no column of times was named"))
        asked = dry_run.Asked(
            time,
            [_bound(text, hysteresis, consecutive) for text in bound],
            station,
            encoding,
            utc_offset,
        )
        return _entry(await run_in_threadpool(dry_run.try_bounds, path, asked))


def _bound(text: str, hysteresis: float, consecutive: int) -> dry_run.Bound:
    name, equals, ends = text.rpartition("=")
    low, comma, high = ends.partition(",")
    try:
        found = [float(end) if end.strip() else None for end in (low, high)]
    except ValueError:
        found, comma = [], ""
    finite = all(one is None or abs(one) < float("inf") for one in found)
    if not equals or not name.strip() or not comma or not finite:
        raise dry_run.BadRecording(OptionWrong(f"bound {text!r}: write it as COLUMN=LOW,HIGH"))
    lowest, highest = found
    if lowest is not None and highest is not None and lowest >= highest:
        raise dry_run.BadRecording(OptionWrong(f"bound {text!r}: LOW must be below HIGH"))
    return dry_run.Bound(name.strip(), highest, lowest, hysteresis, consecutive)


def _entry(found: dry_run.Outcome) -> DryRunEntry:
    return DryRunEntry(
        columns=[],
        rows=found.rows,
        weeks=found.weeks,
        rates=[
            DryRunRate(column=column, kind=kind, per_week=rate)
            for (column, kind), rate in sorted(dry_run.per_week(found).items())
        ],
        alarms=[
            DryRunAlarm(
                station=one.station,
                column=one.column,
                kind=one.kind,
                started=dry_run.moment(one.started_s),
                ended=None if one.ended_s is None else dry_run.moment(one.ended_s),
                extreme=one.extreme if abs(one.extreme) < float("inf") else None,
            )
            for one in found.alarms[-dry_run.MOST_SHOWN :]
        ],
        notes=found.notes,
    )
