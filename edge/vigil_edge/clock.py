"""The gateway's clock: wall time, monotonic time for durations, and how far to trust the former."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from vigil_schemas.evidence import EvidenceClock
from vigil_schemas.types import ClockQuality

STEP_S: Final = 0.5
"""A wall clock that moves this much against the monotonic one was set, not slewed."""
MAX_ERROR_S: Final = 1.0
"""Kernel estimate of the largest error beyond which its clock no longer counts as synchronised."""
HOLDOVER_S: Final = 24 * 3600.0
"""A quartz at 50 ppm is off by 4 s a day: that long a clock set once is called ``holdover``."""
SET_BACK_S: Final = 1.0
"""A measurement that lies further ahead: the clock was set back behind it."""

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2) down to ``status``, then room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def kernel_error_s() -> float | None:
    """The kernel's estimate of its clock's largest error, where it says that an NTP or PTP service
    disciplines it (Linux only); else ``None``."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    state = _Timex()  # modes 0: read only, needs no privilege
    result = adjtimex(ctypes.byref(state))
    if not 0 <= result != _TIME_ERROR or state.status & _STA_UNSYNC:
        return None
    return float(state.maxerror) / 1e6


def kernel_synchronised() -> bool:
    """Whether the kernel vouches for its clock."""
    error_s = kernel_error_s()
    return error_s is not None and error_s <= MAX_ERROR_S


class Clock:
    """``watch`` is to be called every few seconds; everything else only reads."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        synchronised: Callable[[], bool] = kernel_synchronised,
        error_s: Callable[[], float | None] = kernel_error_s,
        host_keeps_it: bool = False,
    ) -> None:
        self._wall = wall
        self.monotonic = monotonic
        self._synchronised = synchronised
        self._error_s = error_s
        self._host_keeps_it = host_keeps_it
        self._offset = wall() - monotonic()
        self._last_synchronised: float | None = None
        self.steps = 0
        """How often the wall clock was set while we ran."""
        self.last_step_s = 0.0
        """How far it jumped the last time, seconds, positive forwards."""
        self.vouched = False
        """``quality`` is ``synchronised`` by the word of the settings alone (``host_keeps_it``):
        the kernel does not say so."""
        self.quality = ClockQuality.UNSYNCHRONISED
        self._measured_s: float | None = None
        self._source: str | None = None
        self.watch()

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def state(self) -> EvidenceClock:
        """As a package of evidence tells it."""
        last = self._last_synchronised
        return EvidenceClock(
            quality=self.quality,
            vouched=self.vouched,
            error_s=self._error_s(),
            since_sync_s=None if last is None else max(0.0, self.monotonic() - last),
            sync_age_s=self._age_s(),
            sync_source=self._source,
        )

    def measured(self, wall_s: float, source: str) -> None:
        """The time service took a measurement from its source then (seconds since 1970)."""
        self._measured_s, self._source = wall_s, source

    def _age_s(self) -> float | None:
        """By the wall clock, by which the service dates its measurements. Where one lies ahead,
        since the clock was set back meanwhile, it says nothing of the time as it is now: that is
        told as an age at which nobody trusts it, until the service has measured anew."""
        if self._measured_s is None:
            return None
        age_s = self._wall() - self._measured_s
        return HOLDOVER_S if age_s < -SET_BACK_S else max(0.0, age_s)

    def watch(self) -> bool:
        """Take the clock's measure; true where it was set since the last call."""
        offset = self._wall() - self.monotonic()
        step = offset - self._offset
        self._offset = offset
        stepped = abs(step) >= STEP_S
        if stepped:
            self.steps += 1
            self.last_step_s = step
        self.quality = self._assessed()
        return stepped

    def _assessed(self) -> ClockQuality:
        at = self.monotonic()
        known = self._synchronised()
        self.vouched = self._host_keeps_it and not known
        if known:
            self._last_synchronised = at
        if known or self.vouched:
            return ClockQuality.SYNCHRONISED
        if self._last_synchronised is not None and at - self._last_synchronised <= HOLDOVER_S:
            return ClockQuality.HOLDOVER
        return ClockQuality.UNSYNCHRONISED
