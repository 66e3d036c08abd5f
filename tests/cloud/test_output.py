"""The file that a command writes for somebody: whole or not at all, and never another."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from vigil_cloud.commands.output import written

WRITE = "from pathlib import Path; from vigil_cloud.commands.output import written\n"
WRITE += "with written(Path('/dev/stdout')) as file: file.write('flags\\n')"


def write(out: Path, text: str = "flags\n") -> None:
    with written(out) as file:
        file.write(text)


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "shelf" / "flags.csv", tmp_path / "link.csv"
    target.parent.mkdir()
    link.symlink_to(target)
    write(link)
    assert (link.is_symlink(), target.read_text("utf-8")) == (True, "flags\n")
    target.chmod(0o640)
    write(link, "anew\n")
    assert (target.read_text("utf-8"), stat.S_IMODE(target.stat().st_mode)) == ("anew\n", 0o640)
    assert {one.name for one in tmp_path.rglob("*")} == {"shelf", "flags.csv", "link.csv"}


def test_what_few_may_read_is_not_shown_to_more_on_the_way(tmp_path: Path) -> None:
    out = tmp_path / "flags.csv"
    out.touch(0o600)
    with written(out) as file:
        (part,) = tmp_path.glob("*.part")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        file.write("flags\n")
    assert (out.read_text("utf-8"), stat.S_IMODE(out.stat().st_mode)) == ("flags\n", 0o600)


@pytest.mark.parametrize("letter", ["f", "水", "𠮷"])
def test_a_name_may_be_as_long_as_names_are(tmp_path: Path, letter: str) -> None:
    out = tmp_path / (letter * (255 // len(letter.encode())))
    write(out)
    assert (out.read_text("utf-8"), list(tmp_path.iterdir())) == ("flags\n", [out])


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(link)
    with pytest.raises(OSError, match="symbolic links"):
        write(link)
    assert link.is_symlink()


def test_nobodys_file_beside_it_is_touched(tmp_path: Path) -> None:
    kept, laid, mine = tmp_path / "kept", tmp_path / "flags.csv.part", tmp_path / "flags.csv"
    kept.write_text("precious", "utf-8")
    laid.symlink_to(kept)
    write(mine)
    assert (kept.read_text("utf-8"), laid.is_symlink()) == ("precious", True)
    assert mine.read_text("utf-8") == "flags\n"


def test_what_fails_leaves_the_former_file_and_no_other(tmp_path: Path) -> None:
    out = tmp_path / "flags.csv"
    write(out, "former\n")
    with pytest.raises(UnicodeEncodeError):
        write(out, "half\ud800")
    assert (out.read_text("utf-8"), list(tmp_path.iterdir())) == ("former\n", [out])


def test_standard_output_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n", "utf-8")
    with log.open("a") as file:
        subprocess.run([sys.executable, "-c", WRITE], stdout=file, check=True)
    assert log.read_text("utf-8") == "before\nflags\n"
    assert Path("/dev/stdout").is_symlink()
    piped = subprocess.run([sys.executable, "-c", WRITE], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"flags\n"


def test_a_dash_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    write(Path("-"))
    assert capfd.readouterr().out == "flags\n"
    assert not Path("-").exists()


def test_a_named_pipe_stays_one(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    write(pipe)
    reader.join()
    assert (read, pipe.is_fifo()) == (["flags\n"], True)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_is_written_in_a_folder_that_takes_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    out = folder / "flags.csv"
    out.write_text("former", "utf-8")
    folder.chmod(0o555)
    try:
        write(out)
        assert out.read_text("utf-8") == "flags\n"
        out.chmod(0o444)
        with pytest.raises(PermissionError):
            write(out, "never")
        with pytest.raises(PermissionError):
            write(folder / "new.csv")
    finally:
        folder.chmod(0o755)
    assert out.read_text("utf-8") == "flags\n"
