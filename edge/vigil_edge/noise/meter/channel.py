"""What holds for every measured channel, live and in a recording: clipping, start-up, silence."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.levels import CLIPPING_AT, Meter
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.sound.pcm import Frames, PcmFormat

SETTLE_S: Final = 1.0
"""The first second of a stream is not measured: converters plop when they are switched on."""
STARTUP_LOOK_S: Final = 3.0
"""So much of a recording's beginning is looked at to know whether it holds the switching on."""
MOST_PA: Final = 2e5
"""200 dB: beyond it there is no microphone, and the contract ends at 220 dB. Such samples come
from a broken driver, or from integers taken for floats; they count as clipped."""
_WINDOW_S: Final = 0.025
_PLOP_SIGMA: Final = 10.0
_SWAY: Final = 0.25
"""How far the offset may still move, as a share of the step."""
_PLOP_SIGMA_AFTER_ZEROS: Final = 6.0
_SWAY_AFTER_ZEROS: Final = 0.4
"""Digital silence before it is a sign by itself: less is asked of the step."""
_ZEROS_S: Final = 0.005
_PLOP_SHARE: Final = 0.5
"""Of the signal's own standard deviation: a smaller step in the offset raises no level."""


def meter_of(
    layout: PcmFormat, pascal_per_unit: float, *, full_scale_known: bool, compiled: bool = True
) -> Meter:
    """The meter of one channel, with the rule for overload that fits its samples.

    Integers clip at full scale, and so do floats whose full scale is known. Floats may also
    hold pascal directly, where 1.0 is nothing special; a crest cut off at 1.0 still is.
    ``compiled`` false: nothing is compiled, and numba is not even loaded.
    """
    end = CLIPPING_AT * MOST_PA / pascal_per_unit
    if layout.is_float and not full_scale_known:
        return Meter(layout.rate_hz, pascal_per_unit, end, flat_at=1.0, compiled=compiled)
    return Meter(layout.rate_hz, pascal_per_unit, min(CLIPPING_AT, end), compiled=compiled)


def startup_samples(beginning: Samples, rate_hz: int) -> int:
    """How many samples at the start hold the microphone's switching on; 0 where none.

    A converter that is switched on gives zeros, then its offset appears as a step, or decays
    towards its final value. ``beginning``, shape (n,), is the first ``STARTUP_LOOK_S``: the
    offset of its second half is what counts as settled. Street sound moves the mean of 25 ms
    both ways all the time; a start-up moves it one way, at the very start, and far.
    """
    length = int(_WINDOW_S * rate_hz)
    windows = len(beginning) // length
    settled_from = windows // 2
    if windows * _WINDOW_S < 2 * SETTLE_S:
        return 0
    cut = beginning[: windows * length].reshape(windows, length)
    offset = cut.mean(axis=1)
    later = offset[settled_from:]
    away = offset - np.median(later)
    # The median of the absolute deviations, as a standard deviation.
    scatter = 1.4826 * float(np.median(np.abs(away[settled_from:])))
    loudness = float(np.median(cut[settled_from:].std(axis=1)))
    early = away[: int(SETTLE_S / _WINDOW_S)]
    begun = int(np.argmax(beginning != beginning[0]))
    after_zeros = begun >= _ZEROS_S * rate_hz
    sigma, sway = (
        (_PLOP_SIGMA_AFTER_ZEROS, _SWAY_AFTER_ZEROS) if after_zeros else (_PLOP_SIGMA, _SWAY)
    )
    peak = int(np.argmax(np.abs(early)))
    height = float(abs(early[peak]))
    if height <= max(sigma * scatter, _PLOP_SHARE * loudness):
        return 0
    if peak > begun // length + 2 or (early * np.sign(early[peak])).min() < -sway * height:
        return 0  # not at the switching on, or it swings about its mean: a low sound, or wind
    if np.abs(away[settled_from:]).max() > sway * height:
        return 0  # it goes on
    return int(SETTLE_S * rate_hz)


