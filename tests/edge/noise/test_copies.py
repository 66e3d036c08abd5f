"""What is worked out of a recording for its package: levels, spectrogram, copies of the video."""

from __future__ import annotations

import csv
import io
import json
from typing import cast

import cv2
import numpy as np
import pytest

from edge.noise.street import picture
from vigil_edge.noise.analysis import Sound, octaves, spectrogram
from vigil_edge.noise.pictures.blurred import GRID, PLATE_GRID, blurred
from vigil_edge.noise.pictures.drawn import Overlay, Trace
from vigil_edge.noise.plate.candidates import Picture, Plate, find_plate
from vigil_edge.noise.plate.reader import read_plate

RATE = 16_000


def tone(hz: float, level_db: float, seconds: float) -> Sound:
    amplitude = np.sqrt(2.0) * 20e-6 * 10 ** (level_db / 20)
    return Sound(amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE), RATE)


def test_each_second_has_its_third_octaves() -> None:
    rows = list(csv.DictReader(io.StringIO(octaves(tone(1000.0, 80.0, 3.2)))))

    assert [row["t"] for row in rows] == ["0.0", "1.0", "2.0"]
    for row in rows:
        assert float(row["1000"]) == pytest.approx(80.0, abs=0.1)
        assert float(row["250"]) < 40.0
        assert row["20000"] == "", "above what the rate holds"


def test_a_tone_is_a_line_in_the_spectrogram() -> None:
    drawn = spectrogram(tone(1000.0, 80.0, 2.0))
    assert drawn is not None
    image, facts = drawn[0], json.loads(drawn[1])

    loudest = int(np.argmax(image.sum(axis=2).mean(axis=1)))
    share = loudest / (len(image) - 1)
    hz = facts["high_hz"] * (facts["low_hz"] / facts["high_hz"]) ** share
    assert hz == pytest.approx(1000.0, rel=0.04)
    assert (facts["start_s"], facts["end_s"]) == (0.0, 2.0)
    assert spectrogram(tone(1000.0, 80.0, 0.2)) is None


def test_nobody_survives_the_blur_but_the_plate_that_is_kept() -> None:
    street = cast(Picture, picture(3))
    plate = find_plate(street)
    assert plate is not None

    nobody, kept = blurred(street), blurred(street, plate)

    assert nobody.shape == street.shape
    assert find_plate(nobody) is None
    box = np.s_[plate.y : plate.y + plate.height, plate.x : plate.x + plate.width]
    assert np.array_equal(kept[box], street[box])
    # Of the detail that could tell two people apart, nothing finer than the grid is left.
    noise = np.random.default_rng(1).integers(0, 255, street.shape, dtype=np.uint8)
    cells = blurred(noise).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(cells[:, :, 0] - cells[:, :, 0].mean(), axis=1)) ** 2
    assert spectrum[:, 2 * GRID :].sum() < 0.01 * spectrum.sum()
    away = blurred(street, Plate(0, 0, 10, 5, 1.0))
    assert np.array_equal(away[100:, 100:], nobody[100:, 100:])


def test_a_plate_that_fills_a_plate_cameras_picture_survives_no_blur() -> None:
    """Two fifths of the width, and still no character is told from another."""
    plate = np.full((540, 960, 3), 90, np.uint8)
    cv2.rectangle(plate, (290, 210), (670, 330), (240, 240, 240), -1)
    cv2.putText(plate, "MKJ-8527", (300, 295), cv2.FONT_HERSHEY_DUPLEX, 2.3, (20, 20, 20), 5)
    read = read_plate(cast(Picture, plate))
    assert read.seen is not None, "it can be read as it is"
    coarse = blurred(cast(Picture, plate), cells=PLATE_GRID)
    assert find_plate(coarse) is None
    assert read_plate(coarse).seen is None
    # No stroke of it is left: seven characters lie within fewer than five cells.
    assert 380 / 960 * PLATE_GRID < 5


def test_level_bearing_and_cursor_are_drawn_at_their_moment() -> None:
    trace = Trace(100.0, 0.05, [60.0] * 20 + [95.0] + [60.0] * 19, 86.0, [(100.0, 30.0)])
    overlay = Overlay(trace)
    dark = np.zeros((240, 400, 3), np.uint8)

    drawn = overlay.drawn(dark, 101.0)

    assert not dark.any(), "the picture that was given is not touched"
    cursor = np.all(drawn[-40:] == (0, 220, 255), axis=2).any(axis=0)
    assert int(np.flatnonzero(cursor).mean()) == pytest.approx(200, abs=3)
    assert trace.level(101.01) == 95.0
    assert trace.level(99.0) is None
    assert (trace.bearing(100.1), trace.bearing(101.0)) == (30.0, None)
