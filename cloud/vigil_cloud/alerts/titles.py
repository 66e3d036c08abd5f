"""An alert's titles with the person's name put in: the only place that opens sealed names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session, object_session

from vigil_cloud.identity import looks, person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.persons import NAME_COLUMN
from vigil_cloud.identity.reader import Reader


class Titled(Protocol):
    """A row with its titles, whole or as a list has it."""

    @property
    def title(self) -> str:
        """In English."""

    @property
    def title_zh(self) -> str:
        """In Chinese."""

    @property
    def person_name(self) -> bytes | None:
        """Sealed under the person's own key."""

    @property
    def person_key(self) -> str | None:
        """``None`` where it is about nobody."""


class Personal(Protocol):
    """A row that may be about a person."""

    @property
    def person_key(self) -> str | None:
        """``None`` where it is about nobody."""

    @property
    def case_id(self) -> str | None:
        """The case that it belongs to, if any."""


def audit_location_view(
    session: Session,
    reader: Reader,
    rows: Iterable[Personal],
    way: str,
    now: datetime,
    *,
    automatic: bool = False,
) -> None:
    """Write down whose whereabouts the reader was shown: one look per person, and per case where
    they belong to one.

    ``automatic``: nobody asked; an open page is told by the stream.
    """
    seen = {(row.person_key, row.case_id or "") for row in rows if row.person_key is not None}
    for person_key, case_id in sorted(seen):
        looks.note(
            session,
            account=reader.username,
            action="location.read",
            subject=way,
            thing=case_id,
            person_key=person_key,
            now=now,
            detail=in_case(case_id),
            automatic=automatic,
        )


def in_case(case_id: str | None) -> dict[str, str] | None:
    """Of an audit line about an alert: the case that it belongs to, for who guards the person."""
    return {"case_id": case_id} if case_id else None


def titles(
    cipher: Cipher, row: Titled, session: Session | None = None
) -> tuple[str, str, str | None]:
    """English title, Chinese title, and the person's name, with the name put in.

    The person's key is asked in the session that the row belongs to, or in the one that is
    given. Raises ``Undecipherable``.
    """
    if row.person_name is None or row.person_key is None:
        return row.title, row.title_zh, None
    session = session or object_session(row)
    assert session is not None  # noqa: S101 - rows are shown in the transaction that read them
    keys = person_keys.of(session, cipher, row.person_key)
    name = keys.open(NAME_COLUMN, row.person_name)
    return row.title.replace("{person}", name), row.title_zh.replace("{person}", name), name
