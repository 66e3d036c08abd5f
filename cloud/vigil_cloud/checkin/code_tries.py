"""How often somebody may try the codes that are printed on amulets and stickers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request
from sqlalchemy.orm import Session

from vigil_cloud.checkin import amulets
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts, consents
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services

KIND: Final = "amulet"
OF_ONE: Final = 5
"""Tries in five minutes (``attempts.WINDOW``)."""


def limit_codes(services: Services, request: Request, reader: Reader) -> None:
    """Of one account, wherever it signs in: nobody tries codes out. Raises ``TooManyAttempts``."""
    address = request.client.host if request.client else ""
    wanted = attempts.posts(KIND, str(reader.account_id), address, each=OF_ONE, together=OF_ONE)
    with writing(services.sessions) as session:
        attempts.count(session, wanted, services.now())


@contextmanager
def registering(
    services: Services, request: Request, reader: Reader, person_key: str, code: str
) -> Iterator[Session]:
    """A transaction of the person's guardian, in which what this printed code is on is registered:
    the code is read, and the try is counted, before it begins. Raises ``NoConsent``, ``BadAmulet``,
    ``TooManyAttempts``."""
    with services.sessions() as session:
        consents.require_guardian(session, reader, person_key)
    amulets.read(code)
    limit_codes(services, request, reader)
    try:
        with writing(services.sessions) as session:
            consents.require_guardian(session, reader, person_key)
            yield session
    except amulets.AmuletRefused:
        note_refused_code(services, reader, person_key)
        raise
    services.changed.announce()


def note_refused_code(services: Services, reader: Reader, person_key: str | None) -> None:
    """That it was tried; not which, for that may be somebody else's."""
    with writing(services.sessions) as session:
        amulets.note_refusal(session, reader.username, person_key, services.now())
