"""Channels: added by the seed, and kept in step with the settings and with accounts' e-mail."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote

from sqlalchemy import Row, delete, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.config import Settings, SmtpSettings
from vigil_cloud.database.changes import CHANNELS, announce
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import secret_key
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.escalation.policy import ChannelKind
from vigil_cloud.notify.hook_signatures import SECRET_CHARACTERS, SECRET_COLUMN
from vigil_cloud.notify.models import Channel, FollowUp, ReplyLink
from vigil_cloud.notify.web_push import addresses
from vigil_schemas.errors import VigilError

URL_COLUMN: Final = "channel.url"
_SETTINGS: Final = "settings "
_MAIL: Final = "e-mail "
_KEPT: Final = (_SETTINGS, _MAIL)
"""How the names begin of channels that follow the settings and the accounts."""
PUSH: Final = "push "
"""The same of browsers (``subscriptions``)."""
_AT_ONCE: Final = 50
"""Channels of one transaction: an alarm may wait behind one."""
_HOOKS: Final = ("json://", "jsons://", "form://", "forms://", "xml://", "xmls://")
_DEVICE: Final = r"[a-z0-9][a-z0-9._-]{0,63}"
_MAIL_MODES: Final = {"starttls": "starttls", "tls": "ssl", "none": "insecure"}


class BadChannel(VigilError):
    """A channel that cannot work."""

    code: ClassVar[str] = "bad-channel"
    remedy: ClassVar[str] = "Correct the `[[channel]]` that the message names, and seed again."

    def __init__(self, channel: str, reason: str, text: str) -> None:
        super().__init__(f"channel {channel!r}: {text}")
        self.channel = channel
        self.text = text
        self.reason = reason
        """One word of what is wrong with it."""


_KINDS: Final[Mapping[ChannelKind, frozenset[str]]] = {
    "email": frozenset({"mailto", "mailtos", "mailgun", "sendgrid", "ses", "smtp2go", "o365"}),
    "line": frozenset({"line"}),
    "sms": frozenset(
        {"46elks", "atalk", "bulksms", "clicksend", "d7sms", "elks", "kavenegar", "mbird", "msg91"}
        | {"nexmo", "plivo", "signal", "signals", "sinch", "smseagle", "smseagles", "smsmgr"}
        | {"sns", "twilio", "voipms", "vonage"}
    ),
    "push": frozenset(
        {"apprise", "apprises", "bark", "barks", "fcm", "gotify", "gotifys", "join", "ntfy"}
        | {"ntfys", "onesignal", "pbul", "pover", "prowl", "pushy", "spush", "vapid"}
    ),
}


def kind_of(url: str) -> ChannelKind:
    """How policies call an address of this scheme, where nobody said it otherwise."""
    scheme = url.partition(":")[0].lower()
    return next((kind for kind, its in _KINDS.items() if scheme in its), "webhook")


def put_channel(  # noqa: PLR0913 - columns of one channel, all by name
    session: Session,
    cipher: Cipher,
    *,
    name: str,
    url: str,
    account: Account | None = None,
    role: Role | None = None,
    domains: Iterable[str] = (),
    minimum: str = "info",
    escalate_after_s: float = 0.0,
    language: str = "zh-TW",
    devices: Iterable[str] = (),
    follow_ups: Iterable[FollowUp] = (),
    hook_secret: str = "",
    kind: ChannelKind | None = None,
) -> Channel:
    """Add a channel, or change the one of this name. Raises ``BadChannel``.

    ``devices``: of a home; the channel is told of these and of what hangs on their gateway.
    ``follow_ups``: what else it is told of an alert that it was told of. ``hook_secret``: of a
    web hook; its messages are signed with it, and it may answer (``hook_signatures``). ``kind``:
    how policies call it; else what its address tells.
    """
    if name.startswith((*_KEPT, PUSH)):
        raise BadChannel(name, "kept-name", "names that begin like this are given by the service")
    if hook_secret:
        _check_secret(name, url, hook_secret)
    if addresses.is_address(url):
        raise BadChannel(name, "bad-address", "a browser asks for notifications by itself")
    return _put(
        session,
        cipher,
        name=name,
        url=url,
        account=account,
        role=role,
        domains=domains,
        minimum=minimum,
        escalate_after_s=escalate_after_s,
        language=language,
        devices=devices,
        follow_ups=follow_ups,
        hook_secret=hook_secret,
        kind=kind,
    )


def put_browser(
    session: Session, cipher: Cipher, name: str, address: str, account: Account
) -> Channel:
    """A browser's channel: its account's, in the account's language."""
    return _put(
        session,
        cipher,
        name=name,
        url=address,
        account=account,
        role=None,
        language=account.language,
        follow_ups=("all-clear",),
        kind="push",
    )


