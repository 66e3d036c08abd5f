"""What becomes of a press on a one-time link, and of a web hook's answer: once, and for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import answering, feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.api_errors import ApiError
from vigil_cloud.domain.at_home import CodeNeeded, Proof
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.notify import reply_links
from vigil_cloud.notify.escalation import answers
from vigil_cloud.notify.escalation.progress import Answer
from vigil_cloud.notify.models import Channel, ReplyLink
from vigil_cloud.notify.reply_links import Reply
from vigil_cloud.services import Services


class ReplyUnknown(ApiError):
    """A token that is nobody's, or another channel's; the two are not told apart."""

    code: ClassVar[str] = "reply-unknown"
    remedy: ClassVar[str] = "Use the link of the newest message, or sign in and open the alert."
    status: ClassVar[int] = 404


class ReplyExpired(ApiError):
    """The link's time is over."""

    code: ClassVar[str] = "reply-expired"
    remedy: ClassVar[str] = "Sign in and open the alert, or use the link of a newer message."
    status: ClassVar[int] = 410


class ReplyNotOffered(ApiError):
    """An answer that this link does not offer."""

    code: ClassVar[str] = "reply-not-offered"
    remedy: ClassVar[str] = "Give one of the answers that the message offers."
    status: ClassVar[int] = 422

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(f"This link offers: {', '.join(offered) or 'nothing of the kind'}.")
        self.offered = list(offered)


class ReplyIdUsedAgain(ApiError):
    """Two different answers of a web hook under one id."""

    code: ClassVar[str] = "reply-id-used-again"
    remedy: ClassVar[str] = "Give each answer an id of its own; repeat one only to send it again."
    status: ClassVar[int] = 409


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A request whose signature showed which channel it comes from."""

    channel_id: int
    id: str
    """Made by its sender, one for each answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands now."""

    alert_id: str
    who: str
    answer: Reply
    at: datetime
    repeated: bool
    """It was answered before, and nothing was changed now."""


def answer(  # noqa: PLR0913 - one answer with everything it may carry, by name
    session: Session,
    cipher: Cipher,
    token: str,
    said: Reply,
    now: datetime,
    *,
    request: HookRequest | None = None,
    proof: Proof | None = None,
) -> Outcome:
    """Answer, in the caller's transaction; a word that may not follow what was answered before
    (``reply_links.still_open``) changes nothing, and what was answered and when is said again.

    ``request``: a web hook's, whose channel the link must be. ``proof``: of the home's code.
    Raises ``ReplyUnknown``,
    ``ReplyExpired``, ``ReplyNotOffered``, ``ReplyIdUsedAgain``, and ``Forbidden`` where whoever
    was told may not answer any more.
    """
    feed.lock(session)
    link = reply_links.find(session, cipher, token, lock=True)
    if link is None or (request is not None and link.channel_id != request.channel_id):
        raise ReplyUnknown("This link is not known.")
    channel = session.get(Channel, link.channel_id)
    alert = session.get(AlertRow, link.alert_id)
    if channel is None or alert is None:  # both take their links with them
        raise ReplyUnknown("This link is not known.")
    who = reply_links.who_of(session, channel)
    if request is not None:
        _refuse_other(session, link, request)
    follows = said in reply_links.still_open(link)
    if link.used is not None and link.answer is not None and not follows:
        return Outcome(alert.id, who, cast(Reply, link.answer), link.used, True)
    if reply_links.is_over(link, now):
        raise ReplyExpired("The time of this link is over.")
    if said not in link.answers:
        raise ReplyNotOffered(link.answers)
    # Whoever has moved out since may still answer, and not say that.
    if said == "false-alarm" and said not in reply_links.answers_of(session, channel, alert, now):
        raise ReplyNotOffered([one for one in link.answers if one != said])
    via: answers.Via = "link" if request is None else "webhook"
    give(session, alert, who, said, now, via=via, proof=proof)
    link.used, link.answer = now, said
    link.request_id = request.id if request is not None else None
    session.flush()
    return Outcome(alert.id, who, said, now, False)


def give(  # noqa: PLR0913 - as above
    session: Session,
    alert: AlertRow,
    who: str,
    said: Reply,
    now: datetime,
    *,
    via: answers.Via,
    proof: Proof | None = None,
    decides: bool = False,
) -> None:
    """One answer, however it came. A false alarm is taken on by whoever says so: the alert stays
    until its device takes it back. ``decides``: said by somebody whose role it is, of whom no
    code is asked. Raises ``Forbidden``, ``CodeNeeded`` and the domain's own refusals."""
    at_home = reply_links.at_home_of(alert)
    if said == "burns":
        if at_home is not None:
            answering.say_burns(session, alert, who, now, via=via)
            at_home.burns(session, alert.id, who, now)
        return
    if said == "false-alarm" and at_home is not None and not decides:
        at_home.false_alarm(session, alert.id, who, now, proof)
    kind: Answer = "declined" if said == "declined" else "accepted"
    answers.record(session, alert.id, who, kind, now, via=via)
    if said == "false-alarm":
        answering.call_false(session, alert, who, now, via=via)


def verify(
    services: Services, token: str, said: Reply, code: str, *, channel_id: int | None = None
) -> Proof | None:
    """That the home's code was given with a link that may still say so; ``None`` where nothing
    is asked of it. Before ``answer``, in transactions of its own. Raises the domain's refusals."""
    if said != "false-alarm":
        return None
    cipher, now = Cipher(services.settings.secret), services.now()
    with services.sessions() as session:
        link = reply_links.find(session, cipher, token)
        if link is None or channel_id not in {None, link.channel_id}:
            return None  # ``answer`` says so
        channel, alert = session.get(Channel, link.channel_id), session.get(AlertRow, link.alert_id)
        waits = said in reply_links.still_open(link) and not reply_links.is_over(link, now)
        if channel is None or alert is None or not waits:
            return None
        who, at_home = reply_links.who_of(session, channel), reply_links.at_home_of(alert)
        if at_home is None or not at_home.code_counts(session, alert.id):
            return None
        alert_id = alert.id
    if not code:
        raise CodeNeeded("This home's code is needed to take the alarm back.")
    return at_home.verify(services, alert_id, code, who)


def _refuse_other(session: Session, link: ReplyLink, request: HookRequest) -> None:
    other = select(ReplyLink.id).where(
        ReplyLink.channel_id == link.channel_id,
        ReplyLink.request_id == request.id,
        ReplyLink.id != link.id,
    )
    if session.scalar(other) is not None:
        raise ReplyIdUsedAgain("This id was used for the answer to another message.")
