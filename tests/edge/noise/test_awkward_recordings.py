"""Recordings that are whole but awkward: read right, or read with a word about it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data
from edge.noise.tones import Signal, tone
from vigil_edge.cli import main
from vigil_edge.noise.meter.levels import Meter, Seconds
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND, slice_edge, slices_within

CASES = data.ROOT.parent / "shared" / "cases" / "noise"
PEAK_120 = ("--full-scale-peak-db", "120")
TONE_DB = 110.969
"""Of a sine at half of a full scale of 120 dB peak, to a thousandth."""


def played(
    capsys: pytest.CaptureFixture[str], path: Path, *options: str
) -> tuple[list[dict[str, Any]], str]:
    assert main(["noise", "replay", str(path), *options]) == 0
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def case(name: str) -> Path:
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the case {name} is not here (expected beside the checkout)")
    return path


def sine(seconds: float, rate_hz: int = 48000) -> Signal:
    """1 kHz at half of full scale."""
    return 0.5 * np.sin(2 * np.pi * 1000.0 * np.arange(round(seconds * rate_hz)) / rate_hz)


def wav(
    payload: bytes,
    *,
    tag: int = 1,
    bits: int = 16,
    align: int = 2,
    channels: int = 1,
    rate_hz: int = 48000,
    size: int | None = None,
    before: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    layout = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align, align, bits)
    length = len(payload) if size is None else size
    body = b"fmt " + struct.pack("<I", 16) + layout + before
    body += b"data" + struct.pack("<I", length) + payload + behind
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def sixteen(units: Signal) -> bytes:
    return np.round(units * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("name", "options", "duration", "level", "told"),
    [
        ("data_size_too_small.wav", (), 1.0, 76.995, "384000 bytes follow the sound"),
        ("data_size_too_small.wav", ("--ignore-header-size",), 5.0, 110.0, "480000 are read"),
        ("data_size_too_large.wav", ("--ignore-header-size",), 3.0, TONE_DB, "288000 are read"),
        ("odd_unpadded.wav", (), 3.0, TONE_DB, "pad byte"),
        ("pcm24_align4_padded.wav", (), 3.0, TONE_DB, ""),
        ("rate_22050.wav", (), 3.0, TONE_DB, "class 1"),
        ("bext_after.wav", (), 3.0, TONE_DB, ""),
        ("stereo_left_silent.wav", (), 3.0, -40.0, "channel 0 is silent, channel 1 is not"),
        ("stereo_left_silent.wav", ("--channel", "1"), 3.0, TONE_DB, ""),
        ("mems_startup_plop.wav", (), 5.0, 42.266, "switched on"),
    ],
)
def test_the_cases_that_failed(
    name: str,
    options: tuple[str, ...],
    duration: float,
    level: float,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    records, err = played(capsys, case(name), *PEAK_120, *options)
    assert records[-1]["duration"] == duration
    assert records[-1]["LAeq"] == pytest.approx(level, abs=0.01)
    assert told in err


def test_a_header_that_promises_more_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["noise", "replay", str(case("data_size_too_large.wav"))]) == 2
    assert "--ignore-header-size" in capsys.readouterr().err


def test_a_calibration_behind_the_sound_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    records, err = played(capsys, case("bext_after.wav"))
    assert "full scale is 120 dB peak" in err
    assert records[-1]["LAeq"] == pytest.approx(TONE_DB, abs=0.01)


def test_clipped_floats_are_overload(capsys: pytest.CaptureFixture[str]) -> None:
    records, err = played(capsys, case("float_clipped.wav"), *PEAK_120)
    assert "full scale" in err
    assert records[-1]["overload"] is True


def test_the_start_up_of_a_microphone_raises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    records, _ = played(capsys, case("mems_startup_plop.wav"), *PEAK_120, "--threshold-db", "50")
    assert [record for record in records if record["kind"] == "trigger"] == []
    assert records[0]["t"] == 1.0
    assert records[-1]["LAFmax"] == pytest.approx(42.5, abs=0.05)
    assert records[-1]["not_measured"] == 1.0


@pytest.mark.parametrize("shape", ["step after zeros", "decay", "decay after zeros"])
def test_a_start_up_is_known_by_its_offset(
    shape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = np.arange(4 * 48000) / 48000
    begun = 0.2 if "zeros" in shape else 0.0
    offset = 0.3 * (np.exp(-(at - begun) / 0.1) if "decay" in shape else np.ones(len(at)))
    noise = 0.001 * np.random.default_rng(1).standard_normal(len(at))
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(np.where(at < begun, 0.0, noise + offset))))

    records, err = played(capsys, path, *PEAK_120)

    assert "switched on" in err
    assert records[-1]["LAFmax"] < 65.0


@pytest.mark.parametrize("hz", [1.0, 5.0, 20.0, 100.0])
def test_low_sound_from_the_first_sample_is_no_start_up(
    hz: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = np.arange(4 * 48000) / 48000
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(0.5 * np.cos(2 * np.pi * hz * at) + 0.1)))

    records, err = played(capsys, path, *PEAK_120)

    assert "switched on" not in err
    assert records[0]["t"] == 0.0


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize(("bits", "container"), [(24, 4), (20, 4), (20, 3), (12, 2)])
def test_integers_smaller_than_their_container(
    bits: int, container: int, low: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = np.round(sine(2.0) * (2 ** (bits - 1) - 1)).astype("<i4")
    if not low:
        whole = whole << (8 * container - bits)
    octets = whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :container]
    path = tmp_path / "x.wav"
    path.write_bytes(wav(octets.tobytes(), bits=bits, align=container))

    records, err = played(capsys, path, *PEAK_120)

    assert records[-1]["LAeq"] == pytest.approx(TONE_DB, abs=0.01)
    assert ("low end" in err) is low


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 37800, 44056, 44101, 47951, 88200])
def test_any_rate_is_cut_into_whole_seconds(
    rate_hz: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(3.0, rate_hz)), rate_hz=rate_hz))

    records, _ = played(capsys, path, *PEAK_120)

    seconds = [record for record in records if record["kind"] == "second"]
    assert [record["t"] for record in seconds] == [0.0, 1.0, 2.0]
    assert records[-1]["duration"] == 3.0
    assert all(abs(record["LAeq"] - TONE_DB) < 0.02 for record in [*seconds, records[-1]])


@given(rate_hz=st.integers(8000, 384_000), samples=st.integers(0, 10_000_000))
def test_slices_end_where_they_say(rate_hz: int, samples: int) -> None:
    index = slices_within(samples, rate_hz)
    assert slice_edge(index, rate_hz) <= samples < slice_edge(index + 1, rate_hz)
    whole = samples // rate_hz
    assert slice_edge(SLICES_PER_SECOND * whole, rate_hz) == rate_hz * whole


@given(cuts=st.lists(st.integers(1, 20_000), min_size=1, max_size=8))
def test_levels_do_not_depend_on_block_sizes_at_an_odd_rate(cuts: list[int]) -> None:
    signal = np.random.default_rng(7).standard_normal(22_051 + sum(cuts))

    def measured(parts: list[Signal]) -> list[float]:
        meter, seconds = Meter(22_051, 1.0), Seconds(22_051)
        found: list[float] = []
        for part in parts:
            slices = meter.feed(part)
            if slices is not None:
                found += [second.LAeq for second in seconds.feed(slices)]
        last = meter.flush()
        if last is not None:
            list(seconds.feed(last))
        return [*found, seconds.total.levels.LAeq, float(seconds.total.samples)]

    whole = measured([signal])
    assert measured(np.split(signal, np.cumsum(cuts))) == pytest.approx(whole, abs=1e-9)


def test_only_floats_cut_off_at_one_are_clipped_where_pascal_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = tone(100.0, 2.0)
    for signal, clipped in ((loud, False), (np.clip(loud, -1.0, 1.0), True)):
        path = tmp_path / "x.wav"
        payload = signal.astype("<f4").tobytes()
        path.write_bytes(wav(payload, tag=3, bits=32, align=4))
        records, _ = played(capsys, path, "--pascal-per-unit", "1")
        assert records[-1].get("overload", False) is clipped


@pytest.mark.parametrize("size", [0, 9_600, 1_000_000, 0x7FFFF000, 0xFFFFFFFF])
def test_sound_ends_where_the_chunks_behind_it_begin(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = b"LIST" + struct.pack("<I", 10) + b"INFOabcdef"
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(2.0)), size=size, behind=note))

    records, _ = played(capsys, path, *PEAK_120, "--ignore-header-size")

    assert records[-1]["duration"] == 2.0


def test_a_true_header_is_kept_also_where_it_need_not_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = b"note" + struct.pack("<I", 3) + b"abc"  # and no pad byte behind it
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(2.0)), before=note, behind=note))

    records, err = played(capsys, path, *PEAK_120, "--ignore-header-size")

    assert records[-1]["duration"] == 2.0
    assert "are read" not in err
