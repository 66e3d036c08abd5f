"""The vehicle that was loud, found again in a plate camera's pictures, and its plate read there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.noise.live_camera import noise_camera, pcm
from edge.noise.pass_by import SCOOTER, Passing, case_folder
from edge.noise.seen import followed, track, view_of
from vigil_edge.noise.bearing.estimate import Bearing
from vigil_edge.noise.case import FINDINGS, Findings
from vigil_edge.noise.casework import work
from vigil_edge.noise.evidence import CONTENTS, _write_pictures
from vigil_edge.noise.looking import hear, look
from vigil_edge.noise.pairing import paired
from vigil_edge.noise.pictures.frame import Frame, Shots
from vigil_edge.noise.pictures.moments import UNKNOWN, Known, by_own_clock
from vigil_edge.noise.pictures.reading import film_of
from vigil_edge.noise.pictures.tracks import Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.settings import NoiseSettings
from vigil_sim.noise.street import view_section
from vigil_sim.noise.view import View as Seen

PLATE_VIEW = Seen.on_plates(960, 540, 20.0, 4.5)


WIDE, NEAR = view_of(Seen(960, 540)), view_of(PLATE_VIEW)
TIMES = np.arange(0.0, 3.0, 0.1)
EXACT = (0.0,)
"""No other distance of the clocks is possible."""
ALIGNED = Known(0.03, 0.03).beside(Known(0.03, 0.03))
UNALIGNED = Known(2.0, 0.1).beside(Known(0.03, 0.03))
"""The plate camera's pictures are dated by their arrival."""
OVERVIEW_UNALIGNED = Known(0.03, 0.03).beside(Known(2.0, 0.1))


def _away(start_m: float = 10.0, speed_m_s: float = 11.0, late_s: float = 0.0) -> list[float]:
    return [start_m + speed_m_s * (float(t) + late_s) for t in TIMES]


def test_a_place_on_the_road_is_where_it_is_seen() -> None:
    pixels = np.array([[200.0, 400.0], [480.0, 330.0], [900.0, 539.0]])
    for view in (WIDE, NEAR):
        assert view.seen(view.on_road(pixels)) == pytest.approx(pixels, abs=1e-6)
    behind = np.array([[-60.0, 0.0, -4.0]])
    assert np.isnan(WIDE.seen(behind)).all()


@pytest.mark.parametrize("late_s", [0.0, 0.15, -0.15])
@pytest.mark.parametrize("lane_m", [2.3, 5.6])
def test_the_same_vehicle_is_found_in_both(lane_m: float, late_s: float) -> None:
    """Also where the plate camera's clock is off as far as one that nobody aligned."""
    loud = track(WIDE, _away(), lane_m, TIMES.tolist())
    same = track(NEAR, _away(late_s=late_s), lane_m, TIMES.tolist())
    assert len(same) >= 3
    found = paired(followed(WIDE, loud), loud, WIDE, followed(NEAR, same), NEAR, ALIGNED)
    assert found is same


def test_another_vehicle_is_not_taken_for_it() -> None:
    times = TIMES.tolist()
    loud = track(WIDE, _away(), 2.3, times)
    for other in (
        track(NEAR, _away(start_m=22.0), 2.3, times),  # 12 m ahead of it
        track(NEAR, _away(start_m=-4.0), 2.3, times),  # 14 m behind it
        track(NEAR, _away(start_m=45.0, speed_m_s=-9.0), 4.4, times),  # the other way
    ):
        assert len(other) >= 3
        found = paired(followed(WIDE, loud), loud, WIDE, followed(NEAR, other), NEAR, ALIGNED)
        assert found == "no-match"
        # With both in its pictures the right one is found.
        same = track(NEAR, _away(), 2.3, times)
        both = paired(followed(WIDE, loud), loud, WIDE, followed(NEAR, other, same), NEAR, ALIGNED)
        assert both is same


