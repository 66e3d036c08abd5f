"""Hosts of stations: links that say whether a station works, and where its host is told.

A station has two links, both made of one stored random number under a key that outlives the
secret key. The one hangs
at the station as a QR code: whoever scans it sees whether the station works, and changes nothing.
The other is the host's own: with it messages are stopped, begun again, or sent elsewhere, once that
mailbox has said yes (``host_address``). Neither shows anything of any visit. Withdrawing ends both,
and the messages.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, NamedTuple
from urllib.parse import unquote

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin.models import StationHost, StationSilence
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.service import UnknownDevice
from vigil_cloud.identity import audit, kept_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.sessions import digest, same_secret
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.removal import remove_channel
from vigil_schemas.checkin import DOMAIN

Link = Literal["status", "host"]
Reason = Literal["works", "silent", "failed", "deaf", "unknown"]
"""``silent``: its gateway is not heard. ``failed``: its radio or reader is not. ``deaf``: it hears
nothing at all, which may be a quiet place. ``unknown``: it has not said anything yet."""
BROKEN: Final = frozenset({"silent", "failed"})
NONCE_BYTES: Final = 16
LONGEST_ADDRESS: Final = 254
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z]{2,24}"
)
_PURPOSES: Final[dict[Link, str]] = {"status": "station status v1", "host": "station host v1"}


class StationLinkUnknown(ApiError):
    """The link is nobody's: it was cut off or withdrawn."""

    code: ClassVar[str] = "station-link-unknown"
    remedy: ClassVar[str] = "Scan the code on the box again, or ask the city for a new one."
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__("This link is not valid.")


class BadHostAddress(ApiError):
    """No mail address, or the city sends no mail."""

    code: ClassVar[str] = "bad-host-address"
    remedy: ClassVar[str] = "Write one e-mail address, or ask the city to enter another channel."
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("Messages cannot be sent to this address.")


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a station works, and nothing of who passes it."""

    device: str
    name: str
    name_zh: str
    reason: Reason
    since: datetime | None
    """Since when it works, or does not."""
    last_heard: datetime | None
    aside: bool
    """It is out of service: somebody works on it, and nobody is told of it."""

    @property
    def works(self) -> bool:
        """Whether it hears and is heard."""
        return self.reason in {"works", "deaf"}


class Telling(NamedTuple):
    """Whether the host is told, and where, as far as a page may show it."""

    on: bool
    hint: str


def statuses(
    session: Session, now: datetime, offline_after: timedelta, devices: Sequence[str] | None = None
) -> list[Status]:
    """Of these stations, or of all, by name."""
    query = (
        select(Device, Gateway, StationSilence)
        .join(Gateway, Gateway.gateway == Device.gateway)
        .outerjoin(StationSilence, StationSilence.device == Device.device)
        .where(Device.domain == DOMAIN, Device.described)
        .order_by(Device.device)
    )
    if devices is not None:
        query = query.where(Device.device.in_(devices))
    return [
        _status(device, gateway, silence, now, offline_after)
        for device, gateway, silence in session.execute(query)
    ]


def status(session: Session, device: str, now: datetime, offline_after: timedelta) -> Status:
    """Of one. Raises ``UnknownDevice`` where there is no such station (any more)."""
    found = statuses(session, now, offline_after, [device])
    if not found:
        raise UnknownDevice(device)
    return found[0]


def _status(
    device: Device,
    gateway: Gateway,
    silence: StationSilence | None,
    now: datetime,
    offline_after: timedelta,
) -> Status:
    heard = gateway.last_seen
    reason: Reason
    if heard is None:
        reason, since = "unknown", None
    elif heard < now - offline_after or gateway.offline:
        reason, since = "silent", heard
    elif device.state == "failed":
        reason, since = "failed", device.since
    elif device.state in {"unknown", "starting", "stopped"}:
        reason, since = "unknown", device.since
    else:
        reason = "deaf" if device.code == "ble-silent" else "works"
        since = device.since
        if since is not None and silence is not None and silence.ended is not None:
            since = max(since, silence.ended)
    name = device.name or device.name_zh or device.device
    aside = any(
        until is not None and until > now
        for until in (device.out_of_service_until, gateway.out_of_service_until)
    )
    return Status(
        device=device.device,
        name=name,
        name_zh=device.name_zh or name,
        reason=reason,
        since=since,
        last_heard=heard,
        aside=aside or any(one.get("kind") == "out-of-service" for one in device.shelves),
    )


def make_links(
    session: Session, cipher: Cipher, device: str, *, by: str, now: datetime
) -> StationHost:
    """A station's links, where there are none that still fit. Idempotent. The caller has asked
    the right to the device."""
    row = session.get(StationHost, device)
    if row is not None and _fits(session, cipher, row):
        return row
    nonce = secrets.token_hex(NONCE_BYTES)
    row = session.merge(
        StationHost(
            device=device,
            nonce=nonce,
            status_sha256=digest(_token(session, cipher, nonce, "status")),
            host_sha256=digest(_token(session, cipher, nonce, "host")),
            made=now,
            made_by=by,
        )
    )
    session.flush()
    audit.append(session, at=now, account=by, action="station-links.made", subject=device)
    return row


def withdraw_links(session: Session, device: str, *, by: str, now: datetime) -> None:
    """What hangs somewhere shows nothing any more, and whoever had the host's link is told nothing
    any more. Idempotent."""
    feed.lock(session)  # before the channel, as whoever sends does
    if channel_of(session, device) is not None:
        remove_channel(session, channel_name(device), by=by, now=now)
    row = session.get(StationHost, device)
    if row is None:
        return
    session.delete(row)
    audit.append(session, at=now, account=by, action="station-links.withdrawn", subject=device)


def path_of(cipher: Cipher, row: StationHost, link: Link) -> str | None:
    """Beneath the city's address; ``None`` where its key was given up (``kept_keys``)."""
    session = kept_keys.session_of(row)
    if not _fits(session, cipher, row):
        return None
    return f"/p/{DOMAIN}/{_token(session, cipher, row.nonce, link)}"


