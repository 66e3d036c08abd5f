"""Messages of one batch that a handler writes at once, with few statements for all of them.

A bridge that is lost or back, or the power of a district, brings thousands of messages that each
begin or end something small. One by one each costs some thirty statements, and an alarm waits
behind as many of them as a batch has. Nothing is put into another order that matters: of a gateway
either everything that a handler takes of the batch is taken here, each device's only message of its
type, or nothing; and nothing where the gateway was born or died.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from vigil_cloud.database.engine import database_is_away
from vigil_cloud.domain.port import GroupHandler, Handler, Received
from vigil_cloud.ingest import taken
from vigil_cloud.ingest.decode import Decoded, Fact
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived
from vigil_schemas.topics import STATUS
from vigil_schemas.types import Lane

LEAST: Final = 2
"""Of one alone nothing is gained."""
_log = structlog.get_logger(__name__)
_Items = Sequence[tuple[Arrived, Decoded]]


def received(arrived: Arrived, fact: Fact) -> Received:
    """As handlers take it."""
    return Received(
        fact.gateway, fact.envelope, fact.data, arrived.received, fact.marks, arrived.retained
    )


class GroupWriter:
    """Knows which handlers take many at once. Belongs to one thread."""

    def __init__(self, handlers: Mapping[str, Sequence[Handler]]) -> None:
        self._all = handlers
        self._handlers: dict[str, GroupHandler] = {
            name: some[0]
            for name, some in handlers.items()
            if len(some) == 1 and isinstance(some[0], GroupHandler)
        }

    def take(
        self, session: Session, items: _Items, progress: Mapping[str, Progress], now: datetime
    ) -> Collection[int]:
        """The places of those that are written. Raises SQLAlchemy's errors where the database is
        away; whatever else fails leaves its messages to be taken one by one."""
        done: set[int] = set()
        for handler, places in self._chosen(items, progress):
            done.update(self._write(session, handler, items, places, now))
        return done

    def _chosen(
        self, items: _Items, progress: Mapping[str, Progress]
    ) -> list[tuple[GroupHandler, list[int]]]:
        facts = [(place, one) for place, (_, one) in enumerate(items) if isinstance(one, Fact)]
        alike = Counter((one.gateway, one.envelope.subject, one.envelope.type) for _, one in facts)
        ids = Counter((one.gateway, one.envelope.id) for _, one in facts)
        born = {one.gateway for _, one in facts if one.channel == STATUS}
        mixed = {
            (one.gateway, id(handler))
            for place, one in facts
            if alike[one.gateway, one.envelope.subject, one.envelope.type] > 1
            or ids[one.gateway, one.envelope.id] > 1
            or _came_before(one, progress)
            or not self._fits(items[place][0], one)
            for handler in self._all.get(one.envelope.type, ())
        }
        chosen: dict[int, tuple[GroupHandler, list[int]]] = {}
        for place, one in facts:
            handler = self._handlers.get(one.envelope.type)
            if handler is None or one.gateway in born or (one.gateway, id(handler)) in mixed:
                continue
            chosen.setdefault(id(handler), (handler, []))[1].append(place)
        found = [(handler, places) for handler, places in chosen.values() if len(places) >= LEAST]
        return sorted(found, key=lambda one: not one[0].ends_alerts)

    def _fits(self, arrived: Arrived, fact: Fact) -> bool:
        handler = self._handlers.get(fact.envelope.type)
        return (
            handler is not None
            and fact.channel == Lane.EVENT  # an alarm is taken by itself, and a birth
            and "shape_doubtful" not in fact.marks
            and handler.fits(received(arrived, fact))
        )

    @staticmethod
    def _write(
        session: Session, handler: GroupHandler, items: _Items, places: Sequence[int], now: datetime
    ) -> Collection[int]:
        facts = [one for place in places if isinstance(one := items[place][1], Fact)]
        messages = [
            received(items[place][0], fact) for place, fact in zip(places, facts, strict=True)
        ]
        try:
            with session.begin_nested():
                group = handler.group(session, messages)
                if len(group.messages) < LEAST:
                    return ()
                new = taken.note_all(session, [facts[each] for each in group.messages], now)
                fresh = [each for each in group.messages if _key(facts[each]) in new]
                group.write(session, fresh)
                session.flush()
        except Exception as error:
            if database_is_away(error) and not isinstance(error, ProgrammingError):
                raise
            # Nothing of it is written: each is taken by itself, and refused by itself.
            if isinstance(error, IntegrityError | StaleDataError):  # another process was faster
                _log.info("group-overtaken", messages=len(messages))
            else:
                _log.exception("group-failed", messages=len(messages))
            session.expire_all()
            return ()
        return [places[each] for each in fresh]


def _key(fact: Fact) -> tuple[str, str]:
    return fact.gateway, fact.envelope.id


def _came_before(fact: Fact, progress: Mapping[str, Progress]) -> bool:
    """Its number was taken already: whether it is new all the same is asked of it alone."""
    if fact.source is None or fact.sequence is None:
        return True
    return fact.sequence in progress[fact.source]
