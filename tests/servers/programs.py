"""Where a program is, and what is said of a test whose program is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

SERVERS = Path(os.environ.get("VIGIL_SERVERS", "/opt/vigil-servers/bin"))


def find(program: str) -> Path | None:
    """A program on PATH, in the system's sbin or in ``$VIGIL_SERVERS``."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found:
        return Path(found)
    candidate = SERVERS / program
    if candidate.is_file():
        return candidate
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / program).is_file():
            return folder / program
    return None


def required(name: str) -> bool:
    """Whether ``VIGIL_REQUIRE`` says that this may not be missing."""
    wanted = os.environ.get("VIGIL_REQUIRE", "")
    return wanted == "all" or name in wanted.split(",")


def missing(name: str, install: str) -> None:
    """Skip the test, or fail it where ``VIGIL_REQUIRE`` names what is missing."""
    message = f"{name} is not installed: {install}"
    if required(name):
        pytest.fail(message)
    pytest.skip(message)


def need(program: str, install: str) -> Path:
    """The program's path; skips (or fails, see ``required``) with the command that installs it."""
    path = find(program)
    if path is None:
        missing(program, install)
        raise AssertionError("unreachable")
    return path
