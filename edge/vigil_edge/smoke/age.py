"""How old a message is, though two clocks are involved and either may be wrong. Pure.

``last_seen`` is by the bridge's clock, receipt by the gateway's. By the gateway's clock a
message is old once its ``last_seen`` lies five minutes back. Two messages that were received
some time apart, and whose ``last_seen`` lie as far apart, were both fresh when they came
(what is repeated from a cache lags): such a pair proves how far the bridge's clock is off, and
what is fresh by a proven clock is live though ours says otherwise. The quality of our clock
proves nothing: without NTP in the kernel (every container) it is always unsynchronised.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from vigil_schemas.senml import instant, microseconds

OLD_AFTER: Final = timedelta(minutes=5)
AHEAD: Final = timedelta(seconds=30)
"""A ``last_seen`` further in the future shows that one of the clocks is wrong."""
_APART_US: Final = 10_000_000
_AGREE_US: Final = 2_000_000
_MOST_AHEAD_US: Final = 26 * 3600 * 1_000_000
"""Our clock may be this far ahead of the bridge's (a time zone taken for UTC, and some); what
seems older is old: clocks that were never set are behind, not ahead."""
_REMEMBERED: Final = 16


class Age(NamedTuple):
    """Of one message. ``live``: it tells how things stand, else how they stood once."""

    live: bool
    proven: bool = False
    """Another message proves that it was fresh, whatever the clocks say."""


class BridgeClock:
    """What the messages of one bridge tell of its clock, for one run of the agent."""

    def __init__(self) -> None:
        self._heard: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        """Bridge's clock minus our monotonic one as of a message, and the moment of it."""
        self._proven: deque[int] = deque(maxlen=4)

    def now(self, moment: float, now: datetime) -> datetime:
        """The bridge's time, or ours (``now``) where that is later or nothing is proven."""
        if not self._proven:
            return now
        return max(now, instant(max(self._proven) + round(moment * 1e6)))

    def prove(self, stamp: datetime, moment: float) -> None:
        """The bridge itself said what time it is."""
        self._add(microseconds(stamp) - round(moment * 1e6))

    def age(self, stamp: datetime | None, *, retained: bool, moment: float, now: datetime) -> Age:
        """Of a message with this ``last_seen``; ``moment`` is monotonic, in seconds.

        Not retained and from the future of our clock (which is then at 1970, or an hour
        behind) it is live: a fire must not be lost to a clock. A retained one may be of any
        age then.
        """
        if stamp is None:
            return Age(live=not retained)
        passed = now - stamp
        by_our_clock = passed <= OLD_AFTER and not (retained and passed < -AHEAD)
        if retained:
            return Age(by_our_clock)
        at_us = round(moment * 1e6)
        offset_us = microseconds(stamp) - at_us
        agrees = any(
            at_us - then_us >= _APART_US and abs(offset_us - then) <= _AGREE_US
            for then, then_us in self._heard
        )
        self._heard.append((offset_us, at_us))
        if passed // timedelta(microseconds=1) > _MOST_AHEAD_US:
            return Age(live=False)
        if agrees:
            self._add(offset_us)
            return Age(live=True, proven=True)
        return Age(by_our_clock or any(self._fresh(offset_us, known) for known in self._proven))

    def _fresh(self, offset_us: int, proven_us: int) -> bool:
        lag = timedelta(microseconds=proven_us - offset_us)
        return -AHEAD <= lag <= OLD_AFTER

    def _add(self, offset_us: int) -> None:
        if all(abs(offset_us - known) > _AGREE_US for known in self._proven):
            self._proven.append(offset_us)
