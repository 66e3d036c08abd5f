"""Raw PCM: how samples are laid out in bytes, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.errors import AudioUnsupported

Encoding = Literal["s16le", "s24le", "s32le", "f32le", "f64le"]
Frames = npt.NDArray[Any]
"""Shape (n, channels); int16, int32, float32 or float64."""

SAMPLE_BYTES: Final[dict[Encoding, int]] = {
    "s16le": 2,
    "s24le": 3,
    "s32le": 4,
    "f32le": 4,
    "f64le": 8,
}
SLICES_PER_SECOND: Final = 20
MIN_RATE_HZ: Final = 8000
MAX_RATE_HZ: Final = 384_000
MAX_CHANNELS: Final = 64


def slice_edge(index: int, rate_hz: int) -> int:
    """The sample at which slice ``index`` begins; exact at every whole second, at any rate."""
    return index * rate_hz // SLICES_PER_SECOND


def slices_within(samples: int, rate_hz: int) -> int:
    """How many whole slices the first ``samples`` samples hold: the inverse of ``slice_edge``."""
    return (SLICES_PER_SECOND * (samples + 1) - 1) // rate_hz


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """``encoding:rate:channels``, little-endian and interleaved."""

    encoding: Encoding
    rate_hz: int
    channels: int
    shift_bits: int = 0
    """Integers fill only so many bits fewer than their container, at its low end."""

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise AudioUnsupported(
                None,
                f"sampling rate {self.rate_hz} Hz; {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz can be read",
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioUnsupported(
                None, f"{self.channels} channels; 1 to {MAX_CHANNELS} can be read"
            )

    @classmethod
    def parse(cls, text: str) -> PcmFormat:
        """From ``s32le:48000:1``. Raises ``AudioUnsupported``."""
        parts = text.split(":")
        if len(parts) != 3 or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts[1:]):
            raise AudioUnsupported(
                None, f"format {text!r} is not encoding:rate:channels (s16le:48000:1)"
            )
        if parts[0] not in get_args(Encoding):
            raise AudioUnsupported(
                None, f"encoding {parts[0]!r} is none of {', '.join(get_args(Encoding))}"
            )
        return cls(cast(Encoding, parts[0]), int(parts[1]), int(parts[2]))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.encoding] * self.channels

    @property
    def unused_bits(self) -> int:
        """Of integers as 32 bits at full scale, those at the low end that no sample can set."""
        return max(0, 32 - 8 * SAMPLE_BYTES[self.encoding]) + self.shift_bits

    @property
    def is_float(self) -> bool:
        """Whether samples may go beyond full scale."""
        return self.encoding in ("f32le", "f64le")

    def decode(self, payload: bytes | memoryview) -> Frames:
        """Whole frames as an array; 24-bit samples become int32, shifted up to its full scale.

        Raises ``ValueError`` where ``payload`` ends inside a frame.
        """
        if self.encoding == "s24le":
            octets = np.frombuffer(payload, np.uint8).reshape(-1, 3)
            wide = np.zeros((len(octets), 4), np.uint8)
            wide[:, 1:] = octets
            samples: Frames = wide.view("<i4").reshape(-1)
        else:
            code = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8"}[self.encoding]
            samples = np.frombuffer(payload, code)
        if self.shift_bits:
            samples = samples << self.shift_bits
        return samples.reshape(-1, self.channels)


def channel_units(frames: Frames, channel: int) -> npt.NDArray[np.float64]:
    """One channel as float64, shape (n,), full scale of integers being 1."""
    with np.errstate(invalid="ignore"):  # a signalling NaN; whoever asked looks for NaN
        samples = frames[:, channel].astype(np.float64)
    if np.issubdtype(frames.dtype, np.integer):
        samples *= 1.0 / -float(np.iinfo(frames.dtype).min)
    return samples
