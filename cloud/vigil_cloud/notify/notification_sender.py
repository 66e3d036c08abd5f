"""Takes due deliveries, sends them through Apprise or to browsers, writes down what became of them.

Deliveries are leased before they are sent, so that several API processes share the work; one that
dies with a lease in hand leaves them to be sent again, marked as a repetition (at least once).
Each channel is told one message at a time on a thread of its own, critical alerts first: a
channel that hangs or fails holds up nobody but itself.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.notify import delivery_rows, leased_deliveries, pacing, progress, subscriptions
from vigil_cloud.notify.channels import sync
from vigil_cloud.notify.composing import Lease, LeasedDelivery
from vigil_cloud.notify.directory import CHANNEL_FAILING
from vigil_cloud.notify.escalation.engine import move_on
from vigil_cloud.notify.escalation.waking import wake
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.people import KnownPeople
from vigil_cloud.notify.planning import plan
from vigil_cloud.notify.progress import LEASE, Delivering
from vigil_cloud.notify.reminders import remind
from vigil_cloud.services import Services

if TYPE_CHECKING:
    from vigil_cloud.notify.sending import Answer

LOOK_EVERY_S: Final = 1.0
SYNC_EVERY: Final = timedelta(seconds=30)
REMIND_EVERY: Final = timedelta(seconds=10)
RENEW_EVERY: Final = LEASE / 4
ROUNDS_AT_ONCE: Final = 8
HOLDING: Final = ("limited", "unreachable", "elsewhere")
"""Verdicts after which any other message would fare no better just now."""
PARTING_S: Final = 3.0
"""So long a message on its way is waited for at a shutdown; then it is sent again later."""
_log = structlog.get_logger(__name__)


class NotificationSender:
    """One per API process, on a thread of its own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._cipher = Cipher(services.settings.secret)
        self._people = KnownPeople()
        self._renewed: float | None = None
        self._returned = threading.Condition()
        self._busy: dict[int, LeasedDelivery | None] = {}
        """Channels that are being told something; guarded by ``_returned``."""

    def run(self, stop: threading.Event) -> None:
        """Until stopped. A database that fails is tried again."""
        seen = self._services.changed.version
        while not stop.is_set():
            # One that fails does not stop the others.
            for work in (self.renew, self.plan_some, self.escalate_some, self.start_due):
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - the sender outlives every failure of a store
                    _log.warning("notification-sender-failed", exc_info=error)
            seen = self._services.changed.wait(seen, LOOK_EVERY_S)
        self.wait(PARTING_S)

    def sync(self) -> None:
        """Follow the settings and the accounts' e-mail; done as a job every ``SYNC_EVERY``."""
        sync(self._services.sessions, self._cipher, self._services.settings)
        _forget_removed(self._services.sessions, self._services.now())

    def plan_some(self) -> None:
        """Turn what alerts announced into deliveries, but not for so long that none is sent."""
        for _ in range(ROUNDS_AT_ONCE):
            if not plan(self._services.sessions, self._services.now(), self._people):
                return
        self._services.changed.announce()  # there may be more: look again at once

    def escalate_some(self) -> None:
        """Move on what policies answer for, but not for so long that nothing is sent."""
        for _ in range(ROUNDS_AT_ONCE):
            if not self._move_on():
                return
        self._services.changed.announce()

    def escalate_all(self) -> None:
        """Until nothing is due any more."""
        while self._move_on():
            pass

    def _move_on(self) -> int:
        every = timedelta(seconds=self._services.settings.remind_every_s)
        return move_on(self._services.sessions, self._services.now(), every, self._people)

    def plan_all(self) -> None:
        """Until nothing waits any more."""
        while plan(self._services.sessions, self._services.now(), self._people):
            pass

    def remind(self) -> None:
        """Queue reminders of what stands and nobody has acknowledged; done as a job every
        ``REMIND_EVERY``."""
        every = timedelta(seconds=self._services.settings.remind_every_s)
        if remind(self._services.sessions, self._services.now(), every):
            self._services.changed.announce()

    def renew(self) -> None:
        """Keep the leases of what is still on its way: a slow service is no dead process."""
        now = self._services.now()
        at = time.monotonic()  # a lease is lost while a clock that was set back catches up
        if self._renewed is not None and at - self._renewed < RENEW_EVERY.total_seconds():
            return
        self._renewed = at
        with self._returned:
            held = [one for leased in self._busy.values() if leased for one in leased.leases]
        if held:
            with writing(self._services.sessions) as session:
                ours = (
                    select(Delivery.id)
                    .where(
                        Delivery.id.in_([one.delivery_id for one in held]),
                        Delivery.leased_until.is_not(None),
                    )
                    # One that is locked is being written down; two who waited would deadlock.
                    .with_for_update(skip_locked=True)
                )
                ids = session.scalars(ours).all()
                session.execute(
                    update(Delivery).where(Delivery.id.in_(ids)).values(leased_until=now + LEASE)
                )

    def deliver_due(self) -> int:
        """Send what is due and wait for it; returns how many deliveries were dealt with."""
        dealt_with = 0
        self.plan_all()
        self.escalate_all()
        while started := self.start_due():
            dealt_with += started
            self.wait()
            self.escalate_all()
        return dealt_with

    def start_due(self) -> int:
        """Begin to send what is due, one message per channel; how many deliveries were dealt
        with."""
        dealt_with = 0
        with self._returned:
            busy = dict(self._busy)
        with self._services.sessions() as session:
            due = leased_deliveries.channels_due(session, self._services.now(), busy)
        kinds = [leased.kind if leased else None for leased in busy.values()]
        for channel_id in pacing.turns(due, kinds):
            leased, ended = self._lease(channel_id)
            dealt_with += ended + (len(leased.leases) if leased else 0)
            if leased is not None:
                self._start(leased)
            elif ended:
                self._services.changed.announce()
        return dealt_with

    def wait(self, timeout_s: float | None = None) -> None:
        """Until nothing is on its way any more, or the time is over."""
        with self._returned:
            self._returned.wait_for(lambda: not self._busy, timeout_s)

    def _lease(self, channel_id: int) -> tuple[LeasedDelivery | None, int]:
        """A transaction for each channel: everybody who changes an alert waits for it."""
        services = self._services
        with writing(services.sessions) as session:
            feed.lock(session)
            return leased_deliveries.lease(
                session,
                self._cipher,
                services.metrics,
                channel_id,
                services.now(),
                services.settings,
            )

    def _start(self, leased: LeasedDelivery) -> None:
        with self._returned:
            self._busy[leased.channel_id] = leased
        # A daemon: one that a service holds for ever must not hold the process.
        sending = threading.Thread(
            target=self._deliver, args=(leased,), name="notification", daemon=True
        )
        try:
            sending.start()
        except RuntimeError as error:  # no thread to be had: its lease ends
            _log.warning("notification-sender-failed", exc_info=error)
            self._release(leased)

    def _deliver(self, leased: LeasedDelivery) -> None:
        from vigil_cloud.notify.sending import send  # Apprise is large

        try:
            answer = send(leased.url, leased.message, leased.signing, key=leased.key)
            self._write_down(leased, answer)
        except Exception as failure:  # noqa: BLE001 - not written down: its lease ends and it is sent again
            _log.warning("notification-sender-failed", exc_info=failure)
        finally:
            self._release(leased)
            self._services.changed.announce()

    def _release(self, leased: LeasedDelivery) -> None:
        with self._returned:
            self._busy.pop(leased.channel_id, None)
            self._returned.notify_all()

    def _write_down(self, leased: LeasedDelivery, answer: Answer) -> None:
        now = self._services.now()
        metrics = self._services.metrics
        metrics.notifications.labels(answer.verdict).inc()
        with writing(self._services.sessions) as session:
            feed.lock(session)
            ids = [one.delivery_id for one in leased.leases]
            query = select(Delivery).where(Delivery.id.in_(ids)).with_for_update()
            rows = {row.id: row for row in session.scalars(query)}  # without what was removed
            for lease in leased.leases:
                if (row := rows.get(lease.delivery_id)) is None:
                    continue
                if (after := _after(row, lease, answer, now)) is None:
                    continue
                if after.phase != "waiting":
                    metrics.deliveries.labels(after.phase).inc()
                delivery_rows.write_down(row, after)
                row.at, row.error = now, answer.error or None
            told = sorted({row.alert_id for row in rows.values()})
            lost = {
                row.alert_id
                for row in rows.values()
                if delivery_rows.reaches_nobody(row.state, row.reason)
            }
            wake(session, lost, now)
            feed.append_all(session, "alert", told, now)
            if answer.verdict == "gone":
                subscriptions.gone(session, leased.channel_id, now)
            else:
                self._remember(session, leased.channel_id, answer, now)
        if answer.verdict != "accepted":
            attempts = max(one.attempt for one in leased.leases)
            _log.warning(
                "not-delivered",
                channel=leased.channel,
                deliveries=len(leased.leases),
                attempts=attempts,
                verdict=answer.verdict,
                error=answer.error,
            )

    def _remember(self, session: Session, channel_id: int, answer: Answer, now: datetime) -> None:
        """How the channel does; whoever maintains it is told when it keeps failing."""
        channel = session.get(Channel, channel_id, with_for_update=True, populate_existing=True)
        if channel is None:
            return
        before = delivery_rows.pace_of(channel)
        if answer.verdict == "accepted":
            delivery_rows.keep_pace(channel, pacing.worked(before))
            clear_platform(session, CHANNEL_FAILING, channel.name, now=now)
            if before.failures:
                _wake(session, channel_id, now)
            return
        pace = pacing.stumbled(
            before,
            now,
            holds=answer.verdict in HOLDING,
            retry_after=answer.retry_after,
        )
        delivery_rows.keep_pace(channel, pace)
        if pace.fails(now) or answer.verdict == "elsewhere":  # nothing is to be waited for
            raise_platform(
                session,
                CHANNEL_FAILING,
                channel.name,
                severity="major",
                title=f"Notifications through {channel.name} do not arrive",
                title_zh=f"通知管道 {channel.name} 無法送達",
                detail={"explanation": answer.error, "failures": pace.failures},
                since=pace.failing_since,
                now=now,
            )


