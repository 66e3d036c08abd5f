"""WAV files (RIFF and RF64) as blocks of frames, read chunk by chunk.

Made for recordings as they come out of loggers: broadcast extension and padding
chunks, odd sizes, WAVE_FORMAT_EXTENSIBLE, and headers of recorders that lost power
before they could write the length.
"""

from __future__ import annotations

import shutil
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from vigil_edge.noise.errors import (
    AudioEmpty,
    AudioTruncated,
    AudioUnreadable,
    AudioUnsupported,
)
from vigil_edge.noise.sound import calibration, riff
from vigil_edge.noise.sound.pcm import MAX_RATE_HZ, MIN_RATE_HZ, Encoding, Frames, PcmFormat
from vigil_edge.noise.sound.riff import Chunk

UNKNOWN_SIZE: Final = 0x7FFFF000
"""Writers to a pipe put this or more (0xFFFFFFFF) where the length belongs."""
UNKNOWN_LONG_SIZE: Final = 1 << 62
"""The same of RF64, whose lengths have 64 bits."""
_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {
    (1, 16): "s16le",
    (1, 24): "s24le",
    (1, 32): "s32le",
    (3, 32): "f32le",
    (3, 64): "f64le",
}
_CODECS: Final = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 85: "MP3"}
_LOOKED_AT: Final = 1 << 20
_GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True, slots=True)
class WavFile:
    """Where the samples of a file lie and how they are to be read."""

    path: Path
    format: PcmFormat
    offset: int
    frames: int
    notices: list[str] = field(default_factory=list)
    """Oddities that the reader should be told of."""
    full_scale_peak_db: float | None = None
    """Peak level of full scale, dB re 20 µPa, where its notes say it."""

    def blocks(self, frames_per_block: int) -> Iterator[Frames]:
        """The file's frames in order, shape (≤ frames_per_block, channels)."""
        left = self.frames
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            while left:
                wanted = min(left, frames_per_block)
                payload = stream.read(wanted * self.format.frame_bytes)
                if len(payload) < wanted * self.format.frame_bytes:
                    raise AudioTruncated(self.path, "became shorter while it was read")
                left -= wanted
                yield self.format.decode(payload)


@dataclass(slots=True)
class _Found:
    """What the walk over the chunks has met so far."""

    format: PcmFormat | None = None
    low_bits: int = 0
    """How many bits fewer than its container a sample has."""
    notices: list[str] = field(default_factory=list)
    long_data_size: int | None = None
    full_scales: list[float] = field(default_factory=list)
    """What notes in the file say of it, dB."""


@contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """The file itself, or a copy of what comes through a pipe, for as long as it is read.

    Raises ``AudioUnreadable``, also for a device, which would have no end.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise AudioUnreadable(path, "this is a device, not a file")
        if not stat.S_ISFIFO(mode):
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            with path.open("rb") as pipe, copy.open("wb") as file:
                shutil.copyfileobj(pipe, file)
            yield copy
    except OSError as error:
        raise AudioUnreadable(path, error.strerror or str(error)) from error


def open_wav(path: Path, *, ignore_size: bool = False) -> WavFile:
    """Read the header. ``ignore_size``: sound goes on to the end of the file, whatever the
    header says. Raises the errors of ``vigil_edge.noise.errors``."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            return _walk(path, stream, size, ignore_size)
    except OSError as error:
        raise AudioUnreadable(path, error.strerror or str(error)) from error


