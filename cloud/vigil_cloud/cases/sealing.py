"""What people write in a case is sealed: under the person's own key where it is about somebody."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseRow
from vigil_cloud.identity import person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable

TITLE: Final = "case.title"


class Sealer(Protocol):
    """``identity.cipher``'s two kinds."""

    def seal(self, column: str, text: str) -> bytes:
        """Raises ``Undecipherable`` where the person's key was destroyed."""

    def open(self, column: str, sealed: bytes) -> str:
        """Raises ``Undecipherable``."""


def writer(session: Session, cipher: Cipher, person_key: str | None, now: datetime) -> Sealer:
    """What seals for this case. Raises ``PersonErased``, ``WrongSecretKey``."""
    if person_key is None:
        return cipher
    return person_keys.make(session, cipher, person_key, now)


def reader(session: Session, cipher: Cipher, row: CaseRow) -> Sealer:
    """What opens this case's texts."""
    if row.person_key is None:
        return cipher
    return person_keys.of(session, cipher, row.person_key)


def opened(sealer: Sealer, column: str, sealed: bytes | None) -> str:
    """The text; empty where there is none or where its key was destroyed."""
    if sealed is None:
        return ""
    try:
        return sealer.open(column, sealed)
    except Undecipherable:
        return ""
