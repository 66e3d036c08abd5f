"""Planned work: a gateway or a device out of service raises no platform alert until then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.identity import audit

LONGEST: Final = timedelta(days=30)


class BadEnd(ApiError):
    """Planned work ends in the future, at most thirty days ahead."""

    code: ClassVar[str] = "bad-end"
    remedy: ClassVar[str] = "Give an end between now and thirty days ahead."
    status: ClassVar[int] = 422

    def __init__(self, longest: timedelta) -> None:
        super().__init__(f"Give a future time within {longest.days} days.")
        self.longest_days = longest.days


def take_out(
    session: Session, row: Gateway | Device, until: datetime | None, account: str, now: datetime
) -> None:
    """Out of service until then; ``None``: back in service now. Raises ``BadEnd``."""
    if until is not None and not now < until <= now + LONGEST:
        raise BadEnd(LONGEST)
    row.out_of_service_until = until
    row.updated = now
    what, name = ("gateway", row.gateway) if isinstance(row, Gateway) else ("device", row.device)
    audit.append(
        session,
        at=now,
        account=account,
        action=f"{what}.{'in-service' if until is None else 'out-of-service'}",
        subject=name,
        detail={"until": until.isoformat() if until else None},
    )
