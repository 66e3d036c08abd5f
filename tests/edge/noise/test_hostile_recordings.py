"""Recordings as they should not be, and the meter against a slow one written here.

The slow meter shares nothing with the one under test: it weights in the frequency
domain by the formula of IEC 61672-1 (annex E), and averages sample by sample.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import data
from edge.noise.test_replay import riff
from edge.noise.tones import Signal, tone
from vigil_edge.cli import main
from vigil_edge.noise.sound.wav import write_wav

KEYS = {
    "second": ["kind", "t", "LAeq", "LAFmax"],
    "trigger": ["kind", "t", "LAFmax", "LAE"],
    "total": ["kind", "duration", "LAeq", "LAFmax", "LCeq", "LZeq"],
}


def played(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any, list[str]]:
    status = main(["noise", "replay", *map(str, words)])
    out, err = capsys.readouterr()
    records = [json.loads(line, parse_constant=refuse) for line in out.splitlines()]
    for record in records:
        also = [key for key in ("overload",) if key in record]
        assert list(record) == [*KEYS[record["kind"]], *also]
        assert all(type(record[key]) is float for key in KEYS[record["kind"]][1:])
    return status, records, err.splitlines()


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    status, records, err = played(capsys, *words)
    assert (status, records, len(err)) == (2, [], 1), err
    found = re.fullmatch(r"vigil-edge: ([a-z-]+): .+", err[0])
    assert found is not None
    return found[1]


# -- an independent meter


def weighted(units: Signal, rate_hz: int, weighting: str) -> Signal:
    """The whole signal, weighted by multiplying its spectrum; ends meet nothing but zeros."""
    padded = 1 << (2 * len(units) - 1).bit_length()
    hz = np.fft.rfftfreq(padded, 1 / rate_hz)
    f1, f2, f3, f4 = 20.598997, 107.65265, 737.86223, 12194.217
    # With the phase of the analogue poles: Fast sees when the energy comes.
    s = 2j * np.pi * hz
    w1, w2, w3, w4 = (2 * np.pi * f for f in (f1, f2, f3, f4))
    response = s**2 / (s + w1) ** 2 * (w4 / (s + w4)) ** 2
    if weighting == "A":
        response *= s**2 / ((s + w2) * (s + w3))
    at_1_khz = int(np.argmin(np.abs(hz - 1000.0)))
    response /= np.abs(response[at_1_khz])
    return np.fft.irfft(np.fft.rfft(units, padded) * response, padded)[: len(units)]


def fast(pressure: Signal, rate_hz: int) -> Signal:
    """Mean square with a time constant of 125 ms, one sample after another."""
    share = 1 - np.exp(-1 / (0.125 * rate_hz))
    running = np.empty_like(pressure)
    value = 0.0
    for index, square in enumerate((pressure**2).tolist()):
        value += share * (square - value)
        running[index] = value
    return running


def level(mean_square: float) -> float:
    return float(10 * np.log10(mean_square / 20e-6**2))


def passages(running: Signal, rate_hz: int, threshold_db: float) -> list[tuple[int, int]]:
    """First sample above the threshold and last above 3 dB less, quiet for a second after."""
    above = running > 20e-6**2 * 10 ** (threshold_db / 10)
    held = np.flatnonzero(running > 20e-6**2 * 10 ** ((threshold_db - 3) / 10))
    found: list[tuple[int, int]] = []
    at = 0
    while above[at:].any():
        first = at + int(np.argmax(above[at:]))
        last = first
        for sample in held[held >= first]:
            if sample - last > rate_hz:
                break
            last = int(sample)
        found.append((first, last))
        at = last + 1
    return found


def street(seconds: float, rate_hz: int, seed: int) -> Signal:
    """Pink noise with vehicles in it, of which one is there at the start and one at the end."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, count)
    noise *= 20e-6 * 10 ** (55 / 20) / noise.std()
    time = np.arange(count) / rate_hz
    gain = np.ones(count)
    for middle, db, width in ((0.0, 42, 0.9), (5.3, 36, 0.5), (seconds, 45, 0.8)):
        gain += 10 ** (db / 20) * np.exp(-(((time - middle) / width) ** 2))
    return noise * gain