def test_what_cannot_be_told_apart_is_not_named() -> None:
    times = TIMES.tolist()
    loud, beside = track(WIDE, _away(), 2.3, times), track(WIDE, _away(), 2.9, times)
    same, near_by = track(NEAR, _away(), 2.3, times), track(NEAR, _away(), 2.9, times)
    two = followed(NEAR, same, near_by)
    assert paired(followed(WIDE, loud), loud, WIDE, two, NEAR, ALIGNED) == "several"
    # Two on the overview where the plate camera shows one: it may be either.
    crowd = followed(WIDE, loud, beside)
    assert paired(crowd, loud, WIDE, followed(NEAR, same), NEAR, ALIGNED) == "several"
    assert paired(followed(WIDE, loud), loud, WIDE, followed(NEAR), NEAR, ALIGNED) == "no-track"
    # Seen too shortly to be compared.
    short = Track(same.sightings[:2])
    assert (
        paired(followed(WIDE, loud), loud, WIDE, followed(NEAR, short), NEAR, ALIGNED) == "no-match"
    )


@pytest.mark.parametrize("late_s", [1.2, 1.8, -1.2])
def test_where_nobody_knows_how_late_its_pictures_are_another_is_not_taken_for_it(
    late_s: float,
) -> None:
    """Who drives as far ahead as the pictures are late stands in them where the loud one does; and
    as far behind, where those of the overview are late."""
    late = UNALIGNED if late_s > 0 else OVERVIEW_UNALIGNED
    times, lane_m, speed_m_s = TIMES.tolist(), 2.3, 11.0
    ahead_m = 10.0 + speed_m_s * late_s
    loud, ahead = track(WIDE, _away(), lane_m, times), track(WIDE, _away(ahead_m), lane_m, times)
    seen_ahead = track(NEAR, _away(ahead_m, late_s=-late_s), lane_m, times)
    seen_loud = track(NEAR, _away(late_s=-late_s), lane_m, times)
    both = followed(WIDE, loud, ahead)
    for wide, near in (
        (both, followed(NEAR, seen_ahead, seen_loud)),
        (both, followed(NEAR, seen_ahead)),
        (followed(WIDE, loud), followed(NEAR, seen_ahead, seen_loud)),
    ):
        assert paired(wide, loud, WIDE, near, NEAR, EXACT) is seen_ahead, "as it looks"
        assert paired(wide, loud, WIDE, near, NEAR, late) == "several"
    # Alone on the road it is found whatever is known of the clocks.
    same = track(NEAR, _away(), lane_m, times)
    alone = followed(WIDE, loud), followed(NEAR, same)
    assert paired(alone[0], loud, WIDE, alone[1], NEAR, late) is same


KINDS = st.one_of(
    st.tuples(st.floats(0.0, 1.0), st.floats(-1.0, 1.0)).map(
        lambda one: (one[0], by_own_clock(one[0] - one[1], None, 0.1), one[1])
    ),
    st.floats(0.0, 2.0).map(lambda late_s: (late_s, Known(2.0, 0.1), late_s)),
    st.tuples(st.floats(0.0, 0.5), st.floats(-0.05, 0.05)).map(
        lambda one: (one[0], Known(0.05, 0.05), one[1])
    ),
)
"""Of a camera: how long its pictures are on their way, what is known of their moments, and by how
much later they are dated than they were taken."""


