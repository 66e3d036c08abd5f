"""Browsers that asked to be told: each a channel of its account, for as long as it is signed in.

The channel's address holds the subscription, sealed. Who signs out ends it, as do the removal of
the account and a push service that knows the browser no more; a session that only runs out does
not: a home must hear of its fire. The channel's row stays, switched off and without its address,
for as long as an alert says that it was told through it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.api_errors import ApiError
from vigil_cloud.config import Settings
from vigil_cloud.database.changes import CHANNELS, announce
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.identity.sessions import digest
from vigil_cloud.notify.channels import PUSH, URL_COLUMN, end_links, put_browser
from vigil_cloud.notify.models import Channel, Delivery, PushKey, PushSubscription
from vigil_cloud.notify.web_push import addresses, vapid
from vigil_cloud.notify.web_push.addresses import Subscription, Target

KEY_COLUMN: Final = "push.private"
MOST: Final = 20
"""Browsers of one account; one more takes the place of the one that subscribed longest ago."""
_NAMED: Final = 8


class BadSubscription(ApiError):
    """A subscription that nobody can be told through."""

    code: ClassVar[str] = "bad-subscription"
    remedy: ClassVar[str] = (
        "Use a browser whose push service stands in `push_services`, or add its service there."
    )
    status: ClassVar[int] = 422


def private_key(session: Session, cipher: Cipher, now: datetime) -> bytes:
    """Our key; made at its first use, in the caller's transaction."""
    kept = kept_key(session, cipher)
    if kept is None:
        made = {"id": 1, "private": cipher.seal_bytes(KEY_COLUMN, vapid.new_key()), "made": now}
        insert_missing(session, PushKey, [made])
        kept = kept_key(session, cipher)  # of whoever was first
        assert kept is not None  # noqa: S101 - it was inserted, or was there
    return kept


def kept_key(session: Session, cipher: Cipher) -> bytes | None:
    """Our key, where it was made already."""
    sealed = session.scalar(select(PushKey.private))
    return None if sealed is None else cipher.open_bytes(KEY_COLUMN, sealed)


def is_kept(
    session: Session, cipher: Cipher, account_id: int, subscription: Subscription, token: str
) -> bool:
    """Whether it is subscribed just so, in this session."""
    row = session.execute(
        select(PushSubscription, Channel.url)
        .join(Channel, Channel.id == PushSubscription.channel_id)
        .where(
            PushSubscription.endpoint_hash == digest(subscription.endpoint),
            PushSubscription.account_id == account_id,
            PushSubscription.session_sha256 == token,
        )
    ).one_or_none()
    return row is not None and cipher.open(URL_COLUMN, row.url) == subscription.address()


def subscribe(  # noqa: PLR0913 - one subscription with whose it is and what is allowed
    session: Session,
    cipher: Cipher,
    account: Account,
    subscription: Subscription,
    token: str,
    services: Sequence[str],
    now: datetime,
) -> None:
    """Tell this browser from now on, for this account alone. ``token``: the digest of the session
    that asks. Idempotent. Raises ``BadSubscription``."""
    if reason := addresses.amiss(subscription, services):
        raise BadSubscription(f"This subscription cannot be used: {reason}.")
    private_key(session, cipher, now)
    hashed = digest(subscription.endpoint)
    of_others = PushSubscription.endpoint_hash == hashed, PushSubscription.account_id != account.id
    _retire(session, of_others, by=account.username, now=now)
    name = f"{PUSH}{account.username} {hashed[:_NAMED]}"
    known = session.scalar(select(Channel.id).where(Channel.name == name, Channel.enabled))
    channel = put_browser(session, cipher, name, subscription.address(), account)
    session.execute(delete(PushSubscription).where(PushSubscription.channel_id == channel.id))
    session.add(
        PushSubscription(
            channel_id=channel.id,
            account_id=account.id,
            endpoint_hash=hashed,
            session_sha256=token,
            since=now,
        )
    )
    session.flush()
    if known is None:
        _note(session, "push.begun", name, account.username, now)
    _make_room(session, account, now)


