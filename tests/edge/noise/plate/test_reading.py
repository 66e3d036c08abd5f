"""Reading plates: pictures of known text, formats as a prior, and pictures that are none."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import data
from vigil_edge.cli import main
from vigil_edge.noise.errors import PictureUnusable
from vigil_edge.noise.plate.formats import likeliest
from vigil_edge.noise.plate.reader import MOST_BYTES, load, read_plate
from vigil_edge.noise.plate.recogniser import ALPHABET
from vigil_sim.noise.plate import plate


def street(
    text: str, *, seed: int = 1, width: int = 200, tilt: float = 0.0
) -> npt.NDArray[np.uint8]:
    """A plate of ``width`` pixels in a grey street, turned by ``tilt`` degrees."""
    rng = np.random.default_rng(seed)
    flat = plate(text, scooter=False)
    size = (width, round(width * flat.shape[0] / flat.shape[1]))
    small = cv2.resize(flat, size, interpolation=cv2.INTER_AREA)
    picture = np.clip(rng.normal(95, 6, (360, 640, 3)), 0, 255).astype(np.uint8)
    top, left = 150, 220
    picture[top : top + size[1], left : left + size[0]] = small
    turn = cv2.getRotationMatrix2D((320.0, 180.0), tilt, 1.0)
    turned = cv2.warpAffine(picture, turn, (640, 360), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def chances(*characters: dict[str, float]) -> npt.NDArray[np.float64]:
    rows = np.zeros((len(characters), 36))
    for row, shares in zip(rows, characters, strict=True):
        for letter, share in shares.items():
            row[ALPHABET.index(letter)] = share
    return rows


@pytest.mark.parametrize(("text", "tilt"), [("ABC-1234", 0.0), ("8521-KL", 6.0), ("MKP-739", -6.0)])
def test_a_plate_in_a_street(text: str, tilt: float) -> None:
    read = read_plate(street(text, tilt=tilt))
    assert read.text == text.replace("-", "")
    assert read.confidence >= 0.6
    assert len(read.characters) == len(read.text)
    assert read.box is not None
    x, y, width, height = read.box
    assert x < 320 < x + width
    assert y < 180 < y + height


def test_nothing_is_made_up_where_there_is_no_plate_or_it_cannot_be_made_out() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (300, 500, 3)).astype(np.uint8)
    assert read_plate(noise).text is None
    blurred = cv2.GaussianBlur(street("ABC-1234", width=90), (0, 0), 6)
    assert read_plate(np.asarray(blurred, dtype=np.uint8)).text is None


def test_a_format_decides_between_characters_that_look_alike() -> None:
    sure = [{letter: 0.99} for letter in "BC1234"]
    read = likeliest(chances({"8": 0.55, "B": 0.44}, *sure))
    assert read is not None
    assert read.text == "BBC1234"


def test_a_format_does_not_overrule_what_is_seen_clearly() -> None:
    read = likeliest(chances(*({letter: 0.999} for letter in "A1B2C3D")))
    assert read is not None
    assert read.text == "A1B2C3D"


def test_a_doubtful_character_makes_the_whole_doubtful() -> None:
    sure = [{letter: 0.99} for letter in "ABC123"]
    read = likeliest(chances(*sure, {"4": 0.5, "9": 0.5}))
    assert read is not None
    assert read.confidence < 0.6


@pytest.mark.parametrize("size", [(1, 1), (10_000, 10_001)])
def test_pictures_of_impossible_size(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "odd.png"
    Image.new("1", size).save(path)
    with pytest.raises(PictureUnusable, match=r"too (few|many)"):
        load(path)


def test_what_stands_behind_a_pictures_head_is_not_read_without_bound(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    Image.new("1", (100, 100)).save(path)
    with path.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)  # a hole: it takes no room on the disk
    with pytest.raises(PictureUnusable, match="larger than 200 MB"):
        load(path)


def test_one_bad_picture_does_not_end_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, torn, text = tmp_path / "good.png", tmp_path / "torn.jpg", tmp_path / "text.jpg"
    assert cv2.imwrite(str(good), street("ABC-1234"))
    torn.write_bytes(bytes(cv2.imencode(".jpg", street("ABC-1234"))[1])[:200])
    text.write_text("no picture")
    missing = tmp_path / "missing.jpg"
    files = [str(each) for each in (missing, torn, text, good)]
    assert main(["noise", "plate", *files]) == 2
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["image"] for line in lines] == files
    assert [line["plate"] for line in lines] == [None, None, None, "ABC1234"]
    assert all("picture-unusable" in line["error"] for line in lines[:3])
    assert captured.err.count("\n") == 3
    assert lines[3]["milliseconds"] > 0


@pytest.mark.parametrize("damage", ["sums", "end"])
def test_codecs_say_nothing_of_a_damaged_picture_beside_our_line(
    damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.png"
    whole = bytearray(bytes(cv2.imencode(".png", street("ABC-1234"))[1]))
    if damage == "sums":
        whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole if damage == "sums" else whole[: len(whole) // 2])
    assert main(["noise", "plate", str(path)]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "the picture is damaged" in said


def test_what_is_no_file_is_told_at_once_and_the_next_picture_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.png"
    assert cv2.imwrite(str(good), street("ABC-1234"))
    pipe, folder, empty = tmp_path / "pipe.png", tmp_path / "folder.png", tmp_path / "empty.png"
    os.mkfifo(pipe)  # nobody writes: whoever opened it would wait for ever
    folder.mkdir()
    empty.touch()
    loop, other = tmp_path / "loop.png", tmp_path / "other.png"
    loop.symlink_to(other)
    other.symlink_to(loop)
    files = [str(each) for each in (pipe, folder, empty, loop, "a\0b.png", good)]
    assert main(["noise", "plate", *files]) == 2
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["plate"] for line in lines] == [None] * 5 + ["ABC1234"]
    told = ["a pipe or a device", "directory", "empty", "symbolic links", "no file has such a name"]
    for line, reason in zip(lines, told, strict=False):
        assert reason in line["error"]
    assert captured.err.count("\n") == 5


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def test_what_unpacks_to_much_is_not_unpacked(tmp_path: Path) -> None:
    """A text and a colour profile of 100 MB in a picture of 640 × 360, and rows without end."""
    packing = zlib.compressobj(9)
    # Piece by piece, so that this test's own memory hides nothing.
    much = b"".join(packing.compress(bytes(1_000_000)) for _ in range(100)) + packing.flush()
    rows = zlib.compress(bytes(360 * (1 + 3 * 640)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 640, 360, 8, 2, 0, 0, 0))
    for extra, body in (
        (chunk(b"zTXt", b"a\0\0" + much), rows),
        (chunk(b"iCCP", b"a\0\0" + much), rows),
        (b"", much),
    ):
        path = tmp_path / "bomb.png"
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        )
        assert grown_by_loading(path) < 80_000_000


LOADING = r"""
import re, sys
from contextlib import suppress
from pathlib import Path

