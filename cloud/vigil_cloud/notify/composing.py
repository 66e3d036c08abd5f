"""A message of one or several deliveries, composed and leased; in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.config import Settings
from vigil_cloud.identity import audit, households
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader, reader_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify import pacing, progress, reply_links
from vigil_cloud.notify.delivery_rows import Ready, keep_pace, pace_of, write_down
from vigil_cloud.notify.directory import CHANNEL_FAILING
from vigil_cloud.notify.hook_signatures import SECRET_COLUMN, HookSigning
from vigil_cloud.notify.models import FOLLOW_UPS, Channel
from vigil_cloud.notify.push_text import note_of
from vigil_cloud.notify.reply_links import Offered
from vigil_cloud.notify.subscriptions import opened_address
from vigil_cloud.notify.text import NotificationText, Telling, compose
from vigil_cloud.notify.web_push.addresses import Target
from vigil_schemas.errors import VigilError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery in hand. ``attempt`` is the fencing token: a later lease has a higher one."""

    delivery_id: int
    attempt: int
    critical: bool


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """One message with everything that sending needs, and no session."""

    channel_id: int
    channel: str
    url: str | Target
    message: NotificationText
    leases: tuple[Lease, ...]
    signing: HookSigning | None = None
    key: str = ""
    """The same each time that these deliveries go in one message: a service that got it already
    can tell."""
    kind: str | None = None
    """The channel's, as policies name it."""


def try_composing(
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[Ready],
    now: datetime,
    settings: Settings,
) -> LeasedDelivery | None:
    """As ``_compose_message``; what cannot be composed is tried again like any other failure."""
    leased = [progress.lease(one.at, now) for one in batch]
    for one, at in zip(batch, leased, strict=True):
        write_down(one.delivery, at)
    try:
        with session.begin_nested():
            return _compose_message(session, cipher, channel, batch, now, settings)
    except SQLAlchemyError:
        raise  # the store's own trouble, and not this message's
    except Exception as error:  # noqa: BLE001 - one message that cannot be composed must not keep the others
        code = error.code if isinstance(error, VigilError) else type(error).__name__
        _log.exception("delivery-failed", channel=channel.name, code=code)
        keep_pace(channel, pacing.stumbled(pace_of(channel), now, holds=False))
        for one, at in zip(batch, leased, strict=True):
            critical = one.alert.pressing
            write_down(one.delivery, progress.failed(at, now, critical=critical, reason="refused"))
            one.delivery.error, one.delivery.at = code, now
        return None


def _compose_message(
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[Ready],
    now: datetime,
    settings: Settings,
) -> LeasedDelivery:
    account = session.get(Account, channel.account_id) if channel.account_id else None
    for one in batch:
        _note(session, channel, account, one, now)
    reader = _limited_reader(session, channel, account, batch, now)
    readable = all(_may_open(reader, one.alert) for one in batch)
    url = opened_address(session, cipher, channel, settings, now)
    browser = isinstance(url, Target)
    offered = _offered(session, cipher, channel, batch, now, settings.public_url, browser=browser)
    told = [
        Telling(
            one.alert,
            one.delivery.purpose,
            one.delivery.step,
            one.delivery.escalation,
            one.delivery.perhaps_told,
            offered,
            _address(session, cipher, account, one.alert, now) if len(batch) == 1 else "",
        )
        for one in batch
    ]
    language = channel.language
    if browser:
        at_home = _is_home_of(session, account, batch[0].alert, now)
        note = note_of(told, language=language, readable=readable, at_home=at_home)
        message = NotificationText(note.title, note.body, note)
    else:
        public_url = settings.public_url if readable else ""
        message = compose(cipher, told, language=language, public_url=public_url)
    keep_pace(channel, pacing.spent(pace_of(channel), now))
    leases = tuple(
        Lease(one.delivery.id, one.delivery.attempts, one.alert.pressing) for one in batch
    )
    signing = None
    if channel.hook_secret is not None:
        secret = cipher.open(SECRET_COLUMN, channel.hook_secret)
        signing = HookSigning(secret, offered.token if offered is not None else None)
    return LeasedDelivery(
        channel.id, channel.name, url, message, leases, signing, _key(batch), channel.kind
    )


def _offered(  # noqa: PLR0913 - as ``reply_links.offer``
    session: Session,
    cipher: Cipher,
    channel: Channel,
    batch: Sequence[Ready],
    now: datetime,
    public_url: str,
    *,
    browser: bool,
) -> Offered | None:
    """Of a message of several alerts none: they are answered one by one, on their pages.
    ``browser``: it opens paths of the pages that it has."""
    if len(batch) > 1 or batch[0].delivery.purpose in FOLLOW_UPS:
        return None
    if not public_url and channel.hook_secret is None and not browser:
        return None  # nobody has said where people reach the pages
    return reply_links.offer(session, cipher, channel, batch[0].alert, now, public_url=public_url)


def _key(batch: Sequence[Ready]) -> str:
    """``queued``: a delivery that is queued anew, as a reminder is, is another message."""
    parts = sorted(f"{one.delivery.id} {one.at.queued.timestamp():.6f}" for one in batch)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _note(
    session: Session, channel: Channel, account: Account | None, one: Ready, now: datetime
) -> None:
    if one.delivery.escalation and one.at.attempts == 0:
        session.add(
            AlertHistory(
                alert_id=one.alert.id,
                at=now,
                account=None,
                action="escalated",
                comment=channel.name,
            )
        )
    if one.alert.person_key is not None:
        audit.append(
            session,
            at=now,
            account=account.username if account else "",
            action="location.notified",
            subject=f"channel {channel.name}",
            person_key=one.alert.person_key,
            detail=in_case(one.alert.case_id),
        )


def _limited_reader(
    session: Session,
    channel: Channel,
    account: Account | None,
    batch: Sequence[Ready],
    now: datetime,
) -> Reader | None:
    """Who opens the pages, where a channel hears of more than they show to its owner: a home's, or
    one whose owner is told that another of theirs fails. ``None`` of any other message."""
    if not channel.devices and not any(one.alert.kind == CHANNEL_FAILING for one in batch):
        return None
    if account is not None:
        return reader_of(session, account, now)
    return Reader(0, "", frozenset({Role(channel.role)}) if channel.role else frozenset())


def _is_home_of(session: Session, account: Account | None, alert: AlertRow, now: datetime) -> bool:
    """Whether it happens in a home of the account's."""
    if account is None or not alert.household:
        return False
    homes = reader_of(session, account, now).homes
    return any(home.household == alert.household for home in homes)


def _address(
    session: Session, cipher: Cipher, account: Account | None, alert: AlertRow, now: datetime
) -> str:
    """Of the home where it happens, to whoever belongs to it and to nobody else: others look at it
    on pages that write down who did."""
    if not alert.household or not _is_home_of(session, account, alert, now):
        return ""
    try:
        return households.find(session, cipher, now, alert.household).described.address
    except (households.UnknownHousehold, Undecipherable):
        return ""


def _may_open(reader: Reader | None, alert: AlertRow) -> bool:
    """A home's channel hears of what its owner's pages may not show: then no link is given."""
    return reader is None or may_see(reader, alert)
