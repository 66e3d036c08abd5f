"""The courier: takes due deliveries, sends each through Apprise, writes down what became of it.

A delivery is leased before it is sent, so that several API processes share the
work; one that dies with a lease in hand leaves it to be sent again (at least once).
Each channel is told one thing at a time on a thread of its own, critical alerts first:
a channel that hangs or fails holds up nobody but itself.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Select, case, select
from sqlalchemy.exc import SQLAlchemyError
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
from vigil_cloud.notify.sending import send
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError

LEASE: Final = timedelta(minutes=2)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
MAX_ATTEMPTS: Final = 10
LOOK_EVERY_S: Final = 1.0
SYNC_EVERY: Final = timedelta(seconds=30)
MOST_AT_ONCE: Final = 16
"""Channels that are told something at the same time."""
_MOST_LOOKED_AT: Final = 100
"""In one transaction: everybody who changes an alert waits for it."""
PARTING_S: Final = 3.0
"""So long a message on its way is waited for at a shutdown; then it is sent again later."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One leased delivery with everything that sending needs, and no session."""

    delivery_id: int
    channel_id: int
    channel: str
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
        self._returned = threading.Condition()
        self._busy: set[int] = set()
        """Channels that are being told something; guarded by ``_returned``."""

    def run(self, stop: threading.Event) -> None:
        """Until stopped. A database that fails is tried again."""
        seen = self._services.changed.version
        while not stop.is_set():
            for work in (self.sync, self.hand_out):  # one that fails does not stop the other
                try:
                    work()
                except Exception as error:  # the courier outlives every failure of a store
                    _log.warning("courier-failed", exc_info=error)
            seen = self._services.changed.wait(seen, LOOK_EVERY_S)
        self.wait(PARTING_S)

    def sync(self) -> None:
        """Follow the settings and the accounts' e-mail, now and then."""
        now = self._services.now()
        if self._synced is None or now - self._synced >= SYNC_EVERY:
            with writing(self._services.sessions) as session:
                sync(session, self._cipher, self._services.settings)
            self._synced = now

    def deliver_due(self) -> int:
        """Send what is due and wait for it; returns how many deliveries were dealt with."""
        dealt_with = 0
        while handed_out := self.hand_out():
            dealt_with += handed_out
            self.wait()
        return dealt_with

    def hand_out(self) -> int:
        """Begin to send what is due, one delivery per channel; how many were dealt with."""
        parcels, skipped = self._lease()
        for parcel in parcels:
            # A daemon: one that a service holds for ever must not hold the process.
            sending = threading.Thread(
                target=self._carry, args=(parcel,), name="courier-sends", daemon=True
            )
            try:
                sending.start()
            except RuntimeError as error:  # no thread to be had: its lease ends
                _log.warning("courier-failed", exc_info=error)
                self._put_back(parcel)
        if skipped:
            self._services.changed.announce()
        return len(parcels) + skipped

    def wait(self, timeout_s: float | None = None) -> None:
        """Until nothing is on its way any more, or the time is over."""
        with self._returned:
            self._returned.wait_for(lambda: not self._busy, timeout_s)

    def _carry(self, parcel: _Parcel) -> None:
        try:
            error = send(parcel.url, parcel.message)
            self._write_down(parcel, error)
        except Exception as failure:  # not written down: its lease ends and it is sent again
            _log.warning("courier-failed", exc_info=failure)
        finally:
            self._put_back(parcel)
            self._services.changed.announce()

    def _put_back(self, parcel: _Parcel) -> None:
        with self._returned:
            self._busy.discard(parcel.channel_id)
            self._returned.notify_all()

    def _lease(self) -> tuple[list[_Parcel], int]:
        now = self._services.now()
        with self._returned:
            busy = set(self._busy)
        with self._services.sessions() as session:
            if session.scalar(_due(now, busy).limit(1)) is None:
                return [], 0
        parcels: list[_Parcel] = []
        skipped = 0
        with writing(self._services.sessions) as session:
            feed.lock(session)
            for _ in range(_MOST_LOOKED_AT):
                if len(busy) >= MOST_AT_ONCE:
                    break
                query = _due(now, busy).limit(1).with_for_update(skip_locked=True, of=Delivery)
                delivery = session.scalar(query)
                if delivery is None:
                    break
                parcel = self._packed(session, delivery, now)
                session.flush()
                if parcel is None:
                    skipped += 1
                else:
                    parcels.append(parcel)
                    busy.add(parcel.channel_id)
        with self._returned:
            self._busy |= {parcel.channel_id for parcel in parcels}
        return parcels, skipped

    def _packed(self, session: Session, delivery: Delivery, now: datetime) -> _Parcel | None:
        """As ``_pack``; what cannot even be packed fails alone."""
        try:
            with session.begin_nested():
                return self._pack(session, delivery, now)
        except SQLAlchemyError:
            raise  # the store's own trouble, and not this delivery's
        except Exception as error:
            code = error.code if isinstance(error, VigilError) else type(error).__name__
            _log.exception("delivery-failed", delivery=delivery.id, code=code)
            delivery.state, delivery.error, delivery.at = "failed", code, now
            feed.append(session, "alert", delivery.alert_id, now)
            return None

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
        url = self._cipher.open(URL_COLUMN, channel.url)
        return _Parcel(delivery.id, channel.id, channel.name, url, message)

    def _write_down(self, parcel: _Parcel, error: str | None) -> None:
        now = self._services.now()
        with writing(self._services.sessions) as session:
            feed.lock(session)
            delivery = session.get(Delivery, parcel.delivery_id)
            if delivery is None:  # its alert or its channel has been removed meanwhile
                return
            delivery.at, delivery.error = now, error
            if error is None:
                delivery.state = "sent"
            elif delivery.attempts >= MAX_ATTEMPTS:
                delivery.state = "failed"
            else:
                delivery.due = now + pause_after(delivery.attempts)
            feed.append(session, "alert", delivery.alert_id, now)
        if error is not None:
            attempts = delivery.attempts
            _log.warning("not-delivered", channel=parcel.channel, attempts=attempts, error=error)


def _due(now: datetime, busy: Collection[int]) -> Select[Delivery]:
    """Of channels that are not being told something; critical alerts before all others."""
    query = (
        select(Delivery)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(Delivery.state == "waiting", Delivery.due <= now)
        .order_by(case((AlertRow.severity == "critical", 0), else_=1), Delivery.due, Delivery.id)
    )
    return query.where(Delivery.channel_id.not_in(busy)) if busy else query
