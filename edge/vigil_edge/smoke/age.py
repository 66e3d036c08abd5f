"""How old a message is, though two clocks are involved and either may be wrong. Pure.

``last_seen`` is by the bridge's clock, receipt by the gateway's. By the gateway's clock a
message is old once its ``last_seen`` lies five minutes back. Messages that were received some
time apart, and whose ``last_seen`` lie as far apart, were fresh when they came (what is
repeated from a cache lags): three of them prove how far the bridge's clock is off, and what is
fresh by a proven clock is live though ours says otherwise. The quality of our clock proves
nothing: without NTP in the kernel (every container) it is always unsynchronised.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from vigil_schemas.senml import instant, microseconds

OLD_AFTER: Final = timedelta(minutes=5)
AHEAD: Final = timedelta(seconds=30)
"""A ``last_seen`` further in the future shows that one of the clocks is wrong."""
_APART_US: Final = 20_000_000
_TIMES: Final = 3
"""So many messages over so long a time prove a clock."""
_AGREE_US: Final = 2_000_000
_SAME: Final = timedelta(seconds=5)
_MOST_AHEAD_US: Final = 26 * 3600 * 1_000_000
"""Our clock may be this far ahead of the bridge's (a time zone taken for UTC, and some); what
seems older is old: clocks that were never set are behind, not ahead."""
_SET_BACK_US: Final = 120_000_000
"""A clock is found to be set back when nothing has confirmed it for this long, and others
agree on an earlier one."""
_REMEMBERED: Final = 256
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Offset:
    """Bridge's clock minus our monotonic one, as some messages have it."""

    us: int
    first_us: int
    """Monotonic, of the first of them."""
    last_us: int
    times: int = 1


class BridgeClock:
    """What the messages of one bridge tell of its clock, for one run of the agent."""

    def __init__(self) -> None:
        self._heard: list[_Offset] = []
        self._proven: _Offset | None = None

    def now(self, moment: float, now: datetime) -> datetime:
        """The bridge's time, or ours (``now``) while nothing is proven."""
        if self._proven is None:
            return now
        return instant(self._proven.us + round(moment * 1e6))

    def prove(self, stamp: datetime, moment: float) -> None:
        """The bridge itself said what time it is."""
        if stamp < _LATEST:
            at_us = round(moment * 1e6)
            self._proven = _Offset(microseconds(stamp) - at_us, at_us, at_us)

    def is_live(
        self, stamp: datetime | None, *, retained: bool, moment: float, now: datetime
    ) -> bool:
        """Whether a message with this ``last_seen`` tells how things stand, and not how they stood.

        ``moment`` is monotonic, in seconds.

        Not retained and from the future of our clock (which is then at 1970, or an hour
        behind) it is live: a fire must not be lost to a clock. A retained one may be of any
        age then.
        """
        if stamp is None:
            return not retained
        passed = now - stamp
        by_our_clock = passed <= OLD_AFTER and not (retained and passed < -AHEAD)
        if retained or stamp >= _LATEST:
            return by_our_clock
        if passed // timedelta(microseconds=1) > _MOST_AHEAD_US:
            return False
        at_us = round(moment * 1e6)
        offset = self._noted(microseconds(stamp) - at_us, at_us)
        paced = offset.times >= _TIMES and at_us - offset.first_us >= _APART_US
        ours_us = microseconds(now) - at_us
        if abs(passed) <= _SAME or (paced and not self._is_behind(offset, at_us, ours_us)):
            self._believe(offset, at_us)
        if by_our_clock or self._proven is None:
            return by_our_clock
        lag = timedelta(microseconds=self._proven.us - offset.us)
        return -AHEAD <= lag <= OLD_AFTER

    def _noted(self, offset_us: int, at_us: int) -> _Offset:
        """What agrees with this message; the message itself where nothing does."""
        for known in self._heard:
            if abs(known.us - offset_us) <= _AGREE_US:
                known.last_us = at_us
                known.times += 1
                return known
        found = _Offset(offset_us, at_us, at_us)
        self._heard = [*self._heard[1 - _REMEMBERED :], found]
        return found

    def _is_behind(self, found: _Offset, at_us: int, ours_us: int) -> bool:
        """Whether nothing is proven yet and somebody has just heard a later clock of this bridge,
        which ours does not contradict: what keeps pace behind that is late, and proves nothing."""
        latest_us = ours_us + AHEAD // timedelta(microseconds=1)
        return self._proven is None and any(
            found.us + _AGREE_US < other.us <= latest_us and at_us - other.last_us < _SET_BACK_US
            for other in self._heard
        )

    def _believe(self, found: _Offset, at_us: int) -> None:
        """The bridge has one clock: a later one is right, an earlier one only if set back."""
        known = self._proven
        if known is None or found.us > known.us + _AGREE_US:
            self._proven = found
        elif abs(found.us - known.us) <= _AGREE_US:
            known.last_us = at_us
        elif at_us - known.last_us >= _SET_BACK_US:
            self._proven = found
