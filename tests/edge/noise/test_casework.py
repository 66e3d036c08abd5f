"""The accusation: the bearing, the vehicle and its plate, or why not, from what is on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.noise.pass_by import CAR, SCOOTER, Passing, case_folder, looked_at
from vigil_edge.noise.case import Findings


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
