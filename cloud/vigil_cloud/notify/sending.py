"""One message through Apprise, and what went wrong without the secrets of its address."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apprise

from vigil_cloud.notify.message import Message

LONGEST_ERROR: Final = 300
_apprise_log = logging.getLogger("apprise")
# What Apprise logs may hold addresses with their passwords, and at lower levels whole messages
# with names and places. It is heard here alone; what may be told of it stands in the delivery.
_apprise_log.propagate = False
_apprise_log.setLevel(logging.WARNING)
_apprise_log.addHandler(logging.NullHandler())


def understood(url: str) -> bool:
    """Whether Apprise knows what to do with this address; connects nowhere."""
    return apprise.Apprise.instantiate(url) is not None


def send(url: str, message: Message) -> str | None:
    """What went wrong, or ``None``. Blocks for as long as the service takes."""
    with _heard_complaints() as complaints:
        try:
            service = apprise.Apprise()
            if not service.add(url):
                return "the address is not understood"
            sent = service.notify(
                body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # a plugin's own mistake must not stop the others
            return without_secrets(f"{type(error).__name__}: {error}")
    if sent:
        return None
    return without_secrets(complaints[-1] if complaints else "the service did not take it")


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