def _make_room(session: Session, account: Account, now: datetime) -> None:
    """By when each subscribed: the channel of a browser that comes back is an old one."""
    mine = PushSubscription.account_id == account.id
    newest_first = (
        PushSubscription.since.is_(None),
        PushSubscription.since.desc(),
        PushSubscription.channel_id.desc(),
    )
    query = select(PushSubscription.channel_id).where(mine).order_by(*newest_first)
    oldest = session.scalars(query.offset(MOST)).all()
    if oldest:
        surplus = PushSubscription.channel_id.in_(oldest)
        _retire(session, (surplus,), by=account.username, now=now)


def unsubscribe(session: Session, account: Account, token: str, now: datetime) -> None:
    """Tell the browser of this session nothing more."""
    of_session = PushSubscription.session_sha256 == token
    mine = PushSubscription.account_id == account.id
    _retire(session, (of_session, mine), by=account.username, now=now)


def gone(session: Session, channel_id: int, now: datetime) -> None:
    """Its service says that the browser has left: nothing can be told there any more."""
    of_channel = PushSubscription.channel_id == channel_id
    _retire(session, (of_channel,), by="push service", now=now)


def is_on(session: Session, account_id: int, token: str) -> bool:
    """Whether the browser of this session is told."""
    of_session = PushSubscription.session_sha256 == token
    mine = PushSubscription.account_id == account_id
    return session.scalar(select(PushSubscription.channel_id).where(of_session, mine)) is not None


def count(session: Session, account_id: int) -> int:
    """Browsers of the account that are told."""
    query = select(func.count()).select_from(PushSubscription)
    return session.scalar(query.where(PushSubscription.account_id == account_id)) or 0


def opened_address(
    session: Session, cipher: Cipher, channel: Channel, settings: Settings, now: datetime
) -> str | Target:
    """Where a channel leads: an Apprise address, or a browser with what a message to it needs.
    Raises ``Undecipherable``."""
    url = cipher.open(URL_COLUMN, channel.url)
    if not addresses.is_address(url):
        return url
    public = settings.public_url
    return Target(
        addresses.opened(url),
        private_key(session, cipher, now),
        public if public.startswith("https://") else "",
        tuple(settings.push_services),
    )


def prune(session: Session, now: datetime) -> bool:
    """Forget browsers that are told nothing any more and that no alert names."""
    del now
    of_channel = exists().where(Delivery.channel_id == Channel.id)
    retired = Channel.name.startswith(PUSH), Channel.enabled.is_(False)
    session.execute(
        delete(Channel).where(*retired, ~of_channel).execution_options(synchronize_session=False)
    )
    return False


class Subscriptions(PersonalRecords):
    """What browsers are told ends with the sign-in that asked for it."""

    def signed_out(
        self, session: Session, account_id: int | None, token_sha256: str | None, now: datetime
    ) -> None:
        """As ``PersonalRecords``."""
        if token_sha256 is not None:
            which = PushSubscription.session_sha256 == token_sha256
        else:
            which = PushSubscription.account_id == account_id
        _retire(session, (which,), by="", now=now)


def _retire(
    session: Session, which: Collection[ColumnElement[bool]], *, by: str, now: datetime
) -> None:
    query = select(PushSubscription.channel_id, Channel.name, Account.username).where(*which)
    query = query.join(Channel, Channel.id == PushSubscription.channel_id)
    rows = session.execute(query.join(Account, Account.id == PushSubscription.account_id)).all()
    if not rows:
        return
    ids = [row.channel_id for row in rows]
    session.execute(delete(PushSubscription).where(PushSubscription.channel_id.in_(ids)))
    cipher: Cipher = session.info[CIPHER]
    empty = {"enabled": False, "url": cipher.seal(URL_COLUMN, "")}
    off = update(Channel).where(Channel.id.in_(ids)).values(empty)
    session.execute(off.execution_options(synchronize_session="fetch"))
    end_links(session, ids)
    announce(session, CHANNELS[0], (CHANNELS[1],))
    for row in rows:
        _note(session, "push.ended", row.name, by or row.username, now)


def _note(session: Session, action: str, name: str, by: str, now: datetime) -> None:
    audit.append(session, at=now, account=by, action=action, subject=name)
