"""One message through Apprise, and what went wrong without the secrets of its address."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import apprise

from vigil_cloud.deadline import deadline
from vigil_cloud.notify.exchanges import Exchange, overheard
from vigil_cloud.notify.hook_signatures import HookSigning
from vigil_cloud.notify.page_answers import SIGN_IN
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.notify.web_push import service
from vigil_cloud.notify.web_push.addresses import Target, is_allowed
from vigil_cloud.notify.web_push.note import Note

LONGEST_ERROR: Final = 300
CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 30.0
CONVERSATION_S: Final = 300.0
"""For a message as a whole, to all recipients of its channel: a mail server may continue a reply
without end."""
_ASSET: Final = apprise.AppriseAsset(service_timeout=0)
"""With a limit of its own Apprise sends from a pool of a few threads that the whole process shares:
as many services that hang, and nobody is told anything more."""
_LIMITED: Final = (429, 503)
_OK: Final = 200
_REDIRECTION: Final = 300
_GONE: Final = (404, 410)
"""RFC 8030, 7.3: the subscription is over."""
_SERVER_ERROR: Final = 500
_NOT_TAKEN: Final = (*range(300, 500), 503)
"""Statuses after which nothing can have been delivered."""
PAGE: Final = "answered with a web page: whether it was passed on is not known"
_apprise_log = logging.getLogger("apprise")
# What Apprise logs may hold addresses with their passwords, and at lower levels whole messages
# with names and places. It is heard here alone; what may be told of it stands in the delivery.
_apprise_log.propagate = False
_apprise_log.setLevel(logging.WARNING)
_apprise_log.addHandler(logging.NullHandler())


def understood(url: str) -> bool:
    """Whether Apprise knows what to do with this address; connects nowhere."""
    return apprise.Apprise.instantiate(url) is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message."""

    verdict: Literal[
        "accepted", "refused", "limited", "unreachable", "elsewhere", "no-answer", "gone"
    ]
    """``refused``: this message; ``limited``, ``unreachable``: any message just now;
    ``elsewhere``: not the service answered but something in front of it (``page_answers``);
    ``no-answer``: it was sent whole and may have been delivered; ``gone``: nobody is there, and
    will be no more."""
    error: str = ""
    """Also of what was accepted: what is not known of it."""
    retry_after: timedelta | None = None
    perhaps_told: bool = False
    """Not accepted, and yet it may have reached somebody."""
    page: bool = False
    """It was accepted with a web page, which may be anybody's."""


