"""What becomes of a case on disk: ``python -m vigil_edge.noise.casework FOLDER``.

Bearing, vehicle and plate are found first and written to ``findings.json``; then come the pictures
and, last, the video: should time run out on a slow gateway, it is the video that is missing.
A process of its own, at low priority: its memory goes back when it ends, it cannot hold up the
microphone, and a picture that crashes a codec crashes only this.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from vigil_edge.noise.attribution import Attributed, Sound, attribute, level_at
from vigil_edge.noise.bearing.command import listen_to
from vigil_edge.noise.bearing.estimate import INTERVAL_S, Bearing
from vigil_edge.noise.case import FINDINGS, TRACE, VOTES, Case, Findings
from vigil_edge.noise.pictures.encode import BestPlate, FindPlate, best_plate, encode, measure
from vigil_edge.noise.pictures.reading import Frames, film_of, plate_film_of
from vigil_edge.noise.pictures.tracks import Followed, follow
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.plate_finding import Loud, PlateFound, Watched, look_for
from vigil_edge.noise.rivals import Doubt, doubt_of_only, own_part
from vigil_edge.noise.sound.wav import open_wav
from vigil_schemas.errors import VigilError
from vigil_schemas.noise import AttributedVehicle, SoundBearing, VehicleFinding

NICENESS: Final = 10
_AT_LAFMAX_S: Final = 0.1
"""The bearing of LAFmax is that of a window so near to it that answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pictures show of the vehicle that was loud, as far as it is known."""

    finding: VehicleFinding
    plates_of: Loud | None
    """Whose plate may be read; ``None`` where it might be another's."""
    doubt: Doubt | None = None
    """Why it might be, of one that was followed alone."""


def work(folder: Path) -> None:
    """All of it. Raises ``ValueError`` and ``OSError`` for a folder that is no case."""
    shown = look(folder)
    try:
        encode(folder, shown)
    finally:  # whatever is wrong with the pictures, the sound is measured
        measure(folder)


def look(folder: Path) -> FindPlate:
    """Write ``findings.json``, ``bearing.json`` and ``votes.json``; returns how the plate that
    people are shown is found. Raises as ``work``."""
    case = Case.model_validate_json((folder / "case.json").read_bytes())
    film, near = film_of(folder), plate_film_of(folder)
    frames = film.frames
    try:
        trace = _trace(folder, case)
        bearing = _bearing(case, trace)
    except VigilError:  # a microphone that is broken must not cost the rest of the evidence
        trace, bearing = [], SoundBearing(abstained="failed")
    azimuth = bearing.azimuth_deg
    seen = _seen(case, frames, trace)
    closer = None if near is None else Watched(near.frames, case.plate_view, near.aligned)
    plate = look_for(seen.plates_of, Watched(frames, case.view, film.aligned), closer)
    findings = Findings(
        bearing=bearing,
        bearing_deg=case.array.compass(azimuth) if case.array and azimuth is not None else None,
        vehicle=seen.finding,
        plate_reading=plate.reading(seen.doubt),
        plates=plate.candidates(),
    )
    part = folder / f"{FINDINGS}.part"
    part.write_text(findings.model_dump_json(exclude_none=True))
    part.rename(folder / FINDINGS)
    if (said := plate.told()) is not None:
        (folder / VOTES).write_text(json.dumps(said))
    return _shown(seen, plate)


def _trace(folder: Path, case: Case) -> list[Bearing]:
    """Bearings of the recording, kept for people beside the event; empty without an array."""
    if case.array is None:
        return []
    file = open_wav(folder / "audio.wav")
    found = list(listen_to(file, case.array, case.array.of_channels).bearings)
    first = case.sound_started + timedelta(seconds=0.5 * INTERVAL_S)
    content = {
        "start": first.isoformat(),
        "interval_s": INTERVAL_S,
        "azimuth_deg": [one.azimuth for one in found],
        "confidence": [one.confidence for one in found],
    }
    (folder / TRACE).write_text(json.dumps(content))
    return found


