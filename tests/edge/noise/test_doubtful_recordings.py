"""Recordings whose headers or notes are wrong or say too little: right, or told, never silent."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.noise.test_awkward_recordings import PEAK_120, TONE_DB, played, sine, sixteen, wav
from vigil_edge.cli import main

_PCM_TAIL = bytes.fromhex("0100000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    pad = b"\0" if padded and len(body) % 2 else b""
    return name + struct.pack("<I", len(body)) + body + pad


def extensible(payload: bytes, bits: int, valid: int) -> bytes:
    layout = struct.pack("<HHIIHH", 0xFFFE, 1, 48000, 48000 * bits // 8, bits // 8, bits)
    layout += struct.pack("<HHI", 22, valid, 4) + _PCM_TAIL
    body = b"WAVE" + chunk(b"fmt ", layout) + chunk(b"data", payload)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def level(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[float, str]:
    records, err = played(capsys, path, *options)
    return records[-1]["LAeq"], err


def integers(bits: int) -> npt.NDArray[np.int32]:
    samples: npt.NDArray[np.int32] = np.round(sine(1.0) * (2 ** (bits - 1) - 1)).astype(np.int32)
    return samples


@pytest.mark.parametrize("upper", ["sign", "zero"])
@pytest.mark.parametrize(("valid", "bits"), [(24, 32), (12, 16), (20, 32)])
def test_valid_bits_of_an_extensible_format_may_stand_at_the_low_end(
    valid: int, bits: int, upper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = integers(valid) & ((1 << valid) - 1) if upper == "zero" else integers(valid)
    payload = samples.astype("<u4").view("<i4").astype("<i2" if bits == 16 else "<i4").tobytes()
    path = tmp_path / "x.wav"
    path.write_bytes(extensible(payload, bits, valid))

    found, err = level(capsys, path, *PEAK_120)

    assert found == pytest.approx(TONE_DB, abs=0.02)
    assert "low end" in err


def test_floats_under_the_name_of_integers_are_read_as_floats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sine(1.0).astype("<f4").tobytes(), bits=32, align=4))
    found, err = level(capsys, path, *PEAK_120)
    assert found == pytest.approx(TONE_DB, abs=0.01)
    assert "samples are floats" in err

    path.write_bytes(wav((sine(1.0) * 2**31).astype("<i4").tobytes(), bits=32, align=4))
    found, err = level(capsys, path, *PEAK_120)
    assert found == pytest.approx(TONE_DB, abs=0.01)
    assert err == ""


@pytest.mark.parametrize(
    "note",
    [
        *("0 dBFS=120 dB SPL", "0dBFS = 120,0 dB SPL", "0 dBFS: 120.0 dBSPL"),
        "rain 0 dBFS is 120 dB (SPL)",
    ],
)
@pytest.mark.parametrize("name", [b"bext", b"iXML", b"LIST"])
@pytest.mark.parametrize("padded", [True, False])
def test_a_calibration_is_found_wherever_it_was_noted(
    name: bytes, note: str, padded: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = np.round(sine(1.0)[:-1] * (2**23 - 1)).astype("<i4").view(np.uint8)
    payload = samples.reshape(-1, 4)[:, :3].tobytes()  # of odd length
    body = b"INFOICMT" + note.encode() if name == b"LIST" else b" " * 700 + note.encode()
    behind = (b"\0" if padded else b"") + chunk(name, body)
    path = tmp_path / "x.wav"
    path.write_bytes(wav(payload, bits=24, align=3, behind=behind))

    found, err = level(capsys, path)

    assert found == pytest.approx(TONE_DB, abs=0.01)
    assert "full scale is 120 dB" in err


@pytest.mark.parametrize("notes", [("120", "130"), ("999",)])
def test_notes_that_contradict_each_other_or_cannot_be_are_not_taken(
    notes: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behind = b"".join(chunk(b"bext", f"0 dBFS={db} dB SPL".encode()) for db in notes)
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(1.0)), behind=behind))
    _, err = level(capsys, path)
    assert notes[0] in err
    assert "no calibration" in err


def test_an_option_that_differs_from_the_recordings_own_note_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(1.0)), behind=chunk(b"bext", b"0 dBFS=130 dB SPL")))
    assert "130 dB" in level(capsys, path, *PEAK_120)[1]


def test_sound_that_is_not_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = sixteen(sine(1.0))
    path = tmp_path / "x.wav"
    for behind in (chunk(b"data", sound), wav(sound)):
        path.write_bytes(wav(sound, behind=behind))
        assert "not read" in level(capsys, path, *PEAK_120)[1]


def test_two_formats_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 24000, 48000, 2, 16))
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(sine(1.0)), before=other))
    assert main(["noise", "replay", str(path)]) == 2
    assert "contradict" in capsys.readouterr().err


def test_a_rate_that_its_bytes_a_second_contradict_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = bytearray(wav(sixteen(sine(1.0))))
    whole[28:32] = struct.pack("<I", 48000)  # as at 24 kHz
    path = tmp_path / "x.wav"
    path.write_bytes(whole)
    assert "contradicts itself" in level(capsys, path, *PEAK_120)[1]


def test_a_channel_of_nothing_but_dither_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dither = np.random.default_rng(1).integers(-1, 2, 48000) / 32768
    both = np.stack([dither, sine(1.0)], axis=1)
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(both), channels=2, align=4))
    assert "dB quieter than another channel" in level(capsys, path, *PEAK_120)[1]
    assert level(capsys, path, *PEAK_120, "--channel", "1")[1] == ""


def test_stretches_of_nothing_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(sixteen(np.concatenate([sine(2.0), np.zeros(48000)]))))
    assert "1 s hold nothing" in level(capsys, path, *PEAK_120)[1]


def test_integers_written_as_floats_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wav"
    payload = (sine(1.0) * 32768).astype("<f4").tobytes()
    path.write_bytes(wav(payload, tag=3, bits=32, align=4))
    assert "times full scale" in level(capsys, path, *PEAK_120)[1]
