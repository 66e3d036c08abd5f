"""One-time links with which whoever was told of an alert answers it, without signing in.

A link is a capability: bound to one alert, one channel and a set of answers, for two days. Each
answer counts once, and after one only what says more of a home's fire may follow (``still_open``).
Its token is an HMAC under the secret key of a random number that is stored; the token itself
is not, so that a copy of the database answers nothing, and a message that is sent again carries
the same link. It is written into messages alone: never into logs, history or audit.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.alerts.visibility import may_act
from vigil_cloud.domain.at_home import AtHome
from vigil_cloud.domain.registry import described
from vigil_cloud.domain.rights import opened
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader, Relation, reader_of
from vigil_cloud.identity.rights import Operation
from vigil_cloud.identity.sessions import digest, same_secret
from vigil_cloud.notify.escalation.people import CHANNEL
from vigil_cloud.notify.models import Channel, ReplyLink

Reply = Literal["accepted", "declined", "false-alarm", "burns"]
REPLIES: Final[Mapping[Reply, tuple[str, str]]] = {
    "accepted": ("I take it", "我來處理"),
    "declined": ("I cannot", "我無法處理"),
    "false-alarm": ("False alarm, I am safe", "誤報，我平安"),
    "burns": ("It burns", "真的失火了"),
}
"""As messages and pages word them."""
AT_HOME: Final[frozenset[Reply]] = frozenset({"false-alarm", "burns"})
"""What only those say who are there: asked for also of what somebody has taken on."""
_SAYS_MORE: Final[Mapping[str, int]] = {
    "accepted": 0,
    "declined": 0,
    "false-alarm": 1,
    "burns": 2,
}
"""Which answer may follow another with the same link: that it is none after who goes, that it burns
after everything, and never the other way round."""
LIFETIME: Final = timedelta(days=2)
USED_AGAIN: Final = timedelta(days=1)
"""A message that is sent again has a link that lasts at least so long."""
KEPT: Final = timedelta(days=30)
"""After its end it still says what was answered with it."""
NONCE_BYTES: Final = 16
TOKEN: Final = r"^[A-Za-z0-9_-]{43}$"  # noqa: S105 - the shape of one
_PURPOSE: Final = "reply links v1"


@dataclass(frozen=True, slots=True)
class Offered:
    """What a message offers: never stored, never logged."""

    token: str
    answers: tuple[Reply, ...]
    public_url: str
    """Empty: there are no links, only what a web hook answers with."""

    def link(self, answer: Reply) -> str:
        """Where this answer is pressed (``http.reply_pages``)."""
        return f"{self.public_url.rstrip('/')}/r/{self.token}/{answer}"


def offer(
    session: Session,
    cipher: Cipher,
    channel: Channel,
    alert: AlertRow,
    now: datetime,
    *,
    public_url: str,
) -> Offered | None:
    """The link for a message of this alert to this channel; ``None`` where nothing is asked, or
    whoever it reaches may not answer. Of what somebody has taken on it asks only what a home knows
    of its own fire. In the caller's transaction."""
    if alert.severity == "info" or not state_of(alert).stands:
        return None
    answers = answers_of(session, channel, alert, now)
    if alert.acknowledged:
        answers = tuple(one for one in answers if one in AT_HOME)
    if not answers:
        return None
    link = _standing(session, channel, alert, answers, now)
    if link is not None and (token := _token(cipher, link.nonce)) and _is_of(link, token):
        return Offered(token, answers, public_url)
    nonce = secrets.token_hex(NONCE_BYTES)
    token = _token(cipher, nonce)
    session.add(
        ReplyLink(
            token_sha256=digest(token),
            nonce=nonce,
            alert_id=alert.id,
            channel_id=channel.id,
            answers=list(answers),
            created=now,
            expires=now + LIFETIME,
        )
    )
    session.flush()
    return Offered(token, answers, public_url)


