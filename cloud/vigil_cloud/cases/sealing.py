"""What people write in a case is sealed: under the person's own key where it is about somebody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy.orm import Session

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.identity import person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable

TITLE: Final = "case.title"
PHOTOGRAPH: Final = "case.photograph"
"""The key of a picture, which is in the object store."""


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


class Written(NamedTuple):
    """A text in the clear, and the row and attribute that hold it sealed under ``column``."""

    row: Any
    attribute: str
    column: str
    text: str


def opened_all(
    session: Session, person_key: str, sealed: Iterable[tuple[Any, str, str]]
) -> list[Written]:
    """Of rows, attributes and purposes those that can be opened: the person's key is about to be
    renewed. What cannot be opened stays as it is."""
    cipher: Cipher | None = session.info.get(CIPHER)
    if cipher is None:
        return []
    sealer = person_keys.of(session, cipher, person_key)
    found = (
        Written(row, attribute, column, opened(sealer, column, getattr(row, attribute)))
        for row, attribute, column in sealed
    )
    return [one for one in found if one.text]


def seal_all(session: Session, person_key: str, written: Iterable[Written]) -> None:
    """The same under the person's new key."""
    cipher: Cipher | None = session.info.get(CIPHER)
    if cipher is None:
        return
    sealer = person_keys.of(session, cipher, person_key)
    for one in written:
        setattr(one.row, one.attribute, sealer.seal(one.column, one.text))
    session.flush()