@dataclass(slots=True)
class Silence:
    """Which channels have been the same value all the time."""

    channels: int
    _first: Frames | None = field(init=False, default=None)
    _varies: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._varies = np.zeros(self.channels, dtype=np.bool_)

    def feed(self, frames: Frames) -> None:
        """The next frames, shape (n, channels)."""
        if not len(frames) or self._varies.all():
            return
        if self._first is None:
            self._first = frames[0].copy()
        self._varies |= (frames != self._first).any(axis=0)

    def notice(self, channel: int) -> str | None:
        """Words for a channel that is silent, naming the ones that are not."""
        if self._varies[channel]:
            return None
        others = [str(n) for n in np.flatnonzero(self._varies)]
        if not others:
            return f"channel {channel} is silent: every sample is the same"
        many = "channels" if len(others) > 1 else "channel"
        verb = "are" if len(others) > 1 else "is"
        return f"channel {channel} is silent, {many} {', '.join(others)} {verb} not"


_MUCH_QUIETER_DB: Final = 40.0
_BEYOND_FULL_SCALE: Final = 16.0
_PIECES: Final = 8
"""Of a second."""
_NOTHING_S: Final = 0.25


@dataclass(slots=True)
class Oddities:
    """What of a recording's samples makes its levels doubtful, besides silence and clipping."""

    rate_hz: int
    channel: int
    is_float: bool
    _peak: float = 0.0
    _nothing: int = 0
    _samples: int = 0
    _sum: npt.NDArray[np.float64] | None = None
    _squares: npt.NDArray[np.float64] | None = None

    def feed(self, frames: Frames, units: Samples, peak: float) -> None:
        """The next frames, shape (n, channels), and the units of the measured channel, of which
        ``peak`` is the greatest magnitude."""
        self._samples += len(units)
        self._peak = max(self._peak, peak)
        pieces = max(1, round(_PIECES * len(units) / self.rate_hz))
        edges = np.arange(pieces + 1) * len(units) // pieces
        # Its ends first: of sound they hardly ever agree.
        for piece in np.flatnonzero(units[edges[:-1]] == units[edges[1:] - 1]):
            part = units[edges[piece] : edges[piece + 1]]
            if len(part) > 1 and (part == part[0]).all():
                self._nothing += len(part)
        if frames.shape[1] > 1:
            every = frames.astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):  # another channel's are not checked
                total, squares = every.sum(axis=0), (every * every).sum(axis=0)
            self._sum = total if self._sum is None else self._sum + total
            self._squares = squares if self._squares is None else self._squares + squares

    def notices(self, *, full_scale_known: bool) -> list[str]:
        """In words; nothing of a channel that is silent all the time."""
        found = []
        if self.is_float and full_scale_known and self._peak > _BEYOND_FULL_SCALE:
            found.append(
                f"floats reach {self._peak:.4g} times full scale: they may be integers that were"
                " written as floats, and then the levels are wrong"
            )
        seconds = self._nothing / self.rate_hz
        if seconds >= _NOTHING_S and self._nothing < self._samples:
            found.append(f"{seconds:g} s hold nothing (every sample the same) and lower the mean")
        by = self._quieter_db()
        if by >= _MUCH_QUIETER_DB and self._nothing < self._samples:
            found.append(f"channel {self.channel} is {by:.0f} dB quieter than another channel")
        return found

    def _quieter_db(self) -> float:
        """How much quieter the measured channel is than the loudest."""
        if self._sum is None or self._squares is None:
            return 0.0
        power = self._squares / self._samples - (self._sum / self._samples) ** 2
        power = np.nan_to_num(power, nan=0.0)
        own, loudest = float(power[self.channel]), float(power.max())
        return 10.0 * math.log10(loudest / own) if 0.0 < own < loudest < math.inf else 0.0
