"""What is found in a case's sound and pictures: where it came from, which vehicle it was, and its
plate. Written into the case's folder, before anything is made of it for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import numpy as np

from vigil_edge.noise.attribution import Attributed, Sound, attribute, level_at
from vigil_edge.noise.bearing.command import listen_to
from vigil_edge.noise.bearing.estimate import INTERVAL_S, Bearing
from vigil_edge.noise.case import FINDINGS, TRACE, VOTES, Case, Findings
from vigil_edge.noise.pictures.case_folder import put
from vigil_edge.noise.pictures.encode import BestPlate, FindPlate, best_plate
from vigil_edge.noise.pictures.moments import Known
from vigil_edge.noise.pictures.reading import Film, Frames, film_of, plate_film_of
from vigil_edge.noise.pictures.tracks import Followed, follow
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.plate_finding import Loud, PlateFound, Watched, look_for
from vigil_edge.noise.rivals import Doubt, doubt_of_only, own_part
from vigil_edge.noise.sound.wav import open_wav
from vigil_schemas.errors import VigilError
from vigil_schemas.noise import AttributedVehicle, SoundBearing, VehicleFinding

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


def hear(folder: Path) -> list[Bearing] | None:
    """Bearings of the recording, kept in ``bearing.json`` for people beside the event; empty where
    there is no array, ``None`` where its microphones are of no use: a broken one must not cost the
    rest of the evidence. Raises ``ValueError`` and ``OSError`` for a folder that is no case."""
    case = Case.model_validate_json((folder / "case.json").read_bytes())
    if case.array is None:
        return []
    try:
        file = open_wav(folder / "audio.wav")
        found = list(listen_to(file, case.array, case.array.of_channels).bearings)
    except VigilError:
        return None
    first = case.sound_started + timedelta(seconds=0.5 * INTERVAL_S)
    content = {
        "start": first.isoformat(),
        "interval_s": INTERVAL_S,
        "azimuth_deg": [one.azimuth for one in found],
        "confidence": [one.confidence for one in found],
    }
    put(folder / TRACE, json.dumps(content).encode())
    return found


def look(folder: Path, trace: list[Bearing] | None) -> FindPlate:
    """Write ``findings.json`` and ``votes.json``; returns how the plate that people are shown is
    found. ``trace``: what was heard. Raises as ``hear``."""
    case = Case.model_validate_json((folder / "case.json").read_bytes())
    film, near = film_of(folder), plate_film_of(folder)
    frames = film.frames
    bearing = SoundBearing(abstained="failed") if trace is None else _bearing(case, trace)
    azimuth = bearing.azimuth_deg
    seen = _seen(case, film, trace or [])
    closer = None if near is None else Watched(near.frames, case.plate_view, near.known)
    plate = look_for(seen.plates_of, Watched(frames, case.view, film.known), closer)
    findings = Findings(
        bearing=bearing,
        bearing_deg=case.array.compass(azimuth) if case.array and azimuth is not None else None,
        vehicle=seen.finding,
        plate_reading=plate.reading(seen.doubt),
        plates=plate.candidates(),
    )
    put(folder / FINDINGS, findings.model_dump_json(exclude_none=True).encode())
    if (said := plate.told()) is not None:
        put(folder / VOTES, json.dumps(said).encode())
    return _shown(seen, plate)


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


def _seen(case: Case, film: Film, trace: list[Bearing]) -> Seen:
    if not film.frames:
        return Seen(VehicleFinding(abstained="no-camera"), None)
    followed = follow(film.frames)
    count = 0 if followed is None else len(followed.tracks)
    if followed is None or not count:
        return Seen(VehicleFinding(abstained="no-track"), None)
    if case.array is None:
        return _only(case, followed, film.known, _alone(count, "no-array", film.known))
    if case.view is None:
        return _only(case, followed, film.known, _alone(count, "no-view", film.known))
    found = _attributed(case, followed, film.known, trace)
    vehicle = VehicleFinding(
        vehicle=_vehicle(followed, found),
        tracks=count,
        rival_deg=found.rival_deg,
        abstained=found.abstained,
        pictures_within_s=_told(film.known),
        rival_off_s=found.rival_off_s,
    )
    if found.track is None:
        return Seen(vehicle, None)
    return Seen(vehicle, Loud(followed, followed.tracks[found.track]))


def _alone(count: int, why: Literal["no-array", "no-view"], known: Known) -> VehicleFinding:
    return VehicleFinding(tracks=count, abstained=why, pictures_within_s=_told(known))


def _told(known: Known) -> float:
    return round(known.within_s, 3)


def _only(case: Case, followed: Followed, known: Known, finding: VehicleFinding) -> Seen:
    """Where no bearing tells vehicles apart: the one that was followed, if there is no other that
    picture or sound shows alone."""
    if len(followed.tracks) != 1:
        return Seen(finding, None)
    event = case.exceedance
    curve = event.level_curve
    level = np.array([] if curve is None else curve.LAF, dtype=np.float64)
    begin_s, step_s = (curve.start.timestamp(), curve.interval_s) if curve else (0.0, 1.0)
    times = np.asarray(begin_s + (np.arange(len(level)) + 0.5) * step_s, dtype=np.float64)
    doubt = doubt_of_only(followed, event.LAFmax_time.timestamp(), times, level, known)
    alone = Loud(followed, followed.tracks[0])
    return Seen(finding, alone if doubt is None else None, doubt)


def _attributed(case: Case, followed: Followed, known: Known, trace: list[Bearing]) -> Attributed:
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
    return attribute(followed, view, origin, array.speed_of_sound, sound, known.moved())


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
