"""A mail server that keeps its letters, and the settings of a city that sends through it."""

from __future__ import annotations

import email
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from servers import free_port


class Mailbox:
    """An SMTP server's hand: keeps letters."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], str, str]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=default)
        body = letter.get_body()
        assert body is not None
        self.letters.append((envelope.rcpt_tos, letter["subject"], body.get_content()))
        return "250 kept"


def mail_server() -> tuple[Controller, Mailbox]:
    """Started; the caller stops it."""
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    server.start()
    return server, mailbox


def mailing(port: int) -> dict[str, Any]:
    """Settings of a city that sends e-mail through it."""
    return {
        "public_url": "https://vigil.city.example",
        "smtp": {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "vigil@city.example",
        },
    }
