"""How fast a channel is told: a pure rate limit with a hold, kept with the channel.

The limit is the generic cell rate algorithm (ITU-T I.371): one moment, ``paced``, is its whole
memory, so that processes share it. A service that asks for a pause holds the whole channel; what
waits meanwhile is told together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.notify.progress import LONGEST_RETRY_AFTER, pause_after

EVERY: Final = timedelta(seconds=6)
"""Ten messages a minute in the long run …"""
BURST: Final = 10
"""… and so many at once."""
LONGEST_HOLD: Final = timedelta(minutes=1)
"""So long at most a channel that failed is left alone: a new fire must not wait for longer."""
FAILS_AFTER: Final = timedelta(minutes=5)
FAILS_TRIES: Final = 3


MOST_AT_ONCE: Final = 64
"""Channels that one process tells something at the same time. Each waits for its service and does
little else: a city-wide event calls a thousand homes within a minute of a slow service's time."""
MOST_OF_A_KIND: Final = 24
"""Of one kind: where a service hangs, such as the one behind all text messages, its channels take
so many places for as long as they are waited for, and leave the others to the other kinds."""


def turns(due: Iterable[tuple[int, str | None]], busy: Iterable[str | None]) -> list[int]:
    """Which channels are told something now. ``due``: channels with their kinds, the most urgent
    first; ``busy``: the kinds of those that are being told something already."""
    taken = Counter(busy)
    chosen: list[int] = []
    for channel, kind in due:
        if taken.total() >= MOST_AT_ONCE:
            break
        if taken[kind] < MOST_OF_A_KIND:
            taken[kind] += 1
            chosen.append(channel)
    return chosen


@dataclass(frozen=True, slots=True)
class Pace:
    """What a channel remembers."""

    paced: datetime | None = None
    held_until: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0

    def ready_at(self, now: datetime) -> datetime:
        """From when on the next message may go."""
        ready = now
        if self.paced is not None:
            ready = max(ready, self.paced - EVERY * (BURST - 1))
        return max(ready, self.held_until) if self.held_until is not None else ready

    def fails(self, now: datetime) -> bool:
        """Whether it has failed long and often enough to tell whoever maintains it."""
        return (
            self.failing_since is not None
            and self.failures >= FAILS_TRIES
            and now - self.failing_since >= FAILS_AFTER
        )


def spent(pace: Pace, now: datetime) -> Pace:
    """One message goes now."""
    return replace(pace, paced=max(pace.paced or now, now) + EVERY)


def worked(pace: Pace) -> Pace:
    """The service took one."""
    return replace(pace, held_until=None, failing_since=None, failures=0)


def stumbled(
    pace: Pace, now: datetime, *, holds: bool, retry_after: timedelta | None = None
) -> Pace:
    """The service did not take one. ``holds``: it would not take another now either."""
    failures = pace.failures + 1
    held_until = pace.held_until
    if retry_after is not None:
        held_until = now + min(retry_after, LONGEST_RETRY_AFTER)
    elif holds:
        held_until = now + min(pause_after(failures), LONGEST_HOLD)
    return replace(
        pace,
        held_until=held_until,
        failing_since=pace.failing_since or now,
        failures=failures,
    )
