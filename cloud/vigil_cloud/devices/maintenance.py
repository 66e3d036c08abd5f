"""Planned work: a gateway out of service raises no platform alert until then. Of a device:
``shelves``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity import audit

_SHORT_HOURS: Final = 48
LONGEST: Final = timedelta(days=30)


class BadEnd(ApiError):
    """What is put aside ends in the future, and not too far ahead."""

    code: ClassVar[str] = "bad-end"
    remedy: ClassVar[str] = "Give an end within the bounds that the message names."
    status: ClassVar[int] = 422

    def __init__(self, longest: timedelta) -> None:
        hours = int(longest / timedelta(hours=1))
        span = f"{longest.days} days" if hours > _SHORT_HOURS else f"{hours} hours"
        super().__init__(f"Give an end that lies ahead, within {span}.")
        self.longest_hours = hours


def take_out(
    session: Session, row: Gateway, until: datetime | None, account: str, now: datetime
) -> None:
    """Out of service until then; ``None``: back in service now. Raises ``BadEnd``."""
    if until is not None and not now < until <= now + LONGEST:
        raise BadEnd(LONGEST)
    row.out_of_service_until = until
    row.updated = now
    audit.append(
        session,
        at=now,
        account=account,
        action=f"gateway.{'in-service' if until is None else 'out-of-service'}",
        subject=row.gateway,
        detail={"until": until.isoformat() if until else None},
    )
