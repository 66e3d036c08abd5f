"""Is this file a street map that the pages can draw? Reads a PMTiles file, writes nothing.

PMTiles 3: a header of 127 bytes, a root directory, metadata as JSON, leaf directories, tiles
(https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md). Browsers unpack gzip alone.
"""

from __future__ import annotations

import html
import io
import json
import mmap
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pmtiles.tile import (
    Compression,
    Entry,
    HeaderDict,
    MagicNumberNotFound,
    SpecVersionUnsupported,
    TileType,
    deserialize_directory,
    deserialize_header,
    read_varint,
    tileid_to_zxy,
)

from vigil_cloud.street_map.errors import MapFileInvalid

HEADER_BYTES: Final = 127
NEEDED_LAYER: Final = "roads"
LONGEST_ATTRIBUTION: Final = 300
_METADATA_BYTES: Final = 4 * 1024 * 1024
_TILE_BYTES: Final = 16 * 1024 * 1024
"""Unpacked: what is larger was made to fill the memory."""
_DIRECTORY_BYTES: Final = 8 * 1024 * 1024
"""Unpacked. Writers keep a root below 16 KiB and leaves at some thousand entries."""
_MOST_DIRECTORIES: Final = 20_000
"""Leaves may be named again and again, and hold nothing."""
_DIRECTORIES_BYTES: Final = 256 * 1024 * 1024
"""Of all of them, unpacked."""
_FIRST_BYTES: Final = 16 * 1024
"""A page asks for so much at first, and takes header and root from it."""
_ENDLESS: Final = re.compile(rb"[\x80-\xff]{10}")
"""A number of more than 64 bits: the format's reader would read it for ever."""
_MOST_ENTRIES: Final = 5_000_000
"""Tiles and leaves. The whole planet has some hundred millions; Taiwan has some ten thousands."""
_DEEPEST: Final = 3
"""Levels of directories; the format allows more, nobody writes them."""
_DAMAGE: Final = (ValueError, OverflowError, EOFError, IndexError, KeyError, OSError, zlib.error)
"""What the format's own reader raises."""
_SAMPLED: Final = 12
"""Tiles that are unpacked and read, spread over the file."""


@dataclass(frozen=True, slots=True)
class MapFile:
    """What a street map says of itself, checked."""

    bounds: tuple[float, float, float, float]
    """West, south, east, north, degrees."""
    min_zoom: int
    max_zoom: int
    attribution: str
    """Plain text, without markup; may be empty."""
    tiles: int


