"""Streets are imported, drawn out of one file in ranges, replaced and taken away again."""

from __future__ import annotations

import gzip
import io
import json
import math
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pmtiles.reader import MemorySource, Reader
from pmtiles.tile import Compression, Entry, TileType, serialize_directory, zxy_to_tileid
from pmtiles.writer import Writer

import street_file
from cloud_city import City
from street_file import MIDDLE, feature
from vigil_cloud import cli, seed
from vigil_cloud.identity import audit
from vigil_cloud.street_map import geojson_file, pmtiles_file, service, tiling
from vigil_cloud.street_map.errors import MapFileInvalid
from vigil_cloud.street_map.models import StreetMapRow

ZOOM = 14


def made(path: Path) -> bytes:
    """The tiles of a GeoJSON file."""
    out = path.with_suffix(".pmtiles")
    tiling.write(geojson_file.read(path), out)
    return out.read_bytes()


def tile_at(content: bytes, zoom: int = ZOOM, at: tuple[float, float] = MIDDLE) -> dict[str, Any]:
    """Layers of the tile in which a place lies."""
    size = 2**zoom
    x = int((at[0] / 360 + 0.5) * size)
    y = int((0.5 - math.asinh(math.tan(math.radians(at[1]))) / (2 * math.pi)) * size)
    packed = Reader(MemorySource(content)).get(zoom, x, y)
    assert packed is not None
    found: dict[str, Any] = mapbox_vector_tile.decode(gzip.decompress(packed))
    return found


def kinds(tile: dict[str, Any], layer: str) -> set[str]:
    return (
        {one["properties"]["kind"] for one in tile[layer]["features"]} if layer in tile else set()
    )


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    return street_file.written(tmp_path)


# --- GeoJSON into tiles ----------------------------------------------------------------------


def test_tags_become_layers_and_names(streets: Path) -> None:
    tile = tile_at(made(streets))

    assert kinds(tile, "roads") == {"major_road", "minor_road"}
    assert kinds(tile, "water") == {"canal"}
    assert kinds(tile, "landuse") == {"park", "hospital"}
    assert kinds(tile, "buildings") == {"building"}
    assert kinds(tile, "pois") == {"hospital"}
    (spot,) = tile["pois"]["features"]
    assert (spot["geometry"]["type"], spot["properties"]["name"]) == ("Point", "醫院")
    names = {
        one["properties"]["name"]: one["properties"].get("name:en")
        for one in tile["roads"]["features"]
        if "name" in one["properties"]
    }
    assert names == {"中山路": "Zhongshan Road", "民族路": "Minzu Road"}
    assert geojson_file.read(streets).left_out == 1, "the power line"


def test_a_street_lies_where_it_is(streets: Path) -> None:
    """Within a tile's unit, half a metre: both roads go through the middle."""
    size = 2**ZOOM
    x = (MIDDLE[0] / 360 + 0.5) * size % 1 * 4096
    y = (0.5 - math.asinh(math.tan(math.radians(MIDDLE[1]))) / (2 * math.pi)) * size % 1 * 4096
    tile = tile_at(made(streets))
    for road in tile["roads"]["features"]:
        if road["properties"].get("name"):
            # The decoder counts upwards.
            apart = min(
                math.dist((x, 4096 - y), point) for point in road["geometry"]["coordinates"]
            )
            assert apart <= 1.0


def test_far_off_only_large_roads_are_drawn(streets: Path) -> None:
    content = made(streets)
    assert kinds(tile_at(content, 8), "roads") == {"major_road"}
    assert len(tile_at(content, 8)["roads"]["features"]) == 1
    assert kinds(tile_at(content, 12), "roads") == {"major_road", "minor_road"}
    assert "buildings" not in tile_at(content, 13)


def test_a_line_goes_on_in_the_next_tile(streets: Path) -> None:
    """Each tile holds a margin beyond its edge, so that no gap is drawn between the two."""
    east, north = MIDDLE
    content = made(streets)
    for at in ((east - 0.018, north), (east, north), (east + 0.018, north)):
        roads = tile_at(content, ZOOM, at)["roads"]["features"]
        (main,) = [one for one in roads if one["properties"].get("name") == "中山路"]
        xs = [point[0] for point in main["geometry"]["coordinates"]]
        assert min(xs) <= 0 or max(xs) >= 4096


