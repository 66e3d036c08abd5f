"""The vehicle that was loud, found again in a plate camera's pictures, and its plate read there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from edge.noise.live_camera import noise_camera, pcm
from edge.noise.pass_by import SCOOTER, Passing, case_folder, looked_at
from vigil_edge.noise.case import Findings
from vigil_edge.noise.casework import work
from vigil_edge.noise.evidence import CONTENTS, _write_pictures
from vigil_edge.noise.pairing import ALIGNED_S, UNALIGNED_S, paired
from vigil_edge.noise.pictures.frame import Dated, Frame, Shots
from vigil_edge.noise.pictures.reading import film_of
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.tracks import Box, Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.settings import NoiseSettings
from vigil_sim.noise.street import view_section
from vigil_sim.noise.view import View as Seen

PLATE_VIEW = Seen.on_plates(960, 540, 20.0, 4.5)


def _view(seen: Seen) -> View:
    settings = ViewSettings.model_validate(view_section(seen))
    return View(settings, seen.width, seen.height)


WIDE, NEAR = _view(Seen(960, 540)), _view(PLATE_VIEW)
TIMES = np.arange(0.0, 3.0, 0.1)
HALF_M, HIGH_M = 0.9, 1.5


def _track(view: View, x_m: Iterable[float], y_m: float, times: Sequence[float]) -> Track:
    """A body ``2 * HALF_M`` wide and ``HIGH_M`` high whose nearest side is so far along the road
    (simulator's coordinates), as a camera sees it whole."""
    road_z = view.settings.road_z
    sightings = []
    for number, (x, time_s) in enumerate(zip(x_m, times, strict=True)):
        corners = np.array(
            [[x - 4.0, y_m + side, road_z + up] for side in (-HALF_M, HALF_M) for up in (0, HIGH_M)]
        )
        seen = view.seen(corners)
        (left, top), (right, low) = seen.min(axis=0), seen.max(axis=0)
        inside = left > 1 and top > 1 and right < view.width - 1 and low < view.height - 1
        if right < 0 or left > view.width or low < 0 or top > view.height:
            continue
        left, right = max(0.0, left), min(float(view.width), right)
        top, low = max(0.0, top), min(float(view.height), low)
        box: Box = (float(left), float(top), float(right - left), float(low - top))
        sightings.append(Sighting(number, time_s, box, not inside))
    return Track(tuple(sightings))


def _followed(view: View, *tracks: Track) -> Followed:
    return Followed(view.width, view.height, tracks)


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
    loud = _track(WIDE, _away(), lane_m, TIMES.tolist())
    same = _track(NEAR, _away(late_s=late_s), lane_m, TIMES.tolist())
    assert len(same) >= 3
    found = paired(_followed(WIDE, loud), loud, WIDE, _followed(NEAR, same), NEAR, ALIGNED_S)
    assert found is same


def test_another_vehicle_is_not_taken_for_it() -> None:
    times = TIMES.tolist()
    loud = _track(WIDE, _away(), 2.3, times)
    for other in (
        _track(NEAR, _away(start_m=22.0), 2.3, times),  # 12 m ahead of it
        _track(NEAR, _away(start_m=-4.0), 2.3, times),  # 14 m behind it
        _track(NEAR, _away(start_m=45.0, speed_m_s=-9.0), 4.4, times),  # the other way
    ):
        assert len(other) >= 3
        found = paired(_followed(WIDE, loud), loud, WIDE, _followed(NEAR, other), NEAR, ALIGNED_S)
        assert found == "no-match"
        # With both in its pictures the right one is found.
        same = _track(NEAR, _away(), 2.3, times)
        both = paired(
            _followed(WIDE, loud), loud, WIDE, _followed(NEAR, other, same), NEAR, ALIGNED_S
        )
        assert both is same


def test_what_cannot_be_told_apart_is_not_named() -> None:
    times = TIMES.tolist()
    loud, beside = _track(WIDE, _away(), 2.3, times), _track(WIDE, _away(), 2.9, times)
    same, near_by = _track(NEAR, _away(), 2.3, times), _track(NEAR, _away(), 2.9, times)
    two = _followed(NEAR, same, near_by)
    assert paired(_followed(WIDE, loud), loud, WIDE, two, NEAR, ALIGNED_S) == "several"
    # Two on the overview where the plate camera shows one: it may be either.
    crowd = _followed(WIDE, loud, beside)
    assert paired(crowd, loud, WIDE, _followed(NEAR, same), NEAR, ALIGNED_S) == "several"
    assert paired(_followed(WIDE, loud), loud, WIDE, _followed(NEAR), NEAR, ALIGNED_S) == "no-track"
    # Seen too shortly to be compared.
    short = Track(same.sightings[:2])
    assert (
        paired(_followed(WIDE, loud), loud, WIDE, _followed(NEAR, short), NEAR, ALIGNED_S)
        == "no-match"
    )


@pytest.mark.parametrize("late_s", [1.2, 1.8, -1.2])
def test_where_nobody_knows_how_late_its_pictures_are_another_is_not_taken_for_it(
    late_s: float,
) -> None:
    """Who drives as far ahead as the pictures are late stands in them where the loud one does."""
    times, lane_m, speed_m_s = TIMES.tolist(), 2.3, 11.0
    ahead_m = 10.0 + speed_m_s * late_s
    loud, ahead = _track(WIDE, _away(), lane_m, times), _track(WIDE, _away(ahead_m), lane_m, times)
    seen_ahead = _track(NEAR, _away(ahead_m, late_s=-late_s), lane_m, times)
    seen_loud = _track(NEAR, _away(late_s=-late_s), lane_m, times)
    both = _followed(WIDE, loud, ahead)
    for wide, near in (
        (both, _followed(NEAR, seen_ahead, seen_loud)),
        (both, _followed(NEAR, seen_ahead)),
        (_followed(WIDE, loud), _followed(NEAR, seen_ahead, seen_loud)),
    ):
        assert paired(wide, loud, WIDE, near, NEAR, ALIGNED_S) is seen_ahead, "as it looks"
        assert paired(wide, loud, WIDE, near, NEAR, UNALIGNED_S) == "several"
    # Alone on the road it is found whatever is known of the clocks.
    same = _track(NEAR, _away(), lane_m, times)
    alone = _followed(WIDE, loud), _followed(NEAR, same)
    assert paired(alone[0], loud, WIDE, alone[1], NEAR, UNALIGNED_S) is same


def test_what_the_edge_cuts_off_where_it_stands_may_be_it() -> None:
    times = TIMES.tolist()
    loud = _track(WIDE, _away(), 2.3, times)
    same = _track(NEAR, _away(), 2.3, times)
    whole = [each for each in same.sightings if not each.cut]
    low = float(NEAR.height)
    piece = Track(
        tuple(
            Sighting(each.picture, each.time_s, (0.0, low - 220.0, 120.0, 220.0), True)
            for each in whole
        )
    )
    with_piece = Followed(NEAR.width, NEAR.height, (same,), (piece,))
    assert paired(_followed(WIDE, loud), loud, WIDE, with_piece, NEAR, ALIGNED_S) == "several"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loud scooter, seen by two cameras."""
    vehicles = [Passing(SCOOTER, "MKJ-8527")]
    return case_folder(tmp_path_factory.mktemp("two"), vehicles, plate_view=PLATE_VIEW)


@pytest.fixture(scope="module")
def found(folder: Path) -> Findings:
    return looked_at(folder)


def test_the_plate_is_read_in_the_plate_cameras_pictures(folder: Path, found: Findings) -> None:
    assert found.vehicle is not None
    assert found.vehicle.vehicle is not None
    reading = found.plate_reading
    assert reading is not None
    assert (reading.camera, reading.fell_back, reading.abstained) == ("plate", None, None)
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


def test_what_is_sealed_is_the_same_on_one_processor_and_on_two(
    folder: Path, tmp_path: Path
) -> None:
    made = []
    for at_once in (1, 2):
        copy = tmp_path / f"{at_once}" / folder.name
        shutil.copytree(folder, copy)
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
    tmp_path: Path, spoilt: object, why: str
) -> None:
    case = case_folder(tmp_path, [Passing(SCOOTER, "MKJ-8527")], plate_view=PLATE_VIEW)
    assert callable(spoilt)
    spoilt(case)
    reading = looked_at(case).plate_reading
    assert reading is not None
    assert (reading.camera, reading.fell_back) == ("overview", why)
    assert reading.abstained is None
    assert [one.text for one in looked_at(case).plates] == ["MKJ8527"]


@pytest.mark.parametrize("unaligned", ["", "frames", "plate-frames"])
def test_how_well_the_moments_are_known_goes_with_the_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unaligned: str
) -> None:
    apart: list[float] = []

    def watched(*asked: Any) -> Any:
        apart.append(asked[-1])
        return paired(*asked)

    monkeypatch.setattr("vigil_edge.noise.plate_finding.paired", watched)
    case = Path(shutil.copytree(folder, tmp_path / "case"))
    if unaligned:
        listed = json.loads((case / f"{unaligned}.json").read_text())
        (case / f"{unaligned}.json").write_text(json.dumps(listed | {"aligned": False}))
    reading = looked_at(case).plate_reading
    assert apart == [UNALIGNED_S if unaligned else ALIGNED_S]
    assert reading is not None
    assert (reading.camera, reading.fell_back) == ("plate", None), "alone on the road"


@pytest.mark.parametrize(
    ("dated", "aligned"),
    [(("camera", "sender", "aligned"), True), (("camera", "arrival"), False), ((), True)],
)
def test_one_picture_that_is_dated_by_its_arrival_makes_all_of_them_unsure(
    tmp_path: Path, dated: tuple[Dated, ...], aligned: bool
) -> None:
    seen = Shots([Frame(float(n), b"", how) for n, how in enumerate(dated)], 10.0)
    _write_pictures(tmp_path, "frames", seen, 1.0)
    assert film_of(tmp_path).aligned == aligned
    before = json.loads((tmp_path / "frames.json").read_text())
    del before["aligned"]  # of a case that waited while its gateway was updated
    (tmp_path / "frames.json").write_text(json.dumps(before))
    assert not film_of(tmp_path).aligned


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
