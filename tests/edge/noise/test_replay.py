"""``vigil-edge noise replay`` on real recordings, and on broken ones."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import data
from edge.noise.tones import Signal, silence, tone
from vigil_edge.cli import main
from vigil_edge.noise.sound.wav import write_wav

Lines = list[dict[str, Any]]


def replay(capsys: pytest.CaptureFixture[str], *words: object) -> Lines:
    assert main(["noise", "replay", *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["noise", "replay", *map(str, words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("vigil-edge: ")
    return lines[0].split(": ")[1]


def test_the_recorders_own_full_scale_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    recording = data.shared("noise/xl2_000_Audio_FS128.1dBPK_00.wav")
    lines = replay(capsys, recording)
    assert abs(lines[-1]["LAeq"] - 94.0) <= 0.1
    triggers = [line for line in lines if line["kind"] == "trigger"]
    assert len(triggers) == 1
    assert triggers[0]["LAE"] == pytest.approx(104.0, abs=0.1)


def test_reference_tone_in_raw_samples(capsys: pytest.CaptureFixture[str]) -> None:
    """The 94 dB file holds a 1 kHz tone in the first of two channels: A, C and Z agree on it."""
    recording = data.shared("noise/ref94dB_48000Hz_s32le_mono.raw")
    *_, total = replay(capsys, recording, "--raw", "s32le:48000:2", "--full-scale-peak-db", 132.1)
    assert total["duration"] == 2.0
    assert total["LAeq"] == pytest.approx(94.0, abs=0.2)
    assert total["LAeq"] == pytest.approx(total["LZeq"], abs=0.05)
    quiet = data.shared("noise/ref38dB_48000Hz_s32le_mono.raw")
    *_, total = replay(capsys, quiet, "--raw", "s32le:48000:2", "--full-scale-peak-db", 132.1)
    assert 34 < total["LAeq"] < 40


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_street_recordings_read_on_both_channels(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for channel in (0, 1):
        lines = replay(capsys, data.shared(f"noise/street_CT10{number}.wav"), "--channel", channel)
        assert [line["kind"] for line in lines] == ["second"] * 3 + ["total"]
        assert 40 < lines[-1]["LAeq"] < 100
        # Fast's maximum lies above the average, and A below C below Z in traffic.
        assert lines[-1]["LAeq"] < lines[-1]["LAFmax"]
        assert lines[-1]["LAeq"] < lines[-1]["LCeq"] < lines[-1]["LZeq"]


def test_trigger_says_when_and_how_loud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signal = np.concatenate([tone(60, 5), tone(97, 1), tone(60, 6), tone(90, 0.5), tone(60, 2)])
    path = saved(tmp_path, signal)
    lines = replay(capsys, path, "--pascal-per-unit", 1)
    first, second = (line for line in lines if line["kind"] == "trigger")
    # Fast rises as 1 - exp(-t/τ): it crosses 11 dB below the tone after 10 ms.
    assert first["t"] == pytest.approx(5 - 0.125 * math.log(1 - 10**-1.1), abs=0.002)
    assert first["LAFmax"] == pytest.approx(97, abs=0.05)
    assert first["LAE"] == pytest.approx(97, abs=0.05)
    assert second["t"] == pytest.approx(12 - 0.125 * math.log(1 - 10**-0.4), abs=0.01)
    assert second["LAE"] == pytest.approx(87, abs=0.1)
    assert not [x for x in replay(capsys, path, "--threshold-db", 98) if x["kind"] == "trigger"]


@pytest.mark.parametrize("tag_bits", [(1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_encoding_reads_the_same(
    tag_bits: tuple[int, int],
    extensible: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    units = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    stereo = np.stack([np.zeros_like(units), units], axis=1)
    path = tmp_path / "x.wav"
    path.write_bytes(riff(*tag_bits, stereo, 44100, extensible=extensible))
    *_, total = replay(capsys, path, "--channel", 1, "--full-scale-peak-db", 120)
    assert total["LAeq"] == pytest.approx(120 - 6.02 - 3.01, abs=0.02)


def test_odd_and_foreign_chunks_are_stepped_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = struct.pack("<4sI", b"bext", 3) + b"abc\0" + struct.pack("<4sI", b"junk", 0)
    path = tmp_path / "x.wav"
    path.write_bytes(riff(1, 16, tone(80, 1)[:, None], extra=extra) + b"LIST\4\0\0\0abcd")
    assert replay(capsys, path)[-1]["LAeq"] == pytest.approx(80, abs=0.2)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF024])
def test_interrupted_recordings_are_read_to_their_end(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(riff(1, 16, tone(80, 1.5)[:, None], data_size=size) + b"\1")
    assert main(["noise", "replay", str(path)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["duration"] == 1.5
    assert "interrupted recording" in captured.err


def test_rf64_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signal = tone(80, 1)[:, None]
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, signal.size * 2, 0, 0)
    content = riff(1, 16, signal, extra=sizes, data_size=0xFFFFFFFF, first=True)
    path = tmp_path / "x.wav"
    path.write_bytes(b"RF64\xff\xff\xff\xff" + content[8:])
    assert replay(capsys, path)[-1]["duration"] == 1.0


@pytest.mark.parametrize("size", [96_002, 3 << 30, 10**12])
def test_rf64_that_says_more_than_there_is_was_cut_off(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, size, 0, 0)
    content = riff(1, 16, tone(80, 1)[:, None], extra=sizes, data_size=0xFFFFFFFF, first=True)
    path = tmp_path / "x.wav"
    path.write_bytes(b"RF64\xff\xff\xff\xff" + content[8:])
    assert main(["noise", "replay", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"says {size} bytes of sound, 96000 are there" in line
    assert main(["noise", "replay", str(path), "--ignore-header-size"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["duration"] == 1.0


def test_silence_gives_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = replay(capsys, saved(tmp_path, silence(2)))
    assert [line["LAeq"] for line in lines] == [-40.0] * 3


def test_less_than_a_second_has_only_a_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (total,) = replay(capsys, saved(tmp_path, tone(80, 0.3)))
    assert total["duration"] == 0.3
    assert total["LAeq"] == pytest.approx(80, abs=0.05)


def test_bad_files_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = riff(1, 16, tone(80, 1)[:, None])
    broken = np.full((4800, 1), np.nan)
    cases = {
        "audio-empty": [
            b"",
            riff(1, 16, np.zeros((0, 1))),
            riff(1, 16, np.zeros((0, 1)), data_size=0xFFFFFFFF),
        ],
        "audio-truncated": [good[:5], good[:20], good[:40], good[:-100], good[:44]],
        "audio-unreadable": [
            b"hello world, this is text",
            b"\0" * 5000,
            good[:8] + b"AVI " + good[12:],
        ],
        "audio-unsupported": [
            b"OggS" + bytes(60),
            b"fLaC" + bytes(60),
            b"RIFX" + good[4:],
            riff(17, 4, np.zeros((10, 1)), payload=b"x" * 40),
            riff(1, 8, np.zeros((10, 1)), payload=b"x" * 40),
            riff(1, 16, tone(80, 1)[:, None], 0),
        ],
        "audio-not-finite": [riff(3, 32, broken), riff(3, 64, np.full((4800, 1), np.inf))],
    }
    path = tmp_path / "x.wav"
    for code, contents in cases.items():
        for number, content in enumerate(contents):
            path.write_bytes(content)
            assert refused(capsys, path) == code, number
    assert refused(capsys, tmp_path / "absent.wav") == "audio-unreadable"
    assert refused(capsys, tmp_path) == "audio-unreadable"
    assert refused(capsys, tmp_path, "--raw", "s16le:48000:1") == "audio-unreadable"


@pytest.mark.parametrize(
    "words",
    [
        ["--full-scale-peak-db", "120", "--pascal-per-unit", "1"],
        ["--full-scale-peak-db", "loud"],
        ["--full-scale-peak-db", "nan"],
        ["--pascal-per-unit", "0"],
        ["--pascal-per-unit", "-1"],
        ["--threshold-db", "inf"],
        ["--channel", "1"],
        ["--channel", "-1"],
        ["--channel", "x"],
    ],
)
def test_bad_options_are_refused_in_one_line(
    words: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, saved(tmp_path, tone(80, 1)), *words) == "noise-option"


@pytest.mark.parametrize(
    "layout", ["s16le", "s16be:48000:1", "s16le:0:1", "s16le:48000:0", "x:y:z"]
)
def test_bad_raw_formats_are_refused(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, saved(tmp_path, tone(80, 1)), "--raw", layout) == "audio-unsupported"


def test_dogs_in_ogg_are_refused_clearly(capsys: pytest.CaptureFixture[str]) -> None:
    dog = data.shared("noise/negatives/dog_bark_1-100032-A.ogg")
    assert refused(capsys, dog) == "audio-unsupported"


def saved(folder: Path, signal: Signal) -> Path:
    """As 32-bit floats in pascal."""
    path = folder / "signal.wav"
    write_wav(path, signal.astype(np.float32)[:, None], 48000)
    return path


def riff(
    tag: int,
    bits: int,
    units: Signal,
    rate_hz: int = 48000,
    *,
    extra: bytes = b"",
    data_size: int | None = None,
    extensible: bool = False,
    payload: bytes | None = None,
    first: bool = False,
) -> bytes:
    """A WAV file's bytes, written here a second time, apart from the writer under test."""
    channels = units.shape[1]
    if payload is None:
        if tag == 3:
            payload = units.astype({32: "<f4", 64: "<f8"}[bits]).tobytes()
        else:
            whole = np.round(units * (2 ** (bits - 1) - 1)).astype("<i4")
            octets = whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)
            payload = octets[:, : bits // 8].tobytes()
    align = channels * bits // 8
    layout = struct.pack(
        "<HHIIHH", 0xFFFE if extensible else tag, channels, rate_hz, rate_hz * align, align, bits
    )
    if extensible:
        guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
        layout += struct.pack("<HHI", 22, bits, 3) + guid
    head = struct.pack("<4sI", b"fmt ", len(layout)) + layout
    size = len(payload) if data_size is None else data_size
    body = b"WAVE" + (extra + head if first else head + extra)
    body += struct.pack("<4sI", b"data", size) + payload
    return struct.pack("<4sI", b"RIFF", len(body)) + body
