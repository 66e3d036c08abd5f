"""A shell completes what the programs take: asked in a real bash, of the scripts they print."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from vigil_schemas.completion import SHELLS

PROGRAMS = ("vigil-edge", "vigil-cloud", "vigil-sim")
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"_shtab_${1//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each program's script for bash, as a file."""
    folder = tmp_path_factory.mktemp("completions")
    found = {}
    for program in PROGRAMS:
        found[program] = folder / program
        found[program].write_text(said(program, "bash"), "utf-8")
    return found


def said(program: str, shell: str) -> str:
    command = [sys.executable, "-m", program.replace("-", "_"), "completion", shell]
    done = servers.run(command, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing is missing here"
    text: str = done.stdout
    return text


def offered(script: Path, *words: str) -> set[str]:
    command = ["bash", "-c", ASK, "ask", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["vigil-edge", ""], {"run", "enrol", "doctor", "noise", "completion"}),
        (["vigil-edge", "noise", "re"], {"replay"}),
        (["vigil-edge", "run", "--log-level", ""], {"debug", "info", "warning", "error"}),
        (["vigil-cloud", "ma"], {"map"}),
        (["vigil-cloud", "map", ""], {"import", "show", "remove"}),
        (["vigil-cloud", "gateway", "en"], {"enrol"}),
        (["vigil-cloud", "water", "ve"], {"velocities"}),
        (["vigil-sim", "str"], {"streets"}),
    ],
)
def test_words_are_completed(printed: dict[str, Path], words: list[str], wanted: set[str]) -> None:
    assert offered(printed[words[0]], *words) >= wanted


def test_files_are_completed_where_a_file_is_asked_for(
    printed: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "gateway.toml").touch()
    begun = str(tmp_path / "gate")
    found = offered(printed["vigil-edge"], "vigil-edge", "check", "--config", begun)
    assert found == {str(tmp_path / "gateway.toml")}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_that_is_offered_gets_a_script_that_it_reads(
    shell: str, tmp_path: Path
) -> None:
    file = tmp_path / "script"
    file.write_text(said("vigil-edge", shell), "utf-8")
    assert "enrol" in file.read_text("utf-8")
    if shutil.which(shell) is not None and shell != "tcsh":  # which has no way to read alone
        done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
