"""Channels: added by the seed, and kept in step with the settings and with accounts' e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Final
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.config import Settings, SmtpSettings
from vigil_cloud.identity import secret_key
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.sending import understood
from vigil_schemas.errors import VigilError

URL_COLUMN: Final = "channel.url"
_SETTINGS: Final = "settings "
_MAIL: Final = "e-mail "
_KEPT: Final = (_SETTINGS, _MAIL)
"""How the names begin of channels that follow the settings and the accounts."""
_DEVICE: Final = r"[a-z0-9][a-z0-9._-]{0,63}"
_MAIL_MODES: Final = {"starttls": "starttls", "tls": "ssl", "none": "insecure"}


class BadChannel(VigilError):
    """A channel that cannot work."""

    code: ClassVar[str] = "bad-channel"


def put_channel(
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
) -> Channel:
    """Add a channel, or change the one of this name. Raises ``BadChannel``.

    ``devices``: of a home; the channel is told of these and of what hangs on their gateway.
    """
    if name.startswith(_KEPT):
        raise BadChannel(f"channel {name!r}: names that begin like this are given by the service")
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
    )


def _put(
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
) -> Channel:
    devices = list(devices)
    if not all(re.fullmatch(_DEVICE, device) for device in devices):
        raise BadChannel(f"channel {name!r}: devices are named by their ids")
    if (account is None) == (role is None):
        raise BadChannel(f"channel {name!r}: name either an account or a role")
    if not understood(url):
        raise BadChannel(f"channel {name!r}: Apprise does not understand this address")
    secret_key.require(session, cipher)
    channel = session.scalar(select(Channel).where(Channel.name == name))
    if channel is None:
        channel = Channel(name=name)
        session.add(channel)
    channel.url = cipher.seal(URL_COLUMN, url)
    channel.account_id = account.id if account else None
    channel.role = role.value if role else None
    channel.domains = list(domains)
    channel.minimum = minimum
    channel.escalate_after_s = escalate_after_s
    channel.language = language
    channel.devices = devices
    channel.enabled = True
    session.flush()
    return channel


def sync(session: Session, cipher: Cipher, settings: Settings) -> None:
    """Channels that nobody adds by hand: ``notify_urls`` and every account's e-mail.

    The settings' addresses hear what an administrator may see: never a person's whereabouts.
    """
    wanted = set()
    for number, url in enumerate(settings.notify_urls, 1):
        wanted.add(name := f"{_SETTINGS}{number}")
        _keep(session, cipher, name, url, None, Role.ADMINISTRATOR)
    if settings.smtp.host:
        accounts = session.scalars(select(Account).where(Account.email != "", Account.active))
        for account in accounts.all():
            wanted.add(name := f"{_MAIL}{account.username}")
            url = mail_url(settings.smtp, account.email)
            _keep(session, cipher, name, url, account, None)
    for channel in session.scalars(select(Channel).where(Channel.enabled)).all():
        if channel.name.startswith(_KEPT) and channel.name not in wanted:
            channel.enabled = False


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


def _keep(
    session: Session,
    cipher: Cipher,
    name: str,
    url: str,
    account: Account | None,
    role: Role | None,
) -> None:
    language = account.language if account else "zh-TW"
    channel = session.scalar(select(Channel).where(Channel.name == name))
    same = channel is not None and channel.enabled and channel.language == language
    if same and channel is not None and _address(cipher, channel) == url:
        return
    _put(session, cipher, name=name, url=url, account=account, role=role, language=language)


def _address(cipher: Cipher, channel: Channel) -> str | None:
    """``None`` where it was sealed with another secret key: it is written anew then."""
    try:
        return cipher.open(URL_COLUMN, channel.url)
    except Undecipherable:
        return None
