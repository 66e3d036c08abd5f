"""What those who belong to a home may say of a critical alert there, and what follows from it.

A domain hands this in (``Described.at_home``); links in messages and the alert's page ask it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError

if TYPE_CHECKING:
    from vigil_cloud.services import Services


class CodeNeeded(ApiError):
    """The home has a code, and a false alarm is not taken without it."""

    code: ClassVar[str] = "home-code-needed"
    remedy: ClassVar[str] = "Enter the home's code. If it burns, say so and get out."
    status: ClassVar[int] = 403


class Proof(Protocol):
    """That the home's code was given, and right."""

    @property
    def household(self) -> str:
        """Of which home."""


class AtHome(Protocol):
    """One domain's."""

    def code_counts(self, session: Session, alert_id: str) -> bool:
        """Whether the home has a code with which this alert can be taken back."""

    def verify(self, services: Services, alert_id: str, code: str, who: str) -> Proof:
        """Whether it is that code: in transactions of its own, before those that answer. Raises
        refusals of the domain's own."""

    def false_alarm(
        self, session: Session, alert_id: str, who: str, now: datetime, proof: Proof | None
    ) -> None:
        """They are safe, it is none. Without a code that counts it is noted and changes nothing.
        Raises ``CodeNeeded`` and refusals of the domain's own. The caller holds ``feed.lock``."""

    def burns(self, session: Session, alert_id: str, who: str, now: datetime) -> None:
        """It is one. Idempotent. The caller holds ``feed.lock``."""
