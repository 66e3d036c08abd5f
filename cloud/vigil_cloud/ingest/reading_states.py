"""What domains make of readings: folded outside the transaction, written inside it.

``known`` reads the states of a batch's devices and ``prepare`` lets the handlers fold, without a
lock; ``write`` puts the new states down in ingest's transaction, each only onto the version it was
folded from: one statement locks the batch's rows and reads their versions, one writes them. Where
another process was faster, that device is folded again under its row's lock.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, ClassVar, Final, NamedTuple

import structlog
from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import database_is_away
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.devices.models import ReadingState
from vigil_cloud.domain.port import CATCHING_UP, STATE_BYTES, Folded, ReadingHandler, Readings
from vigil_cloud.timeseries.port import Point
from vigil_schemas.errors import VigilError
from vigil_schemas.senml import instant, microseconds

_ERROR: Final = 400
_log = structlog.get_logger(__name__)
_Key = tuple[str, str]
"""Handler and device."""
_TABLE: Final = table_of(ReadingState)
# Made once: for every batch of readings, to make a statement costs more than to run it.
_KEYS: Final = (
    _TABLE.c.handler.in_(bindparam("handlers", expanding=True)),
    _TABLE.c.device.in_(bindparam("devices", expanding=True)),
)
_STATES: Final = select(
    _TABLE.c.handler, _TABLE.c.device, _TABLE.c.version, _TABLE.c.state, _TABLE.c.missed_us
).where(*_KEYS)
_VERSIONS: Final = select(_TABLE.c.handler, _TABLE.c.device, _TABLE.c.version).where(*_KEYS)
_LOCKED: Final = _VERSIONS.order_by(_TABLE.c.handler, _TABLE.c.device).with_for_update()
_STORE: Final = (
    update(_TABLE)
    .where(_TABLE.c.handler == bindparam("of"), _TABLE.c.device == bindparam("which"))
    .values(
        state=bindparam("put", type_=_TABLE.c.state.type),
        failures=0,
        missed_us=None,
        error=None,
        version=_TABLE.c.version + 1,
        updated=bindparam("now", type_=_TABLE.c.updated.type),
    )
)


class StateTooLarge(VigilError):
    """A handler's state of one device is larger than it may be."""

    code: ClassVar[str] = "state-too-large"
    remedy: ClassVar[str] = "This is a mistake in the handler: report it with the message."

    def __init__(self, size: int) -> None:
        super().__init__(f"the state has {size} bytes, {STATE_BYTES} are allowed")
        self.size = size


class Told(NamedTuple):
    """Readings of one message, as they were decoded."""

    points: Sequence[Point]
    received: datetime


class _Known(NamedTuple):
    version: int
    state: Mapping[str, Any] | None
    missed_us: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    """One handler's answer to one device's readings."""

    handler: ReadingHandler
    readings: Readings
    version: int
    folded: Folded | None = None
    error: Exception | None = None

    @property
    def key(self) -> _Key:
        return self.handler.name, self.readings.device

    @property
    def counts(self) -> bool:
        """Whether anything is to be written: also that a handler works again."""
        return bool(self.folded or self.error) or self.readings.missed_since is not None

    @property
    def touches_no_state(self) -> bool:
        """Whether nothing of the device's row changes: it stays, and no failure is to be ended."""
        keeps_none = self.folded is not None and self.folded.state is None
        return keeps_none and self.error is None and self.readings.missed_since is None


_NOTHING: Final = _Known(0, None, None)