@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_the_meter_agrees_with_a_slow_one(
    rate_hz: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signal = street(10.4, rate_hz, seed=3)
    path = tmp_path / "street.wav"
    write_wav(path, signal.astype(np.float32)[:, None], rate_hz)

    status, records, _ = played(capsys, path, "--pascal-per-unit", 1, "--threshold-db", 80)

    assert status == 0
    a = weighted(signal, rate_hz, "A")
    running = fast(a, rate_hz)
    seconds = [record for record in records if record["kind"] == "second"]
    assert [record["t"] for record in seconds] == [float(n) for n in range(10)]
    for number, record in enumerate(seconds):
        piece = slice(number * rate_hz, (number + 1) * rate_hz)
        assert record["LAeq"] == pytest.approx(level(float(np.mean(a[piece] ** 2))), abs=0.1)
        assert record["LAFmax"] == pytest.approx(level(running[piece].max()), abs=0.1)
    total = records[-1]
    assert total["kind"] == "total"
    assert total["duration"] == pytest.approx(10.4)
    assert total["LAeq"] == pytest.approx(level(float(np.mean(a**2))), abs=0.1)
    assert total["LAFmax"] == pytest.approx(level(running.max()), abs=0.1)
    assert total["LCeq"] == pytest.approx(
        level(float(np.mean(weighted(signal, rate_hz, "C") ** 2))), abs=0.1
    )

    triggers = [record for record in records if record["kind"] == "trigger"]
    expected = passages(running, rate_hz, 80)
    assert len(triggers) == len(expected) == 3
    assert [t["t"] for t in triggers] == sorted(t["t"] for t in triggers)
    for trigger, (first, last) in zip(triggers, expected, strict=True):
        assert trigger["t"] == pytest.approx(first / rate_hz, abs=0.01)
        assert trigger["LAFmax"] == pytest.approx(level(running[first : last + 1].max()), abs=0.1)
        within = a[max(0, first - rate_hz) : last + rate_hz]
        assert trigger["LAE"] == pytest.approx(level(np.sum(within**2) / rate_hz), abs=0.1)


@pytest.mark.parametrize("name", ["street_CT101.wav", "street_CT103.wav"])
def test_real_streets_agree_with_a_slow_meter(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data.shared(f"noise/{name}")
    content = path.read_bytes()
    at = content.index(b"data") + 8
    left = np.frombuffer(content[at : at + 3 * 48000 * 8], "<f4")[::2].astype(np.float64)
    a = weighted(left, 48000, "A")
    running = fast(a, 48000)

    _, records, _ = played(capsys, path, "--pascal-per-unit", 1)

    for number, record in enumerate(records[:-1]):
        piece = slice(number * 48000, (number + 1) * 48000)
        assert record["LAeq"] == pytest.approx(level(float(np.mean(a[piece] ** 2))), abs=0.1)
        assert record["LAFmax"] == pytest.approx(level(running[piece].max()), abs=0.1)


def test_thresholds_far_below_and_above(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, tone(94, 2).astype(np.float32)[:, None], 48000)
    for threshold, triggers in ((-400, 1), (-10, 1), (0, 1), (93.9, 1), (94.1, 0), (400, 0)):
        status, records, _ = played(capsys, path, "--threshold-db", threshold)
        assert status == 0
        assert [r["kind"] for r in records].count("trigger") == triggers, threshold
        assert records[-1]["kind"] == "total"


# -- hostile files


def sixteen(count: int = 48000) -> bytes:
    return np.round(tone(80, count / 48000) * 32767).astype("<i2").tobytes()


def head(tag: int, bits: int, channels: int, align: int, rate_hz: int = 48000) -> bytes:
    layout = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align, align, bits)
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + layout


def chunk(content: bytes, size: int | None = None) -> bytes:
    return b"data" + struct.pack("<I", len(content) if size is None else size) + content


HOSTILE = {
    "only-riff": (b"RIFF", "audio-truncated"),
    "riff-and-size": (b"RIFF\xff\xff\xff\xff", "audio-truncated"),
    "no-chunks": (b"RIFF\0\0\0\0WAVE", "audio-truncated"),
    "says-more": (head(1, 16, 1, 2) + chunk(sixteen(), 200_000), "audio-truncated"),
    "huge-format": (head(1, 16, 1, 2)[:16] + b"\xf0\xff\xff\xff" + bytes(50), "audio-truncated"),
    "tiny-format": (head(1, 16, 1, 2)[:16] + b"\4\0\0\0" + bytes(50), "audio-truncated"),
    "8-bit": (head(1, 8, 1, 1) + chunk(bytes(4800)), "audio-unsupported"),
    "a-law": (head(6, 8, 1, 1) + chunk(bytes(4800)), "audio-unsupported"),
    "µ-law": (head(7, 8, 1, 1) + chunk(bytes(4800)), "audio-unsupported"),
    "mp3": (head(0x55, 0, 2, 1) + chunk(bytes(4800)), "audio-unsupported"),
    "24-in-40": (head(1, 24, 1, 5) + chunk(bytes(4800)), "audio-unsupported"),
    "no-channels": (head(1, 16, 0, 2) + chunk(sixteen()), "audio-unsupported"),
    "rate-0": (head(1, 16, 1, 2, 0) + chunk(sixteen()), "audio-unsupported"),
    "rate-7999": (head(1, 16, 1, 2, 7999) + chunk(sixteen()), "audio-unsupported"),
    "no-format": (b"RIFF\0\0\0\0WAVE" + chunk(sixteen()), "audio-unreadable"),
    "text": (b"this is no sound\n" * 100, "audio-unreadable"),
    "infinite-later": (
        riff(3, 32, np.concatenate([tone(80, 1.5), [np.inf]])[:, None]), "audio-not-finite"
    ),
    "signalling-nan": (
        riff(3, 32, np.zeros((1, 1)), payload=b"\1\0\xa0\x7f" * 9), "audio-not-finite"
    ),
    "beyond-physics": (riff(3, 64, np.full((4800, 1), 1e300)), "audio-out-of-range"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_line_with_a_code(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, code = HOSTILE[name]
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert refused(capsys, path) == code


@pytest.mark.parametrize(
    ("content", "duration"),
    [
        (head(1, 16, 1, 2) + chunk(sixteen()), 1.0),
        (head(1, 16, 1, 2) + chunk(sixteen(), 48000), 0.5),
        (head(1, 16, 1, 2) + chunk(sixteen()) + b"junk" * 100, 1.0),
        (head(1, 16, 1, 2) + chunk(sixteen()) + b"j", 1.0),
        (head(1, 16, 1, 2) + chunk(sixteen(), 0), 1.0),
        (head(1, 16, 1, 2) + chunk(sixteen(), 0xFFFFFFFF), 1.0),
        (head(1, 16, 7, 14) + chunk(bytes(14 * 4800)), 0.1),
        (head(1, 16, 1, 2, 8000) + chunk(sixteen()), 6.0),
        (head(1, 16, 1, 2, 192000) + chunk(sixteen()), 0.25),
        (head(1, 24, 2, 6) + chunk(bytes(6 * 480)), 0.01),
        (head(1, 16, 1, 2) + chunk(b"\1\0"), 0.000021),
        (head(1, 16, 1, 2, 96000) + chunk(sixteen()), 0.5),
        (head(1, 16, 1, 2, 44100) + chunk(sixteen(44100)), 1.0),
        (riff(1, 32, tone(80, 1)[:, None], extensible=True), 1.0),
        (b"RF64\xff\xff\xff\xff" + riff(1, 16, tone(80, 1)[:, None])[8:], 1.0),
        (b"BW64\xff\xff\xff\xff" + riff(1, 16, tone(80, 1)[:, None], data_size=0xFFFFFFFF,
            extra=struct.pack("<4sIQQQI", b"ds64", 28, 0, 96000, 0, 0), first=True)[8:], 1.0),
    ],
)  # fmt: skip
def test_odd_files_are_read(
    content: bytes, duration: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    status, records, _ = played(capsys, path)
    assert status == 0
    assert records[-1]["duration"] == duration
    assert len([r for r in records if r["kind"] == "second"]) == int(duration)


@pytest.mark.parametrize("cut", [*range(0, 60, 3), 95_000])
def test_a_file_cut_anywhere_is_refused(
    cut: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes((head(1, 16, 1, 2) + chunk(sixteen()))[:cut])
    assert refused(capsys, path) in ("audio-empty", "audio-unreadable", "audio-truncated")


def test_clipping_is_told_of_beside_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    square = np.sign(tone(94, 1.0) + 1e-12)
    path.write_bytes(riff(1, 16, square[:, None]))
    status, records, err = played(capsys, path)
    assert status == 0
    assert any("full scale" in line for line in err)
    assert all(record["overload"] is True for record in records)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", ["ref38dB", "ref94dB"])
def test_reference_noise_reads_as_one_channel_and_as_two(
    name: str, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data.shared(f"noise/{name}_48000Hz_s32le_mono.raw")
    status, records, err = played(capsys, path, "--raw", f"s32le:48000:{channels}")
    assert status == 0
    assert records[-1]["duration"] == 4.0 / channels
    # That no calibration was given; and, of one channel, that there seem to be two.
    assert len(err) == 3 - channels
    assert channels == 2 or "two channels" in err[-1]


@pytest.mark.parametrize(
    "words",
    [
        ["--raw", ""], ["--raw", "s32le:48000"], ["--raw", "s16le:48000:-1"],
        ["--raw", "s16le:48000:٣"], ["--raw", "s16le: 48000:1"], ["--raw", "S16LE:48000:1"],
        ["--raw", "s16le:" + "9" * 5000 + ":1"],
        ["--channel", "9" * 5000], ["--channel", "²"], ["--channel", ""],
        ["--pascal-per-unit", "1e300"], ["--threshold-db", ""], ["--threshold-db", "-1000"],
    ],
)  # fmt: skip
def test_options_that_cannot_be(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(head(1, 16, 1, 2) + chunk(sixteen()))
    assert refused(capsys, path, *words) in ("audio-unsupported", "noise-option")


def test_sound_through_a_pipe_and_no_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = head(1, 16, 1, 2) + chunk(sixteen())
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    status, records, _ = played(capsys, path)
    writer.join()
    assert status == 0
    assert records[-1]["duration"] == 1.0
    piped = subprocess.run(
        [sys.executable, "-m", "vigil_edge", "noise", "replay", "-"],
        input=content,
        capture_output=True,
        check=True,
    )
    assert json.loads(piped.stdout.splitlines()[-1]) == records[-1]
    assert refused(capsys, "/dev/zero", "--raw", "s16le:48000:1") == "audio-unreadable"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_street_triggers_below_its_loudest_level_and_not_above(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data.shared(f"noise/street_CT10{number}.wav")
    loudest = played(capsys, path, "--full-scale-peak-db", 100)[1][-1]["LAFmax"]
    for threshold, triggers in ((loudest + 0.01, 0), (loudest - 0.01, 1)):
        words = ["--full-scale-peak-db", 100, "--threshold-db", threshold]
        _, records, _ = played(capsys, path, *words)
        found = [record for record in records if record["kind"] == "trigger"]
        assert len(found) == triggers
        assert all(record["LAFmax"] == loudest for record in found)
