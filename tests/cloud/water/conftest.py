"""Cities and files of the water's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_city import NOON, City
from followed_sonde import FOLLOWED, LEARNT, QUARTER, Floats, course, judged, stored


@pytest.fixture(scope="session")
def learnt_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose probe was followed for six days; each test takes a copy."""
    folder = Path(shutil.copytree(populated_folder, tmp_path_factory.mktemp("learnt") / "cloud"))
    city = City(folder)
    stored(city, course()[:LEARNT], NOON - LEARNT * QUARTER)
    city.time = FOLLOWED
    judged(city)
    city.close()
    return folder


@pytest.fixture
def learnt(learnt_folder: Path, tmp_path: Path) -> Iterator[tuple[City, Floats]]:
    """That city, and what its probe goes on to show."""
    city = City(Path(shutil.copytree(learnt_folder, tmp_path / "learnt")))
    city.time = FOLLOWED
    yield city, course()[LEARNT:]
    city.close()
