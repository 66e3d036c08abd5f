"""The whole of one alert, as the API says it."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.alerts.details import AnyDetail
from vigil_cloud.alerts.schema import (
    AlertAction,
    AlertCommon,
    AlertEvidence,
    AlertSubject,
    Answer,
)
from vigil_cloud.notify.escalation.presentation import AlertEscalation
from vigil_cloud.notify.progress import Reason
from vigil_schemas.types import UtcDatetime


class AlertDelivery(Answer):
    """One notification of this alert."""

    channel: str
    purpose: Literal[
        "raised", "again", "reminder", "escalated", "all-clear", "closed", "stood-down"
    ]
    """Why it is told."""
    step: str
    """Of `again`: what more is known; of `escalated`: which step of the policy."""
    state: Literal["waiting", "sent", "failed", "skipped"]
    attempts: int
    at: UtcDatetime | None
    """When it was sent, or tried last."""
    due: UtcDatetime
    reason: Reason | None
    """Why it waits longer, or ended otherwise than told; `error` says the same in English."""
    perhaps_told: bool
    """A try may have arrived although the service did not say so."""
    error: str | None


class AlertAnswer(Answer):
    """What somebody said to the alert."""

    who: str
    """A user name, or `channel NAME` of one that is no single person's."""
    answer: Literal["accepted", "declined"]
    at: UtcDatetime
    via: Literal["page", "link", "webhook"]


class Alert(AlertCommon):
    """One alert, as far as the reader may see it."""

    confirmed_by: str | None
    confirmed_at: UtcDatetime | None
    detail: AnyDetail
    """What it says beside its titles: its `type` names the model."""
    evidence: AlertEvidence
    subject: AlertSubject | None
    deliveries: list[AlertDelivery]
    answers: list[AlertAnswer]
    """In order. Of an alert about a person the reader's own alone."""
    may_answer: bool
    """Whether the reader may say that they take it, or cannot."""
    may_call_false: bool
    """Whether the reader may say that it is a false alarm."""
    may_say_burns: bool
    """Whether the reader may say that it is a fire."""
    needs_code: bool
    """Whether the home's code is asked of the reader for that."""
    escalation: AlertEscalation | None
    """How far the policy is that answers for it; null where everybody is told at once."""
    history: list[AlertAction]
