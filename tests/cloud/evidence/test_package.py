"""The package of version 1 as it is handed on: downloaded whole, and verified without the cloud.

What version 2 adds stands in ``test_canonical.py``.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_city import GATEWAY, KEY, NOON, City, exceedance, sealed
from vigil_cloud.cli import main
from vigil_cloud.evidence.verification import examine
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.evidence import EvidenceFileV1, EvidenceManifestV1, EvidenceReference

PUBLIC = KEY.public_key().public_bytes_raw()
FILES = {"sound.wav": random.Random(1).randbytes(40_000), "levels.json": b'{"LAFmax": 91.2}'}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """As a gateway's own program sealed it before version 2."""
    manifest = EvidenceManifestV1(
        evidence_id="exceedance-1",
        gateway=GATEWAY,
        device="mic-1",
        sealed=NOON,
        started=NOON,
        ended=NOON,
        files=[
            EvidenceFileV1(
                name=name,
                role="audio",
                media_type="audio/wav",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
            )
            for name, content in FILES.items()
        ],
    )
    target = tmp_path / "package.zip"
    listing = manifest.model_dump_json(exclude_none=True).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("manifest.json"), listing)
        archive.writestr(_entry("manifest.sig"), KEY.sign(listing))
        for name, content in sorted(FILES.items()):
            with archive.open(_entry(name), "w", force_zip64=True) as sink:
                sink.write(content)
    return target


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def faults(path: Path, key: bytes = PUBLIC) -> list[str]:
    return [str(fault) for fault in examine(path, public_key=key).faults]