def _check_secret(name: str, url: str, hook_secret: str) -> None:
    if len(hook_secret) < SECRET_CHARACTERS:
        raise BadChannel(
            name,
            "short-secret",
            f"its hook_secret has fewer than {SECRET_CHARACTERS} characters;"
            " make one with `openssl rand -hex 32`",
        )
    if not url.startswith(_HOOKS):
        kinds = ", ".join(_HOOKS)
        raise BadChannel(name, "no-hook", f"hook_secret is for web hooks alone ({kinds})")


def _put(  # noqa: PLR0913 - columns of one channel, all by name
    session: Session,
    cipher: Cipher,
    *,
    name: str,
    url: str,
    account: Account | None,
    role: Role | None,
    domains: Iterable[str] = (),
    minimum: str = "info",
    escalate_after_s: float = 0.0,
    language: str = "zh-TW",
    devices: Iterable[str] = (),
    follow_ups: Iterable[FollowUp] = (),
    hook_secret: str = "",
    kind: ChannelKind | None = None,
) -> Channel:
    devices = list(devices)
    if not all(re.fullmatch(_DEVICE, device) for device in devices):
        raise BadChannel(name, "no-device-id", "devices are named by their ids")
    if (account is None) == (role is None):
        raise BadChannel(name, "no-owner", "name either an account or a role")
    if not addresses.is_address(url) and not _understood(url):
        raise BadChannel(name, "bad-address", "Apprise does not understand this address")
    if kind == "page":
        raise BadChannel(name, "page", "the page is shown to accounts, it has no address")
    secret_key.require(session, cipher)
    # Locked: a message that is just composed for the old address takes the lock as well, so that
    # its link is there before the links are ended, or is for the new one.
    query = select(Channel).where(Channel.name == name).with_for_update()
    channel = session.scalar(query.execution_options(populate_existing=True))
    owner = (account.id if account else None, role.value if role else None)
    if channel is None:
        channel = Channel(name=name)
        session.add(channel)
    elif (
        not channel.enabled
        or (channel.account_id, channel.role) != owner
        or _opened(cipher, URL_COLUMN, channel.url) != url
        or _opened(cipher, SECRET_COLUMN, channel.hook_secret) != hook_secret
    ):
        end_links(session, [channel.id])
    channel.url = cipher.seal(URL_COLUMN, url)
    channel.account_id, channel.role = owner
    channel.domains = list(domains)
    channel.minimum = minimum
    channel.escalate_after_s = escalate_after_s
    channel.language = language
    channel.devices = devices
    channel.follow_ups = sorted(set(follow_ups))
    channel.hook_secret = cipher.seal(SECRET_COLUMN, hook_secret) if hook_secret else None
    channel.kind = kind or kind_of(url)
    channel.enabled = True
    session.flush()
    return channel


def _understood(url: str) -> bool:
    from vigil_cloud.notify.sending import understood  # Apprise is large

    return understood(url)


def _opened(cipher: Cipher, column: str, sealed: bytes | None) -> str | None:
    """``None`` of what was sealed with another secret key: nobody knows what it was."""
    try:
        return cipher.open(column, sealed) if sealed is not None else ""
    except Undecipherable:
        return None


