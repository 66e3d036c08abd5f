"""A passage's package with its time stamp, and without one where nobody answers."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from edge.evidence.test_stamp import Asking
from edge.noise.conftest import NotebookContext
from edge.noise.pass_by import SCOOTER, Passing, case_folder, without_pictures
from servers.tsa import Authority, time_authority
from vigil_edge.noise.evidence import send
from vigil_schemas.evidence import STAMP_NAME, SUMS_NAME


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with time_authority(tmp_path / "tsa") as made:
        yield made


async def test_a_passages_package_holds_its_sums_and_their_stamp(
    authority: Authority, context: NotebookContext, tmp_path: Path
) -> None:
    context.stamped = True
    context.time_stamp = Asking(  # type: ignore[method-assign] # the real one
        authority.url, authority.ca_file
    ).stamps.ask
    folder = case_folder(tmp_path / "cases", [Passing(SCOOTER, "MKJ-8527")])
    await send(context, folder)
    ((manifest, path),) = context.deposits
    files = {file.name: file for file in manifest.files}
    assert (files[SUMS_NAME].role, files[STAMP_NAME].role) == ("timestamp", "timestamp")
    with zipfile.ZipFile(path) as archive:
        text, stamp = archive.read(SUMS_NAME), archive.read(STAMP_NAME)
    assert authority.verify(text, stamp)
    lines = [line.split("  ") for line in text.decode().splitlines()]
    told = {name: digest for digest, name in lines}
    assert told == {
        name: file.sha256 for name, file in files.items() if name not in (SUMS_NAME, STAMP_NAME)
    }
    assert context.exceedances[0].evidence is not None


async def test_a_passage_is_sealed_without_a_stamp_where_nobody_answers(
    context: NotebookContext, tmp_path: Path
) -> None:
    asking = Asking(f"http://127.0.0.1:{servers.free_port()}")
    context.stamped = True
    context.time_stamp = asking.stamps.ask  # type: ignore[method-assign] # the real one
    # Heard alone: whatever is sealed is stamped or not in the same way.
    folder = case_folder(tmp_path / "cases", [Passing(SCOOTER, "MKJ-8527")])
    without_pictures(folder)
    await send(context, folder)
    ((manifest, _),) = context.deposits
    assert {SUMS_NAME, STAMP_NAME}.isdisjoint(file.name for file in manifest.files)
    assert asking.counts == {"timestamp-missing": 1}
    assert len(context.exceedances) == 1