def test_a_package_is_as_it_was_sealed(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["verified"] is True
    assert told["gateway"] == GATEWAY
    assert told["sha256"] == hashlib.sha256(package.read_bytes()).hexdigest()
    assert [file["name"] for file in told["files"]] == list(FILES)


@pytest.mark.parametrize("form", ["hex", "pem", "raw"])
def test_the_key_may_be_in_a_file(package: Path, tmp_path: Path, form: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(
        {
            "hex": PUBLIC.hex().encode() + b"\n",
            "raw": PUBLIC,
            "pem": KEY.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        }[form]
    )

    assert main(["evidence", "verify", str(package), "--key", str(key)]) == 0


@pytest.mark.parametrize("lacks", ["file", "key", "a key in the key's file"])
def test_without_file_or_key_nothing_is_said_of_the_package(
    package: Path, tmp_path: Path, lacks: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no-key").write_text("this is no key")
    file = tmp_path / "nowhere.zip" if lacks == "file" else package
    key = {"file": PUBLIC.hex(), "key": "/nowhere"}.get(lacks, str(tmp_path / "no-key"))

    assert main(["evidence", "verify", str(file), "--key", key]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1


def test_every_changed_byte_of_contents_manifest_and_signature_is_found(package: Path) -> None:
    """All of them: of the small files each byte, of the sound one in a hundred."""
    whole = package.read_bytes()
    with zipfile.ZipFile(package) as archive:
        spans = {info.filename: (info.header_offset, info.file_size) for info in archive.infolist()}
    for name, (offset, size) in spans.items():
        name_size, extra_size = struct.unpack_from("<2H", whole, offset + 26)
        start = offset + 30 + name_size + extra_size
        for at in range(start, start + size, 100 if size > 10_000 else 1):
            changed = bytearray(whole)
            changed[at] ^= 0x01
            package.write_bytes(changed)
            told = faults(package)
            assert told, f"byte {at - start} of {name}"
            assert any(name in line or "manifest" in line for line in told)


def test_every_changed_byte_of_a_header_is_found(package: Path) -> None:
    """All of them, also those that change nothing of what is unpacked."""
    whole = package.read_bytes()
    with zipfile.ZipFile(package) as archive:
        headers = list(range(archive.start_dir, len(whole)))
        for info in archive.infolist():
            sizes = struct.unpack_from("<2H", whole, info.header_offset + 26)
            headers += range(info.header_offset, info.header_offset + 30 + sum(sizes))
    for at in headers:
        for bit in (0x01, 0x80, 0xFF):
            changed = bytearray(whole)
            changed[at] ^= bit
            package.write_bytes(changed)
            assert faults(package), f"byte {at} of {len(whole)}, changed by {bit:#x}"


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_no_damage_makes_it_fall_over(package: Path, data: st.DataObject) -> None:
    whole = bytearray(package.read_bytes())
    original = bytes(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        # The headers' bytes more often than the sound's.
        at = data.draw(st.integers(0, 1000) | st.integers(len(whole) - 500, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    where = package.with_name("damaged.zip")
    where.write_bytes(whole)

    told = faults(where)

    assert whole == original or told or _same_content(where)


def _same_content(path: Path) -> bool:
    """Two changes that agree, in a file's own header and in the list, say another time."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in FILES} == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
def test_another_program_may_have_packed_it(package: Path, method: int, streamed: bool) -> None:
    """Given a gateway with a zip library of its own, also one that cannot go back in its file."""
    with zipfile.ZipFile(package) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with package.open("wb") as file:
        target: Any = _OneWay(file) if streamed else file
        with zipfile.ZipFile(target, "w", method) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)

    assert faults(package) == []


class _OneWay:
    """A file that can only be written on: zip puts sizes behind each file's bytes then."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.flush = file.write, file.flush


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_torn_package_is_one_line(
    package: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = package.read_bytes()
    package.write_bytes(whole[: int(len(whole) * share)])

    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "package: is not a whole zip: File is not a zip file"
    ]


def _added(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
            warnings.simplefilter("ignore")
            archive.writestr(name, b"more")

    return add


def _replaced(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return replace


def _without(name: str) -> Callable[[Path], None]:
    def remove(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            kept = {info: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(path, "w") as archive:
            for info, content in kept.items():
                if info.filename != name:
                    archive.writestr(info, content)

    return remove


def _comment(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"not sealed"


def _extra_field(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        kept = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in kept.items():
            info.extra = struct.pack("<2H", 0x7777, 6) + b"hidden"
            archive.writestr(info, content)


def _between(path: Path) -> None:
    """Bytes after the first file that no header mentions, with all offsets put right."""
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        second = sorted(info.header_offset for info in archive.infolist())[1]
        start = archive.start_dir
    moved = bytearray(whole[:second] + b"hidden" + whole[second:])
    at = start + 6
    while moved[at : at + 4] == b"PK\x01\x02":
        sizes = struct.unpack_from("<3H", moved, at + 28)
        (offset,) = struct.unpack_from("<L", moved, at + 42)
        if offset >= second:
            struct.pack_into("<L", moved, at + 42, offset + 6)
        at += 46 + sum(sizes)
    struct.pack_into("<L", moved, at + 16, start + 6)
    path.write_bytes(moved)


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file that was not sealed": (_added("note.txt"), "note.txt: is not in the manifest"),
    "a second file of a name": (_added("levels.json"), "levels.json: is there twice"),
    "a second manifest": (_added("manifest.json"), "manifest.json: is there twice"),
    "a path out of the folder": (_added("../../etc/cron.d/x"), "leads out of the folder"),
    "an absolute path": (_added("/etc/passwd"), "leads out of the folder"),
    "a path of another system": (_added("..\\evil.exe"), "leads out of the folder"),
    "a file taken out": (_without("levels.json"), "levels.json: is missing"),
    "no manifest": (_without("manifest.json"), "manifest.json: is missing"),
    "no signature": (_without("manifest.sig"), "manifest.sig: is missing"),
    "bytes before": (_replaced(lambda whole: b"#!/bin/sh\n" + whole), "hides 10 bytes before"),
    "bytes after": (_replaced(lambda whole: whole + b"more"), "package:"),
    "a comment": (_comment, "hides 10 bytes after the end record"),
    "bytes between": (_between, "hides 6 bytes before"),
    "an extra field": (_extra_field, "hides 6 bytes in an extra field"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_done_to_a_package_is_named(
    package: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper, named = TAMPERED[what]
    tamper(package)

    assert main(["evidence", "verify", str(package), "--key", PUBLIC.hex()]) == 1
    assert any(named in line for line in capsys.readouterr().out.splitlines())


def test_another_gateways_key_does_not_fit(package: Path) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    assert faults(package, other) == [
        "manifest.sig: The manifest's signature is not this gateway's."
    ]


def test_every_file_at_fault_has_its_line(tmp_path: Path) -> None:
    _, body = sealed(FILES, contents={"sound.wav": b"other", "levels.json": b"{}" * 8})
    path = tmp_path / "two.zip"
    path.write_bytes(body)

    told = faults(path)

    assert [line.partition(":")[0] for line in told] == ["sound.wav", "levels.json"]


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    _, body = sealed(
        {"sound.wav": b"x" * 1000},
        contents={"sound.wav": bytes(200_000_000)},
        compression=zipfile.ZIP_DEFLATED,
    )
    path = tmp_path / "bomb.zip"
    path.write_bytes(body)

    assert faults(path) == ["sound.wav: is not 1000 bytes long"]


def test_a_package_under_another_packages_name_is_found(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = package.rename(package.with_name("0" * 64 + ".zip"))

    assert main(["evidence", "verify", str(renamed), "--key", PUBLIC.hex()]) == 1
    assert "is named by another SHA-256" in capsys.readouterr().out


def stored(city: City) -> tuple[str, bytes]:
    sha256, body = sealed(FILES)
    city.birth()
    reference = EvidenceReference(sha256=sha256, size=len(body))
    city.send(exceedance(city.time, evidence=reference), "mic-1")
    answer = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {city.token(GATEWAY)}"},
    )
    assert answer.status_code == 201, answer.text
    return sha256, body


def test_what_is_downloaded_verifies(city: City, tmp_path: Path) -> None:
    sha256, body = stored(city)

    answer = city.client("inspector").get(f"/api/v1/evidence/{sha256}.zip")

    assert answer.status_code == 200
    assert answer.content == body
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{sha256}.zip"'
    assert answer.headers["content-length"] == str(len(body))
    path = tmp_path / f"{sha256}.zip"
    path.write_bytes(answer.content)
    assert main(["evidence", "verify", str(path), "--key", PUBLIC.hex()]) == 0


def test_manifest_and_signature_can_be_read(city: City) -> None:
    sha256, body = stored(city)
    client = city.client("inspector")

    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in ("manifest.json", "manifest.sig"):
            answer = client.get(f"/api/v1/evidence/{sha256}/{name}")
            assert (answer.status_code, answer.content) == (200, archive.read(name))
    assert client.get(f"/api/v1/evidence/{sha256}/manifest.xml").status_code == 404


def test_a_part_of_the_package_can_be_asked_for(city: City) -> None:
    sha256, body = stored(city)

    answer = city.client("inspector").get(
        f"/api/v1/evidence/{sha256}.zip", headers={"Range": "bytes=100-199"}
    )

    assert (answer.status_code, answer.content) == (206, body[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(body)}"


@pytest.mark.parametrize("role", list(Role))
def test_the_package_follows_the_rights_of_its_alert(city: City, role: Role) -> None:
    sha256, _ = stored(city)
    allowed = role in {Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}

    answer = city.client(role.value).get(f"/api/v1/evidence/{sha256}.zip")

    assert answer.status_code == (200 if allowed else 404)
    with city.services.sessions() as session:
        looks = session.scalars(select(AuditEntry).where(AuditEntry.action == "evidence.read"))
        assert [(look.account, look.subject) for look in looks] == (
            [(role.value, f"{sha256}.zip")] if allowed else []
        )