def test_the_same_file_makes_the_same_tiles(streets: Path) -> None:
    assert made(streets) == made(streets)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_lines_without_tags_are_streets_and_one_feature_a_line_is_read(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "network.geojson"
    east, north = MIDDLE
    bare = [feature("LineString", [[east, north], [east + 0.01, north + d]]) for d in (0, 0.01)]
    path.write_text("\n".join(f"\x1e{json.dumps(one)}" for one in bare), encoding)

    found = geojson_file.read(path)

    assert [thing.kind.kind for thing in found.things] == ["minor_road"] * 2
    assert kinds(tile_at(made(path)), "roads") == {"minor_road"}


positions = st.tuples(
    st.floats(MIDDLE[0] - 0.03, MIDDLE[0] + 0.03), st.floats(MIDDLE[1] - 0.03, MIDDLE[1] + 0.03)
).map(list)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(st.lists(positions, min_size=2, max_size=6), min_size=1, max_size=5),
    rings=st.lists(st.lists(positions, min_size=3, max_size=7), max_size=3),
)
def test_whatever_is_drawn_badly_makes_tiles_that_can_be_read(
    tmp_path: Path, lines: list[list[list[float]]], rings: list[list[list[float]]]
) -> None:
    """Areas that cross themselves, lines of one place twice: extracts have them all."""
    drawn = [feature("LineString", line, highway="residential") for line in lines]
    drawn += [feature("Polygon", [[*ring, ring[0]]], leisure="park") for ring in rings]
    path = tmp_path / "any.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": drawn}), "utf-8")
    out = tmp_path / "any.pmtiles"
    try:
        tiling.write(geojson_file.read(path), out)
    except MapFileInvalid:
        # Only where no line has a length that a tile can show.
        assert all(max(math.dist(line[0], point) for point in line) < 1e-5 for line in lines), (
            "refused although there is a street"
        )
        return
    checked = pmtiles_file.read(out)
    content = out.read_bytes()
    assert checked.tiles > 0
    for entry in pmtiles_entries(content):
        mapbox_vector_tile.decode(gzip.decompress(entry))


def pmtiles_entries(content: bytes) -> Iterator[bytes]:
    from pmtiles.reader import all_tiles

    for _, packed in all_tiles(MemorySource(content)):
        yield packed


# --- what is no map --------------------------------------------------------------------------

NOT_GEOJSON = {
    "empty": (b"", "is no GeoJSON"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "is no GeoJSON"),
    "cut": (street_file.geojson().encode()[:-40], "is no GeoJSON"),
    "a list": (b"[1, 2]", "is no GeoJSON FeatureCollection"),
    "no features": (b'{"type": "FeatureCollection"}', "without features"),
    "no feature": (b'{"type": "FeatureCollection", "features": [7]}', "feature 1 is no GeoJSON"),
    "nothing": (b'{"type": "FeatureCollection", "features": []}', "holds no street"),
    "metres": (
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [feature("LineString", [[250_000.0, 2_600_000.0], [250_100.0, 2.6e6]])],
            }
        ).encode(),
        "no longitude and latitude",
    ),
    "a word": (
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [feature("LineString", [["120", "23"], ["121", "24"]])],
            }
        ).encode(),
        "no longitude and latitude",
    ),
    "the world": (
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [feature("LineString", [[0.0, 0.0], [120.0, 23.0]])],
            }
        ).encode(),
        "stretches over 120 degrees",
    ),
    "one place": (
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [feature("LineString", [[120.0, 23.0], [120.0, 23.0]])],
            }
        ).encode(),
        "nothing of the file can be drawn",
    ),
    "deep": (b"[" * 100_000, "is no GeoJSON"),
}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(street_file.written(tmp_path_factory.mktemp("tiles")))


def other_file(**changes: Any) -> bytes:
    """A whole PMTiles file, of something else."""
    header = {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": 1_200_000_000,
        "min_lat_e7": 230_000_000,
        "max_lon_e7": 1_210_000_000,
        "max_lat_e7": 240_000_000,
        "center_zoom": 12,
        "center_lon_e7": 1_205_000_000,
        "center_lat_e7": 235_000_000,
    } | {name: value for name, value in changes.items() if name not in {"metadata", "tile"}}
    sink = io.BytesIO()
    writer = Writer(sink)
    writer.write_tile(zxy_to_tileid(12, 3400, 1700), changes.get("tile", gzip.compress(b"")))
    layers = [{"id": "roads", "fields": {}}]
    writer.finalize(header, changes.get("metadata", {"vector_layers": layers}))
    return sink.getvalue()


