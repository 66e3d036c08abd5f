"""Evidence: what is taken, what is refused, who may look at it, and in which parts."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_city import GATEWAY, City, exceedance, sealed
from vigil_cloud.evidence.reading import BadRange, requested
from vigil_cloud.evidence.verification import EvidenceInvalid, verified
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.evidence import EvidenceReference

FILES = {
    "sound.wav": b"RIFF" + bytes(range(256)) * 2000,
    "levels.json": b'{"LAF": [60.0]}',
    "plate.png": b"\x89PNG picture",
    "page.html": b"<script>alert(1)</script>",
}


def put(
    city: City, sha256: str, body: bytes, *, token: str | None = None, gateway: str = GATEWAY
) -> httpx.Response:
    return city.anonymous().put(
        f"/api/v1/gateways/{gateway}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {token or city.token()}"},
    )


def announced(city: City, sha256: str, size: int = 1) -> None:
    """The event that names the evidence."""
    reference = EvidenceReference(sha256=sha256, size=size)
    city.send(exceedance(city.time, evidence=reference), "mic-1")


@pytest.mark.parametrize("first", ["event", "evidence"])
def test_event_and_evidence_find_each_other_in_either_order(either_city: City, first: str) -> None:
    city = either_city
    sha256, body = sealed(FILES)
    if first == "event":
        announced(city, sha256, len(body))
        assert city.alerts("inspector")[0]["evidence"] == {
            "state": "waiting",
            "sha256": sha256,
            "files": [],
        }
    assert put(city, sha256, body).status_code == 201
    if first == "evidence":
        announced(city, sha256, len(body))

    evidence = city.alerts("inspector")[0]["evidence"]
    assert evidence["state"] == "stored"
    assert {file["name"]: file["role"] for file in evidence["files"]} == {
        "sound.wav": "audio",
        "levels.json": "levels",
        "plate.png": "plate",
        "page.html": "other",
    }
    assert put(city, sha256, body).status_code == 200, "already there"
    for file in evidence["files"]:
        answer = city.client("inspector").get(f"/api/v1/evidence/{sha256}/{file['name']}")
        assert answer.content == FILES[file["name"]]
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]


def test_what_could_run_in_a_browser_is_only_saved(city: City) -> None:
    sha256, body = sealed(FILES)
    announced(city, sha256)
    put(city, sha256, body)
    client = city.client("inspector")

    page = client.get(f"/api/v1/evidence/{sha256}/page.html")
    sound = client.get(f"/api/v1/evidence/{sha256}/sound.wav")

    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment")
    assert sound.headers["content-type"] == "audio/wav"
    for answer in (page, sound):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def _swap(manifest: dict[str, Any]) -> None:
    manifest["files"][0]["sha256"] = "0" * 64


def _other_gateway(manifest: dict[str, Any]) -> None:
    manifest["gateway"] = "gw-west"


def _twice(manifest: dict[str, Any]) -> None:
    manifest["files"].append(manifest["files"][0])


def _up(manifest: dict[str, Any]) -> None:
    manifest["files"][0]["name"] = "../../etc/passwd"


def _huge(manifest: dict[str, Any]) -> None:
    manifest["files"][0]["size"] = 2**40


WAV = {"sound.wav": b"x" * 1000}
BAD: dict[str, Callable[[], tuple[str, bytes]]] = {
    "another gateway's key": lambda: sealed(WAV, key=Ed25519PrivateKey.generate()),
    "another gateway named": lambda: sealed(WAV, change=_other_gateway),
    "a digest that is not the file's": lambda: sealed(WAV, change=_swap),
    "a file exchanged after sealing": lambda: sealed(WAV, contents={"sound.wav": b"y" * 1000}),
    "a longer file": lambda: sealed(WAV, contents={"sound.wav": b"x" * 1001}),
    "a file missing": lambda: sealed(WAV, contents={"other.wav": b"x"}),
    "a file that is not listed": lambda: sealed(WAV, extra=[("more.wav", b"")]),
    "a path out of the folder": lambda: sealed(WAV, extra=[("../../evil", b"")]),
    "a path in the manifest": lambda: sealed(WAV, change=_up),
    "a file listed twice": lambda: sealed(WAV, change=_twice),
    "a size of a terabyte": lambda: sealed(WAV, change=_huge),
    "a bomb": lambda: sealed(
        WAV, contents={"sound.wav": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED
    ),
    "a strange compression": lambda: sealed(WAV, compression=zipfile.ZIP_LZMA),
    "no zip": lambda: (hashlib.sha256(b"no zip").hexdigest(), b"no zip"),
    "nothing": lambda: (hashlib.sha256(b"").hexdigest(), b""),
    "half a zip": lambda: (
        hashlib.sha256(sealed(WAV)[1][:-300]).hexdigest(),
        sealed(WAV)[1][:-300],
    ),
    "an empty zip": lambda: _empty_zip(),
    "a list of contents without end": lambda: _endless(),
    "a comment instead of an end": lambda: (
        hashlib.sha256(sealed(WAV)[1] + b"PK" * 70_000).hexdigest(),
        sealed(WAV)[1] + b"PK" * 70_000,
    ),
    "the digest of something else": lambda: ("0" * 64, sealed(WAV)[1]),
}


def _endless() -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(25_000):
            archive.writestr(f"{number:05d}", b"")
    return hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()


def _empty_zip() -> tuple[str, bytes]:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()


@pytest.mark.parametrize("what", BAD)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_as_it_was_sealed_is_refused_for_good(city: City, what: str) -> None:
    sha256, body = BAD[what]()

    answer = put(city, sha256, body)

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "evidence-invalid"
    assert list((city.settings.data_dir / "incoming").iterdir()) == []
    stored = [path for path in (city.settings.data_dir / "objects").rglob("*") if path.is_file()]
    assert stored == []


def test_a_list_of_contents_without_end_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.zip"
    path.write_bytes(_endless()[1])

    with pytest.raises(EvidenceInvalid, match="longer than any evidence needs"):
        verified(path, gateway=GATEWAY, public_key=bytes(32))


def test_what_a_killed_process_left_is_removed_and_uploads_under_way_are_not(city: City) -> None:
    folder = city.settings.data_dir / "incoming"
    folder.mkdir()
    left, under_way = folder / "left.zip", folder / "under-way.zip"
    for path, hours in ((left, 25), (under_way, 1)):
        path.write_bytes(b"x")
        moment = (city.time - timedelta(hours=hours)).timestamp()
        os.utime(path, (moment, moment))

    assert put(city, *sealed(FILES)).status_code == 201

    assert list(folder.iterdir()) == [under_way]


def test_more_uploads_than_the_disk_takes_at_once_come_again(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vigil_cloud.evidence import routes

    monkeypatch.setattr(routes, "_uploads", threading.BoundedSemaphore(1))
    sha256, body = sealed(FILES)
    with routes._uploads:
        busy = put(city, sha256, body)
    assert (busy.status_code, busy.json()["code"]) == (503, "too-many-uploads")
    assert busy.headers["retry-after"]

    assert put(city, "0" * 64, body).status_code == 422
    assert put(city, sha256, body).status_code == 201, "a refused upload gives its place back"


def test_every_changed_byte_of_a_file_is_noticed(city: City) -> None:
    _, body = sealed(WAV)
    at = body.index(b"x" * 1000) + 500
    changed = body[:at] + b"y" + body[at + 1 :]

    answer = put(city, hashlib.sha256(changed).hexdigest(), changed)

    assert answer.status_code == 422


def test_only_the_gateway_itself_may_upload(city: City) -> None:
    sha256, body = sealed(FILES)
    city.token("gw-west")

    assert put(city, sha256, body, token="token-of-gw-west").json()["code"] == "gateway-refused"
    assert put(city, sha256, body, token="nonsense").status_code == 403
    bare = city.anonymous().put(f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}", content=body)
    assert bare.status_code == 401
    signed_in = city.client("administrator").put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}", content=body
    )
    assert signed_in.status_code == 401


def test_before_its_birth_a_gateway_is_asked_to_wait(city: City) -> None:
    sha256, body = sealed(FILES, gateway="gw-west")

    answer = put(city, sha256, body, token=city.token("gw-west"), gateway="gw-west")
    assert (answer.status_code, answer.json()["code"]) == (409, "gateway-unknown")

    city.birth("gw-west")
    assert put(city, sha256, body, token="token-of-gw-west", gateway="gw-west").status_code == 201


def test_too_much_is_cut_off_while_it_comes(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil_cloud.evidence import routes

    monkeypatch.setattr(routes, "LARGEST_ZIP", 1000)
    sha256, body = sealed(FILES)

    answer = put(city, sha256, body)

    assert (answer.status_code, answer.json()["code"]) == (413, "evidence-too-large")


@pytest.mark.parametrize("role", list(Role))
def test_evidence_follows_the_rights_of_its_alert_and_each_look_is_kept(
    city: City, role: Role
) -> None:
    sha256, body = sealed(FILES)
    announced(city, sha256)
    put(city, sha256, body)
    allowed = role in {Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}

    answer = city.client(role.value).get(f"/api/v1/evidence/{sha256}/plate.png")

    assert answer.status_code == (200 if allowed else 404)
    with city.services.sessions() as session:
        looks = session.scalars(select(AuditEntry).where(AuditEntry.action == "evidence.read"))
        assert [look.account for look in looks] == ([role.value] if allowed else [])


def test_evidence_without_an_alert_is_shown_to_those_alone_whom_its_domain_names(
    city: City,
) -> None:
    sha256, body = sealed(FILES)
    put(city, sha256, body)

    address = f"/api/v1/evidence/{sha256}/plate.png"
    shown = {role for role in Role if city.client(role.value).get(address).status_code == 200}

    assert shown == {Role.INSPECTOR, Role.REVIEWER}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_parts_of_a_file_can_be_asked_for(city: City, compression: int) -> None:
    sha256, body = sealed(FILES, compression=compression)
    announced(city, sha256)
    put(city, sha256, body)
    whole = FILES["sound.wav"]
    client = city.client("inspector")

    def part(wanted: str) -> httpx.Response:
        return client.get(f"/api/v1/evidence/{sha256}/sound.wav", headers={"Range": wanted})

    middle = part("bytes=300000-300099")
    assert (middle.status_code, middle.content) == (206, whole[300000:300100])
    assert middle.headers["content-range"] == f"bytes 300000-300099/{len(whole)}"
    assert part("bytes=-10").content == whole[-10:]
    assert part("bytes=511990-").content == whole[511990:]
    assert part("bytes=0-1,4-5").status_code == 200, "several parts: the whole is sent"
    beyond = part(f"bytes={len(whole)}-")
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"


@given(st.text(max_size=40), st.integers(0, 1000))
def test_no_range_header_breaks_anything(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = requested(text, size)
        except BadRange:
            continue
        assert found is None or 0 <= found[0] <= found[1] < size


@given(st.integers(1, 1000), st.data())
def test_every_range_inside_a_file_is_understood(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start, size + 10))

    assert requested(f"bytes={start}-{end}", size) == (start, min(end, size - 1))
    assert requested(f"bytes={start}-", size) == (start, size - 1)