from vigil_edge.noise.errors import PictureUnusable
from vigil_edge.noise.plate.reader import load


def peak():
    return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


before = peak()
with suppress(PictureUnusable):
    load(Path(sys.argv[1]))
print(peak() - before)
"""
"""The kernel's own mark of the most memory held: ``getrusage`` begins with what the parent held."""


def grown_by_loading(path: Path) -> int:
    """Bytes, in a process of its own: this one may have held more before."""
    ran = subprocess.run([sys.executable, "-c", LOADING, path], capture_output=True, check=True)
    return int(ran.stdout)


@pytest.mark.parametrize("kind", ["grey", "deep", "deep grey", "cmyk", "turned", "moving", "alpha"])
def test_pictures_of_every_kind_are_read(kind: str, tmp_path: Path) -> None:
    shown = street("ABC-1234")
    image = Image.fromarray(np.ascontiguousarray(shown[..., ::-1]))
    path = tmp_path / "picture"
    if kind == "grey":
        image.convert("L").save(path, "PNG")
    elif kind.startswith("deep"):
        deep = shown.astype(np.uint16) * 257
        path = path.with_suffix(".png")
        assert cv2.imwrite(str(path), deep if kind == "deep" else deep[..., 0])
    elif kind == "cmyk":
        image.convert("CMYK").save(path, "JPEG", quality=95)
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", exif=exif, quality=95)
    elif kind == "moving":
        image.save(path, "GIF", save_all=True, append_images=[image.convert("L")])
    else:
        image.putalpha(0)
        image.save(path, "PNG")
    assert read_plate(load(path)[0]).text == "ABC1234"


def test_street_photographs() -> None:
    """Of 12 that nobody here chose; they were at hand during development, so they show that the
    reader works on photographs and are no independent figure. The bench reads them all."""
    folder = data.shared("plates")
    for name in ("GWT2180", "JIY4434"):
        read = read_plate(load(folder / f"{name}.jpg")[0])
        assert read.text == name
