"""The life of an alert in the terms of OPC UA Part 9 (5.7, 5.8): a pure state machine.

Active × acknowledged × confirmed, shelved until a moment, out of service. The
dimensions are independent but for two rules: only what was acknowledged can be
confirmed, and a confirmation closes an occurrence that has no end of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from vigil_cloud.api_errors import ApiError

LONGEST_SHELF: Final = timedelta(days=30)
LONGEST_CRITICAL_SHELF: Final = timedelta(days=1)
"""A shelf that somebody forgot must not hide a fire for a month."""


class AlreadyAcknowledged(ApiError):
    """Somebody was faster; the alert says who."""

    code: ClassVar[str] = "already-acknowledged"
    remedy: ClassVar[str] = "Nothing: load the alert again to see who has taken it."
    status: ClassVar[int] = 409


class NotAcknowledged(ApiError):
    """Confirming comes after acknowledging."""

    code: ClassVar[str] = "not-acknowledged"
    remedy: ClassVar[str] = "Acknowledge the alert first."
    status: ClassVar[int] = 409


class AlreadyConfirmed(ApiError):
    """The alert has been confirmed before."""

    code: ClassVar[str] = "already-confirmed"
    remedy: ClassVar[str] = "Nothing: load the alert again to see who has confirmed it."
    status: ClassVar[int] = 409


class NotShelved(ApiError):
    """There is nothing to take from the shelf."""

    code: ClassVar[str] = "not-shelved"
    remedy: ClassVar[str] = "Nothing: load the alert again."
    status: ClassVar[int] = 409


class BadShelfTime(ApiError):
    """Shelving ends in the future: within thirty days, of what is critical within one."""

    code: ClassVar[str] = "bad-shelf-time"
    remedy: ClassVar[str] = "Give an end that lies ahead, within as many days as the message names."
    status: ClassVar[int] = 422

    def __init__(self, longest: timedelta) -> None:
        super().__init__(f"Shelve until a future time within {longest.days} days.")
        self.longest_days = longest.days


@dataclass(frozen=True, slots=True)
class State:
    """Where an alert stands. ``momentary``: it has no end of its own."""

    active: bool = True
    acknowledged: bool = False
    confirmed: bool = False
    shelved_until: datetime | None = None
    out_of_service: bool = False
    momentary: bool = False
    held_until: datetime | None = None
    """Its device is put aside until then, in a way that reaches this alert; see ``coverage``."""
    out_of_service_until: datetime | None = None
    """``None``: until somebody puts it back, where that is allowed."""
    needs_end: bool = False
    """What is critical where lives hang on it: out of service without an end does not count."""
    called_on: bool = False
    """Its device took it back, and its domain goes on calling for it all the same."""

    @property
    def stands(self) -> bool:
        """Whether people are needed: it is active, or called for though its device fell silent."""
        return self.active or self.called_on

    def held(self, now: datetime) -> bool:
        """Whether nobody is called because of its device."""
        return self.held_until is not None and self.held_until > now

    def shelved(self, now: datetime) -> bool:
        """Whether it is put aside right now."""
        return self.shelved_until is not None and self.shelved_until > now

    def in_work(self, now: datetime) -> bool:
        """Whether it is out of service right now."""
        if self.out_of_service_until is None:
            return self.out_of_service and not self.needs_end
        return self.out_of_service and self.out_of_service_until > now

    @property
    def retained(self) -> bool:
        """Part 9's Retain: somebody has still to look at it."""
        return self.stands or not self.acknowledged

    def calls(self, now: datetime) -> bool:
        """Whether more people should be told: the question that escalation asks."""
        return (
            self.stands
            and not self.acknowledged
            and not self.in_work(now)
            and not self.shelved(now)
            and not self.held(now)
        )


def clear(state: State) -> State:
    """The condition is over. Idempotent."""
    return replace(state, active=False)


def acknowledge(state: State) -> State:
    """Somebody has seen it, also when it is over. Raises ``AlreadyAcknowledged``."""
    if state.acknowledged:
        raise AlreadyAcknowledged("This alert has been acknowledged already.")
    return replace(state, acknowledged=True)


def confirm(state: State) -> State:
    """What was to be done is done. Raises ``NotAcknowledged``, ``AlreadyConfirmed``."""
    if not state.acknowledged:
        raise NotAcknowledged("Acknowledge this alert before you confirm it.")
    if state.confirmed:
        raise AlreadyConfirmed("This alert has been confirmed already.")
    return replace(state, confirmed=True, active=state.active and not state.momentary)


def shelve(
    state: State, until: datetime, now: datetime, longest: timedelta = LONGEST_SHELF
) -> State:
    """Put aside until a moment. Raises ``BadShelfTime``."""
    if not now < until <= now + longest:
        raise BadShelfTime(longest)
    return replace(state, shelved_until=until)


def unshelve(state: State, now: datetime) -> State:
    """Take from the shelf before its time. Raises ``NotShelved``."""
    if not state.shelved(now):
        raise NotShelved("This alert is not shelved.")
    return replace(state, shelved_until=None)


def renew(state: State) -> State:
    """It is more than what somebody acknowledged or shelved (another sign, a higher severity):
    it has to be looked at anew. What is out of service stays so."""
    return replace(state, acknowledged=False, confirmed=False, shelved_until=None)


def set_service(state: State, out_of_service: bool, until: datetime | None = None) -> State:
    """Take out of service for maintenance, or put back. Idempotent."""
    until = until if out_of_service else None
    return replace(state, out_of_service=out_of_service, out_of_service_until=until)