class ReadingStates:
    """The handlers of the observation lane. Belongs to one writer."""

    def __init__(
        self,
        handlers: Sequence[ReadingHandler],
        failed: Callable[[str], None] = lambda _handler: None,
    ) -> None:
        """``failed``: told the handler's name at each failure."""
        self._failed = failed
        self._handlers: dict[str, list[ReadingHandler]] = defaultdict(list)
        for handler in handlers:
            for domain in sorted(handler.domains):
                self._handlers[domain].append(handler)

    def known(self, session: Session, messages: Iterable[Told]) -> dict[_Key, _Known]:
        """The states that a batch is folded onto, without a lock. Raises SQLAlchemy's errors."""
        keys = {
            (handler.name, device)
            for domain, device in {one.points[0].series[::2] for one in messages}
            for handler in self._handlers.get(domain, ())
        }
        return _read(session, keys) if keys else {}

    def prepare(self, messages: Iterable[Told], known: Mapping[_Key, _Known]) -> list[_Step]:
        """Fold a batch onto what ``known`` found."""
        return [
            self._fold(handler, readings, known.get((handler.name, readings.device), _NOTHING))
            for readings in _by_device(messages, self._handlers.keys())
            for handler in self._handlers.get(readings.domain, ())
        ]

    def write(self, session: Session, steps: Sequence[_Step], now: datetime) -> None:
        """In the caller's transaction. Raises SQLAlchemy's errors."""
        # That nothing follows is as old as the state that it was said of: it is asked without a
        # lock whether another process was faster, and folded again where it was.
        steps = self._write_stateless(session, steps, now)
        steps = sorted(self._to_write(session, steps), key=lambda one: one.key)
        if not steps:
            return
        new = [one.key for one in steps if one.version == 0]
        insert_missing(session, ReadingState, [_new(*key, now) for key in new])
        versions = _locked_versions(session, {one.key for one in steps})
        stale = {one.key for one in steps if versions.get(one.key) != one.version}
        fresh = _read(session, stale) if stale else {}
        ready = [
            self._fold(one.handler, one.readings, fresh.get(one.key, _NOTHING))
            if one.key in stale
            else one
            for one in steps
        ]
        plain = self._write_more_of(session, filter(lambda one: one.counts, ready), now)
        _store(session, plain, now)
        for step in plain:
            if step.error is not None:
                self._failed(step.handler.name)

    def _write_stateless(
        self, session: Session, steps: Sequence[_Step], now: datetime
    ) -> list[_Step]:
        """What follows where no row changes needs no lock, and does not depend on a version; the
        steps that are left, with those that failed: their rows say so."""
        stateless = [one for one in steps if one.touches_no_state]
        left = self._write_more_of(session, stateless, now) if stateless else []
        failed = [one for one in left if one.error is not None]
        return [one for one in steps if not one.touches_no_state] + failed

    def _write_more_of(
        self, session: Session, steps: Iterable[_Step], now: datetime
    ) -> list[_Step]:
        """Those with more to write than a state; the steps that are left to be stored."""
        plain: list[_Step] = []
        together: dict[str, list[_Step]] = defaultdict(list)
        for step in steps:
            if step.error is not None or step.folded is None or step.folded[1:] == (None, None):
                plain.append(step)
            elif step.folded.together is not None:
                together[step.handler.name].append(step)
            else:
                plain += self._with_more(session, [step], now)
        for of_handler in together.values():
            plain += self._with_more(session, of_handler, now)
        return plain

    def _to_write(self, session: Session, steps: Sequence[_Step]) -> list[_Step]:
        """Those from which something follows, or may follow from the state as it is now."""
        idle = {one.key for one in steps if not one.counts}
        now = _versions(session, idle) if idle else {}
        return [one for one in steps if one.counts or now.get(one.key, 0) != one.version]

    def _fold(self, handler: ReadingHandler, readings: Readings, known: _Known) -> _Step:
        if known.missed_us is not None:
            readings = replace(readings, missed_since=instant(known.missed_us))
        step = _Step(handler, readings, known.version)
        try:
            folded = handler.fold(readings, known.state)
            if folded is None:
                return step
            size = len(json.dumps(folded.state, separators=(",", ":"), allow_nan=False))
            if size > STATE_BYTES:
                raise StateTooLarge(size)
        except Exception as error:  # noqa: BLE001 - the reading is stored; this handler alone goes without it
            _log.exception("readings-not-handled", handler=handler.name, device=readings.device)
            return replace(step, error=error)
        return replace(step, folded=folded)

    def _with_more(self, session: Session, steps: Sequence[_Step], now: datetime) -> list[_Step]:
        """States of one handler and what else is to be written, or neither; the steps that are
        left to be stored."""
        try:
            with session.begin_nested():
                _store(session, steps, now)
                _write_more(session, [one.folded for one in steps if one.folded is not None])
        except Exception as error:
            if database_is_away(error):
                raise
            if len(steps) > 1:  # what one device breaks, the others do not pay for
                return [left for one in steps for left in self._with_more(session, [one], now)]
            _log.exception("readings-not-handled", handler=steps[0].handler.name)
            return [replace(steps[0], error=error)]
        return []


