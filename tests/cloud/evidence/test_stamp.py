"""The time stamp of a package: verified off line, against the authorities that somebody trusts."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from cloud.evidence.packages import contents, sealed_package
from cloud_city import GATEWAY, KEY, City, populated
from servers.tsa import Authority, time_authority
from vigil_cloud.cli import main
from vigil_schemas.evidence import STAMP_NAME, SUMS_NAME, sums

PUBLIC = KEY.public_key().public_bytes_raw().hex()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_authority(tmp_path_factory.mktemp("tsa")) as made:
        yield made


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_authority(tmp_path_factory.mktemp("other-tsa"), "Another Authority") as made:
        yield made


def sums_of(files: dict[str, bytes]) -> bytes:
    return sums({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def stamped(authority: Authority, text: bytes) -> bytes:
    asked = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
    return authority.stamp(asked.as_bytes())


def package(folder: Path, authority: Authority, **change: bytes) -> Path:
    """A package with its stamp; ``sums`` and ``stamp`` as a test wants them."""
    files = contents(3)
    text = change.get("sums", sums_of(files))
    files |= {SUMS_NAME: text, STAMP_NAME: change.get("stamp", stamped(authority, text))}
    return sealed_package(folder, files, KEY, gateway=GATEWAY)


def verify(capsys: pytest.CaptureFixture[str], path: Path, *more: object) -> tuple[int, str]:
    words = ["evidence", "verify", str(path), "--key", PUBLIC, *map(str, more)]
    code = main(words)
    return code, capsys.readouterr().out


def test_a_stamp_of_a_trusted_authority_is_told_with_its_time(
    tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    path = package(tmp_path, authority)
    code, said = verify(capsys, path, "--timestamp-ca", authority.ca_file)
    told = json.loads(said)["timestamp"]
    assert (code, told["trusted"]) == (0, True)
    assert told["authority"] == "CN=Time Authority of the Tests"
    assert before <= datetime.fromisoformat(told["time"]) <= datetime.now(UTC)

    code, said = verify(capsys, path)
    assert (code, json.loads(said)["timestamp"]["trusted"]) == (0, None)


def test_a_package_without_a_stamp_says_so(
    tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sealed_package(tmp_path, contents(3), KEY, gateway=GATEWAY)
    code, said = verify(capsys, path, "--timestamp-ca", authority.ca_file)
    assert (code, json.loads(said)["timestamp"]) == (0, None)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("another authority", f"{STAMP_NAME}: is of no authority that is trusted"),
        ("another text", f"{STAMP_NAME}: is the stamp of something else than {SUMS_NAME}"),
        ("other files", f"{SUMS_NAME}: does not list the files of the package"),
        ("no stamp", f"{STAMP_NAME}: is no time stamp"),
        ("a refusal", f"{STAMP_NAME}: is a refusal and no stamp"),
        ("alone", f"{STAMP_NAME}: is missing beside {SUMS_NAME}"),
        ("too large", f"{STAMP_NAME}: is larger than"),
    ],
)
def test_what_is_wrong_with_a_stamp_is_named(
    tmp_path: Path,
    authority: Authority,
    other: Authority,
    capsys: pytest.CaptureFixture[str],
    what: str,
    line: str,
) -> None:
    files = contents(3)
    text = sums_of(files)
    fewer = sums_of({name: files[name] for name in sorted(files)[1:]})
    if what == "alone":
        path = sealed_package(tmp_path, files | {SUMS_NAME: text}, KEY, gateway=GATEWAY)
    else:
        made: dict[str, dict[str, bytes]] = {
            "another authority": {"stamp": stamped(other, text)},
            "another text": {"stamp": stamped(authority, b"another text")},
            "other files": {"sums": fewer},
            "no stamp": {"stamp": b"a stamp"},
            "a refusal": {"stamp": authority.stamp(b"0\x03\x02\x01\x01")},
            "too large": {"stamp": bytes(70_000)},
        }
        path = package(tmp_path, authority, **made[what])
    code, said = verify(capsys, path, "--timestamp-ca", authority.ca_file)
    assert code == 1
    assert [one for one in said.splitlines() if one.startswith(line)], said


def test_every_changed_byte_of_the_stamp_is_found(
    tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the authority signed nothing of it: the gateway's seal covers the file."""
    path = package(tmp_path, authority)
    whole = path.read_bytes()
    begin = whole.index(stamped_bytes(path))
    for at in range(begin, begin + len(stamped_bytes(path)), 97):
        changed = bytearray(whole)
        changed[at] ^= 0x01
        path.write_bytes(changed)
        code, said = verify(capsys, path)
        assert (code, said.split(":")[0]) == (1, STAMP_NAME), at


def stamped_bytes(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(STAMP_NAME)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "no"])
def test_authorities_that_cannot_be_read_are_refused(
    tmp_path: Path,
    authority: Authority,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
) -> None:
    path, named = package(tmp_path, authority), tmp_path / "authorities.pem"
    if content is not None:
        named.write_bytes(content)
    code, _ = verify(capsys, path, "--timestamp-ca", named)
    assert code == 2


@pytest.mark.parametrize("named", ["own", "other", "none", "missing"])
def test_the_server_says_whose_stamp_it_is(
    tmp_path: Path, authority: Authority, other: Authority, named: str
) -> None:
    path = package(tmp_path, authority)
    files = {"own": authority.ca_file, "other": other.ca_file, "missing": tmp_path / "no.pem"}
    city = populated(tmp_path / "city", timestamp_ca_file=files.get(named))
    try:
        found = _asked(city, path)
    finally:
        city.close()
    assert found["stamp"]["authority"] == "CN=Time Authority of the Tests"
    trusted = {"own": True, "other": False, "none": None, "missing": None}
    assert found["stamp"]["trusted"] is trusted[named]
    assert found["verified"] is (named in {"own", "none"})
    assert bool(found["faults"]) is (named in {"other", "missing"})


def _asked(city: City, path: Path) -> dict[str, Any]:
    city.birth()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    answer = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=path.read_bytes(),
        headers={"Authorization": f"Bearer {city.token(GATEWAY)}"},
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = (
        city.client("inspector")
        .get(f"/api/v1/evidence/{sha256}.verification")
        .raise_for_status()
        .json()
    )
    return found
