"""A package of version 2 in a case: its page that verifies itself, the queue, and its chain."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from cases_office import Office, picture
from cloud_city import GATEWAY, KEY, City
from vigil_cloud.cases.bundle_check import examine_bundle
from vigil_cloud.identity.models import AuditEntry
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_schemas.evidence import (
    CameraRole,
    EvidenceFile,
    EvidenceManifest,
    EvidenceReference,
    EvidenceRole,
)

PUBLIC = KEY.public_key().public_bytes_raw()
FILES: dict[str, tuple[EvidenceRole, bytes]] = {
    "audio.wav": ("audio", b"RIFF voices of the street"),
    "video.webm": ("video", b"faces"),
    "overlay.webm": ("overlay", b"faces and levels"),
    "blurred.webm": ("blurred", b"nobody </script>"),
    "plate-video.webm": ("video", b"faces, nearer"),
    "plate-blurred.webm": ("blurred", b"nobody, nearer"),
    "thumbnail.jpg": ("thumbnail", picture()),
    "levels.json": ("levels", b'{"exceedance": {"LAFmax": 97.1}}'),
}


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


@pytest.fixture
def queue(tmp_path: Path) -> EvidenceQueue:
    return EvidenceQueue(tmp_path / "edge", KEY, 10**8, lambda name: None)


def _camera_of(file: str) -> CameraRole | None:
    if not file.endswith(("webm", "jpg")):
        return None
    return "plate" if file.startswith("plate-") else "overview"


async def sealed(queue: EvidenceQueue, folder: Path, name: str, city: City) -> EvidenceReference:
    """As the gateway's own queue seals it."""
    paths = {}
    for file, (_, content) in FILES.items():
        paths[file] = folder / file
        paths[file].write_bytes(content)
    manifest = EvidenceManifest(
        evidence_id=name,
        gateway=GATEWAY,
        device="mic-1",
        sealed=city.time,
        started=city.time,
        ended=city.time,
        files=[
            EvidenceFile(
                name=file,
                role=role,
                media_type="video/webm" if file.endswith("webm") else "application/json",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                camera=_camera_of(file),
            )
            for file, (role, content) in FILES.items()
        ],
    )
    return await queue.deposit(manifest, paths)


def put(city: City, queue: EvidenceQueue, sha256: str) -> None:
    answer = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=(queue.folder / f"{sha256}.zip").read_bytes(),
        headers={"Authorization": f"Bearer {city.token(GATEWAY)}"},
    )
    assert answer.status_code == 201, answer.text


