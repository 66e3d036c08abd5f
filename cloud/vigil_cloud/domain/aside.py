"""What a handler does beside storing an alarm: it may fail, and costs the alarm nothing.

An alarm is stored and its people are told whatever the book-keeping around it makes of it (which
fire it belongs to, whether its home is asked first, who else was seen). Each such part runs in a
savepoint of its own; what failed becomes a dead letter beside the alarm (``complaint``), which can
be replayed once its reason has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import database_is_away
from vigil_cloud.domain.port import Complaint

BESIDE_FAILED: Final = "beside-failed"
"""Reason of the dead letter beside an alarm that was stored and told, where something that should
follow from it failed."""
_DETAIL: Final = 2000
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class _PartFailed(Exception):
    """One part of a message failed while all of them shared a savepoint."""


class Aside:
    """The parts of one message that may fail."""

    def __init__(self, session: Session, *, apart: bool = True) -> None:
        """``apart``: each part has a savepoint of its own."""
        self._session = session
        self._apart = apart
        self.failed: list[str] = []
        """What could not be done, and why."""

    def do(self, what: str, act: Callable[[], T], otherwise: T) -> T:
        """What ``act`` returns; ``otherwise`` where it fails, with nothing of it written. That the
        database is away is no failure of its own: the whole message is tried again then."""
        if not self._apart:
            return self._do_together(what, act)
        self._session.flush()  # what is pending is the alarm's own
        try:
            with self._session.begin_nested():
                return act()
        except Exception as error:
            if database_is_away(error) and not isinstance(error, ProgrammingError):
                raise
            _log.exception("beside-failed", what=what)
            self.failed.append(f"{what}: {type(error).__name__}: {error}")
            self._session.expire_all()  # what it read of its own writing is not so
            return otherwise

    @staticmethod
    def _do_together(what: str, act: Callable[[], T]) -> T:
        try:
            return act()
        except _PartFailed:  # a part of this part
            raise
        except Exception as error:
            if database_is_away(error) and not isinstance(error, ProgrammingError):
                raise
            raise _PartFailed(what) from error

    @property
    def complaint(self) -> Complaint | None:
        """For ingest; ``None`` where everything was done."""
        if not self.failed:
            return None
        return Complaint(BESIDE_FAILED, "; ".join(self.failed)[:_DETAIL])


def handled_in_parts(session: Session, handle: Callable[[Aside], None]) -> Complaint | None:
    """``handle`` with what it does aside; its complaint. Nearly always nothing fails, and a
    savepoint for each part would be a quarter of what an alarm costs: all parts share one, and
    where anything fails everything is done again with each apart: what a part left to be flushed
    fails behind it, in the alarm's own statements or at the savepoint's end. So ``handle`` may
    keep nothing outside of the session."""
    try:
        with session.begin_nested():
            handle(Aside(session, apart=False))
            return None
    except Exception as failed:
        if database_is_away(failed) and not isinstance(failed, ProgrammingError):
            raise
        # What still fails when it is done apart is told with its traceback; this one may not.
        part = isinstance(failed, _PartFailed)
        error = repr(failed.__cause__ if part else failed)
        _log.warning("handled-again-apart", what=str(failed) if part else None, error=error)
    session.expire_all()  # nothing of the first try is so, whatever it has read of it
    aside = Aside(session)
    handle(aside)
    return aside.complaint
