"""A volunteer's own channels (push, chat, mail, web hook), and one message through all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.notify import subscriptions
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.notify.web_push.addresses import Target
from vigil_cloud.services import Services

AGAIN: Final = "failed"
"""How the outcome of a message begins that is worth another try."""
CONVERSATION_S: Final = 15.0
AT_ONCE: Final = 16
"""So many people are told side by side: one whose channel fails holds up few others."""
Addresses = tuple[tuple[int, str | Target], ...]
"""Channels, and where they lead."""


@dataclass(frozen=True, slots=True)
class Told:
    """How it went, and channels under which there is nobody any more."""

    words: str
    gone: tuple[int, ...] = ()


def addresses(
    session: Session, services: Services, accounts: Collection[int]
) -> Mapping[int, Addresses]:
    """By account; browsers first. Who has none is not in it."""
    cipher, settings, now = Cipher(services.settings.secret), services.settings, services.now()
    found: dict[int, list[tuple[int, str | Target]]] = {}
    query = select(Channel).where(Channel.account_id.in_(accounts), Channel.enabled)
    for channel in session.scalars(query):
        if channel.account_id is None:
            continue
        try:
            address = subscriptions.opened_address(session, cipher, channel, settings, now)
        except Undecipherable:
            continue  # told as a failing channel by whoever sends through it
        found.setdefault(channel.account_id, []).append((channel.id, address))
    return {
        account: tuple(sorted(some, key=lambda one: isinstance(one[1], str)))
        for account, some in found.items()
    }


def tell(to: Addresses, text: NotificationText) -> Told:
    """``sent``, or why not; the page is told in any case."""
    if not to:
        return Told("no channel of their own: the page alone")
    from vigil_cloud.notify.sending import send  # Apprise is large

    # Through each of them: a browser of a computer at home takes it as well as the telephone does.
    errors: list[str] = []
    gone: list[int] = []
    sent = False
    for channel, url in to:
        told = send(url, text, connect_s=5.0, answer_s=10.0, conversation_s=CONVERSATION_S)
        if told.verdict == "accepted" or told.perhaps_told:
            sent = True
            continue
        if told.verdict == "gone":
            gone.append(channel)
        errors.append(told.error)
    return Told("sent" if sent else f"{AGAIN}: {'; '.join(errors)}", tuple(gone))


class Due(Protocol):
    """One message to one person."""

    @property
    def addresses(self) -> Addresses:
        """Where it goes."""

    @property
    def text(self) -> NotificationText:
        """What it says."""


D = TypeVar("D", bound=Due)


def tell_side_by_side(
    services: Services, some: Sequence[D], keep: Callable[[Session, D, str], None]
) -> int:
    """At most ``AT_ONCE``, told at once; ``keep`` writes down how each went, in one transaction.
    Returns how many."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="aed-telling") as pool:
        results = list(pool.map(lambda one: tell(one.addresses, one.text), some))
    with writing(services.sessions) as session:
        for one, told in zip(some, results, strict=True):
            keep(session, one, told.words)
            for channel in told.gone:
                subscriptions.gone(session, channel, services.now())
    return len(some)


def tell_all(
    services: Services,
    stopping: threading.Event,
    due: Sequence[D],
    keep: Callable[[Session, D, str], None],
) -> int:
    """All of them, one group after the other, until it stops. Returns how many were tried."""
    tried = 0
    while tried < len(due) and not stopping.is_set():
        tried += tell_side_by_side(services, due[tried : tried + AT_ONCE], keep)
    return tried
