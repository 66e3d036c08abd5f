"""The accusation: the bearing, the vehicle and its plate, or why not, from what is on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.noise.pass_by import CAR, SCOOTER, Passing, case_folder, looked_at
from vigil_edge.noise.case import Findings
from vigil_edge.noise.rivals import own_part


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
