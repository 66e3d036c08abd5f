"""Simulated pass-bys with known truth, as a gateway keeps them on disk: sound of an array and
pictures of one street, by the simulator's own physics."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.case import FINDINGS, Case, Findings
from vigil_edge.noise.event import Place, exceedance
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.listening import Listener, Recorded
from vigil_edge.noise.looking import hear, look
from vigil_edge.noise.pictures.frame import Frame, Shots
from vigil_edge.noise.pictures.moments import Known
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_schemas.evidence import CameraRole
from vigil_sim.noise.film import Film, Shot
from vigil_sim.noise.sound import HEARD_S, StreetSound, Vehicle, passage
from vigil_sim.noise.street import array_section, view_section
from vigil_sim.noise.vehicle import SAMPLE_RATE
from vigil_sim.noise.view import View

FULL_SCALE_DB = 130.0
BEGIN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
FPS = 10
WIDTH, HEIGHT = 960, 540
KNOWN = Known(0.05, 0.05)
"""Of cameras that were aligned: the pictures' moments are exact."""
FIRST_S = 9.0
"""Of the first vehicle's nearest moment: the background is heard before it."""


@dataclass(frozen=True, slots=True)
class Passing:
    """One vehicle; ``at_s`` after the first."""

    vehicle: Vehicle
    plate: str
    at_s: float = 0.0


@cache
def _heard(vehicle: Vehicle) -> NDArray[np.float32]:
    return passage(vehicle, 4)


@cache
def _film(view: View) -> Film:
    return Film(view, 7, "")


def recorded(
    vehicles: Sequence[Passing], *, background_db: float = 54.0, seed: int = 1
) -> Recorded:
    """As a live listener keeps it: the first passage above 86 dB."""
    sound = StreetSound(
        channels=4, full_scale_peak_db=FULL_SCALE_DB, background_db=background_db, seed=seed
    )
    for each in vehicles:
        sound.add(round((FIRST_S + each.at_s) * SAMPLE_RATE), _heard(each.vehicle))
    audio = AudioSettings.model_validate(
        {
            "source": "pcm",
            "address": "tcp://127.0.0.1:9",
            "format": f"s16le:{SAMPLE_RATE}:4",
            "full_scale_peak_db": FULL_SCALE_DB,
        }
    )
    layout = PcmFormat.parse(audio.format)
    ear = Listener(layout, audio, 86.0, 3.0, 3.0, 3.0)
    last_s = FIRST_S + max(each.at_s for each in vehicles) + HEARD_S + 6.0
    block = SAMPLE_RATE // 2
    for first in range(0, round(last_s * SAMPLE_RATE), block):
        frames = layout.decode(sound.block(first, block))
        now = BEGIN + timedelta(seconds=(first + block) / SAMPLE_RATE)
        heard = ear.feed(frames, now)
        if heard.recorded:
            return heard.recorded[0]
    raise AssertionError("nothing was loud enough")


def pictures(
    vehicles: Sequence[Passing], kept: Recorded, view: View = View(WIDTH, HEIGHT)
) -> list[Frame]:
    """Of the same stretch of time."""
    film = _film(view)
    film._shots = []  # the scenery takes seconds, so it is drawn once
    for each in vehicles:
        moving = each.vehicle
        nearest = FIRST_S + each.at_s
        film.add(Shot(moving.kind, moving.motion, each.plate, nearest))
    begin = (kept.started - BEGIN).total_seconds()
    count = round((kept.ended - kept.started).total_seconds() * FPS)
    return [
        Frame(BEGIN.timestamp() + t, film.jpeg(t, BEGIN.timestamp() + t), known=KNOWN)
        for t in (begin + n / FPS for n in range(count))
    ]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a gateway keeps of a passage, before it is on disk."""

    case: Case
    sound: Recorded
    shots: dict[CameraRole, Shots]


def passed(vehicles: Sequence[Passing], *, plate_view: View | None = None) -> Kept:
    """``plate_view``: of a second camera."""
    kept = recorded(vehicles)
    event = exceedance(Place("gw-1", "mic-1", 86.0, calibrated=True), kept)
    case = Case(
        device="mic-1",
        sound_started=kept.started,
        sound_ended=kept.ended,
        calibration={"channel": 0.0, "pascal_per_unit": 1.0},
        exceedance=event,
        array=ArraySettings.model_validate(array_section()),
        view=ViewSettings.model_validate(view_section(View(WIDTH, HEIGHT))),
        plate_view=plate_view and ViewSettings.model_validate(view_section(plate_view)),
    )
    shots: dict[CameraRole, Shots] = {"overview": Shots(pictures(vehicles, kept), FPS)}
    if plate_view is not None:
        shots["plate"] = Shots(pictures(vehicles, kept, plate_view), FPS)
    return Kept(case, kept, shots)


def case_folder(
    folder: Path, vehicles: Sequence[Passing], *, plate_view: View | None = None
) -> Path:
    """The case on disk, before anybody looked at it. ``plate_view``: of a second camera. Drawn
    once by all processes of a test run."""
    if drawn_in is None:
        return _drawn(folder, vehicles, plate_view)
    name = hashlib.sha256(repr((vehicles, plate_view)).encode()).hexdigest()[:16]
    scene = drawn_in / name
    with (drawn_in / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not scene.is_dir():
            part = drawn_in / f"{name}.part"
            _drawn(part, vehicles, plate_view)
            part.rename(scene)
    (case,) = scene.iterdir()
    return Path(shutil.copytree(case, folder / case.name))


drawn_in: Path | None = None
"""Where a test run keeps scenes that are drawn."""


def _drawn(folder: Path, vehicles: Sequence[Passing], plate_view: View | None) -> Path:
    kept = passed(vehicles, plate_view=plate_view)
    return Spool(folder).write(kept.case, kept.sound, kept.shots)


def without_pictures(folder: Path) -> Path:
    """The case as of a place without camera and array."""
    case = json.loads((folder / "case.json").read_text())
    (folder / "case.json").write_text(json.dumps(case | {"array": None, "view": None}))
    listed = json.loads((folder / "frames.json").read_text())
    (folder / "frames.json").write_text(json.dumps(listed | {"frames": []}))
    return folder


def looked_at(folder: Path) -> Findings:
    """What is found in a case folder."""
    look(folder, hear(folder))
    return Findings.model_validate_json((folder / FINDINGS).read_bytes())


SCOOTER = Vehicle("scooter", 11.4, (5400.0, 8400.0), 97.0, away=True, seed=5)
"""A loud one on the near lane, away from the camera."""
CAR = Vehicle("car", 12.0, (2000.0, 2400.0), 74.0, away=False, seed=6)
"""A quiet one that comes towards it on the far lane."""
