"""The meter listens whatever has become of the folder where compiled code is kept."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching, config

from vigil_edge.noise.meter.compiling import compiled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    return tmp_path / "cache"


def twice() -> Any:
    @compiled("f8(f8)")
    def doubled(value: float) -> float:
        return 2.0 * value

    return doubled


def test_what_a_power_loss_left_is_told_of_and_compiled_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert twice()(4.0) == 8.0
    kept = [path for path in folder.rglob("*.nb?") if path.is_file()]
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    assert not caplog.records
    for suffix in (".nbc", ".nbi"):
        for path in kept:
            if path.suffix == suffix:
                path.write_bytes(b"")  # its name was written, its content was not
        caplog.clear()
        assert twice()(4.0) == 8.0
        (told,) = caplog.records
        assert told.levelno == logging.WARNING
        assert "doubled" in told.getMessage()


def test_a_folder_that_cannot_be_written_compiles_at_each_start(folder: Path) -> None:
    folder.write_text("this is no folder")
    assert twice()(4.0) == 8.0


def test_a_full_disk_is_told_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    assert twice()(4.0) == 8.0
    (told,) = caplog.records
    assert "No space left" in told.getMessage()
