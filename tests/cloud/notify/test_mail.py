"""Accounts that are told by e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, City, alarm, exceedance
from mailbox_server import Mailbox, mail_server, mailing
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[tuple[City, Mailbox]]:
    """A city that sends e-mail, and whom it reaches."""
    server, mailbox = mail_server()
    city = City(tmp_path, **mailing(server.port))
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