def with_root(root: bytes, *more: bytes) -> bytes:
    """A whole file with another root, and with leaves that follow each other behind it."""
    whole = bytearray(other_file())
    packed, leaves = gzip.compress(root), [gzip.compress(one) for one in more]
    struct.pack_into("<QQ", whole, 8, len(whole), len(packed))
    struct.pack_into("<Q", whole, 40, len(whole) + len(packed))
    return bytes(whole) + packed + b"".join(leaves)


def leaves_of_leaves(count: int) -> bytes:
    """So many times three levels, which hold nothing at all."""
    empty = b"\x00"

    def naming(start: int, length: int) -> bytes:
        directory = [Entry(number, start, length, 0) for number in range(count)]
        return gzip.decompress(serialize_directory(directory))

    # Each lies behind the next lower one, so that its place is known as it is written.
    levels = [empty]
    start = 0
    for _ in range(2):
        length = len(gzip.compress(levels[-1]))
        levels.append(naming(start, length))
        start += length
    root = naming(start, len(gzip.compress(levels[-1])))
    return with_root(root, *levels)


def naming_itself(count: int) -> bytes:
    """A leaf that names itself, again and again; its length stands in it."""
    size, rng = 400, random.Random(7)
    leaf = gzip.decompress(serialize_directory([Entry(n, 0, size, 0) for n in range(count)]))
    packed = b""
    while len(packed) < size:  # what hardly packs, behind the directory, where nobody reads
        leaf += bytes([rng.randrange(128)])
        packed = gzip.compress(leaf, mtime=0)
    assert len(packed) == size
    whole = bytearray(other_file())
    struct.pack_into("<QQ", whole, 8, len(whole), size)
    struct.pack_into("<Q", whole, 40, len(whole))
    return bytes(whole) + packed


def many_leaves() -> bytes:
    """A root of leaves alone, each of which unpacks to much and names nothing."""
    leaf = b"\x00" + bytes(100_000)
    length = len(gzip.compress(leaf))
    root = serialize_directory([Entry(number, 0, length, 0) for number in range(3000)])
    return with_root(gzip.decompress(root), leaf)


def far_root() -> bytes:
    """A whole file whose root lies behind what a page asks for first."""
    whole = bytearray(other_file())
    offset, length = struct.unpack_from("<QQ", whole, 8)
    root = bytes(whole[offset : offset + length])
    whole += bytes(16 * 1024)
    struct.pack_into("<Q", whole, 8, len(whole))
    return bytes(whole) + root


NOT_PMTILES = {
    "leaves alone": (many_leaves(), "holds too many tiles"),
    "a leaf that names itself": (naming_itself(30), "directories in each other"),
    "a root where no page looks": (far_root(), "where no page finds it"),
    "a tile before all tiles": (with_root(b"\x01\x00\x01\x05\x00"), "lies outside"),
    "a tile behind all tiles": (with_root(b"\x01\x00\x01\x05\x7f"), "lies outside"),
    "a number without an end": (with_root(b"\x01" + b"\xff" * 500_000), "endless numbers"),
    "more tiles than there are": (with_root(b"\xff\xff\xff\xff\x0f\x00"), "is damaged"),
    "a large directory": (with_root(bytes(9 * 1024 * 1024)), "is damaged"),
    "leaves of leaves": (leaves_of_leaves(40), "directories in each other"),
    "text": (b"hello" * 100, "is no PMTiles file"),
    "nothing": (b"", "is no PMTiles file"),
    "version 2": (b"PMTiles\x02" + bytes(200), "another version"),
    "pictures": (other_file(tile_type=TileType.PNG), "no vector tiles"),
    "brotli": (other_file(tile_compression=Compression.BROTLI), "BROTLI"),
    "no roads": (
        other_file(metadata={"vector_layers": [{"id": "transportation"}]}),
        "no layer `roads` (its layers: transportation)",
    ),
    "layers that are none": (other_file(metadata={"vector_layers": 3}), "metadata"),
    "a list": (other_file(metadata=[]), "metadata"),
    "bounds": (other_file(max_lon_e7=1_100_000_000), "bounds make no sense"),
    "a tile of text": (other_file(tile=gzip.compress(b"no tile at all")), "cannot be read"),
    "a tile that is not packed": (other_file(tile=b"\x1a\x00"), "cannot be read"),
    "a bomb": (other_file(tile=gzip.compress(bytes(64 * 1024 * 1024))), "cannot be read"),
}