def end_links(session: Session, channels: Collection[int]) -> None:
    """Whoever has the messages of the address, the owner or the secret that a channel had before
    answers with them no more."""
    unused = ReplyLink.channel_id.in_(channels), ReplyLink.used.is_(None)
    session.execute(delete(ReplyLink).where(*unused))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A channel as it should be, of those that nobody adds by hand."""

    url: str
    language: str
    account_id: int | None
    role: Role | None


def sync(sessions: sessionmaker[Session], cipher: Cipher, settings: Settings) -> int:
    """Channels that nobody adds by hand: ``notify_urls`` and every account's e-mail. Returns how
    many were not as they should be; only these are written.

    The settings' addresses hear what an administrator may see: never a person's whereabouts.
    """
    with sessions() as session:
        wanted = _wanted(session, settings)
        found = {
            row.name: row
            for row in session.execute(
                select(Channel.name, Channel.url, Channel.language, Channel.enabled).where(
                    or_(*(Channel.name.startswith(prefix) for prefix in _KEPT))
                )
            )
        }
    gone = [name for name, row in found.items() if row.enabled and name not in wanted]
    amiss = [name for name, one in wanted.items() if not _is_kept(cipher, found.get(name), one)]
    for first in range(0, len(amiss), _AT_ONCE):
        with writing(sessions) as session:
            for name in amiss[first : first + _AT_ONCE]:
                _keep(session, cipher, name, wanted[name])
    if gone:
        with writing(sessions) as session:
            off = update(Channel).where(Channel.name.in_(gone)).values(enabled=False)
            end_links(session, session.scalars(off.returning(Channel.id)).all())
            announce(session, CHANNELS[0], (CHANNELS[1],))
    return len(amiss) + len(gone) + _fill_kinds(sessions, cipher)


def _fill_kinds(sessions: sessionmaker[Session], cipher: Cipher) -> int:
    """Of channels that an older release added: the address that tells it is sealed."""
    with sessions() as session:
        query = select(Channel.id, Channel.url).where(Channel.kind.is_(None), Channel.enabled)
        kinds: dict[int, ChannelKind] = {}
        for row in session.execute(query.order_by(Channel.id).limit(_AT_ONCE)):
            with suppress(Undecipherable):  # of another secret key: it works for nobody
                kinds[row.id] = kind_of(cipher.open(URL_COLUMN, row.url))
    if kinds:
        with writing(sessions) as session:
            for number, kind in kinds.items():
                session.execute(update(Channel).where(Channel.id == number).values(kind=kind))
            announce(session, CHANNELS[0], (CHANNELS[1],))
    return len(kinds)


def _wanted(session: Session, settings: Settings) -> dict[str, _Kept]:
    wanted = {
        f"{_SETTINGS}{number}": _Kept(url, "zh-TW", None, Role.ADMINISTRATOR)
        for number, url in enumerate(settings.notify_urls, 1)
    }
    if settings.smtp.host:
        columns = (Account.id, Account.username, Account.email, Account.language)
        query = select(*columns).where(Account.email != "", Account.active)
        wanted |= {
            f"{_MAIL}{row.username}": _Kept(
                mail_url(settings.smtp, row.email), row.language, row.id, None
            )
            for row in session.execute(query)
        }
    return wanted


def mail_url(smtp: SmtpSettings, recipient: str) -> str:
    """The Apprise address of one mailbox through the operator's mail server."""
    scheme = "mailto" if smtp.security == "none" else "mailtos"
    login = ""
    if smtp.username:
        password = quote(smtp.password.get_secret_value(), safe="")
        login = f"{quote(smtp.username, safe='')}:{password}@"
    return (
        f"{scheme}://{login}{smtp.host}:{smtp.port}/?mode={_MAIL_MODES[smtp.security]}"
        f"&smtp={smtp.host}&from={quote(smtp.sender, safe='')}&to={quote(recipient, safe='')}"
        "&format=text"
    )


def _is_kept(cipher: Cipher, row: Row[*tuple[Any, ...]] | None, wanted: _Kept) -> bool:
    if row is None or not row.enabled or row.language != wanted.language:
        return False
    # What was sealed with another secret key is written anew.
    return _opened(cipher, URL_COLUMN, row.url) == wanted.url


def _keep(session: Session, cipher: Cipher, name: str, wanted: _Kept) -> None:
    account = session.get(Account, wanted.account_id) if wanted.account_id is not None else None
    if wanted.account_id is not None and account is None:
        return  # removed meanwhile
    _put(
        session,
        cipher,
        name=name,
        url=wanted.url,
        account=account,
        role=wanted.role,
        language=wanted.language,
    )