def write_wav(path: Path, frames: Frames, rate_hz: int) -> None:
    """Write frames, shape (n, channels), int16, int32 or float32, as they are."""
    channels, width = frames.shape[1], frames.dtype.itemsize
    tag = 1 if np.issubdtype(frames.dtype, np.integer) else 3
    samples = np.ascontiguousarray(frames.astype(frames.dtype.newbyteorder("<"))).tobytes()
    layout = struct.pack(
        "<HHIIHH", tag, channels, rate_hz, rate_hz * channels * width, channels * width, 8 * width
    )
    with path.open("wb") as stream:
        stream.write(struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE"))
        stream.write(struct.pack("<4sI", b"fmt ", len(layout)) + layout)
        stream.write(struct.pack("<4sI", b"data", len(samples)) + samples)


def raw_file(path: Path, layout: PcmFormat) -> WavFile:
    """A headerless file of the given format, as if it had a header."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise AudioUnreadable(path, error.strerror or str(error)) from error
    return _with_samples(path, layout, 0, size, [], None)


def _walk(path: Path, stream: BinaryIO, size: int, ignore_size: bool) -> WavFile:
    _check_riff(path, stream.read(12), size)
    found = _Found()
    at = 12
    for _ in range(riff.MOST_CHUNKS):
        chunk = riff.chunk_at(stream, at)
        if chunk is None:
            raise AudioTruncated(path, "the file ends before any sound data")
        if chunk.name == b"data":
            return _data(path, stream, found, chunk, size, ignore_size)
        if chunk.end > size:
            raise AudioTruncated(
                path,
                f"chunk {chunk.name!r} says {chunk.length} bytes, {size - chunk.offset} are there",
            )
        _note(path, stream, chunk, found)
        at, unpadded = riff.follows(stream, chunk, size)
        if unpadded:
            found.notices.append(f"the pad byte behind chunk {chunk.name!r} is missing")
    raise AudioUnreadable(path, f"more than {riff.MOST_CHUNKS} chunks before any sound")


def _check_riff(path: Path, head: bytes, size: int) -> None:
    if size == 0:
        raise AudioEmpty(path, "it is empty (0 bytes)")
    if head[:4] == b"OggS":
        raise AudioUnsupported(path, "an Ogg file; convert it to WAV first")
    if head[:4] in (b"RIFX", b"fLaC", b"FORM", b"ID3\x03", b"ID3\x04"):
        raise AudioUnsupported(path, f"{head[:4]!r} cannot be read; convert it to WAV first")
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] not in (b"WAVE", b""):
        raise AudioUnreadable(path, "it is not a WAV file; for headerless samples use --raw")
    if len(head) < 12:
        raise AudioTruncated(path, "the file ends inside its header")


def _note(path: Path, stream: BinaryIO, chunk: Chunk, found: _Found) -> None:
    stream.seek(chunk.offset)
    body = stream.read(min(chunk.length, calibration.MOST_BYTES))
    if chunk.name == b"fmt ":
        before = found.format
        found.format, found.low_bits = _format(path, body, found.notices)
        if before not in (None, found.format):
            raise AudioUnreadable(path, "two format chunks contradict each other")
    elif chunk.name == b"ds64" and len(body) >= 16:
        found.long_data_size = struct.unpack_from("<Q", body, 8)[0]
    elif chunk.name in calibration.NOTED_IN:
        found.full_scales += calibration.noted(body)
    elif chunk.name in (b"data", b"RIFF"):
        found.notices.append(
            f"{chunk.length} more bytes of sound follow in a chunk {chunk.name.decode()!r} of"
            " their own; they are not read"
        )


def _format(path: Path, body: bytes, notices: list[str]) -> tuple[PcmFormat, int]:
    """The layout, and how many bits fewer than its container an integer has."""
    if len(body) < 16:
        raise AudioTruncated(path, f"the format chunk has {len(body)} bytes; 16 are needed")
    tag, channels, rate_hz, per_second, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == 0xFFFE:
        if len(body) < 40 or body[26:40] != _GUID_TAIL:
            raise AudioUnsupported(path, "an extensible format with an unknown codec")
        valid, tag = struct.unpack_from("<H", body, 18)[0], struct.unpack_from("<H", body, 24)[0]
        bits = valid if tag == 1 and 8 < valid < bits else bits
    container = bits
    if tag == 1 and channels and not align % channels and 8 < bits < 8 * (align // channels) <= 32:
        container = 8 * (align // channels)  # 24 bits in four bytes, 20 bits in three
    encoding = _ENCODINGS.get((tag, container))
    if encoding is None:
        codec = {1: "integer", 3: "float"}.get(tag) or _CODECS.get(tag, f"codec {tag:#x}")
        raise AudioUnsupported(
            path,
            f"{bits}-bit {codec} cannot be read; convert it to 16, 24 or "
            "32-bit integers, or 32 or 64-bit floats",
        )
    layout = PcmFormat(encoding, rate_hz, channels)
    if align != layout.frame_bytes:
        raise AudioUnsupported(
            path, f"{align} bytes a frame do not fit {channels} channels of {bits} bits"
        )
    if align and per_second % align == 0 and per_second != rate_hz * align:
        other_hz = per_second // align
        if MIN_RATE_HZ <= other_hz <= MAX_RATE_HZ:
            notices.append(
                f"the header contradicts itself: {rate_hz} Hz, but as many bytes a second as at"
                f" {other_hz} Hz; {rate_hz} Hz is taken"
            )
    return layout, container - bits


def _data(
    path: Path, stream: BinaryIO, found: _Found, chunk: Chunk, size: int, ignore_size: bool
) -> WavFile:
    layout, notices = found.format, found.notices
    if layout is None:
        raise AudioUnreadable(path, "sound data before its format; not a sound WAV")
    length = _sound_bytes(path, stream, found, chunk, size, ignore_size)
    at, unpadded = riff.follows(stream, chunk._replace(length=length), size)
    if unpadded:
        notices.append("the pad byte behind the sound is missing")
    for behind in riff.trailing(stream, at, size):
        _note(path, stream, behind, found)
    if found.low_bits:
        layout = _justified(stream, layout, chunk.offset, length, found)
    elif layout.encoding == "s32le" and _are_floats(stream, chunk.offset, length):
        layout = replace(layout, encoding="f32le")
        notices.append("the header says integers, but the samples are floats: read as floats")
    full_scale_db, told = calibration.agreed(found.full_scales)
    notices += [] if told is None else [told]
    return _with_samples(path, layout, chunk.offset, length, notices, full_scale_db)


def _sound_bytes(
    path: Path, stream: BinaryIO, found: _Found, chunk: Chunk, size: int, ignore_size: bool
) -> int:
    """How many bytes of sound there are, by the header where it can be true."""
    length, there = chunk.length, size - chunk.offset
    notices = found.notices
    long = found.long_data_size or 0
    written = length == 0xFFFFFFFF and 0 < long < UNKNOWN_LONG_SIZE
    if written:
        length = long
    unwritten = not written and length >= UNKNOWN_SIZE and length > there
    if unwritten or (length == 0 and there >= 8 and not _only_chunks(stream, chunk, size)):
        there = riff.end_of_sound(stream, chunk.offset, size) - chunk.offset
        said = "has no length" if unwritten else "says no samples"
        notices.append(f"the header {said} (interrupted recording); {there} bytes are there")
        return there
    uncounted = 0 if length > there else _uncounted(stream, chunk._replace(length=length), size)
    if ignore_size and (length > there or uncounted):
        found_bytes = riff.end_of_sound(stream, chunk.offset, size) - chunk.offset
        notices.append(f"the header says {length} bytes of sound, {found_bytes} are read")
        return found_bytes
    if length > there:
        raise AudioTruncated(
            path,
            f"the header says {length} bytes of sound, {there} are there"
            " (--ignore-header-size reads them)",
        )
    if uncounted:
        notices.append(
            f"{uncounted} bytes follow the sound that the header counts"
            f" ({length} bytes); --ignore-header-size reads them as sound"
        )
    return length


def _uncounted(stream: BinaryIO, chunk: Chunk, size: int) -> int:
    """Bytes behind the sound that belong to no chunk."""
    at, _ = riff.follows(stream, chunk, size)
    for behind in riff.trailing(stream, at, size):
        at, _ = riff.follows(stream, behind, size)
    return max(0, size - at)


def _only_chunks(stream: BinaryIO, chunk: Chunk, size: int) -> bool:
    """Whether nothing but chunks follows: then there truly is no sound."""
    return _uncounted(stream, chunk, size) == 0


def _justified(
    stream: BinaryIO, layout: PcmFormat, offset: int, length: int, found: _Found
) -> PcmFormat:
    """Integers smaller than their container stand at its high end (as RIFF says) or its low.

    At the low end the bits above are all copies of the sign, or all zero; at the high end the
    bits below are all zero. The first samples that cannot be both decide.
    """
    low = found.low_bits
    least = -(1 << (8 * layout.frame_bytes // layout.channels - low - 1))
    most = -least - 1
    stream.seek(offset)
    left = length - length % layout.frame_bytes
    while left:
        payload = stream.read(min(left, 4096 * layout.frame_bytes))
        if not payload:
            break
        left -= len(payload)
        samples = layout.decode(payload[: len(payload) - len(payload) % layout.frame_bytes])
        if layout.encoding == "s24le":
            samples = samples >> 8
        signed = (samples >= least).all() and (samples <= most).all()
        if not signed and not ((samples >= 0) & (samples <= most - least)).all():
            break
        if (samples & ((1 << low) - 1)).any():
            found.notices.append(f"samples stand at the low end of their bytes ({low} bits unused)")
            return replace(layout, shift_bits=low)
    return layout


def _are_floats(stream: BinaryIO, offset: int, length: int) -> bool:
    """Whether 32-bit "integers" are floats of a format that was written down wrongly.

    Floats of sound have one of a few exponents, and as integers would all lie around half of
    full scale; small integers are NaN as floats, or nearly zero.
    """
    stream.seek(offset)
    raw = stream.read(min(length - length % 4, _LOOKED_AT))
    size = np.abs(np.frombuffer(raw, "<f4")[np.frombuffer(raw, "<i4") != 0])
    return len(size) >= 64 and bool((size < 8.0).all()) and float((size > 1e-7).mean()) > 0.9


def _with_samples(
    path: Path,
    layout: PcmFormat,
    offset: int,
    length: int,
    notices: list[str],
    full_scale_peak_db: float | None,
) -> WavFile:
    frames, rest = divmod(length, layout.frame_bytes)
    if frames == 0:
        raise AudioEmpty(path, "it holds no samples")
    if rest:
        notices.append(f"the last {rest} bytes are no whole frame and were left out")
    return WavFile(path, layout, offset, frames, notices, full_scale_peak_db)
