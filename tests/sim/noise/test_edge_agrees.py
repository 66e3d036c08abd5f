"""The gateway, a stranger to the simulator, finds what was rendered: the level and the plate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

import servers


def run(*arguments: str) -> list[dict[str, Any]]:
    done = servers.run([sys.executable, "-m", *arguments], text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("passage")
    arguments = ("--out", str(folder / "x.wav"), "--frames", str(folder / "frames"))
    facts = run("vigil_sim", "render-noise", *arguments)[0]
    return folder, facts


def test_the_edge_s_meter_reads_the_promised_level(
    rendered: tuple[Path, dict[str, Any]],
) -> None:
    folder, facts = rendered
    calibration = ("--full-scale-peak-db", str(facts["full_scale_peak_db"]))
    lines = run("vigil_edge", "noise", "replay", str(folder / "x.wav"), *calibration)
    total = lines[-1]
    assert total["kind"] == "total"
    assert total["LAFmax"] == pytest.approx(facts["LAFmax"], abs=0.1)
    triggers = [line for line in lines if line["kind"] == "trigger"]
    assert len(triggers) == 1
    assert triggers[0]["LAFmax"] == pytest.approx(97.0, abs=0.1)


def test_the_edge_finds_the_plate_near_the_loudest_moment(
    rendered: tuple[Path, dict[str, Any]],
) -> None:
    from vigil_edge.noise.pictures.encode import best_plate

    folder, facts = rendered
    frames = [(path, int(path.stem) / 10) for path in sorted((folder / "frames").glob("*.jpg"))]
    assert len(frames) == facts["frames"] == 160
    found = best_plate(frames, facts["nearest_s"] + 0.2)
    assert found is not None
    picture, plate, moves, _ = found
    assert moves
    crop = cv2.cvtColor(plate.crop(picture), cv2.COLOR_BGR2GRAY)
    # It is the scooter's: white, low in the picture, in the near lane.
    assert plate.y > 0.55 * picture.shape[0]
    assert crop.max() > 210
    assert plate.width >= 40
