"""The accusation: the bearing, the vehicle and its plate, or why not, from what is on disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.noise.conftest import NotebookContext
from edge.noise.pass_by import CAR, SCOOTER, Passing, case_folder, looked_at
from vigil_edge.noise import case_process, casework, evidence
from vigil_edge.noise.case import FINDINGS, Findings
from vigil_edge.noise.case_process import ONE_BY_ONE
from vigil_edge.noise.rivals import own_part
from vigil_edge.worker import Worker


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Findings]:
    """One scooter."""
    folder = case_folder(tmp_path_factory.mktemp("alone"), [Passing(SCOOTER, "MKJ-8527")])
    return folder, looked_at(folder)


def test_the_bearing_at_the_loudest_moment(alone: tuple[Path, Findings]) -> None:
    _, found = alone
    assert found.bearing is not None
    assert found.bearing.abstained is None
    assert found.bearing.azimuth_deg is not None
    # Beside the microphones it stands at 90°; the exhaust is louder behind, so a little later.
    assert 20 < found.bearing.azimuth_deg < 95
    assert found.bearing.confidence > 0.5
    assert found.bearing_deg is None, "nobody said where north is"


def test_the_vehicle_is_named_and_its_plate_read(alone: tuple[Path, Findings]) -> None:
    folder, found = alone
    assert found.vehicle is not None
    assert found.vehicle.abstained is None
    vehicle = found.vehicle.vehicle
    assert vehicle is not None
    assert vehicle.apart_deg < 9
    assert vehicle.travel_s < 0.1
    assert found.plate_reading is not None
    assert found.plate_reading.abstained is None
    assert [one.text for one in found.plates] == ["MKJ8527"]
    assert {"bearing.json", "votes.json"} <= {path.name for path in folder.iterdir()}


def test_what_passes_right_before_or_after_is_not_the_passage() -> None:
    # Every 40 ms: one of 98 dB, this passage of 92 dB, and one of 95 dB, each 2 s behind the other.
    times = np.arange(0, 8, 0.04)
    levels = np.full_like(times, 60.0)
    for at, peak in ((2.0, 98.0), (4.0, 92.0), (6.0, 95.0)):
        levels = np.maximum(levels, peak - 12.0 * np.abs(times - at))
    own = own_part(levels, int(np.abs(times - 4.0).argmin()))
    assert levels[own].max() == pytest.approx(92, abs=0.5)
    assert times[own][0] > 3.0
    assert times[own][-1] < 5.0
    assert len(times[own]) > 30
    # and alone it is all that stands within 10 dB of it, a gear change included
    change = 2.0 * ((times > 4.3) & (times < 4.5))
    alone = np.maximum(60.0, 92.0 - 8.0 * np.abs(times - 4.0) - change)
    part = own_part(alone, 100)
    assert np.flatnonzero(alone >= alone.max() - 10.0).tolist() == list(range(200))[part]
    assert own_part(np.array([90.0]), 0) == slice(0, 1)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scooter, and a quiet car that comes towards it."""
    vehicles = [Passing(SCOOTER, "MKJ-8527"), Passing(CAR, "BHX-3165", at_s=2.5)]
    return case_folder(tmp_path_factory.mktemp("both"), vehicles)


def test_a_quiet_car_on_the_other_lane_is_not_accused(both: Path) -> None:
    found = looked_at(both)
    assert found.vehicle is not None
    assert found.vehicle.tracks >= 2
    assert "BHX3165" not in {one.text for one in found.plates}
    if found.vehicle.vehicle is None:
        assert found.vehicle.abstained in {"several", "no-match"}
        assert found.plates == []


def test_without_an_array_two_vehicles_are_not_told_apart(both: Path) -> None:
    case = json.loads((both / "case.json").read_text())
    (both / "case.json").write_text(json.dumps(case | {"array": None, "view": None}))
    found = looked_at(both)
    assert found.bearing is not None
    assert found.bearing.abstained == "no-array"
    assert found.vehicle is not None
    assert found.vehicle.abstained == "no-array"
    assert found.plates == []
    assert found.plate_reading is not None
    assert found.plate_reading.abstained == "not-attributed"


def _again(folder: Path, where: Path) -> Path:
    """The same case, before anybody looked at it."""
    copy = where / folder.name
    shutil.copytree(folder, copy)
    for name in (FINDINGS, "bearing.json", "votes.json"):
        (copy / name).unlink()
    return copy


def test_on_one_processor_what_is_found_comes_before_the_films(
    alone: tuple[Path, Findings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway too slow for the video keeps findings and pictures; and one film that cannot be
    made costs neither its copies nor what is measured of the sound."""
    folder = _again(alone[0], tmp_path)
    there: list[set[str]] = []

    def out_of_time(*_: object) -> list[str]:
        there.append({path.name for path in folder.iterdir()})
        raise TimeoutError

    monkeypatch.setattr(casework, "write_original", out_of_time)
    with pytest.raises(ExceptionGroup) as told:
        casework.work(folder, 1)
    assert [type(one) for one in told.value.exceptions] == [TimeoutError]
    (before,) = there
    assert {FINDINGS, "votes.json", "frame.jpg", "thumbnail.jpg", "plate.jpg"} <= before
    assert not {name for name in before if name.endswith((".webm", ".part", ".csv"))}
    after = {path.name for path in folder.iterdir()}
    assert {"blurred.webm", "overlay.webm", "octaves.csv", "spectrogram.png"} <= after
    assert "video.webm" not in after


async def test_a_program_that_was_prepared_does_the_same(
    alone: tuple[Path, Findings], tmp_path: Path
) -> None:
    folder = _again(alone[0], tmp_path)
    for film in folder.glob("*.webm"):
        film.unlink()
    worker = Worker(lambda _: None)
    await worker.prepare(case_process.PROGRAM, environment=case_process.ENVIRONMENT)
    said = case_process.words(folder)
    assert await worker.run(said, priority=1, within_s=600, environment=case_process.ENVIRONMENT)
    found = Findings.model_validate_json((folder / FINDINGS).read_bytes())
    assert found == alone[1]
    assert {"video.webm", "overlay.webm", "blurred.webm"} <= {one.name for one in folder.iterdir()}


async def test_what_takes_the_process_with_it_costs_no_finding(
    alone: tuple[Path, Findings],
    tmp_path: Path,
    context: NotebookContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A codec that crashes while the vehicle is still looked for: once more, one by one."""
    folder = _again(alone[0], tmp_path)
    work, asked = context.work, []

    async def crashing(words: Sequence[str], **how: Any) -> bool:
        asked.append(words)
        crash = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        return await work(crash if len(asked) == 1 else words, **how)

    monkeypatch.setattr(context, "work", crashing)
    assert await evidence._encoded(context, folder)
    assert [words[-1] == ONE_BY_ONE for words in asked] == [False, True]
    assert context.counters["case-looked-at-again"] == 1
    found = Findings.model_validate_json((folder / FINDINGS).read_bytes())
    assert [one.text for one in found.plates] == ["MKJ8527"]
    assert (folder / "video.webm").is_file()
