"""How often signing in may be tried: counted before the password is looked at, so that
guesses sent all at once count as well as those sent one after another.

Two counts in one window: of one name from one network (a stranger elsewhere cannot lock
anybody out), and of everything from one network (one password tried on every name).
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert, table_of
from vigil_cloud.identity.errors import TooManyAttempts
from vigil_cloud.identity.models import LoginAttempt

MAX_FOR_ONE_NAME: Final = 5
MAX_FROM_ONE_NETWORK: Final = 100
MOST_GUESSES: Final = 60
"""Of links and signatures that are nobody's, from one network."""
WINDOW: Final = timedelta(minutes=5)
_IPV6_NETWORK: Final = 64
"""Whoever has one IPv6 address has all of its network's."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of ``login_attempts`` and how far it may count."""

    key: str
    most: int


def limits(username: str, address: str) -> tuple[Limit, ...]:
    """What an attempt counts for, always in this order. Names are compared without case."""
    network = client_network(address)
    return (
        Limit(_digest(f"{username.lower()}\0{network}"), MAX_FOR_ONE_NAME),
        Limit(_digest(f"\0{network}"), MAX_FROM_ONE_NETWORK),
    )


def guesses(kind: str, address: str) -> tuple[Limit, ...]:
    """What a link or a signature that fits nothing counts for."""
    return (Limit(_digest(f"{kind}\0\0{client_network(address)}"), MOST_GUESSES),)


def posts(kind: str, thing: str, address: str, *, each: int, together: int) -> tuple[Limit, ...]:
    """What somebody without an account sends about one thing: so many from one network, and so
    many from all together."""
    network = client_network(address)
    return (
        Limit(_digest(f"{kind}\0{thing}\0{network}"), each),
        Limit(_digest(f"{kind}\0{thing}\0\0"), together),
    )


def client_network(address: str) -> str:
    """The IPv4 address, or the IPv6 network, that a client's address belongs to."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))


def count(session: Session, wanted: Sequence[Limit], now: datetime, *, many: int = 1) -> None:
    """Count so many more attempts; forgets windows that are over. Raises ``TooManyAttempts``."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.window_started <= now - WINDOW))
    columns = table_of(LoginAttempt).c
    for limit in wanted:
        row = session.execute(
            insert(session, LoginAttempt)
            .values(key=limit.key, failures=many, window_started=now)
            .on_conflict_do_update(
                index_elements=["key"], set_={"failures": columns.failures + many}
            )
            .returning(columns.failures, columns.window_started)
        ).one()
        if row.failures > limit.most:
            left = row.window_started + WINDOW - now
            seconds = max(1, math.ceil(left.total_seconds()))
            raise TooManyAttempts(seconds)


def first_time(session: Session, kind: str, thing: str, form: str, now: datetime) -> bool:
    """Whether nothing has come of this form yet: a press that is repeated, because its answer was
    slow or was lost, sends the same form twice. Remembered for ``WINDOW``, in the caller's
    transaction: of two at once the second waits for what becomes of the first."""
    columns = table_of(LoginAttempt).c
    times: int | None = session.scalar(
        insert(session, LoginAttempt)
        .values(key=_digest(f"{kind} form\0{thing}\0{form}"), failures=1, window_started=now)
        .on_conflict_do_update(index_elements=["key"], set_={"failures": columns.failures + 1})
        .returning(columns.failures)
    )
    return times == 1


def forgive(session: Session, wanted: Sequence[Limit]) -> None:
    """The attempt was no failure: the name starts afresh, the network is back where it was."""
    name, network = wanted
    session.execute(delete(LoginAttempt).where(LoginAttempt.key == name.key))
    session.execute(
        update(LoginAttempt)
        .where(LoginAttempt.key == network.key)
        .values(failures=LoginAttempt.failures - 1)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(LoginAttempt).where(LoginAttempt.key == network.key, LoginAttempt.failures <= 0)
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
