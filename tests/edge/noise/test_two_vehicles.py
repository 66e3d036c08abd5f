"""Two vehicles in the plate camera's pictures at once, as the simulator draws them: the plate of
the one that was loud, or none.

None it is where the outlines of both lie over each other in the overview's picture, from before the
loud one is seen whole: a camera that looks along the road shows the one behind before the one ahead
of it, so that both are followed as one, and what is read on that outline may be either's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.noise.pass_by import FPS, SCOOTER, Passing, case_folder
from vigil_edge.noise.case import FINDINGS, VOTES, Findings
from vigil_edge.noise.looking import hear, look
from vigil_edge.noise.pictures.encode import PLATE, write_stills
from vigil_edge.noise.pictures.reading import film_of
from vigil_edge.noise.pictures.rows import rows_of
from vigil_edge.noise.pictures.tracks import follow
from vigil_edge.noise.plate.reader import read_plate
from vigil_edge.noise.plate.votes import read_several
from vigil_sim.noise.sound import Vehicle
from vigil_sim.noise.view import View

NEAR = View.on_plates(960, 540, 20.0, 4.5)
LOUD = Passing(SCOOTER, "MKJ-8527")
QUIET_CAR = Vehicle("car", 11.4, (2000.0, 2400.0), 74.0, away=True, seed=6)
QUIET_SCOOTER = Vehicle("scooter", 11.0, (2500.0, 3000.0), 74.0, away=True, seed=7)
OTHERS = {
    "a car 17 m behind it": Passing(QUIET_CAR, "BHX-3165", at_s=1.5),
    "a car 8 m behind it": Passing(QUIET_CAR, "KLM-9090", at_s=0.7),
    "a scooter 14 m ahead of it": Passing(QUIET_SCOOTER, "NPR-6183", at_s=-1.2),
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What was made of one pass-by of two."""

    other: str
    findings: Findings
    voted: set[str]
    """Whatever a picture was read as, for people to see."""
    crop: str | None
    """What the crop that people are shown reads as."""
    legible: set[str]
    """Every plate that the plate camera's pictures give, whosever it is."""


Look = Callable[[str], Looked]
NAMES = ["a car 17 m behind it", "a car 8 m behind it"]
"""Where it can be told, and where it cannot; the rest in the long form."""
EVERY = [
    *NAMES,
    *(pytest.param(name, marks=pytest.mark.full) for name in OTHERS if name not in NAMES),
]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Look:
    @cache
    def look_at(name: str) -> Looked:
        return _looked(tmp_path_factory.mktemp("two"), OTHERS[name])

    return look_at


def _looked(where: Path, other: Passing) -> Looked:
    folder = case_folder(where, [LOUD, other], plate_view=NEAR)
    near = film_of(folder, "plate")
    write_stills(folder, film_of(folder), near, look(folder, hear(folder)))
    followed = follow(near.frames)
    tracks = () if followed is None else followed.tracks
    read = [read_several(list(rows_of(track, near.frames))).text for track in tracks]
    votes = folder / VOTES
    said = json.loads(votes.read_text())["votes"] if votes.is_file() else []
    shown = folder / PLATE
    crop: Any = cv2.imread(str(shown)) if shown.is_file() else None
    return Looked(
        other.plate.replace("-", ""),
        Findings.model_validate_json((folder / FINDINGS).read_bytes()),
        {vote["text"] for vote in said},
        None if crop is None else read_plate(crop).seen,
        {text for text in read if text is not None},
    )


def _in_sight(passing: Passing, at_s: float) -> bool:
    """By the simulator's own geometry: its rear, at the height of a plate."""
    motion = passing.vehicle.motion
    place = np.array([[motion.x(at_s - passing.at_s), motion.nearest[1], 0.6]])
    ((x, y),) = NEAR.project(place)
    ahead = NEAR.depth(place)[0] > 1.0
    return bool(ahead and 0 < x < NEAR.width and 0 < y < NEAR.height)


@pytest.mark.parametrize("name", OTHERS)
def test_both_are_in_the_plate_cameras_pictures_at_once(name: str) -> None:
    moments = np.arange(-3.0, 8.0, 1 / FPS)
    together = sum(_in_sight(LOUD, float(t)) and _in_sight(OTHERS[name], float(t)) for t in moments)
    assert together >= 5


@pytest.mark.parametrize("name", EVERY)
def test_the_plate_is_that_of_the_loud_one_or_none(looked: Look, name: str) -> None:
    seen = looked(name)
    assert {one.text for one in seen.findings.plates} <= {"MKJ8527"}
    assert seen.other not in seen.voted
    assert seen.crop != seen.other
    reading = seen.findings.plate_reading
    assert reading is not None
    if not seen.findings.plates:
        assert reading.abstained is not None


def test_it_is_read_where_they_are_apart_and_the_others_could_have_been(looked: Look) -> None:
    """Else the test above would say nothing."""
    right = [name for name in NAMES if looked(name).findings.plates]
    print(f"two vehicles: the loud one's plate in {len(right)} of {len(NAMES)}: {right}")
    assert right
    assert [name for name in NAMES if looked(name).other in looked(name).legible]