def _bearing(case: Case, trace: list[Bearing]) -> SoundBearing:
    """At LAFmax."""
    if case.array is None:
        return SoundBearing(abstained="no-array")
    at = (case.exceedance.LAFmax_time - case.sound_started).total_seconds()
    near = sorted((one for one in trace), key=lambda one: abs(one.t - at))
    if not near or abs(near[0].t - at) > _AT_LAFMAX_S:
        return SoundBearing(abstained="too-short")
    for one in near:
        if abs(one.t - at) > _AT_LAFMAX_S:
            break
        if one.azimuth is not None:
            return SoundBearing(
                azimuth_deg=one.azimuth, confidence=one.confidence, mirror_deg=one.mirror
            )
    return SoundBearing(confidence=near[0].confidence, abstained="low-confidence")


def _seen(case: Case, frames: Frames, trace: list[Bearing]) -> Seen:
    if not frames:
        return Seen(VehicleFinding(abstained="no-camera"), None)
    followed = follow(frames)
    count = 0 if followed is None else len(followed.tracks)
    if followed is None or not count:
        return Seen(VehicleFinding(abstained="no-track"), None)
    if case.array is None:
        return _only(case, followed, VehicleFinding(tracks=count, abstained="no-array"))
    if case.view is None:
        return _only(case, followed, VehicleFinding(tracks=count, abstained="no-view"))
    found = _attributed(case, followed, trace)
    vehicle = VehicleFinding(
        vehicle=_vehicle(followed, found),
        tracks=count,
        rival_deg=found.rival_deg,
        abstained=found.abstained,
    )
    if found.track is None:
        return Seen(vehicle, None)
    return Seen(vehicle, Loud(followed, followed.tracks[found.track]))


def _only(case: Case, followed: Followed, finding: VehicleFinding) -> Seen:
    """Where no bearing tells vehicles apart: the one that was followed, if there is no other that
    picture or sound shows alone."""
    if len(followed.tracks) != 1:
        return Seen(finding, None)
    event = case.exceedance
    curve = event.level_curve
    level = np.array([] if curve is None else curve.LAF, dtype=np.float64)
    begin_s, step_s = (curve.start.timestamp(), curve.interval_s) if curve else (0.0, 1.0)
    times = np.asarray(begin_s + (np.arange(len(level)) + 0.5) * step_s, dtype=np.float64)
    doubt = doubt_of_only(followed, event.LAFmax_time.timestamp(), times, level)
    alone = Loud(followed, followed.tracks[0])
    return Seen(finding, alone if doubt is None else None, doubt)


def _attributed(case: Case, followed: Followed, trace: list[Bearing]) -> Attributed:
    array, curve = case.array, case.exceedance.level_curve
    if array is None or case.view is None or curve is None or not trace:
        return Attributed(None, "no-bearing")
    times = case.sound_started.timestamp() + np.array([one.t for one in trace])
    azimuths = [np.nan if one.azimuth is None else one.azimuth for one in trace]
    level = level_at(curve.start.timestamp(), curve.interval_s, curve.LAF, times)
    view = View(case.view, followed.width, followed.height)
    origin = np.asarray(array.positions, dtype=np.float64).mean(axis=0)
    own = own_part(level, int(np.abs(times - case.exceedance.LAFmax_time.timestamp()).argmin()))
    sound = Sound(times[own], np.array(azimuths)[own], level[own])
    return attribute(followed, view, origin, array.speed_of_sound, sound)


def _vehicle(followed: Followed, found: Attributed) -> AttributedVehicle | None:
    if found.track is None or found.seen is None:
        return None
    track = followed.tracks[found.track]
    return AttributedVehicle(
        track=found.track,
        seen_from=_utc(track.sightings[0].time_s),
        seen_until=_utc(track.sightings[-1].time_s),
        box=[max(0, round(each)) for each in found.seen.box],
        box_time=_utc(found.seen.time_s),
        travel_s=found.travel_s,
        apart_deg=found.apart_deg,
        compared=found.compared,
    )


def _shown(seen: Seen, plate: PlateFound) -> FindPlate:
    """What people are shown as the plate: that of the vehicle, or nothing where it could be
    another's. Where nothing could be followed, one that moves: what stands is a parked one's."""

    def find(frames: Frames, loudest_s: float) -> BestPlate | None:
        if not seen.finding.tracks:
            found = best_plate(frames, loudest_s)
            return found if found is not None and found.moves else None
        best = None if plate.voted is None else plate.voted.best
        picture = None if best is None else best.picture()
        if best is None or picture is None:
            return None
        return BestPlate(picture, best.plate, moves=True, camera=plate.camera or "overview")

    return find


def _utc(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def main() -> int:
    """The child process."""
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    work(Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
