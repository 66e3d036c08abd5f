"""The platform's own jobs. Domains hand in theirs through their descriptors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete
from sqlalchemy.orm import Session

from vigil_cloud.alerts import aside, feed, sealing_old, shelving
from vigil_cloud.cases import deadlines, idempotency
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.certificates.end import certificate_end
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import anybody_silent, sweep
from vigil_cloud.emergency import service as emergency
from vigil_cloud.evidence import coarse
from vigil_cloud.identity import answered
from vigil_cloud.identity.ends_soon import Source
from vigil_cloud.ingest.dead_letters import clear_forgotten
from vigil_cloud.ingest.models import TakenEvent
from vigil_cloud.jobs import capacity
from vigil_cloud.jobs import gateway_watch as watch
from vigil_cloud.jobs.certificate_watch import CERTIFICATE_ENDS
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Job, Turn, in_transaction
from vigil_cloud.jobs.work import ATTEMPTS, GIVEN_UP_KEPT
from vigil_cloud.notify import ends_told, reply_links, subscriptions, untold
from vigil_cloud.notify.escalation import ended_rights, gaps, policies
from vigil_cloud.notify.notification_sender import REMIND_EVERY, SYNC_EVERY, NotificationSender
from vigil_cloud.notify.rights_end import PLATFORM_ENDS
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.services import Services

HOUR: Final = timedelta(hours=1)
_log = structlog.get_logger(__name__)


def platform_jobs(
    kinds: CaseKinds, offline_after: timedelta, ends_soon: Sequence[Source]
) -> list[Job]:
    """What any process can do. ``kinds`` of cases; a gateway that is silent for longer than
    ``offline_after`` is offline; ``ends_soon``: what of the domains ends and is told before."""
    ending = [*PLATFORM_ENDS, *ends_soon]

    def tell_deadlines(session: Session, now: datetime) -> bool:
        return deadlines.tell(session, kinds, now)

    return [
        Job(
            "alert-details-sealed",
            sealing_old.EVERY,
            lambda turn: sealing_old.seal_what_lies_open(turn.services, turn.stopping),
        ),
        Job(
            "coarse-pictures",
            coarse.EVERY,
            lambda turn: coarse.make_missing(turn.services, turn.stopping),
        ),
        Job("feed-pruned", HOUR, in_transaction(_unless_ahead(_prune_feed))),
        Job(
            "silent-gateways",
            timedelta(seconds=5),
            lambda turn: sweep_silent(turn.services),
            waiting=lambda session, now: anybody_silent(session, now - offline_after),
        ),
        Job("old-messages-forgotten", HOUR, lambda turn: forget_old(turn.services)),
        Job("case-deadlines", timedelta(minutes=1), in_transaction(tell_deadlines)),
        Job("reply-links-forgotten", HOUR, in_transaction(_unless_ahead(reply_links.prune))),
        Job(
            "ends-told",
            ends_told.EVERY,
            lambda turn: ends_told.send_waiting(turn.services, turn.stopping, ending),
        ),
        Job("browsers-forgotten", HOUR, in_transaction(subscriptions.prune)),
        Job(
            "shelves-ended",
            timedelta(seconds=5),
            in_transaction(shelving.sweep),
            waiting=shelving.anything_due,
        ),
        Job(
            "alerts-back-in-service",
            timedelta(seconds=5),
            in_transaction(aside.sweep),
            waiting=aside.anything_due,
        ),
        Job(
            "ended-rights-released",
            ended_rights.EVERY,
            in_transaction(ended_rights.release),
            waiting=ended_rights.anything_ended,
        ),
        Job("case-requests-forgotten", HOUR, in_transaction(_unless_ahead(idempotency.prune))),
        Job("answered-requests-forgotten", HOUR, in_transaction(_unless_ahead(answered.prune))),
        Job("outbox-marks-folded", timedelta(minutes=1), lambda turn: capacity.fold(turn.services)),
        Job(
            "policies-checked",
            timedelta(seconds=1),
            in_transaction(policies.check),
            waiting=gaps.Watched().waiting,
        ),
        Job(
            "removed-alerts-forgotten",
            timedelta(seconds=30),
            in_transaction(untold.forget_removed),
            waiting=untold.anything_gone,
        ),
        Job("channels-kept", SYNC_EVERY, lambda turn: NotificationSender(turn.services).sync()),
        Job(
            "reminders-queued",
            REMIND_EVERY,
            lambda turn: NotificationSender(turn.services).remind(),
        ),
        Job(
            "emergency-line",
            emergency.EVERY,
            lambda turn: emergency.send_due(turn.services),
            waiting=emergency.waiting,
        ),
        Job(
            "shares",
            timedelta(seconds=5),
            lambda turn: capacity.tell_shares(turn.services),
            waiting=capacity.shares_to_tell,
        ),
        Job(
            capacity.DISK_JOB,
            timedelta(seconds=5),
            lambda turn: capacity.tell_disk(turn.services),
            each_machine=True,
        ),
    ]


def ingest_jobs() -> list[Job]:
    """What only a process with ingest can do: its machine has the certificate for the broker."""
    return [Job("gateways-watched", timedelta(seconds=15), _watch_gateways)]


def _unless_ahead(
    prune: Callable[[Session, datetime], bool],
) -> Callable[[Session, datetime], bool]:
    """Nothing is removed for an age that a clock gave it which was set forward lately."""
    return lambda session, now: ages_hold(session, now) and prune(session, now)


def sweep_silent(services: Services) -> None:
    """Notice gateways that fell silent."""
    now = services.now()
    silent_since = now - timedelta(seconds=services.settings.offline_after_s)
    with writing(services.sessions) as session:
        silent = sweep(session, now, silent_since)
    if silent:
        _log.warning("gateways-silent", gateways=silent)
        services.changed.announce()


def forget_old(services: Services) -> None:
    """Drop event ids too old to be taken again, and dead letters that nobody will look at any
    more. Not while the clock may be wrong that says how old they are."""
    settings = services.settings
    with services.sessions() as session:
        now = services.now()
        if not ages_hold(session, now):
            return
    # A repetition of what is older than this would be refused as stale.
    given_up = (WorkRow.attempts >= ATTEMPTS) & (WorkRow.queued < now - GIVEN_UP_KEPT)
    horizon = now - timedelta(days=settings.stale_after_days + 1)
    kept_since = now - timedelta(days=settings.dead_letter_days)
    with writing(services.sessions) as session:
        session.execute(delete(TakenEvent).where(TakenEvent.taken < horizon))
        session.execute(delete(DeadLetter).where(DeadLetter.last_received < kept_since))
        session.execute(delete(WorkRow).where(given_up))
        clear_forgotten(session, now)


def _watch_gateways(turn: Turn) -> None:
    """Raise and clear what is wrong with gateways, their sources and our own certificate."""
    services, settings = turn.services, turn.services.settings
    limits = watch.Limits(
        offline_after=timedelta(seconds=settings.offline_after_s),
        source_failed_after=timedelta(seconds=settings.source_failed_after_s),
        # A gateway renews at half of its certificate's time: later than that is trouble.
        certificate_ends=min(
            CERTIFICATE_ENDS, timedelta(days=settings.gateway_certificate_days) / 3
        ),
    )
    ends = certificate_end(settings.broker_certificate_file)
    if watch.watch(services.sessions, limits, turn.now, ends):
        services.changed.announce()


def _prune_feed(session: Session, now: datetime) -> bool:
    feed.prune(session, now)
    return False