def in_page(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    said: dict[str, Any] = json.loads(found[1])
    return said


async def test_a_package_goes_through_queue_page_and_chain(
    office: Office, queue: EvidenceQueue, tmp_path: Path
) -> None:
    # Given two packages of one gateway, each with its case; the first has not come yet
    city = office.city
    city.birth()
    names = ("exceedance-10", "exceedance-11")
    first, second = [await sealed(queue, tmp_path, name, city) for name in names]
    cases = []
    for name, one in zip(names, (first, second), strict=True):
        cases.append(office.noise(id=name, evidence=one))
        city.time += timedelta(minutes=1)
    put(city, queue, second.sha256)
    reviewer = city.client("reviewer")
    read = select(AuditEntry.account).where(AuditEntry.action == "evidence.read")

    # Then the queue has both, the longest waiting first, with a picture where there is one
    found = reviewer.get("/api/v1/noise/review").raise_for_status().json()
    assert [one["case"] for one in found["cases"]] == [case["id"] for case in cases]
    assert [one["thumbnail"] for one in found["cases"]] == [False, True]
    missing, there = [
        reviewer.get(f"/api/v1/alerts/{one['alert']}/thumbnail") for one in found["cases"]
    ]
    assert missing.status_code == 404
    assert there.headers["content-type"] == "image/jpeg"
    with city.services.sessions() as session:
        assert session.scalars(read).all() == [], "whoever sees the queue has not looked"
    assert city.client("police").get("/api/v1/noise/review").json()["cases"] == []
    assert len(reviewer.get("/api/v1/noise/review?limit=1").json()["cases"]) == 1

    # and the second's predecessor is missed until it comes
    address = f"/api/v1/evidence/{second.sha256}.verification"
    told = reviewer.get(address).raise_for_status().json()
    assert (told["verified"], told["version"], told["number"]) == (True, 2, 2)
    assert (told["previous"], told["previous_is"]) == (first.sha256, "unknown")
    assert told["public_key"] == PUBLIC.hex()
    put(city, queue, first.sha256)
    assert reviewer.get(address).json()["previous_is"] == "known"
    before = reviewer.get(f"/api/v1/evidence/{first.sha256}.verification").json()
    assert (before["number"], before["previous_is"]) == (1, "first")

    # and whoever may see it is told which camera each film is of
    alert = reviewer.get(f"/api/v1/cases/{cases[1]['id']}").json()["alerts"][0]["id"]
    listed = reviewer.get(f"/api/v1/alerts/{alert}").json()["evidence"]["files"]
    cameras = {file["name"]: file["camera"] for file in listed}
    assert cameras["plate-video.webm"] == "plate"
    assert (cameras["video.webm"], cameras["audio.wav"]) == ("overview", None)

    # and the page holds what its gateway signed, of which nobody can be recognised
    at = f"/api/v1/cases/{cases[1]['id']}/evidence/{second.sha256}.html"
    page = city.client("inspector").get(at)
    assert page.headers["content-disposition"].startswith("attachment")
    said = in_page(page.text)
    shown = {"blurred.webm", "plate-blurred.webm", "thumbnail.jpg", "levels.json"}
    assert set(said["files"]) == shown
    text = base64.b64decode(said["manifest"])
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(said["key"])).verify(
        base64.b64decode(said["signature"]), text
    )
    listed = {file["name"]: file["sha256"] for file in json.loads(text)["files"]}
    for name, content in said["files"].items():
        assert hashlib.sha256(base64.b64decode(content)).hexdigest() == listed[name]
    assert b"faces" not in page.content
    for who, status in (("police", 404), ("family", 404), ("reviewer", 200)):
        assert city.client(who).get(at).status_code == status, who
    other = at.replace(second.sha256, first.sha256)
    assert city.client("inspector").get(other).status_code == 404, "of another case"

    # and it lies in the case's file, which verifies as a whole
    bundle = city.client("inspector").get(f"/api/v1/cases/{cases[1]['id']}/dossier.zip")
    path = tmp_path / "dossier.zip"
    path.write_bytes(bundle.content)
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert archive.read(f"evidence/{second.sha256}.html") == page.content
    examined = examine_bundle(path, PUBLIC)
    assert examined.faults == []
    assert examined.packages == [second.sha256]

    # When a byte of the stored package changes, the server says so
    object_path = next((city.settings.data_dir / "objects").rglob(f"{second.sha256}.zip"))
    whole = bytearray(object_path.read_bytes())
    whole[whole.index(b"faces and levels") + 1] ^= 1
    object_path.write_bytes(whole)
    broken = reviewer.get(address).json()
    assert not broken["verified"]
    assert [one.partition(":")[0] for one in broken["faults"]] == ["overlay.webm"]


def test_a_package_of_version_1_leaves_the_house_in_no_page(office: Office) -> None:
    """Its crop of a plate may be a parked vehicle's."""
    case = office.noise()
    inspector = office.city.client("inspector")
    (sha256,) = office.see("inspector", case["id"])["evidence"]
    assert inspector.get(f"/api/v1/evidence/{sha256}.zip").status_code == 200
    answer = inspector.get(f"/api/v1/cases/{case['id']}/evidence/{sha256}.html")
    assert (answer.status_code, answer.json()["code"]) == (404, "evidence-unknown")
    bundle = inspector.get(f"/api/v1/cases/{case['id']}/dossier.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert [name for name in archive.namelist() if name.startswith("evidence/")] == [
            f"evidence/{sha256}.zip"
        ]
