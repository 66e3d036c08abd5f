"""Accounts that are told by e-mail."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from cloud_city import GATEWAY, City, alarm, exceedance
from servers import free_port
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender


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


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[tuple[City, Mailbox]]:
    """A city that sends e-mail, and whom it reaches."""
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    server.start()
    city = City(
        tmp_path,
        public_url="https://vigil.city.example",
        smtp={
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "sender": "vigil@city.example",
        },
    )
    city.birth(GATEWAY)
    yield city, mailbox
    city.close()
    server.stop()


def test_an_account_with_an_address_is_told_by_e_mail(mailed: tuple[City, Mailbox]) -> None:
    city, mailbox = mailed
    city.account("officer", Role.INSPECTOR, email="officer@city.example")
    city.account("firefighter", Role.DISPATCHER, email="fire@city.example")
    sender = NotificationSender(city.services)
    sender.sync()
    city.send(exceedance(city.time), "mic-1")
    sender.deliver_due()

    ((recipients, subject, body),) = mailbox.letters
    assert recipients == ["officer@city.example"]
    assert subject == "Loud vehicle 91.2 dB(A)"
    with city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow.id))
    *_, link, take, decline = body.splitlines()
    assert link == f"https://vigil.city.example/alerts/{alert}"
    assert take.startswith("I take it: https://vigil.city.example/r/")
    assert decline.startswith("I cannot: https://vigil.city.example/r/")


def test_a_name_with_a_line_break_makes_no_mail_header(mailed: tuple[City, Mailbox]) -> None:
    city, mailbox = mailed
    city.account("officer", Role.DISPATCHER, email="officer@city.example")
    sender = NotificationSender(city.services)
    sender.sync()
    with writing(city.services.sessions) as session:
        session.get_one(Device, "alarm-1").name = "Home\r\nBcc: everybody@evil.example\x00\u2028x"
    city.send(alarm(city.time), "alarm-1")
    sender.deliver_due()

    ((recipients, subject, _),) = mailbox.letters
    assert recipients == ["officer@city.example"]
    assert subject == "Smoke alarm at Home Bcc: everybody@evil.example x"
