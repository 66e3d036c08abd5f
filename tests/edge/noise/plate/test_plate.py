"""Finding the plate: in one photograph, and among what moves in a passage."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data
from edge.noise.street import (
    PLATE_BOX,
    STAMP_BOX,
    encoded,
    overlap,
    passage_picture,
    picture,
    vehicle_plate,
)
from vigil_edge.noise.pictures.encode import best_plate, write_original, write_stills
from vigil_edge.noise.pictures.reading import film_of
from vigil_edge.noise.pictures.street import Street, median
from vigil_edge.noise.plate.candidates import _strokes, find_plate

PASSES = [None] * 12 + [(620 - 34 * step, 190) for step in range(24)] + [None] * 14
"""Where the vehicle is in each picture of a passage of 5 s."""


def passage(folder: Path, places: list[tuple[int, int] | None]) -> list[tuple[Path, float]]:
    frames = []
    for number, at in enumerate(places):
        path = folder / f"{number:05d}.jpg"
        # Headlamps make the camera turn its gain down while the vehicle is in sight.
        gain = 1.0 if at is None else 0.85
        path.write_bytes(encoded(passage_picture(number, at, gain=gain)))
        frames.append((path, number / 10))
    return frames


def test_the_stamp_is_what_a_single_picture_would_give() -> None:
    """The weakness that needs the other pictures; without it the next tests show nothing."""
    plate = find_plate(passage_picture(0, (300, 190)))
    assert plate is not None
    assert overlap((plate.x, plate.y, plate.width, plate.height), vehicle_plate((300, 190))) == 0


def test_the_plate_that_moves_is_preferred_to_a_stamp_and_a_sign(tmp_path: Path) -> None:
    frames = passage(tmp_path, PASSES)
    found = best_plate(frames, 2.4)
    assert found is not None
    shown, plate, moves, _ = found
    assert moves
    boxes = [vehicle_plate(at) for at in PASSES if at is not None]
    assert max(overlap((plate.x, plate.y, plate.width, plate.height), box) for box in boxes) > 0.3
    assert plate.crop(shown).max() > 150


def test_a_vehicle_behind_the_stamp_does_not_make_it_a_plate(tmp_path: Path) -> None:
    places = [at and (at[0], -30) for at in PASSES]
    found = best_plate(passage(tmp_path, places), 2.4)
    if found is not None:
        plate = found.plate
        assert overlap((plate.x, plate.y, plate.width, plate.height), STAMP_BOX) < 0.1


def test_a_vehicle_whose_plate_cannot_be_seen_gives_none(tmp_path: Path) -> None:
    frames = []
    for number, at in enumerate(PASSES):
        path = tmp_path / f"{number:05d}.jpg"
        path.write_bytes(encoded(passage_picture(number, at, plate="")))
        frames.append((path, number / 10))
    assert best_plate(frames, 2.4) is None


def test_a_vehicle_that_stands_is_still_searched(tmp_path: Path) -> None:
    frames = []
    for number in range(20):
        path = tmp_path / f"{number:05d}.jpg"
        path.write_bytes(encoded(picture(number % 10)))
        frames.append((path, number / 10))
    found = best_plate(frames, 1.0)
    assert found is not None
    plate = found.plate
    assert not found.moves
    assert overlap((plate.x, plate.y, plate.width, plate.height), PLATE_BOX) > 0.3


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_the_median_is_numpy_s(count: int, seed: int) -> None:
    pictures = list(np.random.default_rng(seed).integers(0, 256, (count, 7, 5)).astype(np.uint8))
    upper = np.sort(np.stack(pictures), axis=0)[count // 2]
    np.testing.assert_array_equal(median(pictures), upper)


def test_pictures_that_are_too_few_or_differ_show_no_street() -> None:
    grey = np.zeros((36, 64), np.uint8)
    assert Street.of([grey] * 4) is None
    assert Street.of([]) is None
    assert Street.of([grey] * 6 + [grey[:30]]) is None


def test_the_plate_of_a_simulated_frame_is_found() -> None:
    for number in range(10):
        plate = find_plate(picture(number))
        assert plate is not None
        assert overlap((plate.x, plate.y, plate.width, plate.height), PLATE_BOX) > 0.3


def test_an_empty_road_has_no_clear_plate() -> None:
    with_plate = find_plate(picture(3))
    without = find_plate(picture(3, text=""))
    assert with_plate is not None
    assert without is None or without.score < with_plate.score / 2


def test_plates_in_street_photographs() -> None:
    """12 photographs that nobody here chose: at least 11 boxes overlap, 11 centres are inside."""
    folder = data.shared("plates")
    overlaps = inside = 0
    labels = sorted(folder.glob("*.txt"))
    for label in labels:
        name, *numbers = label.read_text().split("\t")
        x, y, width, height = map(int, numbers[:4])
        photograph = cv2.imread(str(folder / name))
        assert photograph is not None
        plate = find_plate(photograph.astype(np.uint8))
        if plate is None:
            continue
        box = (plate.x, plate.y, plate.width, plate.height)
        middle_x, middle_y = plate.x + plate.width / 2, plate.y + plate.height / 2
        overlaps += overlap(box, (x, y, width, height)) > 0.3
        inside += x <= middle_x <= x + width and y <= middle_y <= y + height
    print(f"plates: {overlaps} of {len(labels)} overlap, {inside} centres inside")
    assert len(labels) == 12
    assert overlaps >= 11
    assert inside >= 11


@pytest.mark.parametrize("window", [15, 31])
def test_strokes_are_those_of_an_adaptive_threshold(window: int) -> None:
    """Both kinds of OpenCV's, pixel by pixel, at half the cost."""
    noise = np.random.default_rng(window).integers(0, 256, (97, 143), np.uint8)
    for grey in (noise, cv2.GaussianBlur(noise, (0, 0), 3), picture(0)[:, :, 1]):
        dark, light = _strokes(grey, window)
        method = cv2.ADAPTIVE_THRESH_MEAN_C
        for made, kind, offset in (
            (dark, cv2.THRESH_BINARY_INV, 9),
            (light, cv2.THRESH_BINARY, -9),
        ):
            expected = cv2.adaptiveThreshold(
                np.ascontiguousarray(grey), 255, method, kind, window, offset
            )
            assert np.array_equal(made, expected)
            assert made.any()


