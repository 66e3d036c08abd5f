"""Personal content of alerts: sealed as it is written, opened for who may see it.

What is about a person is sealed under that person's own key and ends with it; everything else
under the secret key. Sessions carry the cipher (``CIPHER``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session, object_session

from vigil_cloud.alerts.details import Kept, read, to_keep
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.domain.detail import AlertDetail
from vigil_cloud.identity import person_keys, secret_key
from vigil_cloud.identity.cipher import Cipher, PersonCipher, Undecipherable
from vigil_cloud.identity.person_keys import PersonErased
from vigil_cloud.identity.secret_key import WrongSecretKey
from vigil_schemas.types import Domain

CIPHER: Final = "cipher"
"""Where a session's ``info`` carries what seals."""
DETAIL: Final = "alert.detail"
TEXT: Final = "alert.text"
"""What the two columns are sealed for."""
_log = structlog.get_logger(__name__)


class Unsealable(Undecipherable):
    """Nothing can be sealed here: the session carries no key."""


def write_detail(session: Session, row: AlertRow, given: Mapping[str, Any]) -> bool:
    """Keep a detail, all of it, in place of what was there; whether anything is different.

    ``given``: open and personal content together, as ``whole_of`` returns it. What cannot be
    sealed is left out and marked: the alarm counts more than what is said of somebody.
    """
    kept = to_keep(row.domain, given)
    before = opened_detail(session, row)
    row.typed = True
    if kept.open == row.detail and kept.personal == before:
        return False
    if not kept.personal:
        row.detail = kept.open
        if before:  # what cannot be opened here may be opened elsewhere: it stays
            row.private = None
        return True
    try:
        row.private = seal_content(session, row, kept.personal)
        row.detail = kept.open
    except (Undecipherable, WrongSecretKey, PersonErased) as error:
        _log.error("alert-detail-not-sealed", alert=row.id, keys=sorted(kept.personal), error=error)
        row.private, row.detail = None, _without(row.domain, kept)
    return True


def whole_of(session: Session, row: AlertRow) -> dict[str, Any]:
    """Open and personal content together, for whoever changes it; never to be shown."""
    return {**row.detail, **opened_detail(session, row)}


def shown_detail(cipher: Cipher, row: AlertRow, *, personal: bool) -> AlertDetail:
    """The detail as the API shows it. ``personal``: the reader may see what is sealed."""
    if row.private is None:
        return read(row.domain, row.detail)
    content = _open(cipher, row) if personal else None
    found = read(row.domain, row.detail, content)
    return found if content is not None else found.model_copy(update={"withheld": True})


def seal_content(session: Session, row: AlertRow, content: Mapping[str, Any]) -> bytes:
    """Personal content as its column holds it. Raises ``Undecipherable``, ``WrongSecretKey``."""
    return _cipher_for(session, row).seal(DETAIL, json.dumps(content, ensure_ascii=False))


def seal_text(session: Session, row: AlertRow, text: str) -> bytes:
    """What somebody wrote of an alert. Raises ``Undecipherable``, ``WrongSecretKey``."""
    return _cipher_for(session, row).seal(TEXT, text)


def open_text(cipher: Cipher, row: AlertRow, line: AlertHistory) -> str:
    """What a line of the history says."""
    if line.text is None:
        return line.comment
    try:
        return _opener(cipher, row).open(TEXT, line.text)
    except Undecipherable:
        return line.comment


def opened_detail(session: Session, row: AlertRow) -> dict[str, Any]:
    """What is personal of it; empty where it cannot be opened here."""
    cipher = session.info.get(CIPHER)
    if row.private is None or not isinstance(cipher, Cipher):
        return {}
    return _open(cipher, row) or {}


def _open(cipher: Cipher, row: AlertRow) -> dict[str, Any] | None:
    assert row.private is not None  # noqa: S101 - asked of such rows alone
    try:
        content = json.loads(_opener(cipher, row).open(DETAIL, row.private))
    except (Undecipherable, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _opener(cipher: Cipher, row: AlertRow) -> Cipher | PersonCipher:
    if row.person_key is None:
        return cipher
    session = object_session(row)
    assert session is not None  # noqa: S101 - rows are shown in the transaction that read them
    return person_keys.of(session, cipher, row.person_key)


def _cipher_for(session: Session, row: AlertRow) -> Cipher | PersonCipher:
    cipher = session.info.get(CIPHER)
    if not isinstance(cipher, Cipher):
        raise Unsealable("this session carries no key to seal with")
    secret_key.require(session, cipher)
    if row.person_key is None:
        return cipher
    return person_keys.of(session, cipher, row.person_key)


def _without(domain: Domain, kept: Kept) -> dict[str, Any]:
    """The open part, with a mark for each name that is missing."""
    faults = [f"detail.{key}: could not be sealed and was left out" for key in kept.personal]
    before = kept.open.get("shape_doubtful", [])
    return to_keep(domain, {**kept.open, "shape_doubtful": [*before, *faults]}).open
