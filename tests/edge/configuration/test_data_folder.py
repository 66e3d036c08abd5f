"""What is written into a gateway's data folder: by two at once, by root, on a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vigil_edge.configuration import lock
from vigil_edge.configuration.desired import NAME, Desired, keep, recall
from vigil_schemas.control import Configuration


def desired(revision: int) -> Desired:
    configuration = Configuration(revision=revision, paused_devices=["probe-1"] * (revision % 7))
    return Desired(revision=revision, configuration=configuration)


def test_a_reset_beside_a_configuration_that_comes_leaves_one_of_them(tmp_path: Path) -> None:
    def write(worker: int) -> None:
        for number in range(25):
            keep(tmp_path, desired(1 + 25 * worker + number))
            assert recall(tmp_path).configuration is not None

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(write, range(4)))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.fixture
def closed_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.usefixtures("closed_umask")
def test_what_root_resets_its_agent_can_read(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, 54322)
    (tmp_path / f"{NAME}.new").write_text("of a reset that did not end")

    keep(tmp_path, desired(3).reset())

    kept = (tmp_path / NAME).stat()
    assert (kept.st_uid, kept.st_gid) == (54321, 54322)
    assert recall(tmp_path).dropped


def test_an_agent_starts_where_its_number_finds_no_room(tmp_path: Path) -> None:
    """Whatever fills the disk, its outbox perhaps, is emptied by an agent that runs."""
    (tmp_path / lock.LOCK).symlink_to("/dev/full")
    with lock.held(tmp_path):
        pass


def test_the_number_in_the_lock_is_the_agents_alone(tmp_path: Path) -> None:
    (tmp_path / lock.LOCK).write_text("1234567890123")
    assert lock.holder(tmp_path) is None
    with lock.held(tmp_path):
        assert lock.holder(tmp_path) == os.getpid()
    assert lock.holder(tmp_path) is None