def find(session: Session, cipher: Cipher, token: str, *, lock: bool = False) -> ReplyLink | None:
    """The link of a token; ``None`` for whatever is none."""
    query = select(ReplyLink).where(ReplyLink.token_sha256 == digest(token))
    if lock:
        query = query.with_for_update()
    link = session.scalar(query.execution_options(populate_existing=True))
    # Also against whoever can write to the table and does not know the key.
    if link is None or not same_secret(_token(cipher, link.nonce), token):
        return None
    return link


def still_open(link: ReplyLink) -> tuple[Reply, ...]:
    """What may still be said with it, its time apart: all that it offers until something was
    answered, then only what says more. So no word counts twice, and none is undone by a link."""
    said = -1 if link.answer is None else _SAYS_MORE[link.answer]
    return tuple(cast(Reply, one) for one in link.answers if _SAYS_MORE[one] > said)


def is_over(link: ReplyLink, now: datetime) -> bool:
    """Whether its time is over."""
    return link.expires <= now


def who_of(session: Session, channel: Channel) -> str:
    """In whose name the channel answers."""
    account = session.get(Account, channel.account_id) if channel.account_id else None
    return account.username if account is not None else f"{CHANNEL}{channel.name}"


def may_call_false(reader: Reader, alert: AlertRow) -> bool:
    """Whether the reader may say that it is a false alarm: who lives there, or decides."""
    domain = opened(alert.domain)
    if alert.severity != "critical" or not getattr(domain, "false_alarms", False):
        return False
    at_home = any(
        home.household == alert.household and home.relation is Relation.RESIDENT
        for home in reader.homes
    )
    return at_home or may_act(reader, Operation.DECIDE, alert).allowed


def at_home_of(alert: AlertRow) -> AtHome | None:
    """What those who belong to the home may say of this alert, beside taking it on."""
    domain = described(alert.domain)
    return domain.at_home if domain is not None and alert.severity == "critical" else None


def may_say_burns(reader: Reader, alert: AlertRow) -> bool:
    """Whether the reader may say that it is a fire: who belongs to the home, or decides."""
    if at_home_of(alert) is None:
        return False
    belongs = any(home.household == alert.household for home in reader.homes)
    return belongs or may_act(reader, Operation.DECIDE, alert).allowed


def prune(session: Session, now: datetime) -> bool:
    """Forget what nobody asks for any more."""
    session.execute(delete(ReplyLink).where(ReplyLink.expires < now - KEPT))
    return False


def answers_of(
    session: Session, channel: Channel, alert: AlertRow, now: datetime
) -> tuple[Reply, ...]:
    """What whoever the channel reaches may answer, by their rights as they are."""
    if channel.account_id is None:
        return ("accepted", "declined")  # it is told of this alert, and so it may answer
    account = session.get(Account, channel.account_id)
    if account is None or not account.active:
        return ()
    reader = reader_of(session, account, now)
    if not may_act(reader, Operation.ACKNOWLEDGE, alert).allowed:
        return ()
    plain: tuple[Reply, ...] = ("accepted", "declined")
    if may_call_false(reader, alert):
        plain = (*plain, "false-alarm")
    return (*plain, "burns") if may_say_burns(reader, alert) else plain


def _standing(
    session: Session, channel: Channel, alert: AlertRow, answers: Sequence[str], now: datetime
) -> ReplyLink | None:
    query = select(ReplyLink).where(
        ReplyLink.alert_id == alert.id,
        ReplyLink.channel_id == channel.id,
        ReplyLink.used.is_(None),
        ReplyLink.expires >= now + USED_AGAIN,
    )
    newest = session.scalars(query.order_by(ReplyLink.id.desc()).limit(1)).first()
    return newest if newest is not None and newest.answers == list(answers) else None


def _token(cipher: Cipher, nonce: str) -> str:
    made = cipher.keyed_hash(_PURPOSE, nonce.encode())
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _is_of(link: ReplyLink, token: str) -> bool:
    """Not after the secret key was changed."""
    return same_secret(link.token_sha256, digest(token))
