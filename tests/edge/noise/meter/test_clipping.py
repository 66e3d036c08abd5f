"""A flat top below full scale is clipping; no real sound has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data
from vigil_edge.noise.instrument import Instrument
from vigil_edge.noise.meter.clipping import Clipping
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.wav import open_wav

RATE = 48_000
BLOCK = 4800
SECONDS = np.arange(3 * RATE) / RATE
RNG = np.random.default_rng(7)
ENGINE = sum(
    np.sin(2 * np.pi * 83.3 * n * SECONDS + n * n) / n**0.7 for n in range(1, 40)
) + 0.3 * RNG.normal(size=len(SECONDS))
LOUD: dict[str, Samples] = {
    "tone": np.sin(2 * np.pi * 997 * SECONDS),
    "low tone": np.sin(2 * np.pi * 63 * SECONDS),
    "whole periods": np.sin(2 * np.pi * 1000 * SECONDS),
    "engine": ENGINE / np.abs(ENGINE).max(),
    "noise": RNG.normal(size=len(SECONDS)) / 5,
}
QUIET: dict[str, Samples] = {
    f"{name} at {level:g}": level * wave / np.abs(wave).max()
    for name, wave in LOUD.items()
    for level in (0.9, 0.02, 3e-4)
} | {
    "a slow wave": 0.01 * np.sin(2 * np.pi * 8 * SECONDS),
    "wind": np.cumsum(RNG.normal(size=len(SECONDS))) * 1e-4,
    "silence, then sound": np.concatenate([np.zeros(RATE), LOUD["tone"][: 2 * RATE] / 2]),
    "nothing": np.zeros(RATE),
}


def quantised(wave: Samples, bits: int) -> Samples:
    return np.asarray(np.round(wave * 2.0 ** (bits - 1)) * 2.0 ** (1 - bits), dtype=np.float64)


def cut_off(wave: Samples) -> int:
    clipping = Clipping(RATE)
    return sum(len(clipping.feed(wave[at : at + BLOCK])) for at in range(0, len(wave), BLOCK))


@pytest.mark.parametrize("bits", [16, 24, 52])
@pytest.mark.parametrize("name", QUIET)
def test_what_is_whole_is_not_taken_for_clipped(name: str, bits: int) -> None:
    assert cut_off(quantised(QUIET[name], bits)) == 0


@pytest.mark.parametrize("bits", [16, 24, 52])
@pytest.mark.parametrize("ceiling", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("name", LOUD)
def test_a_flat_top_is_clipping_wherever_it_lies(name: str, ceiling: float, bits: int) -> None:
    over = 3.0 if name == "noise" else 1.4
    wave = np.clip(LOUD[name] * ceiling * over, -ceiling, ceiling)

    assert cut_off(quantised(wave, bits)) > 0


def test_one_side_is_enough() -> None:
    assert cut_off(quantised(np.maximum(LOUD["engine"], -0.3), 16)) > 0


def test_a_click_at_the_start_hides_nothing_for_long() -> None:
    wave = np.tile(np.clip(LOUD["engine"], -0.3, 0.3), 25)
    wave[100] = 0.9

    assert cut_off(quantised(wave, 16)) > 0


@pytest.mark.parametrize("blocks", [1, 7, 100])
def test_it_marks_the_second_in_which_it_happens(blocks: int) -> None:
    wave = np.tile(LOUD["tone"], 2) * 0.2
    wave[RATE : RATE + RATE // 2] = np.clip(LOUD["tone"][: RATE // 2], -0.4, 0.4)
    instrument = Instrument(PcmFormat("s16le", RATE, 1), 20.0, True, "anyhow")

    pieces = np.array_split(quantised(wave, 16), blocks)
    found = [*(instrument.feed(piece) for piece in pieces), instrument.flush()]

    seconds = [levels for each in found for levels in each.seconds]
    flagged = [levels.first_sample // RATE for levels in seconds if "clipping" in levels.flags]
    assert flagged == [1]
    assert [levels.overload for levels in seconds].index(True) == 1
    assert instrument.total.overload


@pytest.mark.parametrize(
    "name",
    [
        *(f"noise/street_CT10{n}.wav" for n in (1, 2, 3, 4)),
        *(f"noise/xl2_{n}_Audio_FS128.1dBPK_00.wav" for n in ("000", "005")),
    ],
)
def test_no_recording_from_the_street_is_taken_for_clipped(name: str) -> None:
    frames = np.concatenate(list(open_wav(data.shared(name)).blocks(BLOCK)))

    for channel in range(frames.shape[1]):
        assert cut_off(frames[:, channel].astype(np.float64)) == 0


def test_calibrated_noise_is_not_taken_for_clipped() -> None:
    for name in ("ref38dB_48000Hz_s32le_mono.raw", "ref94dB_48000Hz_s32le_mono.raw"):
        raw = Path(data.shared(f"noise/{name}")).read_bytes()
        assert cut_off(np.frombuffer(raw, "<i4") / 2**31) == 0
