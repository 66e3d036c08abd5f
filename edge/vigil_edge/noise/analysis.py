"""Third octaves and spectrogram of the recording, from its own file: whoever has the package can
work them out again."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.levels import level_db
from vigil_edge.noise.meter.thirds import NOMINAL, ThirdOctaves
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.pictures.case_folder import put
from vigil_edge.noise.sound.pcm import channel_units
from vigil_edge.noise.sound.wav import open_wav

OCTAVES: Final = "octaves.csv"
SPECTROGRAM: Final = "spectrogram.png"
SPECTROGRAM_FACTS: Final = "spectrogram.json"
_WINDOW: Final = 4096
_COLUMNS: Final = 800
_ROWS: Final = 240
_LOWEST_HZ: Final = 40.0
_HIGHEST: Final = 0.45
"""Of the sampling rate."""
_HIGHEST_HZ: Final = 20_000.0
_RANGE_DB: Final = 80.0
_REFERENCE_PA2: Final = 20e-6**2
_STEP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sound:
    """The measured channel, Pa, shape (samples,)."""

    pascal: Samples
    rate_hz: int


def read(path: Path, channel: int, pascal_per_unit: float) -> Sound:
    """The measured channel of a recording. Raises ``VigilError`` for what is no WAV file."""
    found = open_wav(path)
    blocks = [
        channel_units(block, channel).astype(np.float64)
        for block in found.blocks(found.format.rate_hz)
    ]
    joined = np.concatenate(blocks) if blocks else np.zeros(0)
    return Sound(joined * pascal_per_unit, found.format.rate_hz)


def octaves(sound: Sound) -> str:
    """``octaves.csv``: of each second from the beginning on, Leq of each third octave, Z, dB re
    20 µPa; empty where the rate is too low for the band. ``t`` is the second's beginning."""
    thirds = ThirdOctaves(sound.rate_hz, compiled=False)
    thirds.prime(sound.pascal[: sound.rate_hz])
    step = int(_STEP_S * sound.rate_hz)
    out = io.StringIO()
    out.write(",".join(["t", *NOMINAL]) + "\n")
    for first in range(0, len(sound.pascal) - step + 1, step):
        thirds.settle(np.zeros(0))
        thirds.feed(sound.pascal[first : first + step])
        squares = thirds.mean_squares()
        levels = [
            "" if (square := squares[name]) is None else f"{level_db(square):.2f}"
            for name in NOMINAL
        ]
        out.write(",".join([f"{first / sound.rate_hz:.1f}", *levels]) + "\n")
    return out.getvalue()


def spectrogram(sound: Sound) -> tuple[npt.NDArray[np.uint8], str] | None:
    """A picture, shape (240, ≤800, 3), BGR: time to the right over the whole recording, frequency
    upwards on a logarithmic axis; and what its axes are, as JSON. ``None`` where the recording is
    shorter than one window (4,096 samples, Hann)."""
    span = len(sound.pascal) - _WINDOW
    if span < 0:
        return None
    columns = min(_COLUMNS, 1 + span // 64)
    starts = np.linspace(0, span, columns).astype(np.int64)
    window = np.hanning(_WINDOW)
    power = np.empty((_WINDOW // 2 + 1, columns))
    for column, start in enumerate(starts):
        spectrum = np.fft.rfft(sound.pascal[start : start + _WINDOW] * window)
        power[:, column] = np.abs(spectrum) ** 2
    power *= 2.0 / np.sum(window) ** 2
    highest = min(_HIGHEST_HZ, _HIGHEST * sound.rate_hz)
    wanted = np.geomspace(highest, _LOWEST_HZ, _ROWS)
    bins = np.clip((wanted * _WINDOW / sound.rate_hz).round().astype(np.int64), 1, len(power) - 1)
    levels = 10.0 * np.log10(np.maximum(power[bins] / _REFERENCE_PA2, 1e-3))
    top = float(np.ceil(levels.max()))
    grey = np.clip((levels - (top - _RANGE_DB)) * (255.0 / _RANGE_DB), 0, 255).astype(np.uint8)
    picture = cast("npt.NDArray[np.uint8]", cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO))
    facts = {
        "start_s": 0.0,
        "end_s": len(sound.pascal) / sound.rate_hz,
        "low_hz": _LOWEST_HZ,
        "high_hz": highest,
        "frequency": "logarithmic",
        "lowest_db": top - _RANGE_DB,
        "highest_db": top,
        "window": f"Hann, {_WINDOW} samples",
    }
    return picture, json.dumps(facts, indent=1)


def measure(folder: Path) -> list[str]:
    """All of it beside ``audio.wav``, by the calibration in ``case.json``; returns the names.
    Raises ``VigilError``, ``OSError``."""
    calibration = json.loads((folder / "case.json").read_text("utf-8"))["calibration"]
    channel, scale = int(calibration["channel"]), float(calibration["pascal_per_unit"])
    sound = read(folder / "audio.wav", channel, scale)
    put(folder / OCTAVES, octaves(sound).encode())
    drawn = spectrogram(sound)
    if drawn is None:
        return [OCTAVES]
    picture, facts = drawn
    png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1]
    put(folder / SPECTROGRAM, png.tobytes())
    put(folder / SPECTROGRAM_FACTS, facts.encode())
    return [OCTAVES, SPECTROGRAM, SPECTROGRAM_FACTS]
