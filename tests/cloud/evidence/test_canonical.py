"""Packages of version 2: the manifest fixes every byte of the zip, and what differs is located."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.evidence.packages import contents, manifest_of, sealed_package
from cloud_city import GATEWAY, KEY, City, exceedance
from vigil_cloud.cli import main
from vigil_cloud.evidence.verification import examine
from vigil_schemas.evidence import EvidenceManifest, EvidenceReference
from vigil_schemas.evidence_zip import layout

PUBLIC = KEY.public_key().public_bytes_raw()
FILES = {"levels.json": b'{"LAFmax": 91.2}', "sound.wav": bytes(range(256)) * 4}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return sealed_package(tmp_path, FILES, KEY, gateway=GATEWAY)


def faults(path: Path, key: bytes = PUBLIC) -> list[str]:
    return [str(fault) for fault in examine(path, public_key=key).faults]


def regions(path: Path) -> list[tuple[int, int, str]]:
    """First byte, byte behind the last, and what stands there, by an independent reader."""
    found = []
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            names, extra = struct.unpack_from("<2H", whole, info.header_offset + 26)
            content = info.header_offset + 30 + names + extra
            found.append((info.header_offset, content, f"{info.filename}: its header"))
            found.append((content, content + info.file_size, f"{info.filename}: "))
        at = archive.start_dir
        for info in archive.infolist():
            end = at + 46 + len(info.filename)
            found.append((at, end, f"{info.filename}: its line in the list of contents"))
            at = end
    return [*found, (at, len(whole), "package: its end record")]


def test_it_is_verified_and_summed_up(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["version"], told["gateway"]) == (True, 2, GATEWAY)
    assert told["chain"] == {"number": 7, "previous": "5" * 64}
    assert told["sha256"] == hashlib.sha256(package.read_bytes()).hexdigest()
    assert [file["name"] for file in told["files"]] == list(FILES)


def test_any_zip_program_reads_it(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in FILES} == FILES
        assert [info.filename for info in archive.infolist()] == [
            "manifest.json",
            "manifest.sig",
            *sorted(FILES),
        ]
        manifest = EvidenceManifest.model_validate_json(archive.read("manifest.json"))
        planned = layout(manifest, len(archive.read("manifest.json")))
    assert planned.size == package.stat().st_size


def test_every_changed_byte_is_found_and_located(package: Path) -> None:
    """Each byte of the file, headers and dates included, and each is named where it is."""
    whole = package.read_bytes()
    for first, behind, where in regions(package):
        for at in range(first, behind, 37 if where == "sound.wav: " else 1):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            package.write_bytes(changed)
            told = faults(package)
            named = where.removesuffix("its header") if "manifest" in where else where
            assert any(line.startswith(named) for line in told), (at, where, told)
            if "its " in where and "manifest" not in where:
                assert told == [line for line in told if f"(byte {at} of" in line], (at, told)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_whatever_is_done_to_it_is_found(package: Path, data: st.DataObject) -> None:
    """Bytes exchanged, taken out, put in, moved: never an exception, never a word of praise."""
    original = package.read_bytes()
    whole = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.sampled_from(["change", "remove", "insert", "swap"])):
            case "change":
                whole[at] = data.draw(st.integers(0, 255))
            case "remove":
                del whole[at : at + data.draw(st.integers(1, 50))]
            case "insert":
                whole[at:at] = data.draw(st.binary(min_size=1, max_size=50))
            case "swap":
                other = data.draw(st.integers(0, len(whole) - 1))
                whole[at], whole[other] = whole[other], whole[at]
        if not whole:
            break
    where = package.with_name("damaged.zip")
    where.write_bytes(whole)

    assert (faults(where) == []) == (whole == original)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z0-9][A-Za-z0-9._-]{0,30}\Z").filter(
            lambda name: not name.lower().startswith("manifest.")
        ),
        st.binary(max_size=300),
        min_size=1,
        max_size=9,
    ).filter(lambda files: len({name.lower() for name in files}) == len(files))
)
def test_whatever_is_sealed_is_verified(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = sealed_package(tmp_path, files, KEY, gateway=GATEWAY)

    assert faults(path) == []
    for name in files:
        (tmp_path / name).unlink()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_other_program_may_have_packed_it(package: Path, method: int) -> None:
    with zipfile.ZipFile(package) as archive:
        kept = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(package, "w", method) as archive:
        for info, content in kept.items():
            archive.writestr(info.filename, content)

    assert faults(package)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_torn_one_is_one_line(
    package: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = package.read_bytes()
    kept = int(len(whole) * share)
    package.write_bytes(whole[:kept])

    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("package: is torn: ") or "is not a whole zip" in line


def test_two_faults_are_two_lines(package: Path) -> None:
    whole = bytearray(package.read_bytes())
    places = {where: first for first, _, where in regions(package)}
    whole[places["levels.json: "] + 3] ^= 4
    whole[places["sound.wav: its line in the list of contents"] + 14] ^= 1
    package.write_bytes(whole)

    told = faults(package)

    assert [line.partition(":")[0] for line in told] == ["levels.json", "sound.wav"]
    assert "date" in told[1]


def test_another_gateways_key_does_not_fit(package: Path) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    assert faults(package, other) == [
        "manifest.sig: The manifest's signature is not this gateway's."
    ]


def _appended(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("../../etc/cron.d/x", b"more")


def _doubled(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("levels.json", b"{}")


def _commented(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"not sealed"


def _encrypted(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for at in (whole.rindex(b"PK\x01\x02") + 8, whole.rindex(b"PK\x03\x04") + 6):
        whole[at] |= 1
    path.write_bytes(whole)


def _before(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def _far_away(path: Path) -> None:
    """A ZIP64 entry that lies beyond anything a file can have."""
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02")
    struct.pack_into("<L", whole, at + 42, 0xFFFFFFFF)
    extra = struct.pack("<2HQ", 1, 8, 2**63 - 1)
    struct.pack_into("<H", whole, at + 30, len(extra))
    whole[at + 46 + len("sound.wav") :][:0] = extra
    path.write_bytes(whole)


@pytest.mark.parametrize(
    "tamper", [_appended, _doubled, _commented, _encrypted, _before, _far_away]
)
def test_what_is_done_to_a_package_is_a_fault_and_no_crash(
    package: Path, tamper: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(package)

    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 1
    told = capsys.readouterr()
    assert told.out.startswith(("package: ", "sound.wav: "))
    assert told.err == ""


def test_a_huge_hollow_file_is_not_read(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.truncate(package, 1 << 40)

    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 1
    assert capsys.readouterr().out == "package: is larger than 536870912 bytes\n"


def test_a_folder_is_no_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "verify", str(tmp_path), "--key", PUBLIC.hex()]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("names", [["a.txt", "A.TXT"], ["manifest.sig"]])
def test_a_manifest_cannot_list_what_no_zip_can_hold(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"twice|itself"):
        manifest_of(dict.fromkeys(names, b""), GATEWAY, "mic-1")


def test_the_cloud_takes_it_and_gives_it_back(city: City, tmp_path: Path) -> None:
    body = sealed_package(tmp_path, contents(1), KEY, gateway=GATEWAY).read_bytes()
    sha256 = hashlib.sha256(body).hexdigest()
    city.birth()
    city.send(
        exceedance(city.time, evidence=EvidenceReference(sha256=sha256, size=len(body))), "mic-1"
    )
    to = f"/api/v1/gateways/{GATEWAY}/evidence/"
    authorised = {"Authorization": f"Bearer {city.token(GATEWAY)}"}
    repacked = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(body)) as archive,
        zipfile.ZipFile(repacked, "w") as other,
    ):
        for info in archive.infolist():
            other.writestr(info.filename, archive.read(info))
    put = city.anonymous().put

    refused = put(
        to + hashlib.sha256(repacked.getvalue()).hexdigest(),
        content=repacked.getvalue(),
        headers=authorised,
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "evidence-invalid")
    assert put(to + sha256, content=body, headers=authorised).status_code == 201

    evidence = city.alerts("inspector")[0]["evidence"]
    assert {file["name"]: file["role"] for file in evidence["files"]}["octaves.csv"] == "octaves"
    assert city.client("inspector").get(f"/api/v1/evidence/{sha256}.zip").content == body
