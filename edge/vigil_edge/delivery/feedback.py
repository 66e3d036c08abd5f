"""What the cloud says of this gateway in its receipts: how far its clock is off, and why
messages of it are refused. Shown in the gateway's own log and health, where whoever stands
before the box looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from vigil_schemas.control import AnyReceipt, Receipt, RefusalReason

CLOCK_OFF_S: Final = 30.0
"""A clock that is further off than this is told."""
AGAIN_S: Final = 600.0
"""The same is logged at most so often."""
SHOWN_S: Final = 3600.0
"""A reason that no message was refused for since is no longer in the health."""
_MOST: Final = 32

_REMEDIES: Final = {
    "unknown-gateway": "add it on the cloud: vigil-cloud gateway add",
    "future-dated": "this gateway's clock is ahead; check its time service (NTP)",
    "stale": "this gateway's clock is behind, or its rows are very old; check its time service",
    "device-of-another": "another gateway owns the device; release it on the cloud",
    "wrong-gateway": "[gateway] id and the broker's user name or certificate differ",
}

_log = structlog.get_logger("cloud")


@dataclass(slots=True)
class _Refused:
    count: int
    detail: str
    changed: float


class Feedback:
    """One per agent."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self.clock_offset_s: float | None = None
        """This clock minus the cloud's, while it is more than ``CLOCK_OFF_S`` off."""
        self._clock_logged = float("-inf")
        self._refused: dict[tuple[str, str], _Refused] = {}
        """By source and reason."""
        self._logged: dict[str, float] = {}
        """When each reason was logged last, of whatever source."""

    def receipt(self, receipt: AnyReceipt, round_trip_s: float | None) -> None:
        """``round_trip_s``: since the newest message that it confirms was first sent, if known."""
        if isinstance(receipt, Receipt):
            if round_trip_s is not None:
                self._compare_clocks(receipt.time, round_trip_s)
            nothing = not receipt.stored and not receipt.beyond
            for reason in receipt.reasons:
                self._note(receipt.source, reason, again=nothing)
        elif receipt.refused:
            detail = "this cloud does not say why; see its dead letters"
            reason = RefusalReason(reason="refused", count=receipt.refused, detail=detail)
            self._note(receipt.source, reason)

    def refusals(self) -> list[RefusalReason]:
        """By reason, over all lanes; those for which messages were refused within the hour."""
        self._forget()
        found: dict[str, RefusalReason] = {}
        for (_, reason), each in sorted(self._refused.items(), key=lambda pair: pair[1].changed):
            count = each.count + (found[reason].count if reason in found else 0)
            found[reason] = RefusalReason(reason=reason, count=count, detail=each.detail)
        return list(found.values())[:_MOST]

    def _compare_clocks(self, cloud: datetime, round_trip_s: float) -> None:
        """The receipt was written after the message was sent and before it came: its time lies
        within the round trip, and the clock is off where no moment of that explains it."""
        ahead = (self._now() - cloud).total_seconds()
        offset = ahead - round_trip_s / 2
        uncertain = round_trip_s / 2
        if abs(offset) - uncertain > CLOCK_OFF_S:
            self.clock_offset_s = round(offset, 1)
            if self._monotonic() - self._clock_logged >= AGAIN_S:
                self._clock_logged = self._monotonic()
                _log.error(
                    "this gateway's clock is wrong; check its time service (NTP)",
                    code="clock-wrong",
                    offset_s=self.clock_offset_s,
                    uncertain_s=round(uncertain, 1),
                )
        elif abs(offset) + uncertain <= CLOCK_OFF_S and self.clock_offset_s is not None:
            self.clock_offset_s = None
            self._clock_logged = float("-inf")
            _log.info("this gateway's clock is right again", offset_s=round(offset, 1))

    def _note(self, source: str, reason: RefusalReason, again: bool = False) -> None:
        """Receipts repeat their reasons: it is news where the count or the detail is another, or
        ``again``, as long as nothing of the source is stored at all."""
        now = self._monotonic()
        known = self._refused.get((source, reason.reason))
        same = known is not None and (known.count, known.detail) == (reason.count, reason.detail)
        if same and not again:
            return
        if now - self._logged.get(reason.reason, float("-inf")) >= AGAIN_S:
            self._logged[reason.reason] = now
            _log.error(
                "the cloud refuses messages of this gateway",
                code=reason.reason,
                count=reason.count,
                detail=reason.detail,
                source=source,
                remedy=_REMEDIES.get(reason.reason, "see the dead letters on the cloud"),
            )
        self._refused[source, reason.reason] = _Refused(reason.count, reason.detail, now)

    def _forget(self) -> None:
        """Sources of earlier epochs end by themselves."""
        since = self._monotonic() - SHOWN_S
        self._refused = {key: each for key, each in self._refused.items() if each.changed >= since}
        self._logged = {reason: at for reason, at in self._logged.items() if at >= since}