def _write_more(session: Session, folded: Sequence[Folded]) -> None:
    for one in folded:
        if one.write is not None:
            one.write(session)
    together = [one.together for one in folded if one.together is not None]
    if together:
        together[0].write(session, [one.of for one in together])


def _store(session: Session, steps: Sequence[_Step], now: datetime) -> None:
    """Under the locks of their rows, at the versions that were read under them."""
    table, version = _TABLE, {"version": _TABLE.c.version + 1, "updated": now}
    well = [_values(one, now) for one in steps if _has_new_state(one)]
    if well:
        session.connection().execute(_STORE, well)
    for step in steps:
        if step.touches_no_state or _has_new_state(step):
            continue
        if step.error is not None:
            values = {"failures": table.c.failures + 1, **_missed(step, step.error)}
        else:  # it works again, and its state stays
            values = {"failures": 0, "missed_us": None, "error": None}
        name, device = step.key
        one = update(table).where(table.c.handler == name, table.c.device == device)
        session.connection().execute(one.values(**values, **version))


def _has_new_state(step: _Step) -> bool:
    return step.error is None and step.folded is not None and step.folded.state is not None


def _values(step: _Step, now: datetime) -> dict[str, Any]:
    assert step.folded is not None  # noqa: S101 - as the caller found
    assert step.folded.state is not None  # noqa: S101 - as the caller found
    name, device = step.key
    return {"of": name, "which": device, "put": dict(step.folded.state), "now": now}


def _missed(step: _Step, error: Exception) -> dict[str, Any]:
    first_us = step.readings.points[0].time_us
    if (before := step.readings.missed_since) is not None:
        first_us = min(first_us, microseconds(before))
    return {"missed_us": first_us, "error": f"{type(error).__name__}: {error}"[:_ERROR]}


def _by_device(messages: Iterable[Told], domains: Collection[str]) -> list[Readings]:
    points: dict[str, list[Point]] = defaultdict(list)
    received: dict[str, datetime] = {}
    for message in messages:
        domain, _, device, _ = message.points[0].series
        if domain not in domains:
            continue
        points[device] += message.points
        received[device] = max(received.get(device, message.received), message.received)
    found = []
    for device, of_device in points.items():
        of_device.sort(key=itemgetter(1))  # the time: by its name it costs twice as much
        at = received[device]
        found.append(
            Readings(
                device=device,
                domain=of_device[-1].series.domain,
                points=tuple(of_device),
                received=at,
                catching_up=of_device[-1].time_us < microseconds(at - CATCHING_UP),
            )
        )
    return found


def _read(session: Session, keys: set[_Key]) -> dict[_Key, _Known]:
    found = session.connection().execute(_STATES, _among(keys))
    return {
        (handler, device): _Known(version, state, missed_us)
        for handler, device, version, state, missed_us in found
    }


def _locked_versions(session: Session, keys: set[_Key]) -> dict[_Key, int]:
    """In one order, so that two processes wait for each other and do not deadlock."""
    return _found(session, _LOCKED, keys)


def _versions(session: Session, keys: set[_Key]) -> dict[_Key, int]:
    return _found(session, _VERSIONS, keys)


def _found(session: Session, query: Select[str, str, int], keys: set[_Key]) -> dict[_Key, int]:
    rows = session.connection().execute(query, _among(keys))
    return {(handler, device): version for handler, device, version in rows}


def _among(keys: set[_Key]) -> dict[str, list[str]]:
    """Walks along the primary key. Of several handlers it finds some more: few, and no matter."""
    handlers = sorted({handler for handler, _ in keys})
    return {"handlers": handlers, "devices": sorted({device for _, device in keys})}


def _new(handler: str, device: str, now: datetime) -> dict[str, Any]:
    return {"handler": handler, "device": device, "version": 0, "failures": 0, "updated": now}
