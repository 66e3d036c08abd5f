"""What passers-by say: a link (as a QR code on a notice) under which anybody reports that they
saw the person, without an account.

The link opens nothing: its page shows the case's number and that somebody is searched for, never
who. Its token is an HMAC of a random number that is stored, under a key that outlives the secret
key (``kept_keys``). It ends with the search, and whoever follows the case can withdraw it. How
often something may be reported is limited for each network and for each search.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases import history, sealing
from vigil_cloud.cases.errors import CaseFull
from vigil_cloud.cases.history import Said
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.service import Desk, hold, told
from vigil_cloud.identity import attempts, kept_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.sessions import digest, same_secret
from vigil_cloud.search import calls, checkins
from vigil_cloud.search.errors import NotASearch, SearchOver
from vigil_cloud.search.models import Search, SearchEntry

KIND: Final = "tip"
TEXT, CONTACT = "search.entry", "search.contact"
MOST: Final = 300
"""Tips of one search; beyond that whoever follows it is known to be overrun."""
FROM_ONE_NETWORK: Final = 5
OF_ONE_SEARCH: Final = 40
"""In five minutes (``attempts.WINDOW``)."""
TOLD_AGAIN_AFTER: Final = timedelta(minutes=10)
"""Whoever may know is told of a first tip at once, and of further ones no more often than this."""
NONCE_BYTES: Final = 16
_PURPOSE: Final = "search tips v1"


class TipLinkUnknown(ApiError):
    """The link is nobody's: it was cut off, withdrawn, or the search has ended."""

    code: ClassVar[str] = "tip-link-unknown"
    remedy: ClassVar[str] = "Scan the code again; call 110 if somebody needs help."
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__("This link is not valid, or nobody is searched for by it any more.")


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees, WGS 84, and how sure: metres."""

    latitude: float
    longitude: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Tip:
    """What somebody saw. ``device``: the station that it was near, where they chose one; ``place``:
    where their telephone said that it was, which goes before."""

    at: datetime
    text: str
    device: str = ""
    contact: str = ""
    place: Place | None = None
    form: str = ""
    """Of the page on which it was written, made up for each; empty: of none of ours."""


def make_link(desk: Desk, case_id: str) -> CaseRow:
    """A link for passers-by, where there is none yet. Idempotent. Raises ``SearchOver`` and what
    ``hold`` raises."""
    row, search = _open(desk, case_id)
    if _link_of(desk.cipher, search) is not None:
        return row
    search.link_nonce = secrets.token_hex(NONCE_BYTES)
    search.link_sha256 = digest(_token(desk.session, desk.cipher, search.link_nonce))
    told(desk, row, "noted", {"entry": "link-made"})
    return row


def withdraw_link(desk: Desk, case_id: str) -> CaseRow:
    """Notices that hang somewhere report nothing any more. Idempotent."""
    row, search = _open(desk, case_id)
    if search.link_sha256 is not None:
        search.link_nonce = search.link_sha256 = None
        told(desk, row, "noted", {"entry": "link-withdrawn"})
    return row


def _open(desk: Desk, case_id: str) -> tuple[CaseRow, Search]:
    held = hold(desk, case_id, "note", None)
    search = desk.session.get(Search, case_id)
    if search is None:
        raise NotASearch("This case is no search, or its person was erased.")
    if search.ended is not None:
        raise SearchOver("This search has ended; nobody is searched for by a link any more.")
    return held.row, search


def path_of(cipher: Cipher, search: Search) -> str | None:
    """Where passers-by report, beneath the city's address; ``None``: there is no link."""
    token = _link_of(cipher, search)
    return None if token is None else f"/p/search/{token}"


def _link_of(cipher: Cipher, search: Search) -> str | None:
    if search.link_nonce is None or search.ended is not None:
        return None
    token = _token(kept_keys.session_of(search), cipher, search.link_nonce)
    # Not where its key was given up: then another one is made.
    return token if same_secret(digest(token), search.link_sha256 or "") else None


def find(session: Session, cipher: Cipher, token: str) -> tuple[Search, CaseRow]:
    """The search under way of a token. Raises ``TipLinkUnknown``."""
    search = session.scalar(select(Search).where(Search.link_sha256 == digest(token)))
    # Also against whoever can write to the table and does not know the key.
    known = None if search is None else _link_of(cipher, search)
    if search is None or known is None or not same_secret(known, token):
        raise TipLinkUnknown
    return search, session.get_one(CaseRow, search.case_id)


def limits(token: str, address: str) -> tuple[attempts.Limit, ...]:
    """What one tip counts for."""
    return attempts.posts(KIND, token, address, each=FROM_ONE_NETWORK, together=OF_ONE_SEARCH)


def take(session: Session, cipher: Cipher, token: str, tip: Tip, now: datetime) -> None:
    """Keep what a passer-by says, and tell whoever may know. Idempotent for one form. Raises
    ``TipLinkUnknown``, ``CaseFull``."""
    feed.lock(session)
    search, case = find(session, cipher, token)
    if tip.form and not attempts.first_time(session, KIND, search.case_id, tip.form, now):
        return  # one sighting that was pressed twice is not two for the map and its people
    of_search = (SearchEntry.case_id == search.case_id, SearchEntry.kind == KIND)
    count = session.scalar(select(func.count()).where(*of_search)) or 0
    if count >= MOST or history.next_number(session, case.id) > history.MOST:
        raise CaseFull(MOST, "tips")
    sealer = sealing.writer(session, cipher, search.person_key, now)
    near = next((one for one in checkins.stations(session) if one.device == tip.device), None)
    where = tip.place or near
    words = f"{near.name_zh}: {tip.text}" if near is not None else tip.text
    session.add(
        SearchEntry(
            case_id=search.case_id,
            kind=KIND,
            at=min(tip.at, now),
            entered=now,
            account=None,
            text=sealer.seal(TEXT, words),
            contact=sealer.seal(CONTACT, tip.contact) if tip.contact else None,
            latitude=None if where is None else where.latitude,
            longitude=None if where is None else where.longitude,
            radius_m=None if tip.place is None else tip.place.radius_m,
        )
    )
    case.version += 1
    said = Said("noted", None, {"entry": KIND}, words)
    sealed = sealer.seal(history.TEXT, words)
    history.append(session, case, history.next_number(session, case.id), said, sealed, now)
    feed.append(session, "case", case.id, now)
    # Since they were told last, not since the last tip: one every nine minutes would tell nobody.
    told_last = calls.tip_told(session, search)
    # One that lies ahead was told by a clock that has been set back since: it silences nothing.
    if told_last is None or abs(now - told_last) >= TOLD_AGAIN_AFTER:
        calls.tell_tip(session, search, count + 1, now)


def _token(session: Session, cipher: Cipher, nonce: str) -> str:
    """A notice that hangs somewhere outlives the secret key."""
    made = kept_keys.kept_hash(session, cipher, _PURPOSE, nonce.encode())
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
