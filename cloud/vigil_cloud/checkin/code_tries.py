"""How often somebody may try the codes that are printed on amulets and stickers."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from vigil_cloud.checkin import amulets
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts
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


def note_refused_code(services: Services, reader: Reader, person_key: str | None) -> None:
    """That it was tried; not which, for that may be somebody else's."""
    with writing(services.sessions) as session:
        amulets.note_refusal(session, reader.username, person_key, services.now())
