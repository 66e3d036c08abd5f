"""Deliveries and the pace of channels, between their rows and what decides of them."""

from __future__ import annotations

from dataclasses import dataclass

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.pacing import Pace
from vigil_cloud.notify.progress import Delivering


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivery that may be told, with its alert."""

    delivery: Delivery
    alert: AlertRow
    at: Delivering


def write_down(row: Delivery, at: Delivering) -> None:
    """A delivery's state into its row."""
    row.state, row.due, row.attempts, row.reason = at.phase, at.due, at.attempts, at.reason
    row.unanswered, row.perhaps_told = at.unanswered, at.perhaps_told
    row.leased_until = at.leased_until


def reaches_nobody(state: str, reason: str | None) -> bool:
    """Whether a policy does not wait for whoever was told by it: it ended without telling anybody,
    or something in front of its service answers. That is tried on, beside those who come next."""
    if state == "waiting":
        return reason == "elsewhere"
    return state == "failed" or (state == "skipped" and reason == "not-allowed")


def delivering(row: Delivery) -> Delivering:
    """A delivery's state from its row; ``queued`` is missing in rows of the first release."""
    return Delivering(
        queued=row.queued or row.due,
        due=row.due,
        phase=row.state,  # type: ignore[arg-type]  # written by `write_down`
        attempts=row.attempts,
        unanswered=row.unanswered,
        perhaps_told=row.perhaps_told,
        leased_until=row.leased_until,
        reason=row.reason,  # type: ignore[arg-type]  # as above
    )


def pace_of(channel: Channel) -> Pace:
    """What the channel remembers."""
    return Pace(channel.paced, channel.held_until, channel.failing_since, channel.failures)


def keep_pace(channel: Channel, pace: Pace) -> None:
    """The opposite of ``pace_of``."""
    channel.paced, channel.held_until = pace.paced, pace.held_until
    channel.failing_since, channel.failures = pace.failing_since, pace.failures
