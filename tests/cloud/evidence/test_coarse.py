"""Coarse pictures: who is shown one, what can be made out in it, and when it is gone."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select, update

from cloud.evidence.packages import ROLES, sealed_package
from cloud.evidence.test_evidence import announced, put
from cloud_city import GATEWAY, KEY, City, exceedance, sealed
from sql import statements
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.evidence import coarse, coarse_picture
from vigil_cloud.evidence.coarse_picture import reduced
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.objects.port import ObjectsUnavailable
from vigil_cloud.retention import Retention
from vigil_edge.noise.pictures.encode import write_stills
from vigil_edge.noise.pictures.reading import film_of
from vigil_edge.noise.plate.reader import read_plate
from vigil_schemas.evidence import EvidenceReference
from vigil_sim.noise.plate import plate

OVERVIEW, NEAR = 39, 19
"""Pixels along the longer side, of an overview's picture and of a plate camera's."""


def scene(share: float = 0.2, text: str = "ABC-1234", size: tuple[int, int] = (1920, 1080)) -> Any:
    """A car (BGR) whose plate fills this share of the picture's width."""
    wide, high = size
    picture = np.full((high, wide, 3), (96, 92, 90), np.uint8)
    cv2.rectangle(picture, (0, high // 2), (wide, high), (70, 68, 66), -1)
    cv2.rectangle(
        picture, (wide // 4, high // 4), (3 * wide // 4, high * 4 // 5), (40, 40, 170), -1
    )
    flat = plate(text, scooter=False)
    width = round(share * wide)
    small = cv2.resize(
        flat, (width, round(width * flat.shape[0] / flat.shape[1])), interpolation=cv2.INTER_AREA
    )
    top, left = high // 2, (wide - width) // 2
    picture[top : top + small.shape[0], left : left + width] = small
    return picture


def jpeg(picture: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1])


FRAME = jpeg(scene(size=(640, 360)))


def stored(city: City, files: Mapping[str, bytes], name: str = "exceedance-1") -> str:
    """The package of a loud vehicle, announced and uploaded; its digest."""
    sha256, body = sealed(files, evidence_id=name)
    reference = EvidenceReference(sha256=sha256, size=len(body))
    city.send(exceedance(city.time, name, evidence=reference), "mic-1")
    assert put(city, sha256, body).status_code == 201
    return sha256


def address(city: City, who: str = "inspector") -> str:
    (listed,) = city.listed(who)
    return f"/api/v1/alerts/{listed['id']}/thumbnail"


def decoded(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def looks(city: City) -> list[str]:
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.action == "evidence.read")
        return [line.account for line in session.scalars(query)]


@pytest.mark.parametrize("role", list(Role))
def test_who_may_open_the_evidence_is_shown_it_and_has_not_looked(city: City, role: Role) -> None:
    stored(city, {"frame.jpg": FRAME})
    where, allowed = address(city), role in {"inspector", "reviewer", "police", "administrator"}

    answer = city.client(role.value).get(where)

    assert answer.status_code == (200 if allowed else 404)
    listed = city.listed(role.value)
    assert [one["thumbnail"] for one in listed] == ([True] if allowed else [])
    assert looks(city) == []


def test_the_list_says_that_there_is_one_and_a_browser_asks_each_time(either_city: City) -> None:
    city = either_city
    # Given a package that has not come
    sha256, body = sealed({"frame.jpg": FRAME, "sound.wav": b"sound"})
    announced(city, sha256, len(body))
    client, where = city.client("inspector"), address(city)
    (before,) = city.listed("inspector")
    assert (before["evidence"], before["thumbnail"]) == ("waiting", False)
    assert not city.alerts("inspector")[0]["thumbnail"]
    assert (client.get(where).status_code, client.get(where).json()["code"]) == (
        404,
        "evidence-unknown",
    )

    # When it comes
    assert put(city, sha256, body).status_code == 201

    # Then the list says so, and the picture is a small one
    (after,) = city.listed("inspector")
    assert (after["evidence"], after["thumbnail"]) == ("stored", True)
    assert city.alerts("inspector")[0]["thumbnail"], "as a page shows it, so the list that follows"
    answer = client.get(where).raise_for_status()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert max(decoded(answer.content).size) == OVERVIEW
    assert len(answer.content) < 2_000
    # and whoever has it is told so, by whatever name among others
    for said in (answer.headers["etag"], f'"other", {answer.headers["etag"]}'):
        again = client.get(where, headers={"If-None-Match": said})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(where, headers={"If-None-Match": '"other"'}).status_code == 200
    assert city.anonymous().get(where).status_code == 401


def test_a_gateways_own_pictures_come_through_to_the_list(city: City, tmp_path: Path) -> None:
    # Given what a gateway makes of a film
    (tmp_path / "frames").mkdir()
    frames = []
    for number in range(4):
        name = f"{number:05d}.jpg"
        (tmp_path / "frames" / name).write_bytes(jpeg(scene(size=(640, 360))))
        frames.append([name, 1000 + number / 10])
    film = {"fps": 10, "LAFmax_s": 1000.2, "frames": frames}
    (tmp_path / "frames.json").write_text(json.dumps(film))
    made = write_stills(tmp_path, film_of(tmp_path))
    assert {"frame.jpg", "thumbnail.jpg"} <= set(made)

    # When it is sealed and sent
    files = {name: (tmp_path / name).read_bytes() for name in made if name in ROLES}
    folder = tmp_path / "sealing"
    folder.mkdir()
    body = sealed_package(folder, files, KEY, gateway=GATEWAY).read_bytes()
    sha256 = hashlib.sha256(body).hexdigest()
    announced(city, sha256, len(body))
    assert put(city, sha256, body).status_code == 201

    # Then it is in the list
    picture = decoded(city.client("inspector").get(address(city)).raise_for_status().content)
    assert picture.size == (OVERVIEW, OVERVIEW * 9 // 16)
    red, green, blue = picture.getpixel((12, 12))  # type: ignore[misc]  # RGB
    assert red > 120 > 80 > green
    assert red > 120 > 80 > blue
    assert looks(city) == []


WITHOUT: dict[str, dict[str, bytes]] = {
    "no picture": {"sound.wav": b"sound"},
    "only a crop of the plate": {"plate.png": FRAME},
    "a picture that is none": {"frame.jpg": b"\xff\xd8 torn"},
    "a torn one": {"frame.jpg": FRAME[: len(FRAME) // 2]},
}


@pytest.mark.parametrize("files", WITHOUT.values(), ids=WITHOUT)
def test_where_nothing_can_be_shown_the_package_is_taken_and_nothing_is_shown(
    city: City, files: dict[str, bytes]
) -> None:
    stored(city, files)

    (listed,) = city.listed("inspector")
    assert (listed["evidence"], listed["thumbnail"]) == ("stored", False)
    assert city.client("inspector").get(address(city)).status_code == 404
    assert coarse.make_missing(city.services) == 0, "it is not looked for again"


def test_a_picture_of_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reduced(FRAME, OVERVIEW)
    monkeypatch.setattr(coarse_picture, "MOST_PIXELS", 640 * 360 - 1)
    assert reduced(FRAME, OVERVIEW) == b""


@pytest.mark.parametrize("text", ["ABC-1234", "MKP-7390", "8521-KL"])
@pytest.mark.parametrize(("share", "side"), [(0.2, OVERVIEW), (0.4, NEAR)])
def test_the_largest_plate_keeps_under_eight_pixels_and_is_not_read(
    share: float, side: int, text: str
) -> None:
    sharp = scene(share, text)
    assert read_plate(sharp).text == text.replace("-", "")

    small = np.asarray(decoded(reduced(jpeg(sharp), side)).convert("RGB"))

    assert max(small.shape) == side
    assert share * small.shape[1] < 8
    for factor in (1, 8, 24):
        larger = cv2.resize(
            small[:, :, ::-1], None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC
        )
        assert read_plate(np.asarray(larger, dtype=np.uint8)).text is None


def test_a_plate_cameras_picture_is_coarser_and_a_high_one_is_no_wider() -> None:
    def made(camera: str | None, picture: Any) -> tuple[int, int]:
        file = {"name": "frame.jpg", "role": "frame", "size": 1000, "camera": camera}
        return decoded(coarse._of([file], lambda _: jpeg(picture))).size

    assert made("overview", scene())[0] == made(None, scene())[0] == OVERVIEW
    assert made("plate", scene())[0] == NEAR
    assert max(made(None, scene(size=(1080, 1920)))) == OVERVIEW


def test_nothing_else_of_the_file_is_kept() -> None:
    picture = Image.fromarray(scene(size=(640, 360)))
    exif = picture.getexif()
    exif[270] = "where it was taken"
    told = PngInfo()
    told.add_text("Comment", "where it was taken")
    for how in (
        {"format": "JPEG", "exif": exif, "comment": b"where it was taken"},
        {"format": "PNG", "pnginfo": told},
        {"format": "WEBP", "exif": exif},
    ):
        written = io.BytesIO()
        picture.save(written, **how)
        assert b"where it was taken" in written.getvalue() or how["format"] != "JPEG"
        assert b"where" not in reduced(written.getvalue(), OVERVIEW), how["format"]


def test_it_goes_with_its_evidence(either_city: City) -> None:
    city = either_city
    sha256 = stored(city, {"frame.jpg": FRAME})
    where = address(city)
    assert city.client("inspector").get(where).status_code == 200
    with writing(city.services.sessions) as session:
        done = {"active": False, "acknowledged": True, "confirmed": True}
        session.execute(update(AlertRow).values(done))
        session.execute(update(EvidenceRow).values(stored=city.time - timedelta(days=1826)))

    Retention(city.services).keep()

    assert city.client("inspector").get(where).status_code == 404
    assert [one["thumbnail"] for one in city.listed("inspector")] == [False]
    with city.services.sessions() as session:
        assert session.scalars(select(EvidenceRow.coarse)).all() == []
    assert city.client("inspector").get(f"/api/v1/evidence/{sha256}.zip").status_code == 404


def test_it_goes_with_its_alert(city: City) -> None:
    stored(city, {"frame.jpg": FRAME})
    where = address(city)
    with writing(city.services.sessions) as session:
        session.execute(update(AlertRow).values(evidence_sha256=None))

    assert city.client("inspector").get(where).status_code == 404
    assert [one["thumbnail"] for one in city.listed("inspector")] == [False]


def test_another_gateways_package_of_the_same_digest_is_not_shown(city: City) -> None:
    stored(city, {"frame.jpg": FRAME})
    where = address(city)
    with writing(city.services.sessions) as session:
        session.execute(update(EvidenceRow).values(gateway="gw-west"))

    assert city.client("inspector").get(where).status_code == 404
    assert [one["thumbnail"] for one in city.listed("inspector")] == [False]


def test_of_packages_that_were_there_before_a_job_makes_them(
    either_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = either_city
    monkeypatch.setattr(coarse, "_PAGE", 2)
    names = [f"exceedance-{number}" for number in range(1, 6)]
    digests = [
        stored(city, {"frame.jpg": FRAME, "sound.wav": name.encode()}, name) for name in names
    ]
    with writing(city.services.sessions) as session:
        session.execute(update(EvidenceRow).values(coarse=None))
    city.services.objects.delete(f"evidence/{GATEWAY}/{digests[0]}.zip")
    assert {one["thumbnail"] for one in city.listed("inspector")} == {False}

    # While the store is away nothing is decided
    with monkeypatch.context() as away:

        def unavailable(*_: object) -> int:
            raise ObjectsUnavailable("away")

        away.setattr(type(city.services.objects), "size", unavailable)
        with pytest.raises(ObjectsUnavailable):
            coarse.make_missing(city.services)

    # After a turn's time the next one goes on
    with monkeypatch.context() as short:
        short.setattr(coarse, "TURN_S", 0.0)
        assert coarse.make_missing(city.services) == 2

    assert coarse.make_missing(city.services) == 3
    assert coarse.make_missing(city.services) == 0

    shown = [one["thumbnail"] for one in city.listed("inspector")]
    assert sorted(shown) == [False, True, True, True, True], "one package is missing"
    assert looks(city) == []


def test_a_list_with_pictures_asks_no_more_than_one_without(city: City) -> None:
    asked = []
    for number in range(1, 7):
        stored(city, {"frame.jpg": FRAME, "sound.wav": bytes([number])}, f"exceedance-{number}")
        client = city.client("inspector")
        with statements(city.services.engine) as told:
            client.get("/api/v1/alerts").raise_for_status()
        asked.append(len(told))
    assert len(city.listed("inspector")) == 6
    assert len(set(asked)) == 1, asked