def send(  # noqa: PLR0913 - one message to one service; the limits are for tests
    url: str | Target,
    message: NotificationText,
    signing: HookSigning | None = None,
    *,
    key: str | None = None,
    connect_s: float = CONNECT_TIMEOUT_S,
    answer_s: float = ANSWER_TIMEOUT_S,
    conversation_s: float = CONVERSATION_S,
) -> Answer:
    """Blocks for as long as the service takes, ``conversation_s`` at most; an address may name
    other limits of a single answer (``cto``, ``rto``). ``signing``: of a web hook. ``key``: the
    same for each try of a message. Never raises."""
    if isinstance(url, Target):
        return _send_push(url, message, key, (connect_s, answer_s))
    begun = time.monotonic()
    with (
        _heard_complaints() as complaints,
        overheard(signing, key) as exchanges,
        deadline(conversation_s),
    ):
        try:
            plugin = apprise.Apprise.instantiate(url, asset=_ASSET)
            if plugin is None:
                return Answer("refused", "the address is not understood")
            _be_patient(plugin, connect_s, answer_s)
            answer_s = plugin.socket_read_timeout
            several = apprise.Apprise(asset=_ASSET)
            several.add(plugin)
            sent = several.notify(
                body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001 - a plugin's own mistake must not stop the others
            told = any(exchange.sent for exchange in exchanges)
            text = without_secrets(f"{type(error).__name__}: {error}")
            return Answer("refused", text, perhaps_told=told)
    complaint = without_secrets(complaints[-1] if complaints else "the service did not take it")
    if (elsewhere := _elsewhere(exchanges)) is not None:
        return elsewhere
    if sent:
        page = any(exchange.page for exchange in exchanges)
        return Answer("accepted", PAGE if page else "", page=page)
    waited = time.monotonic() - begun >= answer_s
    return _judged(exchanges, complaint) if exchanges else _without_http(complaint, waited=waited)


def _send_push(
    target: Target, message: NotificationText, key: str | None, timeout: tuple[float, float]
) -> Answer:
    """To a browser's push service, RFC 8030."""
    if not is_allowed(target.subscription.endpoint, target.services):
        return Answer("gone", "its push service is not one of those that are used any more")
    note = message.note or Note(message.title, message.body, "/", "zh-TW")
    with overheard(None, key) as exchanges, deadline(sum(timeout)):
        try:
            service.post(target, note, timeout)
        except Exception as error:  # noqa: BLE001 - as above: whatever one message meets
            if not exchanges:
                return Answer("refused", without_secrets(f"{type(error).__name__}: {error}"))
            return _judged(exchanges, without_secrets(type(error).__name__))
    if (elsewhere := _elsewhere(exchanges)) is not None:
        return elsewhere
    statuses = [exchange.status or 0 for exchange in exchanges]
    if any(status in _GONE for status in statuses):
        return Answer("gone", "the browser has left its push service")
    if statuses and all(_OK <= status < _REDIRECTION for status in statuses):
        return Answer("accepted")
    return _judged(exchanges, f"the push service answered {statuses[-1]}")


def _be_patient(service: apprise.NotifyBase, connect_s: float, answer_s: float) -> None:
    """Apprise waits for 4 s and calls what is slower a failure; the message arrives all the
    same. What an address names itself stays."""
    if service.socket_connect_timeout == apprise.URLBase.socket_connect_timeout:
        service.socket_connect_timeout = connect_s
    if service.socket_read_timeout == apprise.URLBase.socket_read_timeout:
        service.socket_read_timeout = answer_s


def _judged(exchanges: Sequence[Exchange], error: str) -> Answer:
    """By the worst of them: a service with several recipients makes several requests."""
    told = any(exchange.sent and exchange.status not in _NOT_TAKEN for exchange in exchanges)
    longest = max((one.retry_after for one in exchanges if one.retry_after), default=None)
    if any(exchange.status in _LIMITED for exchange in exchanges):
        return Answer("limited", error, longest, _part_told(exchanges))
    if any(exchange.timed_out for exchange in exchanges):
        return Answer("no-answer", f"no answer in time; {error}", perhaps_told=True)
    if any(exchange.status is None or exchange.status >= _SERVER_ERROR for exchange in exchanges):
        return Answer("unreachable", error, longest, told)
    return Answer("refused", error, longest, _part_told(exchanges))


def _elsewhere(exchanges: Sequence[Exchange]) -> Answer | None:
    """Where something in front of the service answered any of them."""
    why = next((exchange.elsewhere for exchange in exchanges if exchange.elsewhere), "")
    if not why:
        return None
    own = [exchange for exchange in exchanges if not exchange.elsewhere]
    # A service may have taken it and show its own page to sign in on.
    return Answer("elsewhere", why, perhaps_told=why == SIGN_IN or _part_told(own))


def _part_told(exchanges: Sequence[Exchange]) -> bool:
    """Whether some of several recipients have it."""
    return any(one.status is not None and one.status < _REDIRECTION for one in exchanges)


def _without_http(error: str, *, waited: bool) -> Answer:
    """Mail and the like: only the time tells."""
    if waited:
        return Answer("no-answer", f"no answer in time; {error}", perhaps_told=True)
    return Answer("unreachable", error, perhaps_told=True)


def without_secrets(text: str) -> str:
    """Addresses may hold passwords, mailboxes are people's: only the kind is worth telling."""
    text = re.sub(r"(\w+)://\S+", r"\1://…", text)
    text = re.sub(r"(?i)\b(url|path)(:? +|=)\S+", r"\1\2…", text)
    text = re.sub(r"[^\s<>@]+@[^\s<>@]+", "…@…", text)
    return text[:LONGEST_ERROR]


@contextmanager
def _heard_complaints() -> Iterator[list[str]]:
    """Apprise tells why only in its log: listen to what this thread makes it say."""
    heard: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                heard.append(record.getMessage())

    ear = Ear(logging.WARNING)
    _apprise_log.addHandler(ear)
    try:
        yield heard
    finally:
        _apprise_log.removeHandler(ear)
