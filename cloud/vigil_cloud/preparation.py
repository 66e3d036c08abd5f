"""A database as this version needs it, before anything is read or written.

Apart from ``serving``: a command of an operator needs no web server and no broker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from vigil_cloud.backup import unfinished
from vigil_cloud.database.migrate import check, upgrade
from vigil_cloud.identity import persons, secret_key
from vigil_cloud.services import Services
from vigil_schemas.service_manager import ServiceManager

_ASK_AGAIN_FIRST_S: Final = 0.2
_ASK_AGAIN_LONGEST_S: Final = 5.0
_OPENING_S: Final = 60.0
"""So long one attempt to reach the database may take before systemd gives the start up."""
_Answer = TypeVar("_Answer")
_log = structlog.get_logger(__name__)


def patiently(services: Services, ask: Callable[[], _Answer]) -> _Answer:
    """What ``ask`` answers, asked again for ``database_patience_s`` while a server does not let
    us in: after a power cut everything starts at once, and the database is rarely the first.

    A file that cannot be opened is a mistake and not waited for. Raises what ``ask`` raises, and
    SQLAlchemy's error where the patience was not enough.
    """
    patience_s = services.settings.database_patience_s
    is_server = services.engine.dialect.name != "sqlite"
    began = time.monotonic()
    pause_s = _ASK_AGAIN_FIRST_S
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError) as error:
            if not is_server or time.monotonic() - began + pause_s > patience_s:
                raise
            reason = str(error).splitlines()[0]
            _log.warning("database-away", error=reason, again_in_s=pause_s)
        try:
            ServiceManager.of().waiting(pause_s + _OPENING_S, "waiting: database-away")
        except OSError as error:  # that it does not listen ends nothing
            _log.warning("service-manager-away", error=str(error))
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _ASK_AGAIN_LONGEST_S)


def prepare_database(services: Services, *, always: bool) -> None:
    """Migrate a SQLite file of our own; a server's database only where ``always``.

    Raises ``DatabaseOutdated`` where an operator has to run ``vigil-cloud migrate``,
    ``RestoreUnfinished``, and ``WrongSecretKey``, before anything is changed where the key has
    been noted.
    """
    unfinished.require_none(services.engine)
    _check_key(services)
    _bring_up(services, always=always)
    _check_key(services)
    persons.give_own_keys(services)


def prepare_tables(services: Services, *, always: bool) -> None:
    """As ``prepare_database``, without a look at the secret key: for whoever changes that."""
    unfinished.require_none(services.engine)
    _bring_up(services, always=always)


def _bring_up(services: Services, *, always: bool) -> None:
    if always or services.engine.dialect.name == "sqlite":
        upgrade(services.engine)
    else:
        check(services.engine)


def _check_key(services: Services) -> None:
    now, secret = services.now(), services.settings.secret
    secret_key.check(services.engine, services.sessions, secret, now)