def read(path: Path) -> MapFile:
    """Check the whole directory and some of the tiles. Raises ``MapFileInvalid``, ``OSError``."""
    size = path.stat().st_size
    if size < HEADER_BYTES:
        raise MapFileInvalid(f"{path.name} is no PMTiles file: it has {size} bytes")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            return _checked(_File(path.name, content))
        except _DAMAGE as error:
            said = str(error) or type(error).__name__
            raise MapFileInvalid(f"{path.name} is damaged: {said}") from error


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content: mmap.mmap

    def part(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > len(self.content):
            raise MapFileInvalid(
                f"{self.name} is cut off: it has {len(self.content)} bytes and names the bytes up"
                f" to {offset + length}"
            )
        return self.content[offset : offset + length]


def _checked(file: _File) -> MapFile:
    header = _header(file)
    metadata = _metadata(file, header)
    named = {one.get("id") for one in metadata.get("vector_layers", []) if isinstance(one, dict)}
    if NEEDED_LAYER not in named:
        there = ", ".join(sorted(str(one) for one in named)) or "none"
        raise MapFileInvalid(
            f"{file.name} has no layer `{NEEDED_LAYER}` (its layers: {there[:200]})"
        )
    if header["root_offset"] + header["root_length"] > _FIRST_BYTES:
        raise MapFileInvalid(
            f"{file.name} has a first directory that ends behind its first {_FIRST_BYTES} bytes,"
            " where no page finds it: write it anew with `pmtiles cluster`"
        )
    root = _Directories(file, header)
    entries = list(root.entries(header["root_offset"], header["root_length"]))
    if not entries:
        raise MapFileInvalid(f"{file.name} holds no tile")
    for entry in entries:
        if not 0 <= entry.offset <= header["tile_data_length"] - entry.length:
            raise MapFileInvalid(f"{file.name} is damaged: a tile lies outside of it")
    for entry in entries[:: max(1, len(entries) // _SAMPLED)]:
        _read_tile(file, header, entry)
    return MapFile(
        _bounds(file, header),
        header["min_zoom"],
        header["max_zoom"],
        plain(str(metadata.get("attribution") or "")),
        sum(entry.run_length for entry in entries),
    )


def _header(file: _File) -> HeaderDict:
    try:
        header = deserialize_header(file.part(0, HEADER_BYTES))
    except (MagicNumberNotFound, UnicodeDecodeError) as error:
        raise MapFileInvalid(f"{file.name} is no PMTiles file") from error
    except SpecVersionUnsupported as error:
        raise MapFileInvalid(f"{file.name} is PMTiles of another version than 3") from error
    if header["tile_type"] is not TileType.MVT:
        kind = header["tile_type"].name
        raise MapFileInvalid(f"{file.name} holds no vector tiles (MVT) but {kind}")
    for what in (header["internal_compression"], header["tile_compression"]):
        if what not in (Compression.GZIP, Compression.NONE):
            raise MapFileInvalid(f"{file.name} is packed with {what.name}, browsers know gzip")
    if header["internal_compression"] is not Compression.GZIP:
        raise MapFileInvalid(f"{file.name} has directories that are not packed with gzip")
    if not header["min_zoom"] <= header["max_zoom"] <= 24:
        raise MapFileInvalid(f"{file.name} is damaged: its zooms make no sense")
    file.part(header["tile_data_offset"], header["tile_data_length"])
    return header


def _bounds(file: _File, header: HeaderDict) -> tuple[float, float, float, float]:
    west, south = header["min_lon_e7"] / 1e7, header["min_lat_e7"] / 1e7
    east, north = header["max_lon_e7"] / 1e7, header["max_lat_e7"] / 1e7
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise MapFileInvalid(f"{file.name} is damaged: its bounds make no sense")
    return west, south, east, north


def _metadata(file: _File, header: HeaderDict) -> dict[str, Any]:
    packed = file.part(header["metadata_offset"], header["metadata_length"])
    try:
        found = json.loads(_unpacked(packed, _METADATA_BYTES))
    except (ValueError, RecursionError) as error:
        raise MapFileInvalid(f"{file.name} is damaged: metadata that are no JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("vector_layers", []), list):
        raise MapFileInvalid(f"{file.name} is damaged: metadata of another shape")
    return found


def _unpacked(packed: bytes, most: int) -> bytes:
    """Gzip, of at most ``most`` bytes. Raises ``ValueError``, ``zlib.error``."""
    reader = zlib.decompressobj(wbits=31)
    found = reader.decompress(packed, most)
    if not reader.eof:
        raise ValueError(f"a part that ends too early, or unpacks to more than {most} bytes")
    return found


class _Directories:
    """Root and leaves of one file, which may name each other in any way."""

    def __init__(self, file: _File, header: HeaderDict) -> None:
        self._file = file
        self._leaves = header["leaf_directory_offset"]
        self._read = 0
        self._unpacked = 0
        self._entries = 0

    def entries(self, offset: int, length: int, depth: int = 0) -> Iterator[Entry]:
        """Of this one and all below, in order. Raises ``MapFileInvalid`` and what the format's
        reader does."""
        self._read += 1
        if depth > _DEEPEST or self._read > _MOST_DIRECTORIES:
            raise MapFileInvalid(f"{self._file.name} is damaged: directories in each other")
        packed = self._file.part(offset, length)
        # The format's reader has no limits.
        content = _unpacked(packed, _DIRECTORY_BYTES)
        if _ENDLESS.search(content):
            raise MapFileInvalid(f"{self._file.name} is damaged: a directory of endless numbers")
        count = read_varint(io.BytesIO(content))
        if len(content) < 4 * count:  # four numbers each
            raise MapFileInvalid(f"{self._file.name} is damaged: a directory that ends too early")
        self._unpacked += len(content)
        self._entries += count
        if self._entries > _MOST_ENTRIES or self._unpacked > _DIRECTORIES_BYTES:
            raise MapFileInvalid(f"{self._file.name} holds too many tiles: cut the city out of it")
        for entry in deserialize_directory(packed):
            if entry.run_length:
                yield entry
            else:
                yield from self.entries(self._leaves + entry.offset, entry.length, depth + 1)


def _read_tile(file: _File, header: HeaderDict, entry: Entry) -> None:
    """Raises ``MapFileInvalid`` where nothing could be drawn of it."""
    from google.protobuf.message import DecodeError
    from mapbox_vector_tile.Mapbox import vector_tile_pb2

    packed = file.part(header["tile_data_offset"] + entry.offset, entry.length)
    where = "/".join(str(part) for part in tileid_to_zxy(entry.tile_id))
    try:
        whole = header["tile_compression"] is Compression.NONE
        vector_tile_pb2.tile().ParseFromString(packed if whole else _unpacked(packed, _TILE_BYTES))
    except (DecodeError, ValueError, zlib.error) as error:
        raise MapFileInvalid(f"{file.name} is damaged: tile {where} cannot be read") from error


def plain(text: str) -> str:
    """Whom the map names, without markup: pages show it as they get it."""
    bare = html.unescape(re.sub(r"<[^>]*>", "", text))
    return " ".join(re.sub(r"[<>&\x00-\x1f\x7f]", " ", bare).split())[:LONGEST_ATTRIBUTION]