def test_unreadable_pictures_are_left_out_of_the_case(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    names: list[list[object]] = []
    huge = bytearray(encoded(picture(0)))
    at = huge.index(b"\xff\xc0") + 5
    huge[at : at + 4] = b"\xff\xdc\xff\xdc"  # 65500 pixels high and wide
    for number in range(6):
        name = f"{number:05d}.jpg"
        content = (b"\xff\xd8oh", huge)[number // 2 % 2] if number % 2 else encoded(picture(number))
        (tmp_path / "frames" / name).write_bytes(content)
        names.append([name, 1000 + number / 10])
    case = {"fps": 10, "LAFmax_s": 1000.2, "frames": names}
    (tmp_path / "frames.json").write_text(json.dumps(case))
    film = film_of(tmp_path)
    assert write_stills(tmp_path, film) == ["frame.jpg", "thumbnail.jpg", "plate.jpg"]
    assert write_original(tmp_path, film) == ["video.webm"]
    # Of what can be read, the nearest to the loudest moment.
    assert (tmp_path / "frame.jpg").read_bytes() == (tmp_path / "frames/00002.jpg").read_bytes()
    empty = '{"fps": 10, "LAFmax_s": 0, "frames": [["00001.jpg", 0]]}'
    (tmp_path / "frames.json").write_text(empty)
    film = film_of(tmp_path)
    assert write_stills(tmp_path, film) == []
    assert write_original(tmp_path, film) == []


@pytest.mark.parametrize("fps", [10.0, 25.0, 12.5])
def test_the_video_keeps_the_time_of_its_pictures(tmp_path: Path, fps: float) -> None:
    """Two seconds with a gap: as long as the pictures, in step with them, seekable."""
    (tmp_path / "frames").mkdir()
    moments = [0.0] + [n / 10 + 0.003 for n in range(1, 20) if not 6 <= n < 12]
    names: list[list[object]] = []
    for number, time_s in enumerate(moments):
        shade = np.full((91, 161, 3), 10 + 12 * number, np.uint8)
        (tmp_path / "frames" / f"{number}.jpg").write_bytes(encoded(shade))
        names.append([f"{number}.jpg", 1000 + time_s])
    case = {"fps": fps, "LAFmax_s": 1001.0, "frames": names}
    (tmp_path / "frames.json").write_text(json.dumps(case))
    assert write_original(tmp_path, film_of(tmp_path)) == ["video.webm"]
    assert sorted(path.name for path in tmp_path.glob("*.webm")) == ["video.webm"]
    video = cv2.VideoCapture(str(tmp_path / "video.webm"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(fps, rel=0.01)
    shades = []
    while (read := video.read())[0]:
        assert read[1].shape == (90, 160, 3)
        shades.append(float(read[1].mean()))
    assert abs(len(shades) - 1 - moments[-1] * fps) <= 0.5
    for step, shade_seen in enumerate(shades):
        instant = (step + 0.5) / fps
        newest = max(n for n, time_s in enumerate(moments) if time_s <= instant)
        assert shade_seen == pytest.approx(10 + 12 * newest, abs=4)
