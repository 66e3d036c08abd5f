"""One delivery's way to its end: a pure state machine, moved by what happens and by the clock.

``look`` says what is to be done with a delivery that is due; ``lease`` takes it in hand;
``accepted``, ``failed``, ``unanswered`` write down what became of a try. No state is final but
``sent``, ``failed`` (given up, visibly) and ``skipped`` (no longer needed or allowed), and each
of the latter two has one of ``Reason``; what is not known of a ``sent`` one is one, too.

A critical delivery is tried until the service accepts it, a person acknowledges the alert, or
the alert has been over for ``OVER_KEPT`` and it was tried ``FEWEST_TRIES`` times. Any other is
tried for ``GIVEN_UP_AFTER``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from vigil_cloud.alerts.lifecycle import State

Phase = Literal["waiting", "sent", "failed", "skipped"]
Reason = Literal[
    "not-allowed",
    "acknowledged",
    "shelved",
    "out-of-service",
    "device-shelved",
    "device-out-of-service",
    "over",
    "not-over",
    "gave-up",
    "refused",
    "limited",
    "unreachable",
    "elsewhere",
    "no-answer",
    "unconfirmed",
    "web-page",
    "gone",
]
"""Why a delivery waits longer, or ended otherwise than told. ``gone``: there is nobody under this
address any more. ``elsewhere``: something in front of the service answered in its place.
``no-answer``: the whole message was
sent and nothing came back, so it may have been delivered; ``unconfirmed``: that was its end.
``web-page``: it was told, as far as the page says with which it was answered."""

HELD_BACK: Final[tuple[Reason, ...]] = (
    "shelved",
    "out-of-service",
    "device-shelved",
    "device-out-of-service",
)
"""Held back by somebody: looked at again as soon as they end it."""
LEASE: Final = timedelta(minutes=2)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=10)
LONGEST_CRITICAL_PAUSE: Final = timedelta(minutes=5)
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
"""A service that asks for a longer pause is asked again after this one."""
FIRST_REPEAT: Final = timedelta(minutes=5)
LONGEST_REPEAT: Final = timedelta(minutes=30)
UNANSWERED_TRIES: Final = 3
"""So often what is not critical is sent to a service that takes it and never answers."""
GIVEN_UP_AFTER: Final = timedelta(hours=12)
FEWEST_TRIES: Final = 10
OVER_KEPT: Final = timedelta(hours=1)
FIRE_KEPT: Final = timedelta(days=1)
"""The same of an alarm that fell silent while its fire was never ended: days later the news is no
call for help any more."""
LOOK_AGAIN: Final = timedelta(hours=1)
"""What is out of service has no end known; putting it back in service wakes its deliveries."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """Where one delivery stands."""

    queued: datetime
    due: datetime
    phase: Phase = "waiting"
    attempts: int = 0
    unanswered: int = 0
    """Tries that were sent whole and never answered."""
    perhaps_told: bool = False
    """A further try may be a repetition, and its message says so."""
    leased_until: datetime | None = None
    reason: Reason | None = None

    def leased(self, now: datetime) -> bool:
        """Whether somebody has it in hand."""
        return self.leased_until is not None and self.leased_until > now

    def ready(self, now: datetime) -> bool:
        """Whether it is to be looked at."""
        return self.phase == "waiting" and self.due <= now and not self.leased(now)


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of the alert, its channel and the time between them."""

    state: State
    critical: bool
    allowed: bool = True
    conditional: bool = False
    """An escalation or a reminder: only while the alert still calls for somebody."""
    settles: bool = False
    """What is over before anybody was told of it need not be told."""
    only_over: bool = False
    """It says that the alert is over, which must still be true."""
    acknowledged_at: datetime | None = None
    over_since: datetime | None = None
    device_hold: Reason | None = None
    """Why nothing new of its device is told while ``state.held``; ``None``: it follows up what
    was told, which calls nobody."""

    def held_by_device(self, now: datetime) -> Wait | None:
        """A hold without an end is looked at now and then; its end wakes it."""
        until = self.state.held_until
        if self.device_hold is None or until is None or until <= now:
            return None
        return Wait(min(until, now + LOOK_AGAIN), self.device_hold)


