"""Sessions of a hand-held probe: files that it kept without a network, taken once each.

A file is known by what is in it, not by its name: copied again, it brings nothing. Its rows go to
the outbox under names that follow from device, parameters and times, with how far the file has
been taken in the same transaction, so a crash in between neither loses nor doubles a row. A file
that cannot be read, or of which rows were left out, is told; the others are taken all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid5

from vigil_edge.device.seam import Outgoing, PipelineContext, SourceError
from vigil_edge.water.errors import SessionFolder
from vigil_edge.water.excursion import NAMESPACE
from vigil_edge.water.session_settings import SessionSettings, SessionSignal
from vigil_schemas.contract import observation_type
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.recordings import options as reading
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.row_reader import RowReader, sample_of
from vigil_schemas.recordings.series import Series
from vigil_schemas.recordings.tally import Side, Tally
from vigil_schemas.recordings.telling import lines
from vigil_schemas.senml import Reading, microseconds, pack
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import DOMAIN, LATITUDE, LONGITUDE

SESSIONS: Final = "water/sessions"
_ENDINGS: Final = frozenset({".csv", ".txt", ".tsv", ".gz"})
_MOST_BYTES: Final = 100_000_000
_REMEMBERED: Final = 500
"""Files that are known to be taken; the oldest is forgotten first."""
_PACK: Final = 200
_AT_ONCE: Final = 20
"""Packs of one transaction."""
_AHEAD: Final = timedelta(minutes=10)
"""What lies further in the future the cloud does not take."""


@dataclass(slots=True)
class Taken:
    """Readings of one file, in its order, and what was left out of it."""

    readings: list[Reading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Nothing(Series[None]):
    """Rows are not judged against each other: each was taken elsewhere."""

    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> None:
        """Nothing to remember."""


def read(path: Path, settings: SessionSettings, now: datetime) -> Taken:
    """Raises the errors of a recording."""
    place = [settings.latitude_column, settings.longitude_column]
    columns = [*(one.column for one in settings.signal), *(one for one in place if one is not None)]
    asked = argparse.Namespace(
        time=settings.time,
        item=None,
        value=None,
        station=settings.station,
        utc_offset=settings.utc_offset,
        sentinel=[],
        keep=[],
        decimal=None,
        encoding=settings.encoding,
    )
    wanted, tally, taken = reading.wanted_of(asked, {}), Tally(), Taken()
    latest = (now + _AHEAD).timestamp()
    ahead = 0
    recording = reading.opened(path, asked, columns, wanted)
    try:
        sample = sample_of(recording)
        series = _Nothing(recording, columns, sample, wanted, tally)
        rows = RowReader(recording, settings.time, series, sample, tally)
        for piece in recording.pieces():
            for one in rows.read(piece):
                if one.seconds is None or one.values is None:
                    continue
                if one.seconds > latest:
                    ahead += 1
                    continue
                time = datetime.fromtimestamp(one.seconds, UTC)
                taken.readings += _row(settings, time, one.values, one.sides or {})
        series.finish()
    finally:
        recording.close()
    taken.notes = [line.text for line in lines(tally, untimed="left out") if line.doubtful]
    if ahead:
        taken.notes.append(f"{ahead} rows lie in the future and were left out")
    return taken


def _row(
    settings: SessionSettings,
    time: datetime,
    values: Sequence[float | None],
    sides: dict[str, Side],
) -> Iterator[Reading]:
    count = len(settings.signal)
    for signal, x in zip(settings.signal, values, strict=False):
        value = None if x is None or signal.column in sides else x * signal.scale + signal.offset
        value = value if value is not None and math.isfinite(value) else None
        flag = QartodFlag.FAIL if signal.column in sides else _flag(signal, value)
        yield Reading(signal.name, signal.unit, time, value, flag)
    if settings.latitude_column is not None:
        latitude, longitude = values[count : count + 2]
        there = latitude is not None and longitude is not None
        there = there and abs(latitude or 0) <= 90 and abs(longitude or 0) <= 180
        flag = QartodFlag.GOOD if there else QartodFlag.MISSING
        yield Reading(LATITUDE, "lat", time, latitude if there else None, flag)
        yield Reading(LONGITUDE, "lon", time, longitude if there else None, flag)


def _flag(signal: SessionSignal, value: float | None) -> QartodFlag:
    if value is None:
        return QartodFlag.MISSING
    if signal.range_fail and not signal.range_fail[0] <= value <= signal.range_fail[1]:
        return QartodFlag.FAIL
    if signal.range_suspect and not signal.range_suspect[0] <= value <= signal.range_suspect[1]:
        return QartodFlag.SUSPECT
    return QartodFlag.GOOD if signal.range_fail else QartodFlag.NOT_EVALUATED


def describe_session(settings: SessionSettings) -> list[DeviceDescription]:
    """One probe, one device."""
    names = [one.name for one in settings.signal]
    if settings.latitude_column is not None:
        names += [LATITUDE, LONGITUDE]
    return [settings.described(DOMAIN, settings.driver, names)]


class SessionPipeline:
    """Looks into the folder every ``interval_s``."""

    def __init__(self, settings: SessionSettings, context: PipelineContext) -> None:
        self._settings, self._context = settings, context
        kept = context.state(SESSIONS)
        state = json.loads(kept) if kept else {"taken": [], "under_way": None, "done": 0}
        self._known: list[str] = state["taken"]
        self._under_way: str | None = state["under_way"]
        self._done: int = state["done"]
        """Readings of the file under way that are in the outbox."""
        self._refused: dict[tuple[str, float, int], str] = {}
        """Files that could not be read, as they were then, and why."""
        self._odd: dict[str, str] = {}
        """Of files that were taken, what was left out."""

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.interval_s)

    async def look(self) -> None:
        """Take what is new. Raises ``SessionFolder``."""
        try:
            files = await asyncio.to_thread(self._files)
        except OSError as error:
            raise SessionFolder(self._settings.device, str(error)) from error
        there = {key for _, key in files}
        self._refused = {key: why for key, why in self._refused.items() if key in there}
        for path, key in files:
            if key not in self._refused:
                await self._take(path, key)
        told = [*self._refused.values(), *self._odd.values()]
        if told:
            self._context.report("degraded", "session-unreadable", "; ".join(told)[:1000])
        else:
            self._context.report("ok")

    def _files(self) -> list[tuple[Path, tuple[str, float, int]]]:
        """Those that are whole, oldest first."""
        settled = self._context.now().timestamp() - self._settings.settle_s
        found = []
        with os.scandir(self._settings.folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() not in _ENDINGS or not entry.is_file():
                    continue
                stat = entry.stat()
                if stat.st_mtime <= settled:
                    key = entry.name, stat.st_mtime, stat.st_size
                    found.append((Path(entry.path), key))
        return sorted(found, key=lambda one: (one[1][1], one[1][0]))

    async def _take(self, path: Path, key: tuple[str, float, int]) -> None:
        try:
            digest = await asyncio.to_thread(_digest, path)
            if digest in self._known:
                return
            taken = await asyncio.to_thread(read, path, self._settings, self._context.now())
        except (OSError, VigilError) as error:
            if isinstance(error, SourceError):
                raise
            self._refused[key] = f"{path.name}: {reading.one_line(str(error))}"[:300]
            self._context.count("session-unreadable")
            return
        if self._under_way != digest:
            self._under_way, self._done = digest, 0
        await self._put(taken.readings)
        self._known = [*self._known[-_REMEMBERED + 1 :], digest]
        self._under_way, self._done = None, 0
        await self._context.accept([], {SESSIONS: self._state()})
        if taken.notes:
            self._odd[path.name] = f"{path.name}: {reading.one_line('; '.join(taken.notes))}"[:300]
            self._odd = dict(list(self._odd.items())[-20:])

    async def _put(self, readings: Sequence[Reading]) -> None:
        size = _PACK * _AT_ONCE
        for at in range(self._done, len(readings), size):
            some = readings[at : at + size]
            self._done = at + len(some)
            out = [self._pack(some[n : n + _PACK]) for n in range(0, len(some), _PACK)]
            await self._context.accept(out, {SESSIONS: self._state()})

    def _pack(self, some: Sequence[Reading]) -> Outgoing:
        device, first, last = self._settings.device, some[0], some[-1]
        name = (
            f"{device}/{first.parameter}/{microseconds(first.time)}"
            f"/{last.parameter}/{microseconds(last.time)}"
        )
        return Outgoing(
            Lane.OBSERVATION,
            observation_type(DOMAIN),
            device,
            first.time,
            pack(device, some),
            str(uuid5(NAMESPACE, name)),
        )

    def _state(self) -> bytes:
        kept = {"taken": self._known, "under_way": self._under_way, "done": self._done}
        return json.dumps(kept).encode()


def _digest(path: Path) -> str:
    """Of its bytes. Raises ``OSError``."""
    if path.stat().st_size > _MOST_BYTES:
        raise OSError(f"it has more than {_MOST_BYTES} bytes")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
