"""When something was written, where it arrives later: a phone keeps it without a network.

The time is the phone's own. It is shown beside the time of arrival and orders nothing; what lies
in the future is brought back to the arrival and keeps what it claimed, and a phone whose clock
differs from ours when it sends is marked with by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Header

from vigil_schemas.types import UtcDatetime, isoformat_utc

WRITTEN, CLAIMED, CLOCK_OFF_S = "written", "claimed", "clock_off_s"
CLOCK_DOUBT_S: Final = 60
"""A phone that asks a time server is nearer than this, the request's own way included."""


@dataclass(frozen=True, slots=True)
class Written:
    """``at``: by the clock of whoever wrote it, ``None``: as it is sent. ``clock``: what that clock
    says as it is sent, so that its error is known."""

    at: datetime | None = None
    clock: datetime | None = None

    def detail(self, now: datetime) -> dict[str, Any]:
        """What the line of the history says of it."""
        said: dict[str, Any] = {}
        if self.at is not None:
            said[WRITTEN] = isoformat_utc(min(self.at, now))
            if self.at > now:
                said[CLAIMED] = isoformat_utc(self.at)
        return said | self.doubt(now)

    def doubt(self, now: datetime) -> dict[str, Any]:
        """By how many seconds the clock was ahead of ours, where that is worth a mark."""
        if self.clock is None:
            return {}
        off_s = round((self.clock - now).total_seconds())
        return {CLOCK_OFF_S: off_s} if abs(off_s) > CLOCK_DOUBT_S else {}


def _of_headers(
    written_at: Annotated[
        UtcDatetime | None, Header(description="when it was written, by the sender's clock")
    ] = None,
    device_clock: Annotated[
        UtcDatetime | None, Header(description="what the sender's clock says as it is sent")
    ] = None,
) -> Written:
    return Written(written_at, device_clock)


WrittenDependency = Annotated[Written, Depends(_of_headers)]
"""In headers: a request that is repeated under its ``Idempotency-Key`` stays the same request."""
