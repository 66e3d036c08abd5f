"""A database as this version needs it, before anything is read or written.

Apart from ``serving``: a command of an operator needs no web server and no broker.
"""

from __future__ import annotations

from vigil_cloud.database.migrate import check, upgrade
from vigil_cloud.identity import persons, secret_key
from vigil_cloud.services import Services


def prepare_database(services: Services, *, always: bool) -> None:
    """Migrate a SQLite file of our own; a server's database only where ``always``.

    Raises ``DatabaseOutdated`` where an operator has to run ``vigil-cloud migrate``, and
    ``WrongSecretKey``, before anything is changed where the key has been noted.
    """
    _check_key(services)
    prepare_tables(services, always=always)
    _check_key(services)
    persons.give_own_keys(services)


def prepare_tables(services: Services, *, always: bool) -> None:
    """As ``prepare_database``, without a look at the secret key: for whoever changes that."""
    if always or services.engine.dialect.name == "sqlite":
        upgrade(services.engine)
    else:
        check(services.engine)


def _check_key(services: Services) -> None:
    now, secret = services.now(), services.settings.secret
    secret_key.check(services.engine, services.sessions, secret, now)
