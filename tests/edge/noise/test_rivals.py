"""Vehicles that only the picture or only the sound shows: nobody is named then, with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_edge.noise.attribution import Sound, attribute
from vigil_edge.noise.pictures.moments import UNKNOWN, Known
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.tracks import Box, Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.rivals import cut_off, doubt_of_only, humps

WIDTH, HEIGHT = 960, 540
CURVE_S = np.arange(0, 8, 0.05)
ALIGNED = Known(0.05, 0.05)


def track(boxes: list[Box], first_s: float = 1.0, step_s: float = 0.1, cut: bool = False) -> Track:
    return Track(
        tuple(
            Sighting(number, first_s + number * step_s, box, cut)
            for number, box in enumerate(boxes)
        )
    )


def passing(first_s: float = 1.0, seconds: float = 4.0) -> Track:
    """From left to right on the middle of the picture."""
    count = round(seconds / 0.1)
    xs = np.linspace(100, 760, count)
    return track([(float(x), 250.0, 100.0, 80.0) for x in xs], first_s)


def at_the_edge(first_s: float, seconds: float, height: float = 80.0, x: float = 900.0) -> Track:
    count = round(seconds / 0.1)
    return track([(x, 300.0, 960.0 - x, height)] * count, first_s, cut=True)


def hump(at_s: float, peak_db: float) -> np.ndarray:
    return np.maximum(60.0, peak_db - 10.0 * np.abs(CURVE_S - at_s))


def scene(*tracks: Track, brief: tuple[Track, ...] = ()) -> Followed:
    return Followed(WIDTH, HEIGHT, tracks, brief)


def doubt(
    followed: Followed,
    loudest_s: float,
    curve_s: np.ndarray,
    level_db: np.ndarray,
    known: Known = ALIGNED,
) -> str | None:
    return doubt_of_only(followed, loudest_s, curve_s, level_db, known)


def test_one_vehicle_alone_is_the_one() -> None:
    assert doubt(scene(passing()), 3.0, CURVE_S, hump(3.0, 92.0)) is None


def test_one_that_was_not_there_at_the_loudest_moment_is_not_named() -> None:
    late = scene(passing(first_s=5.0, seconds=2.0))
    assert doubt(late, 3.0, CURVE_S, hump(3.0, 92.0)) == "not-in-picture"


def test_another_that_the_edge_cuts_off_makes_it_abstain() -> None:
    level = hump(3.0, 92.0)
    brief = scene(passing(), brief=(at_the_edge(2.9, 0.3),))
    assert doubt(brief, 3.0, CURVE_S, level) == "cut-off"
    # long before or after, when it was quiet, it could not have been the loud one
    for first_s in (0.5, 6.5):
        gone = scene(passing(), brief=(at_the_edge(first_s, 0.3),))
        assert doubt(gone, 3.0, CURVE_S, level) is None
    # a bush at the edge is lower
    low = scene(passing(), brief=(at_the_edge(2.9, 0.3, height=20.0),))
    assert doubt(low, 3.0, CURVE_S, level) is None


def test_where_the_moments_are_not_known_it_has_to_be_there_at_all_that_are_possible() -> None:
    level = hump(3.0, 92.0)
    long = scene(passing(first_s=0.5, seconds=5.5))
    assert doubt(long, 3.0, CURVE_S, level, UNKNOWN) is None
    # It had gone by then, had the pictures been taken a second later than is said.
    gone = scene(passing(first_s=2.8, seconds=3.0))
    assert doubt(gone, 3.0, CURVE_S, level) is None
    assert doubt(gone, 3.0, CURVE_S, level, Known(0.0, 1.0)) == "not-in-picture"
    assert doubt(gone, 3.0, CURVE_S, level, Known(1.0, 0.0)) is None
    # Another may have been there meanwhile that the edge cut off.
    cut = scene(passing(first_s=0.5, seconds=5.5), brief=(at_the_edge(5.0, 0.3),))
    assert doubt(cut, 3.0, CURVE_S, level) is None
    assert doubt(cut, 3.0, CURVE_S, level, Known(2.0, 0.1)) == "cut-off"


def test_its_own_way_out_of_the_picture_is_no_rival() -> None:
    own = passing(first_s=1.0, seconds=2.5)
    leaving = at_the_edge(3.6, 0.4, x=860.0)
    assert doubt(scene(own, brief=(leaving,)), 3.3, CURVE_S, hump(3.3, 92.0)) is None


def test_a_second_rise_of_the_level_makes_it_abstain() -> None:
    both = np.maximum(hump(2.0, 92.0), hump(4.5, 88.0))
    assert doubt(scene(passing()), 2.0, CURVE_S, both) == "several-heard"
    faint = np.maximum(hump(2.0, 92.0), hump(4.5, 80.0))
    assert doubt(scene(passing()), 2.0, CURVE_S, faint) is None


def test_one_that_passed_louder_before_or_after_does_not_hide_who_else_was_there() -> None:
    for louder_s in (0.0, 7.9):
        both = np.maximum(hump(4.0, 85.0), hump(louder_s, 99.0))
        edge = scene(passing(2.0), brief=(at_the_edge(3.9, 0.3),))
        assert doubt(edge, 4.0, CURVE_S, both) == "cut-off"
        assert doubt(scene(passing(2.0)), 4.0, CURVE_S, both) == "several-heard"
    # Also where it grows out of the passage itself.
    rising = 80.0 + 2.0 * CURVE_S
    assert doubt(scene(passing()), 3.0, CURVE_S, rising) == "several-heard"


@given(
    st.lists(st.tuples(st.integers(1, 6), st.floats(80, 90)), min_size=1, max_size=5),
)
def test_humps_are_counted(peaks: list[tuple[int, float]]) -> None:
    """As many as stand 3 dB above the valleys beside them and within 10 dB of the highest."""
    level, wanted = [60.0], 0
    top = max(peak for _, peak in peaks)
    for width, peak in peaks:
        level += [70.0, *[peak] * width, 65.0]
        wanted += peak >= top - 10.0
    assert humps(np.array(level)) == wanted
    assert humps(np.array(level)[::-1]) == wanted
    assert humps(np.array([])) == 0


def test_what_is_never_whole_is_told_of_while_it_was_loud() -> None:
    own, edge = passing(), at_the_edge(1.0, 4.0)
    found = list(cut_off(scene(own, edge), own, 2.0, 3.0))
    assert len(found) == 1
    assert {round(each.time_s, 1) for each in found[0]} <= set(
        np.round(np.arange(1.6, 3.4, 0.1), 1)
    )


VIEW = View(
    ViewSettings(position=(0.0, 0.0, 0.0), azimuth=0.0, pitch=10.0, field=60.0, road_z=-4.0),
    WIDTH,
    HEIGHT,
)


def bearings_of(one: Track) -> np.ndarray:
    foot = np.array([(e.box[0] + e.box[2] / 2, e.box[1] + e.box[3]) for e in one.sightings])
    way = VIEW.on_road(foot)
    return np.asarray(np.degrees(np.arctan2(way[:, 1], way[:, 0])) % 360.0)


def heard(own: Track, azimuth: np.ndarray) -> Sound:
    times = np.array([each.time_s for each in own.sightings])
    level = 90.0 - 4.0 * np.abs(times - times.mean())
    return Sound(times, azimuth, level)


def named(
    followed: Followed, sound: Sound, known: Known = ALIGNED
) -> tuple[int | None, str | None, float | None]:
    found = attribute(followed, VIEW, np.zeros(3), 346.0, sound, known.moved())
    return found.track, found.abstained, found.rival_deg


def test_with_an_array_a_cut_off_vehicle_near_it_makes_it_abstain() -> None:
    own = passing()
    sound = heard(own, bearings_of(own))
    assert named(scene(own), sound) == (0, None, None)
    beside = track([(870.0, 260.0, 90.0, 80.0)] * 40, 1.0, cut=True)
    track_, why, rival = named(scene(own, beside), sound)
    # At the end of its way it comes within 10° of the edge; over the whole loud part it does not.
    assert (track_, why) == (0, None)
    assert rival is not None
    assert rival > 10
    stands = track([(690.0, 260.0, 100.0, 80.0)] * 40, 1.0)
    near = scene(stands, beside)
    assert named(near, heard(stands, bearings_of(stands)))[:2] == (None, "several")


def test_a_source_that_no_picture_shows_makes_it_abstain() -> None:
    own = passing()
    azimuth = bearings_of(own)
    azimuth[10:22] = (azimuth[10:22] + 60.0) % 360.0
    assert named(scene(own), heard(own, azimuth)) == (None, "several-heard", None)
    few = bearings_of(own)
    few[:4] += 60.0
    assert named(scene(own), heard(own, few)) == (0, None, None)


def test_a_cut_off_vehicle_above_the_horizon_is_never_taken_for_far() -> None:
    """Its place cannot be told, so nothing is said."""
    own = passing()
    above = track([(900.0, 0.0, 60.0, 100.0)] * 40, 1.0, cut=True)
    found = named(scene(own, above), heard(own, bearings_of(own)))
    assert found == (None, "several", 0.0)


def ahead_of(own: Track, pixels: list[float]) -> Track:
    """So many pixels to the right of it, in each picture."""
    boxes = [each.box for each in own.sightings]
    return track([(x + at, y, w, h) for (x, y, w, h), at in zip(boxes, pixels, strict=True)], 1.0)


@pytest.mark.parametrize(
    ("loudest_apart", "answer"), [(True, (0, None)), (False, (None, "several"))]
)
def test_what_told_them_apart_while_it_was_quieter_says_nothing_of_the_loudest(
    loudest_apart: bool, answer: tuple[int | None, str | None]
) -> None:
    """For 2.4 s they stand 18° apart and the sound comes from the one, and for 1.6 s 7° apart, when
    it is 8 dB louder, or quieter, and comes from the other."""
    own = track([(150.0 + 4.0 * n, 240.0, 80.0, 60.0) for n in range(40)], 1.0)
    other = ahead_of(own, [260.0] * 24 + [110.0] * 16)
    azimuth = np.concatenate([bearings_of(own)[:24], bearings_of(other)[24:]])
    level = np.repeat([90.0, 82.0] if loudest_apart else [82.0, 90.0], [24, 16])
    sound = Sound(np.array([each.time_s for each in own.sightings]), azimuth, level)
    assert named(scene(own, other), sound)[:2] == answer


def following(late_s: float) -> Track:
    """Drives where ``passing`` did so long before."""
    return passing(1.0 + late_s)


@pytest.mark.parametrize(
    ("behind_s", "known", "answer"),
    [
        (1.5, ALIGNED, "named"),
        (1.5, Known(1.5, 0.05), "several"),
        (1.5, Known(0.05, 1.5), "named"),
        (-1.5, Known(0.05, 1.5), "several"),
        (-1.5, Known(1.5, 0.05), "named"),
        (1.5, UNKNOWN, "several"),
        (None, UNKNOWN, "named"),
    ],
)
def test_one_that_drives_as_far_behind_as_the_pictures_may_be_misdated_makes_it_abstain(
    behind_s: float | None, known: Known, answer: str
) -> None:
    """Had they been taken so much earlier, the one behind would be where the sound came from."""
    own = passing()
    tracks = [own] if behind_s is None else [own, following(behind_s)]
    found = attribute(
        scene(*tracks), VIEW, np.zeros(3), 346.0, heard(own, bearings_of(own)), known.moved()
    )
    assert (found.track, found.abstained) == ((0, None) if answer == "named" else (None, "several"))
    if answer == "several":
        assert found.rival_off_s is not None
        assert behind_s is not None
        assert found.rival_off_s * behind_s > 0


@given(
    st.floats(0.7, 2.5),
    st.floats(-1.0, 1.0),
    st.floats(0.0, 0.3),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_clock_is_off_by_within_what_is_known_nobody_else_is_named(
    behind_s: float, off_s: float, within_s: float
) -> None:
    """``off_s``: the pictures are dated so much later than they were taken."""
    own, other = passing(1.0 + off_s), following(behind_s + off_s)
    true = passing()
    sound = heard(true, bearings_of(true))
    known = Known(max(0.0, off_s) + within_s, max(0.0, -off_s) + within_s)
    found = attribute(scene(own, other), VIEW, np.zeros(3), 346.0, sound, known.moved())
    assert found.track in (0, None)
