"""A case is on the disk before it counts as kept, or it is not there at all."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path

import pytest

from edge.noise.pass_by import BEGIN, FPS, SCOOTER, Passing, recorded
from vigil_edge.noise import evidence
from vigil_edge.noise.case import Case
from vigil_edge.noise.event import Place, exceedance
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.pictures.frame import Frame, Shots

PICTURES = 300
LIBC = ctypes.CDLL(None, use_errno=True)


class Disk:
    """The C library's ``syncfs``, with what was there each time it was asked for."""

    def __init__(self, folder: Path, failure: int = 0) -> None:
        self.folder, self.failure = folder, failure
        self.found: list[dict[str, int]] = []

    def syncfs(self, descriptor: int) -> int:
        folder = Path(f"/proc/self/fd/{descriptor}").readlink()
        there = {one.name for one in self.folder.iterdir()}
        assert there == {folder.name}, "it counts as kept only afterwards"
        files = [one for one in folder.rglob("*") if one.is_file()]
        self.found.append({str(one.relative_to(folder)): one.stat().st_size for one in files})
        if self.failure:
            ctypes.set_errno(self.failure)
            return -1
        return int(LIBC.syncfs(descriptor))


def write(spool: Spool) -> Path:
    kept = recorded([Passing(SCOOTER, "")])
    case = Case(
        device="mic-1",
        sound_started=kept.started,
        sound_ended=kept.ended,
        calibration={"channel": 0.0, "pascal_per_unit": 1.0},
        exceedance=exceedance(Place("gw-1", "mic-1", 86.0, calibrated=True), kept),
    )
    begin = BEGIN.timestamp()
    pictures = [Frame(begin + n / FPS, b"picture %d" % n) for n in range(PICTURES)]
    return spool.write(case, kept, {"overview": Shots(pictures, FPS)})


def test_all_of_a_case_is_waited_for_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path)
    monkeypatch.setattr(evidence, "_LIBC", disk)
    folder = write(Spool(tmp_path))
    (found,) = disk.found
    kept = [one for one in folder.rglob("*") if one.is_file()]
    assert found == {str(one.relative_to(folder)): one.stat().st_size for one in kept}
    assert sum(name.endswith(".jpg") for name in found) == PICTURES
    assert Spool(tmp_path).waiting() == [folder]


def test_a_case_that_the_disk_did_not_take_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_LIBC", Disk(tmp_path, errno.EIO))
    with pytest.raises(OSError, match="did not take") as failed:
        write(Spool(tmp_path))
    assert failed.value.errno == errno.EIO
    assert Spool(tmp_path).waiting() == []
    monkeypatch.undo()
    folder = write(Spool(tmp_path))
    assert Spool(tmp_path).waiting() == [folder], "it is written anew"