def find(session: Session, cipher: Cipher, token: str) -> tuple[StationHost, Link]:
    """Whose link this is, and which. Raises ``StationLinkUnknown``."""
    hashed = digest(token)
    row = session.scalar(
        select(StationHost).where(
            or_(StationHost.status_sha256 == hashed, StationHost.host_sha256 == hashed)
        )
    )
    # Also against whoever can write to the table and does not know the key.
    if row is not None:
        for link in _PURPOSES:
            if same_secret(_token(session, cipher, row.nonce, link), token):
                return row, link
    raise StationLinkUnknown


def channel_name(device: str) -> str:
    """Of the channel by which a station's host is told."""
    return f"station {device}"


def channel_of(session: Session, device: str) -> Channel | None:
    """As the host, the seed file or an administrator left it."""
    return session.scalar(select(Channel).where(Channel.name == channel_name(device)))


def telling(session: Session, cipher: Cipher, device: str) -> Telling:
    """Whether the host is told, and the beginning of a mail address."""
    channel = channel_of(session, device)
    if channel is None:
        return Telling(False, "")
    try:
        url = cipher.open("channel.url", channel.url)
    except Undecipherable:  # of another secret key: it works for nobody
        return Telling(False, "")
    found = re.search(r"[?&]to=([^&]*)", url) if channel.kind == "email" else None
    hint = "" if found is None else hint_of(unquote(found[1]))
    return Telling(channel.enabled, hint)


def told(session: Session) -> set[str]:
    """Stations whose hosts are told."""
    prefix = channel_name("")
    names = select(Channel.name).where(Channel.enabled, Channel.name.startswith(prefix))
    return {name.removeprefix(prefix) for name in session.scalars(names)}


def put_host_channel(
    session: Session, cipher: Cipher, device: str, url: str, language: str
) -> Channel:
    """Where the host of a station is told that it is silent, and that it is back. Raises
    ``BadChannel``."""
    return put_channel(
        session,
        cipher,
        name=channel_name(device),
        url=url,
        role=Role.HOST,
        domains=[DOMAIN],
        devices=[device],
        language=language,
    )


def is_address(text: str) -> bool:
    """Whether it is one mail address."""
    return _ADDRESS.fullmatch(text) is not None


def hint_of(address: str) -> str:
    """So much of a mail address that its owner knows it again."""
    return f"{address[:2]}…{address[-6:]}"


def set_on(session: Session, device: str, on: bool, now: datetime) -> None:
    """Stop messages, or begin again; where there is no address nothing changes. Idempotent."""
    channel = channel_of(session, device)
    if channel is None or channel.enabled == on:
        return
    channel.enabled = on
    session.flush()
    note(session, device, "resumed" if on else "stopped", now)


def note(session: Session, device: str, what: str, now: datetime) -> None:
    """What a host did, in the audit log."""
    audit.append(
        session, at=now, account=f"host {device}", action=f"station-host.{what}", subject=device
    )


def _fits(session: Session, cipher: Cipher, row: StationHost) -> bool:
    return same_secret(digest(_token(session, cipher, row.nonce, "status")), row.status_sha256)


def _token(session: Session, cipher: Cipher, nonce: str, link: Link) -> str:
    """What hangs at a station outlives the secret key."""
    made = kept_keys.kept_hash(session, cipher, _PURPOSES[link], nonce.encode())
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
