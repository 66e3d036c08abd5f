"""A disk that is full under a backup or a restore: one sentence, nothing half done, given again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from cloud_city import SECRET
from vigil_cloud import cli
from vigil_cloud.config import load
from vigil_cloud.stores import build_services
from vigil_cloud.timeseries.port import Point, Series

SERIES = Series("water", "gw-east", "probe-1", "pH")


class SmallDisk:
    """A file system in memory, of a size that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def mount(self, kilobytes: int) -> None:
        again = "remount," if self.folder.is_mount() else ""
        options = ["-o", f"{again}size={kilobytes}k"]
        subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(self.folder)], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        servers.missing("root, who mounts", "run this as root")
    made = SmallDisk(tmp_path / "disk")
    made.mount(256)
    yield made
    made.close()


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_SECRET_KEY", SECRET)
    monkeypatch.setenv("VIGIL_DATA_DIR", str(folder))


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a gateway, readings and an object that hardly packs."""
    folder = tmp_path / "city"
    use(folder, monkeypatch)
    assert cli.main(["migrate"]) == 0
    assert cli.main(["gateway", "add", "gw-east"]) == 0
    services = build_services(load())
    points = [Point(SERIES, 1_700_000_000_000_000 + n, n / 7, 1) for n in range(20_000)]
    services.timeseries.write(points)
    (tmp_path / "package").write_bytes(os.urandom(1_000_000))
    services.objects.put("evidence/gw-east/one.zip", tmp_path / "package")
    services.close()
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence; log lines are JSON."""
    lines = [one for one in capsys.readouterr().err.splitlines() if not one.startswith("{")]
    assert len(lines) == 1, lines
    return lines[0]


def test_a_backup_to_a_full_disk_leaves_nothing_and_may_be_given_again(
    city: Path, disk: SmallDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    file = disk.folder / "city.zip"
    capsys.readouterr()
    assert cli.main(["backup", str(file)]) == 2
    assert "No space left on device" in said(capsys)
    assert list(disk.folder.iterdir()) == []

    disk.mount(8 * 1024)
    assert cli.main(["backup", str(file)]) == 0
    assert cli.main(["restore", "--check", str(file)]) == 0


@pytest.mark.parametrize("kilobytes", [64, 700, 1500, 2600])
def test_a_restore_to_a_full_disk_is_begun_anew_on_a_larger_one(
    city: Path,
    disk: SmallDisk,
    tmp_path: Path,
    kilobytes: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = str(tmp_path / "city.zip")
    assert cli.main(["backup", file]) == 0
    use(disk.folder / "data", monkeypatch)
    disk.mount(kilobytes)
    capsys.readouterr()
    assert cli.main(["restore", file]) == 2
    sentence = said(capsys)
    assert "full" in sentence or "No space left" in sentence or "are free under" in sentence
    assert not list((disk.folder / "data").glob("restoring/*"))

    disk.mount(64 * 1024)
    assert cli.main(["restore", file]) == 0
    assert cli.main(["gateway", "list"]) == 0
    assert "gw-east" in capsys.readouterr().out
