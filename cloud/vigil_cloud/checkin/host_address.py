"""Another mail address for a station's host: the mailbox says yes before it is told anything.

Whoever has the host's link may name an address, and it may be a stranger's. So one message goes
there, with a link of its own; until that is opened and pressed, messages go where they went.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import hosts
from vigil_cloud.checkin.models import StationAddress
from vigil_cloud.config import Settings
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.sessions import digest, same_secret
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.notify.channels import mail_url
from vigil_cloud.notify.text import NotificationText
from vigil_schemas.checkin import DOMAIN

EVERY: Final = timedelta(seconds=5)
VALID: Final = timedelta(days=1)
NOT_SOONER: Final = timedelta(minutes=10)
"""So long after one message no second one is sent for a station, to whomever: a link must not be
a way to write to strangers."""
AGAIN: Final = timedelta(minutes=2)
TRIES: Final = 5
_COLUMN: Final = "station.address"
_PURPOSE: Final = "station address v1"
_ERROR: Final = 300


class AddressAskedJustNow(ApiError):
    """Another mailbox was asked a moment ago."""

    code: ClassVar[str] = "host-address-asked"
    remedy: ClassVar[str] = "Open the link in the message that was sent, or wait ten minutes."
    status: ClassVar[int] = 429

    def __init__(self, seconds: int) -> None:
        super().__init__("An address was asked just now.")
        self.headers = {"Retry-After": str(seconds)}


class Asked(NamedTuple):
    """How it stands with an address that was named, as far as the host's page may show it."""

    hint: str
    sent: bool
    failed: bool
    """It could not be sent, and is not tried any more."""


def ask(  # noqa: PLR0913 - of which station, where and in which language
    session: Session,
    cipher: Cipher,
    settings: Settings,
    device: str,
    address: str,
    language: str,
    now: datetime,
) -> None:
    """Have the mailbox asked. Raises ``BadHostAddress``, ``AddressAskedJustNow``."""
    if not possible(settings) or not hosts.is_address(address):
        raise hosts.BadHostAddress
    nonce = secrets.token_hex(hosts.NONCE_BYTES)
    fresh: dict[str, Any] = {
        "address": cipher.seal(_COLUMN, address),
        "language": language,
        "nonce": nonce,
        "sha256": digest(_token(cipher, device, nonce)),
        "asked": now,
        "sent": None,
        "tries": 0,
        "again": now,
        "error": None,
    }
    # Of two at once the second waits for the first, and finds its row.
    first = insert(session, StationAddress).values(device=device, **fresh).on_conflict_do_nothing()
    if session.scalar(first.returning(StationAddress.device)) is None:
        row = session.get(StationAddress, device, with_for_update=True, populate_existing=True)
        if row is None:  # forgotten at this moment
            raise AddressAskedJustNow(1)
        if timedelta() <= now - row.asked < NOT_SOONER:
            left = row.asked + NOT_SOONER - now
            raise AddressAskedJustNow(max(1, round(left.total_seconds())))
        for column, value in fresh.items():
            setattr(row, column, value)
        session.flush()
    hosts.note(session, device, "address-asked", now)


def possible(settings: Settings) -> bool:
    """Whether this city sends mail, and links in it."""
    return bool(settings.smtp.host and settings.public_url)


def find(session: Session, cipher: Cipher, token: str, now: datetime) -> StationAddress:
    """Whose link this is. Raises ``StationLinkUnknown``, also once its day is over."""
    row = session.scalar(select(StationAddress).where(StationAddress.sha256 == digest(token)))
    if row is None or not same_secret(_token(cipher, row.device, row.nonce), token):
        raise hosts.StationLinkUnknown
    if now - row.asked > VALID:
        raise hosts.StationLinkUnknown
    return row