@settings(max_examples=60, deadline=None)
@given(
    KINDS,
    KINDS,
    st.lists(
        st.tuples(st.floats(-30.0, 40.0), st.floats(8.0, 14.0), st.sampled_from([2.3, 5.6])),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_in_dense_traffic_the_plate_is_the_loud_ones_or_nobodys(
    wide: tuple[float, Known, float],
    near: tuple[float, Known, float],
    others: list[tuple[float, float, float]],
    seen_there: bool,
) -> None:
    """Whatever kinds of dates the cameras have, and however far these are off within what is known.
    ``others``: where each is at first, how fast and on which lane. ``seen_there``: the plate camera
    follows the loud one at all."""
    times = np.arange(-2.0, 5.0, 0.1)

    def tracks(view: View, dated_late_s: float) -> list[Track]:
        return [
            track(
                view,
                [start_m + speed_m_s * float(t) for t in times],
                lane_m,
                (times + dated_late_s).tolist(),
            )
            for start_m, speed_m_s, lane_m in [(10.0, 11.0, 2.3), *others]
        ]

    (loud, *rest), (same, *there) = tracks(WIDE, wide[2]), tracks(NEAR, near[2])
    in_sight = [each for each in ([same] if seen_there else []) + there if len(each) >= 4]
    overview = followed(WIDE, loud, *(each for each in rest if len(each) >= 4))
    late = near[1].beside(wide[1])
    found = paired(overview, loud, WIDE, followed(NEAR, *in_sight), NEAR, late)
    assert isinstance(found, str) or found is same


def test_what_the_edge_cuts_off_where_it_stands_may_be_it() -> None:
    times = TIMES.tolist()
    loud = track(WIDE, _away(), 2.3, times)
    same = track(NEAR, _away(), 2.3, times)
    whole = [each for each in same.sightings if not each.cut]
    low = float(NEAR.height)
    piece = Track(
        tuple(
            Sighting(each.picture, each.time_s, (0.0, low - 220.0, 120.0, 220.0), True)
            for each in whole
        )
    )
    with_piece = Followed(NEAR.width, NEAR.height, (same,), (piece,))
    assert paired(followed(WIDE, loud), loud, WIDE, with_piece, NEAR, ALIGNED) == "several"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loud scooter, seen by two cameras."""
    vehicles = [Passing(SCOOTER, "MKJ-8527")]
    return case_folder(tmp_path_factory.mktemp("two"), vehicles, plate_view=PLATE_VIEW)


@pytest.fixture(scope="module")
def trace(folder: Path) -> list[Bearing]:
    """What is heard of it: the same whatever becomes of its pictures."""
    heard = hear(folder)
    assert heard
    return heard


def _looked_at(folder: Path, trace: list[Bearing]) -> Findings:
    look(folder, trace)
    return Findings.model_validate_json((folder / FINDINGS).read_bytes())


@pytest.fixture(scope="module")
def found(folder: Path, trace: list[Bearing]) -> Findings:
    return _looked_at(folder, trace)


def test_the_plate_is_read_in_the_plate_cameras_pictures(folder: Path, found: Findings) -> None:
    assert found.vehicle is not None
    assert found.vehicle.vehicle is not None
    reading = found.plate_reading
    assert reading is not None
    assert (reading.camera, reading.fell_back, reading.abstained) == ("plate", None, None)
    assert reading.apart_s == 0.1, "each camera's moments are known to 0.05 s"
    assert found.vehicle.pictures_within_s == 0.05
    assert [one.text for one in found.plates] == ["MKJ8527"]
    assert json.loads((folder / "votes.json").read_text())["camera"] == "plate"


def _film(path: Path) -> bytes:
    """Digest of a film's pictures: the file itself bears a number of its own each time."""
    film, digest, count = cv2.VideoCapture(str(path)), hashlib.sha256(), 0
    while (read := film.read())[0]:
        digest.update(read[1].tobytes())
        count += 1
    assert count > 10
    return digest.digest()


def _fewer_pictures(listing: Path) -> None:
    """Of four seconds, the loud one among them."""
    said = json.loads(listing.read_text())
    near = [one for one in said["frames"] if -1.0 <= one[1] - said["LAFmax_s"] <= 3.0]
    assert len(near) >= 39
    listing.write_text(json.dumps(said | {"frames": near}))


def test_what_is_sealed_is_the_same_on_one_processor_and_on_two(
    folder: Path, tmp_path: Path
) -> None:
    made = []
    for at_once in (1, 2):
        copy = tmp_path / f"{at_once}" / folder.name
        shutil.copytree(folder, copy)
        for camera in ("frames", "plate-frames"):
            _fewer_pictures(copy / f"{camera}.json")
        work(copy, at_once)
        there = [name for name in CONTENTS if (copy / name).is_file()]
        made.append(
            {
                name: _film(copy / name) if name.endswith(".webm") else (copy / name).read_bytes()
                for name in there
            }
        )
        assert not list(copy.glob("*.part"))
    one, two = made
    assert set(one) == set(two) == set(CONTENTS) - {"SHA256SUMS", "SHA256SUMS.tsr"}
    assert [name for name in one if one[name] != two[name]] == []


def _without_plate_pictures(folder: Path) -> None:
    listed = json.loads((folder / "plate-frames.json").read_text())
    (folder / "plate-frames.json").write_text(json.dumps(listed | {"frames": []}))


def _turned(folder: Path) -> None:
    """Somebody knocked against the plate camera: it looks elsewhere than its settings say."""
    case = json.loads((folder / "case.json").read_text())
    case["plate_view"]["azimuth"] += 12.0
    (folder / "case.json").write_text(json.dumps(case))


@pytest.mark.parametrize(
    ("spoilt", "why"), [(_without_plate_pictures, "no-pictures"), (_turned, "no-match")]
)
def test_where_it_shows_nothing_the_overview_is_read_and_that_is_told(
    folder: Path, trace: list[Bearing], tmp_path: Path, spoilt: object, why: str
) -> None:
    case = Path(shutil.copytree(folder, tmp_path / "case"))
    assert callable(spoilt)
    spoilt(case)
    found = _looked_at(case, trace)
    reading = found.plate_reading
    assert reading is not None
    assert (reading.camera, reading.fell_back) == ("overview", why)
    assert reading.abstained is None
    assert [one.text for one in found.plates] == ["MKJ8527"]


WORST = [2.0, 0.1]


@pytest.mark.parametrize(
    ("unaligned", "far"),
    [
        pytest.param("frames", (-2.05, 0.15), marks=pytest.mark.full),
        ("plate-frames", (-0.15, 2.05)),
    ],
)
def test_how_well_the_moments_are_known_goes_with_the_pictures(
    folder: Path,
    trace: list[Bearing],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unaligned: str,
    far: tuple[float, float],
) -> None:
    apart: list[list[float]] = []

    def watched(*asked: Any) -> Any:
        apart.append(asked[-1])
        return paired(*asked)

    monkeypatch.setattr("vigil_edge.noise.plate_finding.paired", watched)
    case = Path(shutil.copytree(folder, tmp_path / "case"))
    listed = json.loads((case / f"{unaligned}.json").read_text())
    (case / f"{unaligned}.json").write_text(json.dumps(listed | {"known_s": WORST}))
    reading = _looked_at(case, trace).plate_reading
    assert reading is not None
    (tried,) = apart
    assert (min(tried), max(tried)) == pytest.approx(far)
    assert reading.apart_s == pytest.approx(max(map(abs, far)))
    assert (reading.camera, reading.fell_back) == ("plate", None), "alone on the road"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ((Known(0.1, 0.1), Known(0.0, 0.3)), Known(0.1, 0.3)),
        ((Known(0.1, 0.1), Known(2.0, 0.1)), Known(2.0, 0.1)),
        ((), UNKNOWN),
    ],
)
def test_the_picture_that_is_known_worst_makes_all_of_them_unsure(
    tmp_path: Path, known: tuple[Known, ...], told: Known
) -> None:
    seen = Shots([Frame(float(n), b"", known=each) for n, each in enumerate(known)], 10.0)
    _write_pictures(tmp_path, "frames", seen, 1.0)
    assert film_of(tmp_path).known == told
    before = json.loads((tmp_path / "frames.json").read_text())
    del before["known_s"]  # of a case that waited while its gateway was updated
    (tmp_path / "frames.json").write_text(json.dumps(before))
    assert film_of(tmp_path).known == UNKNOWN