@dataclass(frozen=True, slots=True)
class Send:
    """It is to be told now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: it is held back for ``reason`` and looked at again at ``until``."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class End:
    """It will not be told (any more)."""

    phase: Literal["failed", "skipped"]
    reason: Reason


def look(delivery: Delivering, standing: Standing, now: datetime) -> Send | Wait | End:
    """What is to be done with a delivery that is ready."""
    if not standing.allowed:
        return End("skipped", "not-allowed")
    if standing.only_over and standing.state.stands:
        return End("skipped", "not-over")
    tried = delivery.attempts > 0
    # An acknowledgement from before this round was queued says nothing of its news.
    acknowledged = standing.state.acknowledged and (
        standing.acknowledged_at is None or standing.acknowledged_at >= delivery.queued
    )
    if acknowledged and (standing.conditional or tried):
        return End("skipped", "acknowledged")
    if not standing.state.stands and (standing.conditional or (standing.settles and not tried)):
        return End("skipped", "over")
    over = standing.over_since
    kept = FIRE_KEPT if standing.state.stands else OVER_KEPT
    tried_long = delivery.attempts >= FEWEST_TRIES  # a clock that jumps ahead ends nothing
    if tried_long and over is not None and now - over >= kept:
        return End("failed", "over")
    return standing.held_by_device(now) or _held_back(standing, now) or Send()


def _held_back(standing: Standing, now: datetime) -> Wait | None:
    """What would call more people of an alert that somebody put aside."""
    if not standing.conditional:
        return None
    if standing.state.in_work(now):
        until = standing.state.out_of_service_until or now + LOOK_AGAIN
        return Wait(min(until, now + LOOK_AGAIN), "out-of-service")
    if standing.state.shelved(now) and standing.state.shelved_until is not None:
        return Wait(standing.state.shelved_until, "shelved")
    return None


def lease(delivery: Delivering, now: datetime) -> Delivering:
    """Take it in hand for one try. A lease that ran out before means that somebody died with
    it, perhaps after telling it."""
    return replace(
        delivery,
        attempts=delivery.attempts + 1,
        perhaps_told=delivery.perhaps_told or delivery.leased_until is not None,
        leased_until=now + LEASE,
    )


def hold(delivery: Delivering, wait: Wait) -> Delivering:
    """Look at it later. A lease that ran out before is not forgotten: see ``lease``."""
    return replace(
        delivery,
        due=wait.until,
        reason=wait.reason,
        perhaps_told=delivery.perhaps_told or delivery.leased_until is not None,
        leased_until=None,
    )


def end(delivery: Delivering, verdict: End) -> Delivering:
    """Final."""
    return replace(delivery, phase=verdict.phase, reason=verdict.reason, leased_until=None)


def accepted(delivery: Delivering, *, page: bool = False) -> Delivering:
    """The service took it: final, whatever came before. ``page``: it said so by a web page."""
    reason: Reason | None = "web-page" if page else None
    return replace(delivery, phase="sent", reason=reason, leased_until=None)


def failed(
    delivery: Delivering,
    now: datetime,
    *,
    critical: bool,
    reason: Reason,
    retry_after: timedelta | None = None,
    perhaps_told: bool = False,
) -> Delivering:
    """The service did not take it. ``retry_after``: what it asked for."""
    tried_long = now - delivery.queued >= GIVEN_UP_AFTER and delivery.attempts >= FEWEST_TRIES
    if tried_long and not critical:
        return end(delivery, End("failed", "gave-up"))
    pause = pause_after(delivery.attempts, critical=critical)
    asked = min(retry_after or timedelta(), LONGEST_RETRY_AFTER)
    return replace(
        delivery,
        due=now + max(pause, asked),
        reason=reason,
        perhaps_told=delivery.perhaps_told or perhaps_told,
        leased_until=None,
    )


def unanswered(delivery: Delivering, now: datetime, *, critical: bool) -> Delivering:
    """It was sent whole and nothing came back: perhaps told, so it is not repeated soon."""
    tries = delivery.unanswered + 1
    after = replace(delivery, unanswered=tries, perhaps_told=True, leased_until=None)
    if not critical and tries >= UNANSWERED_TRIES:
        return replace(after, phase="sent", reason="unconfirmed")
    pause = min(FIRST_REPEAT * (1 << min(tries - 1, 16)), LONGEST_REPEAT)
    return replace(after, due=now + pause, reason="no-answer")


def pause_after(attempts: int, *, critical: bool = False) -> timedelta:
    """How long to wait after so many failed tries: doubling, bounded."""
    doublings = min(max(0, attempts - 1), 16)
    longest = LONGEST_CRITICAL_PAUSE if critical else LONGEST_PAUSE
    return min(FIRST_PAUSE * (1 << doublings), longest)