def confirm(
    session: Session, cipher: Cipher, settings: Settings, token: str, now: datetime
) -> None:
    """The mailbox has said yes: messages go there from now on. Raises ``StationLinkUnknown``."""
    row = find(session, cipher, token, now)
    address = _opened(cipher, row)
    if address is None or not settings.smtp.host:
        raise hosts.StationLinkUnknown
    url = mail_url(settings.smtp, address)
    hosts.put_host_channel(session, cipher, row.device, url, row.language)
    hosts.note(session, row.device, "address", now)
    session.delete(row)
    session.flush()


def asked(session: Session, cipher: Cipher, device: str, now: datetime) -> Asked | None:
    """``None``: no mailbox is being asked."""
    row = session.get(StationAddress, device)
    if row is None or now - row.asked > VALID or (address := _opened(cipher, row)) is None:
        return None
    return Asked(hosts.hint_of(address), row.sent is not None, row.tries >= TRIES)


def address_job() -> Job:
    """Asks mailboxes."""
    return Job("host-addresses", EVERY, send_due, waiting=waiting)


def waiting(session: Session, now: datetime) -> bool:
    """Whether anything is to be sent or forgotten. A read."""
    wanted = or_(_over(now), _due(now)) if ages_hold(session, now) else _due(now)
    return session.scalar(select(StationAddress.device).where(wanted).limit(1)) is not None


def send_due(turn: Turn) -> None:
    """One round: nothing is locked while a mail server is waited for."""
    services, now = turn.services, turn.now
    cipher = Cipher(services.settings.secret)
    with writing(services.sessions) as session:
        if ages_hold(session, now):
            session.execute(delete(StationAddress).where(_over(now)))
        rows = session.scalars(select(StationAddress).where(_due(now)).limit(20)).all()
        found = [(row.device, row.nonce, row.language, _opened(cipher, row)) for row in rows]
        for row in rows:  # one that ends the process each time is given up as well
            row.tries, row.again = row.tries + 1, now + AGAIN
    for device, nonce, language, address in found:
        if turn.stopping.is_set():
            return
        error = "its address cannot be opened"
        if address is not None:
            error = _send(services.settings, cipher, device, nonce, language, address)
        with writing(services.sessions) as session:
            kept = session.get(StationAddress, device)
            if kept is not None and kept.nonce == nonce:
                kept.error = error[:_ERROR] or None
                kept.sent = None if error else now


def _send(
    settings: Settings, cipher: Cipher, device: str, nonce: str, language: str, address: str
) -> str:
    """Why it was not sent; empty where it was."""
    from vigil_cloud.notify.sending import send  # Apprise is large

    base = settings.public_url.rstrip("/")
    link = f"{base}/p/{DOMAIN}/address/{_token(cipher, device, nonce)}?lang={language}"
    text = (
        NotificationText(
            "Messages about a station of this city?",
            "Somebody asked that this mailbox be told when a station stops working. If that was"
            f" you, open this link and press the button within a day:\n{link}\n"
            "If it was not, do nothing: you are not written to again.",
        )
        if language == "en"
        else NotificationText(
            "是否由此信箱接收站點通知？",
            "有人申請在站點停止運作時通知此信箱。若為本人申請，請於一日內開啟下列連結並按下確認："
            f"\n{link}\n若非本人申請，無須處理，之後不會再寄信給您。",
        )
    )
    answer = send(mail_url(settings.smtp, address), text)
    return "" if answer.verdict == "accepted" else answer.error or answer.verdict


def _over(now: datetime) -> ColumnElement[bool]:
    return StationAddress.asked < now - VALID


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        StationAddress.sent.is_(None), StationAddress.tries < TRIES, StationAddress.again <= now
    )


def _opened(cipher: Cipher, row: StationAddress) -> str | None:
    try:
        return cipher.open(_COLUMN, row.address)
    except Undecipherable:  # of another secret key: its link fits no more either
        return None


def _token(cipher: Cipher, device: str, nonce: str) -> str:
    made = cipher.keyed_hash(_PURPOSE, f"{device}\0{nonce}".encode())
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
