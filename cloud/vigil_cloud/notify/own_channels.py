"""Somebody's own channels (push, chat, mail, web hook), and one message through all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeVar

import structlog
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
GIVEN_UP: Final = "given up"
"""How it begins once there is no other try."""
SENT: Final = "sent"
PAGE_ALONE: Final = "no channel of their own: the page alone"
UNREADABLE: Final = "cannot be opened with this secret key"
"""Of a channel whose address is sealed under another one."""
CONVERSATION_S: Final = 15.0
AT_ONCE: Final = 16
"""So many people are told side by side: one whose channel fails holds up few others."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Somebody's own channels: where each leads, and how many cannot be opened."""

    known: tuple[tuple[int, str | Target], ...] = ()
    unreadable: int = 0


NOWHERE: Final = Addresses()


@dataclass(frozen=True, slots=True)
class Told:
    """How it went, and channels under which there is nobody any more."""

    words: str
    gone: tuple[int, ...] = ()


def addresses(
    session: Session, services: Services, accounts: Collection[int | None]
) -> Mapping[int | None, Addresses]:
    """By account; browsers first. Who has none is not in it."""
    cipher, settings, now = Cipher(services.settings.secret), services.settings, services.now()
    found: dict[int, list[tuple[int, str | Target]]] = {}
    unreadable: Counter[int] = Counter()
    query = select(Channel).where(Channel.account_id.in_(accounts), Channel.enabled)
    for channel in session.scalars(query):
        if channel.account_id is None:
            continue
        try:
            address = subscriptions.opened_address(session, cipher, channel, settings, now)
        except Undecipherable:
            unreadable[channel.account_id] += 1
            continue
        found.setdefault(channel.account_id, []).append((channel.id, address))
    return {
        account: Addresses(
            tuple(sorted(found.get(account, ()), key=lambda one: isinstance(one[1], str))),
            unreadable[account],
        )
        for account in {*found, *unreadable}
    }


def tell(to: Addresses, text: NotificationText) -> Told:
    """``sent``, or why not; the page is told in any case."""
    if to == NOWHERE:
        return Told(PAGE_ALONE)
    from vigil_cloud.notify.sending import send  # Apprise is large

    # Through each of them: a browser of a computer at home takes it as well as the telephone does.
    errors = [f"{to.unreadable} of their channels {UNREADABLE}"] if to.unreadable else []
    gone: list[int] = []
    sent = False
    for channel, url in to.known:
        told = send(url, text, connect_s=5.0, answer_s=10.0, conversation_s=CONVERSATION_S)
        if told.verdict == "accepted" or (told.perhaps_told and told.verdict != "elsewhere"):
            sent = True
            continue
        if told.verdict == "gone":
            gone.append(channel)
        errors.append(told.error)
    return Told(SENT if sent else f"{AGAIN}: {'; '.join(errors)}", tuple(gone))


class Again(NamedTuple):
    """Tries so far, and when the next one is."""

    tries: int
    at: datetime | None


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
    """At most ``AT_ONCE``, told at once; ``keep`` writes down how each went as soon as it is
    known, in a transaction of its own: who dies meanwhile has told nobody twice. Returns how many.
    """
    failed: Exception | None = None
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="telling") as pool:
        telling = {pool.submit(tell, one.addresses, one.text): one for one in some}
        for done in as_completed(telling):
            try:
                _write_down(services, telling[done], _outcome(done), keep)
            except Exception as error:  # noqa: BLE001 - the others' outcome must not be lost
                failed = failed or error
    if failed is not None:
        raise failed  # the job is shown as failing
    return len(some)


def _outcome(done: Future[Told]) -> Told:
    """A mistake of ours is an outcome as well: the message is tried again after its pause."""
    try:
        return done.result()
    except Exception as error:  # noqa: BLE001 - as said
        _log.exception("message-not-sent")
        return Told(f"{AGAIN}: {type(error).__name__}")


def _write_down(
    services: Services, one: D, told: Told, keep: Callable[[Session, D, str], None]
) -> None:
    with writing(services.sessions) as session:
        keep(session, one, told.words)
        for channel in told.gone:
            subscriptions.gone(session, channel, services.now())


def next_try(words: str, tries: int, now: datetime, first_s: float, last_s: float) -> Again:
    """After a message went so: how often it was tried, and when it is tried again; never where it
    did not fail. Pauses double, from ``first_s`` to ``last_s`` at most."""
    pause = timedelta(seconds=min(first_s * 2 ** min(tries, 16), last_s))
    return Again(tries + 1, now + pause if words.startswith(AGAIN) else None)


def given_up(tries: int, last: str) -> str:
    """What is shown of a message that is not tried any more."""
    return f"{GIVEN_UP} after {tries} tries: {last.removeprefix(AGAIN).lstrip(': ')}"[:200]


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