SECOND = {"source": "rtsp", "address": "rtsp://camera.local/plate"}
LOOKS = view_section(PLATE_VIEW)


@pytest.mark.parametrize(
    ("camera", "plate_camera", "mistake"),
    [
        (None, SECOND | {"view": LOOKS}, "plate_camera needs camera"),
        ({"view": LOOKS}, SECOND, "plate_camera.view"),
        ({}, SECOND | {"view": LOOKS}, "camera.view"),
        (
            {"view": LOOKS},
            {"source": "mjpeg", "address": "http://127.0.0.1:9/stream", "view": LOOKS},
            "same camera",
        ),
    ],
)
def test_mistakes_about_the_second_camera_are_refused(
    camera: dict[str, object] | None, plate_camera: dict[str, object], mistake: str
) -> None:
    section = noise_camera(pcm(9), 9).model_dump()
    section["camera"] = None if camera is None else section["camera"] | camera
    with pytest.raises(ValidationError, match=mistake):
        NoiseSettings.model_validate(section | {"plate_camera": plate_camera})


def test_an_address_stays_out_of_the_digest() -> None:
    section = noise_camera(pcm(9), 9).model_dump()
    section["camera"] |= {"view": LOOKS}
    digests = {
        NoiseSettings.model_validate(
            section | {"plate_camera": SECOND | {"address": address, "view": LOOKS}}
        ).digest()
        for address in ("rtsp://u:one@camera.local/plate", "rtsp://u:two@camera.local/plate")
    }
    assert len(digests) == 1
