"""The courier: takes due deliveries, sends each through Apprise, writes down what became of it.

A delivery is leased before it is sent, so that several API processes share the
work; one that dies with a lease in hand leaves it to be sent again (at least once).
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import apprise
import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.channels import URL_COLUMN, sync
from vigil_cloud.notify.message import Message, compose
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.queue import allowed
from vigil_cloud.services import Services

LEASE: Final = timedelta(minutes=2)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
MAX_ATTEMPTS: Final = 10
LOOK_EVERY_S: Final = 1.0
SYNC_EVERY: Final = timedelta(seconds=30)
_BATCH: Final = 16
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One leased delivery with everything that sending needs, and no session."""

    delivery_id: int
    url: str
    message: Message


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: doubling, bounded."""
    doublings = min(max(0, attempts - 1), 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


class Courier:
    """One per API process, on a thread of its own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._cipher = Cipher(services.settings.secret)
        self._synced: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Until stopped. A database that fails is tried again."""
        seen = self._services.changed.version
        while not stop.is_set():
            try:
                self.sync()
                while self.deliver_due() and not stop.is_set():
                    pass
            except Exception as error:  # the courier outlives every failure of a store
                _log.warning("courier-failed", exc_info=error)
            seen = self._services.changed.wait(seen, LOOK_EVERY_S)

    def sync(self) -> None:
        """Follow the settings and the accounts' e-mail, now and then."""
        now = self._services.now()
        if self._synced is None or now - self._synced >= SYNC_EVERY:
            with writing(self._services.sessions) as session:
                sync(session, self._cipher, self._services.settings)
            self._synced = now

    def deliver_due(self) -> int:
        """Send what is due; returns how many deliveries were dealt with."""
        parcels, skipped = self._lease()
        if parcels:
            with ThreadPoolExecutor(min(4, len(parcels)), "courier") as pool:
                results = list(pool.map(_send, parcels))
            self._write_down(parcels, results)
        if parcels or skipped:
            self._services.changed.announce()
        return len(parcels) + skipped

    def _lease(self) -> tuple[list[_Parcel], int]:
        now = self._services.now()
        with self._services.sessions() as session:
            if session.scalar(_due(now).limit(1)) is None:
                return [], 0
        parcels: list[_Parcel] = []
        skipped = 0
        with writing(self._services.sessions) as session:
            feed.lock(session)
            query = _due(now).limit(_BATCH).with_for_update(skip_locked=True)
            for delivery in session.scalars(query).all():
                parcel = self._pack(session, delivery, now)
                if parcel is None:
                    skipped += 1
                else:
                    parcels.append(parcel)
        return parcels, skipped

    def _pack(self, session: Session, delivery: Delivery, now: datetime) -> _Parcel | None:
        """Lease a delivery; ``None`` where it is no longer needed or no longer allowed."""
        alert = session.get_one(AlertRow, delivery.alert_id)
        channel = session.get_one(Channel, delivery.channel_id)
        reason = None
        if not channel.enabled or not allowed(session, channel, alert, now):
            reason = "not allowed (any more)"
        elif delivery.escalation and not state_of(alert).calls(now):
            reason = "somebody has taken it on"
        if reason is not None:
            delivery.state, delivery.error, delivery.at = "skipped", reason, now
            feed.append(session, "alert", alert.id, now)
            return None
        if delivery.escalation and delivery.attempts == 0:
            session.add(
                AlertHistory(
                    alert_id=alert.id,
                    at=now,
                    account=None,
                    action="escalated",
                    comment=channel.name,
                )
            )
        if alert.person_key is not None:
            account = session.get(Account, channel.account_id)
            audit.append(
                session,
                at=now,
                account=account.username if account else "",
                action="location.notified",
                subject=f"channel {channel.name}",
                person_key=alert.person_key,
            )
        delivery.attempts += 1
        delivery.due = now + LEASE
        message = compose(
            self._cipher,
            alert,
            language=channel.language,
            public_url=self._services.settings.public_url,
            escalation=delivery.escalation,
        )
        return _Parcel(delivery.id, self._cipher.open(URL_COLUMN, channel.url), message)

    def _write_down(self, parcels: list[_Parcel], results: list[str | None]) -> None:
        now = self._services.now()
        with writing(self._services.sessions) as session:
            feed.lock(session)
            for parcel, error in zip(parcels, results, strict=True):
                delivery = session.get_one(Delivery, parcel.delivery_id)
                delivery.at, delivery.error = now, error
                if error is None:
                    delivery.state = "sent"
                elif delivery.attempts >= MAX_ATTEMPTS:
                    delivery.state = "failed"
                else:
                    delivery.due = now + pause_after(delivery.attempts)
                feed.append(session, "alert", delivery.alert_id, now)


def _due(now: datetime) -> Select[Delivery]:
    return (
        select(Delivery)
        .where(Delivery.state == "waiting", Delivery.due <= now)
        .order_by(Delivery.due, Delivery.id)
    )


def _send(parcel: _Parcel) -> str | None:
    """What went wrong, or ``None``."""
    service = apprise.Apprise()
    if not service.add(parcel.url):
        return "the address is not understood"
    with _heard_complaints() as complaints:
        try:
            sent = service.notify(body=parcel.message.body, title=parcel.message.title)
        except Exception as error:  # a plugin's own mistake must not stop the others
            return _without_secrets(f"{type(error).__name__}: {error}")
    if sent:
        return None
    return _without_secrets(complaints[-1] if complaints else "the service did not take it")


@contextmanager
def _heard_complaints() -> Iterator[list[str]]:
    """Apprise tells why only in its log: listen to what this thread makes it say."""
    heard: list[str] = []
    here = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                heard.append(record.getMessage())

    ear, logger = Ear(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(ear)
    try:
        yield heard
    finally:
        logger.removeHandler(ear)


def _without_secrets(text: str) -> str:
    """Addresses may hold passwords; only their kind is worth telling."""
    return re.sub(r"(\w+)://\S+", r"\1://…", text)[:300]
