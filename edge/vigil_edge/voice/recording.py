"""Recordings as a city brings them (WAV, 16-bit PCM), and the tone before them. Pure."""

from __future__ import annotations

import struct
import wave
from dataclasses import dataclass
from math import pi, sin
from pathlib import Path
from typing import Final

from vigil_edge.voice.errors import PromptUnreadable

LONGEST_S: Final = 60.0
_BYTES: Final = 2
_RATES: Final = range(8_000, 96_001)
TONE_HZ: Final = (880.0, 660.0)
"""Two notes, so that heads turn before the first word."""
_NOTE_S: Final = 0.25
_TONE_RATE_HZ: Final = 16_000
_AMPLITUDE: Final = 0.5
_EDGE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound to be played: little-endian 16-bit PCM, interleaved."""

    rate_hz: int
    channels: int
    frames: bytes

    @property
    def seconds(self) -> float:
        """How long it is heard."""
        return len(self.frames) / (_BYTES * self.channels * self.rate_hz)


def read_wav(path: Path) -> Recording:
    """Raises ``PromptUnreadable``."""
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            if width != _BYTES or channels not in (1, 2) or rate not in _RATES:
                what = f"{8 * width} bit, {channels} channels, {rate} Hz"
                wanted = "16-bit PCM, one or two channels, 8 to 96 kHz"
                raise PromptUnreadable(path, f"{what}; {wanted} can be played")
            frames = file.readframes(int(LONGEST_S * rate) + 1)
    except FileNotFoundError as error:
        raise PromptUnreadable(path, "there is no such file") from error
    except (OSError, EOFError, wave.Error) as error:
        raise PromptUnreadable(path, f"cannot be played: {error}") from error
    if not frames:
        raise PromptUnreadable(path, "holds no sound")
    found = Recording(rate, channels, frames)
    if found.seconds > LONGEST_S:
        raise PromptUnreadable(path, f"is longer than {LONGEST_S:.0f} s")
    return found


def attention_tone() -> Recording:
    """Two notes, with soft edges so that they do not click."""
    samples = []
    count = int(_NOTE_S * _TONE_RATE_HZ)
    edge = _EDGE_S * _TONE_RATE_HZ
    for frequency in TONE_HZ:
        for n in range(count):
            gain = min(1.0, n / edge, (count - n) / edge)
            phase = 2 * pi * frequency * n / _TONE_RATE_HZ
            samples.append(round(32767 * _AMPLITUDE * gain * sin(phase)))
    return Recording(_TONE_RATE_HZ, 1, struct.pack(f"<{len(samples)}h", *samples))