def _after(row: Delivery, lease: Lease, answer: Answer, now: datetime) -> Delivering | None:
    """``None`` where another lease decides: this one ran out. What was told stays told."""
    at = delivery_rows.delivering(row)
    if answer.verdict == "accepted":
        return progress.accepted(at, page=answer.page)
    if row.attempts != lease.attempt or at.phase != "waiting":
        return None
    if answer.verdict == "gone":
        return progress.end(at, progress.End("failed", "gone"))
    if answer.verdict == "no-answer":
        return progress.unanswered(at, now, critical=lease.critical)
    return progress.failed(
        at,
        now,
        critical=lease.critical,
        reason=answer.verdict,
        retry_after=answer.retry_after,
        perhaps_told=answer.perhaps_told,
    )


def _forget_removed(sessions: sessionmaker[Session], now: datetime) -> None:
    """A channel that is gone or switched off fails no longer."""
    with sessions() as session:
        rows = standing(session, CHANNEL_FAILING)
        query = select(Channel.name).where(Channel.enabled)
        enabled = set(session.scalars(query)) if rows else set()
    if gone := {str(row.detail["subject"]) for row in rows} - enabled:
        with writing(sessions) as session:
            for name in sorted(gone):
                clear_platform(session, CHANNEL_FAILING, name, now=now)


def _wake(session: Session, channel_id: int, now: datetime) -> None:
    """The channel works again: what waited for that waits no longer."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.channel_id == channel_id,
            Delivery.state == "waiting",
            Delivery.leased_until.is_(None),
            Delivery.reason.in_(HOLDING),
            Delivery.due > now,
        )
        .values(due=now)
        .execution_options(synchronize_session=False)
    )