@pytest.mark.parametrize("name", NOT_GEOJSON)
def test_what_is_no_geojson_is_refused(tmp_path: Path, name: str) -> None:
    content, words = NOT_GEOJSON[name]
    path = tmp_path / "file.geojson"
    path.write_bytes(content)
    with pytest.raises(MapFileInvalid, match=words.replace("(", r"\(").replace(")", r"\)")):
        tiling.write(geojson_file.read(path), tmp_path / "out")


@pytest.mark.parametrize("name", NOT_PMTILES)
def test_what_is_no_pmtiles_is_refused(tmp_path: Path, name: str) -> None:
    content, words = NOT_PMTILES[name]
    path = tmp_path / "file.pmtiles"
    path.write_bytes(content)
    with pytest.raises(MapFileInvalid) as refused:
        pmtiles_file.read(path)
    assert words in str(refused.value)


def test_leaves_are_counted_as_tiles_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three levels of forty leaves, which hold no tile."""
    monkeypatch.setattr(pmtiles_file, "_MOST_ENTRIES", 100)
    path = tmp_path / "file.pmtiles"
    path.write_bytes(leaves_of_leaves(40))
    with pytest.raises(MapFileInvalid, match="too many tiles"):
        pmtiles_file.read(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tiles: bytes, tmp_path: Path, data: Any) -> None:
    content = bytearray(tiles)
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "file.pmtiles"
    path.write_bytes(content)
    said = ""
    try:
        assert pmtiles_file.read(path).tiles > 0
    except MapFileInvalid as error:
        said = str(error)
    assert "\n" not in said


def test_whom_the_map_names_is_plain_text() -> None:
    protomaps = '<a href="https://protomaps.com">Protomaps</a> &copy; <a href=x>OpenStreetMap</a>'
    assert pmtiles_file.plain(protomaps) == "Protomaps © OpenStreetMap"
    assert not set(pmtiles_file.plain("&lt;img src=x onerror=alert(1)&gt;")) & set("<>&")


# --- in the cloud ----------------------------------------------------------------------------


def drawn(city: City) -> dict[str, Any] | None:
    answer = city.client("family").get("/api/v1/screen")
    assert answer.status_code == 200
    found: dict[str, Any] | None = answer.json()["streets"]
    return found


def test_a_page_reads_what_it_draws_in_ranges(either_city: City, streets: Path) -> None:
    city = either_city
    assert drawn(city) is None
    service.put(city.services, streets, by="operator")
    shown = drawn(city)
    assert shown is not None
    assert shown["attribution"] == "© OpenStreetMap contributors"
    assert shown["bounds"][0] < MIDDLE[0] < shown["bounds"][2]
    assert (shown["min_zoom"], shown["max_zoom"]) == (8, 14)

    reader = city.client("family")
    whole = reader.get(shown["url"])
    tag = whole.headers["etag"]
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "application/vnd.pmtiles"
    assert whole.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert whole.headers["accept-ranges"] == "bytes"
    assert kinds(tile_at(whole.content), "roads") == {"major_road", "minor_road"}

    size = len(whole.content)
    part = reader.get(shown["url"], headers={"Range": "bytes=0-16383"})
    last = min(16_383, size - 1)
    assert (part.status_code, part.headers["etag"]) == (206, tag)
    assert part.headers["content-range"] == f"bytes 0-{last}/{size}"
    assert part.content == whole.content[: last + 1]
    assert int(part.headers["content-length"]) == last + 1
    end = reader.get(shown["url"], headers={"Range": "bytes=-7"})
    assert (end.status_code, end.content) == (206, whole.content[-7:])
    beyond = reader.get(shown["url"], headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")

    known = reader.get(shown["url"], headers={"If-None-Match": f'"other", {tag}'})
    assert (known.status_code, known.content) == (304, b"")
    same = {"Range": "bytes=0-9", "If-Range": tag}
    assert reader.get(shown["url"], headers=same).status_code == 206
    assert reader.get(shown["url"], headers=same | {"If-Range": '"other"'}).status_code == 200


def test_the_map_before_is_kept_for_open_pages(city: City, streets: Path, tmp_path: Path) -> None:
    addresses = []
    for name in ("one", "two", "three"):
        service.put(city.services, street_file.written(tmp_path, attribution=name), by="operator")
        city.later(minutes=1)
        shown = drawn(city)
        assert shown is not None
        assert shown["attribution"] == name
        addresses.append(shown["url"])

    found = [city.client("family").get(address).status_code for address in addresses]

    assert found == [404, 200, 200]
    assert len(list(city.services.objects.names())) == 2
    assert service.remove(city.services, by="operator")
    assert drawn(city) is None
    assert list(city.services.objects.names()) == []
    assert not service.remove(city.services, by="operator")


def test_the_same_file_again_changes_nothing(city: City, streets: Path) -> None:
    first = service.put(city.services, streets, by="operator").row
    city.later(days=1)
    again = service.put(city.services, streets, by="operator").row

    assert (again.sha256, again.imported) == (first.sha256, first.imported)
    with city.services.sessions() as session:
        assert audit.verify(session)[0] >= 1
        assert session.query(StreetMapRow).count() == 1


@pytest.mark.parametrize("name", ["file.pmtiles", "file.geojson"])
def test_a_refused_file_leaves_the_map_as_it_was(
    city: City, streets: Path, tmp_path: Path, name: str
) -> None:
    service.put(city.services, streets, by="operator")
    before = drawn(city), sorted(city.services.objects.names())
    bad = tmp_path / name
    bad.write_bytes(b"no map" * 50)

    with pytest.raises(MapFileInvalid):
        service.put(city.services, bad, by="operator")

    assert (drawn(city), sorted(city.services.objects.names())) == before


def test_a_file_of_tiles_is_taken_as_it_is(city: City, tiles: bytes, tmp_path: Path) -> None:
    path = tmp_path / "city.pmtiles"
    path.write_bytes(tiles)
    done = service.put(city.services, path, by="operator", attribution="The city <b>itself</b>")
    assert done.row.attribution == "The city itself"
    assert b"".join(city.services.objects.read(done.row.object_name)) == tiles


def test_the_command_says_what_it_did_or_why_not(
    city: City, streets: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloud_city import SECRET

    monkeypatch.setenv("VIGIL_DATA_DIR", str(city.settings.data_dir))
    monkeypatch.setenv("VIGIL_SECRET_KEY", SECRET)
    assert cli.main(["map", "show"]) == 0
    assert capsys.readouterr().out.strip() == "null"
    assert cli.main(["map", "import", str(streets)]) == 0
    said = capsys.readouterr()
    assert "--attribution names somebody else" in said.err
    assert "1 features are of kinds that the map does not draw" in said.err
    told = json.loads(said.out)
    assert (told["source"], told["left_out"], told["zooms"]) == ("streets.geojson", 1, [8, 14])
    assert cli.main(["map", "show"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == told["sha256"]

    streets.write_text("no map", "utf-8")
    assert cli.main(["map", "import", str(streets)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("vigil-cloud: map-file-invalid: streets.geojson is no GeoJSON")
    assert cli.main(["map", "import", str(streets.with_name("absent.pmtiles"))]) == 2
    assert capsys.readouterr().err.startswith("vigil-cloud: file-unavailable: ")
    assert drawn(city) is not None
    assert cli.main(["map", "remove"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": True}
    assert drawn(city) is None


def test_a_seed_file_names_the_map_and_may_be_applied_again(
    city: City, streets: Path, tmp_path: Path
) -> None:
    file = tmp_path / "seed.toml"
    file.write_text('[street_map]\nfile = "streets.geojson"\nattribution = "City"\n', "utf-8")
    for _ in range(2):
        seed.apply(city.services, seed.read(file), tmp_path)
        city.later(hours=1)
    shown = drawn(city)
    assert shown is not None
    assert shown["attribution"] == "City"
    assert len(list(city.services.objects.names())) == 1
    file.write_text('[street_map]\nfile = "seed.toml"\n', "utf-8")
    with pytest.raises(MapFileInvalid):
        seed.apply(city.services, seed.read(file), tmp_path)
    assert drawn(city) == shown
