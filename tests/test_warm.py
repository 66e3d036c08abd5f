"""Programs that are forked warm are processes like any other; plain ones where that cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import servers
from servers import warm

HELP = [sys.executable, "-m", "vigil_sim", "--help"]


class Refusing:
    """A nursery with threads, or one that has ended."""

    def fork(self, _request: Mapping[str, Any], _files: Sequence[int]) -> None:
        return None


def test_a_nursery_that_cannot_fork_costs_time_and_no_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(warm._nurseries, "vigil_sim", Refusing())
    done = servers.run(HELP, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: vigil-sim" in done.stdout
    with servers.spawn(HELP, stdout=subprocess.DEVNULL) as process:
        assert process.wait(60) == 0


@pytest.mark.parametrize("package", list(warm.PRELOADED))
def test_what_is_loaded_starts_no_thread_and_forks(package: str) -> None:
    command = [sys.executable, "-m", package, "--help"]
    with servers.spawn(command, stdout=subprocess.DEVNULL) as process:
        assert process.wait(60) == 0
    assert isinstance(process, warm._Warm)
    assert process._told is not None, "it was started plainly"


def test_an_option_that_is_not_understood_starts_a_plain_process() -> None:
    with servers.spawn(HELP, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        assert type(process) is subprocess.Popen
        assert process.wait(60) == 0


def test_another_python_whose_subprocess_is_made_otherwise_is_noticed() -> None:
    class Other(subprocess.Popen[bytes]):
        def _execute_child(self, request: object) -> None:
            raise AssertionError

    assert warm.is_as_known(subprocess.Popen)
    assert not warm.is_as_known(Other)
    assert not warm.is_as_known(object)
