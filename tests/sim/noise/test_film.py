"""Pictures: the same for the same seed, a vehicle where it should be, a plate one can read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_sim.noise.film import Film, Shot
from vigil_sim.noise.plate import plate
from vigil_sim.noise.scooter import PLATE_Z
from vigil_sim.noise.vehicle import Motion
from vigil_sim.noise.view import NEAR_M, View

VIEW = View(960, 540)
SMALL = View(320, 180)


@pytest.fixture(scope="module")
def film() -> Film:
    film = Film(SMALL, 5, "")
    film.add(Shot("scooter", Motion.along_road("scooter", 11.0, away=True), "MKJ-8527", 10.0))
    film.add(Shot("taxi", Motion.along_road("taxi", 11.0, away=False), "TDK-2807", 40.0))
    film.add(Shot("van", Motion.along_road("van", 11.0, away=True), "BHX-3165", 70.0))
    return film


def changed(film: Film, t: float) -> np.ndarray:
    """Where the picture differs from the empty street, bool (height, width)."""
    difference = cv2.absdiff(film.picture(t), film.picture(0.0))
    return np.asarray(difference.max(axis=2) > 25)


def test_the_same_seed_gives_the_same_picture(film: Film) -> None:
    again = Film(SMALL, 5, "")
    assert np.array_equal(again.picture(0.0), film.picture(0.0))
    assert not np.array_equal(Film(SMALL, 6, "").picture(0.0), film.picture(0.0))


def test_the_street_is_a_night_street_with_lights(film: Film) -> None:
    grey = cv2.cvtColor(film.picture(0.0), cv2.COLOR_BGR2GRAY)
    assert 25 < grey.mean() < 110
    assert grey.max() > 240
    assert grey.std() > 20


@pytest.mark.parametrize("t", [10.4, 12.0, 38.5, 36.0, 70.6, 72.0])
def test_a_vehicle_is_drawn_where_the_sound_says_it_is(film: Film, t: float) -> None:
    shot = min(film._shots, key=lambda each: abs(each.nearest_at - t))
    mask = changed(film, t)
    u, v = SMALL.project(np.array([[shot.x(t), shot.motion.nearest[1], 0.7]]))[0]
    assert mask[round(v), round(u)]
    assert mask.mean() < 0.4


def test_what_drives_away_gets_smaller_and_what_comes_gets_larger(film: Film) -> None:
    away = [changed(film, t).sum() for t in (10.6, 11.5, 14.0)]
    assert away == sorted(away, reverse=True)
    coming = [changed(film, t).sum() for t in (34.0, 36.5, 38.5)]
    assert coming == sorted(coming)


def test_a_resting_camera_encodes_its_picture_once(film: Film) -> None:
    assert not film.moving(0.0)
    assert film.jpeg(0.0, 1000.0) is film.jpeg(0.1, 1000.1)
    stamped = Film(SMALL, 5, "CAMERA")
    assert stamped.jpeg(0.0, 1000.0) is stamped.jpeg(0.1, 1000.1)
    assert stamped.jpeg(0.0, 1000.0) != stamped.jpeg(1.0, 1001.0)


def test_the_plate_is_large_enough_to_read_at_the_loudest_moments() -> None:
    # Characters of at least five pixels' width, while the microphones hear the most.
    motion = Motion.along_road("scooter", 41 / 3.6, away=True)
    legible = 0
    for t in np.arange(0.0, 0.6, 0.1):
        x, y = motion.x(float(t)), motion.nearest[1]
        z = sum(PLATE_Z) / 2
        pixels = VIEW.project(np.array([[x, y + 0.13, z], [x, y - 0.13, z]]))
        inside = (pixels > 0).all() and (pixels < [VIEW.width, VIEW.height]).all()
        legible += bool(inside and pixels[1, 0] - pixels[0, 0] >= 48)
    assert legible >= 2


@pytest.mark.parametrize("scooter", [True, False])
def test_a_plate_is_white_with_dark_characters(scooter: bool) -> None:
    image = cv2.cvtColor(plate("ABC-1234", scooter=scooter), cv2.COLOR_BGR2GRAY)
    assert np.median(image) > 220
    inner = image[image.shape[0] // 4 : -image.shape[0] // 6, 10:-10] < 110
    columns = np.flatnonzero(np.diff(inner.any(axis=0).astype(int)) == 1)
    assert 7 <= len(columns) + 1 <= 9  # eight strokes of type, apart from each other
    assert not np.array_equal(
        plate("ABC-1234", scooter=scooter), plate("ABC-1235", scooter=scooter)
    )


@given(x=st.floats(2, 150), y=st.floats(-3, 9), z=st.floats(0, 6))
def test_a_pixel_s_ray_leads_back_to_the_point(x: float, y: float, z: float) -> None:
    point = np.array([x, y, z])
    u, v = VIEW.project(point)[0]
    forward, right, down = VIEW.axes
    direction = (
        forward
        + (u - VIEW.width / 2) / VIEW.focal * right
        + (v - VIEW.height / 2) / VIEW.focal * down
    )
    depth = float(VIEW.depth(point)[0])
    if depth > NEAR_M:
        assert np.asarray(VIEW.position) + depth * direction == pytest.approx(point, abs=1e-6)


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.floats(-20, 20)] * 3), min_size=3, max_size=6))
def test_polygons_are_cut_off_before_the_camera(points: list[tuple[float, float, float]]) -> None:
    array = np.array(points)
    cut = SMALL.polygon(array)
    if (SMALL.depth(array) < NEAR_M).all():
        assert cut is None
    elif (SMALL.depth(array) >= NEAR_M).all():
        assert cut is not None
        assert cut == pytest.approx(SMALL.project(array))
    if cut is not None:
        assert np.isfinite(cut).all()
