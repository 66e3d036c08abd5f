"""A city with two more reviewers, and pictures as phones take them."""

from __future__ import annotations

import io
import struct
from typing import Any
from urllib.parse import quote

import httpx
from PIL import ExifTags, Image

from cloud_city import GATEWAY, City, exceedance, excursion, sealed
from vigil_cloud.cases import deadlines
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.evidence import service as evidence
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise import recording
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.noise.register_schema import RegisterBody
from vigil_schemas.noise import NoiseExceedance


class Office:
    """People who work on cases, by what they send."""

    def __init__(self, city: City) -> None:
        self.city = city
        for name in ("ana", "bo", "chen"):
            city.account(name, Role.REVIEWER)
        city.account("other-inspector", Role.INSPECTOR)
        self._registered = False

    def ask(self, who: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.city.client(who).post(f"/api/v1/cases{path}", json=body, **more)

    def do(self, who: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        answer = self.ask(who, path, body, **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refused(self, who: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
        answer = self.ask(who, path, body, **more)
        problem = answer.json()
        return answer.status_code, problem["code"], problem["detail"]

    def photograph(
        self, who: str, case: str, content: bytes, caption: str = "", **headers: str
    ) -> dict[str, Any]:
        answer = self.send_photograph(who, case, content, caption, **headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send_photograph(
        self, who: str, case: str, content: bytes, caption: str = "", **headers: str
    ) -> httpx.Response:
        return self.city.client(who).post(
            f"/api/v1/cases/{case}/photographs",
            content=content,
            headers={"Content-Type": "image/jpeg", "Slug": quote(caption), **headers},
        )

    def see(self, who: str, case: str) -> dict[str, Any]:
        found: dict[str, Any] = (
            self.city.client(who).get(f"/api/v1/cases/{case}").raise_for_status().json()
        )
        return found

    def listed(self, who: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.city.client(who).get("/api/v1/cases", params=query)
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json()["cases"]
        return found

    def later(self, **span: float) -> None:
        """Time passes, and everybody signs in anew."""
        self.city.later(**span)
        for name in ("administrator", "inspector", "reviewer", "ana", "bo", "chen"):
            if name in self.city._clients:
                self.city.sign_in_anew(name)

    def chore(self) -> None:
        """What the platform does every minute."""
        with writing(self.city.services.sessions) as session:
            deadlines.tell(session, case_kinds(), self.city.time)

    def register(self, **entries: Any) -> None:
        """What the noise register holds, unless other entries are given."""
        with writing(self.city.services.sessions) as session:
            body = RegisterBody.model_validate(entries or noise_register())
            recording.enter(session, body, "keeper", self.city.time)

    def exceedance(self, id: str = "exceedance-9", **change: Any) -> str:
        """A loud vehicle, measured as the law wants it, with its evidence; its alert's id."""
        city = self.city
        if not self._registered:
            self._registered = True
            self.register()
            city.birth()
        sha256, body = sealed({"plate.png": b"plate", "audio.wav": b"sound"}, evidence_id=id)
        path = evidence.new_upload(city.services)
        path.write_bytes(body)
        evidence.store(city.services, GATEWAY, sha256, path)
        path.unlink(missing_ok=True)
        said = exceedance(city.time, id).model_dump()
        said |= {
            "background_db": 62.0,
            "evidence": {"sha256": sha256, "size": len(body)},
            **change,
        }
        city.send(NoiseExceedance.model_validate(said), "mic-1")
        with city.services.sessions() as session:
            found = session.get(Exceedance, f"{GATEWAY}:{id}")
            assert found is not None
            assert found.alert_id is not None, "it founds no case"
            return found.alert_id

    def noise(
        self, who: str = "inspector", id: str = "exceedance-9", **change: Any
    ) -> dict[str, Any]:
        """A case about one loud vehicle."""
        alert = self.exceedance(id, **change)
        return self.do(who, "", {"kind": "noise-exceedance", "alerts": [alert]})

    def water(self, id: str = "excursion-9") -> dict[str, Any]:
        self.city.send(excursion(self.city.time, id=id), "sonde-1")
        (alert,) = self.city.listed("inspector", domain="water", limit=1)
        return self.do("inspector", "", {"kind": "water-inspection", "alerts": [alert["id"]]})

    def decide(
        self,
        who: str,
        case: dict[str, Any],
        outcome: str,
        amount: int | None = None,
        plate: str = "ABC-1234",
    ) -> dict[str, Any]:
        return self.do(who, f"/{case['id']}/decisions", decision(case, outcome, amount, plate))


def decision(
    case: dict[str, Any], outcome: str, amount: int | None = None, plate: str = "ABC-1234"
) -> dict[str, Any]:
    carries = case["kind"] == "noise-exceedance" and outcome == "fine"
    return {
        "version": case["version"],
        "outcome": outcome,
        "amount_twd": amount,
        "reason": "Seen and heard.",
        "entries": {"plate": plate} if carries else {},
    }


def noise_register() -> dict[str, Any]:
    """One crossing with a limit of 86 dB(A), an instrument with its three certificates."""
    long = {"valid_from": "2026-01-01", "valid_until": "2027-12-31"}
    return {
        "intersections": [
            {
                "id": "zhongshan",
                "name": "Zhongshan Road",
                "name_zh": "中山路口",
                "latitude": 23.48,
                "longitude": 120.45,
            }
        ],
        "roads": [
            {
                "intersection": "zhongshan",
                "valid_from": "2026-01-01",
                "speed_limit_kmh": 50,
                "sign_distance_m": 120.0,
                "limits": [{"limit_db": 86.0}],
                "basis": "Announcement 115-001",
            }
        ],
        "instruments": [{"serial": "XL2-1", "maker": "NTi", "model": "XL2"}],
        "certificates": [
            {"instrument": "XL2-1", "kind": "verification", "number": "V-1", **long},
            {"instrument": "XL2-1", "kind": "comparison", "number": "C-1", **long},
            {"instrument": "XL2-1", "kind": "calibration", "number": "F-1", **long},
        ],
        "placements": [
            {
                "device": "mic-1",
                "since": "2026-01-05T00:00:00Z",
                "intersection": "zhongshan",
                "instrument": "XL2-1",
            }
        ],
        "rules": [
            {
                "valid_from": "2026-01-01",
                "penalties": [
                    {"over_db": 0.0, "amount_twd": 3600},
                    {"over_db": 5.0, "amount_twd": 7200},
                ],
            }
        ],
    }


def picture_of_an_editor(size: tuple[int, int]) -> bytes:
    """On its side, with its resolution as a text: what reads it cannot always write it again."""
    directory = struct.pack("<HHHII", 2, 0x0112, 3, 1, 6) + struct.pack(
        "<HHI4s", 0x011A, 2, 3, b"72"
    )
    written = io.BytesIO()
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + bytes(4)
    Image.new("RGB", size, (40, 90, 160)).save(written, "JPEG", exif=exif)
    return written.getvalue()


def picture(
    size: tuple[int, int] = (640, 480),
    format: str = "JPEG",
    *,
    located: bool = True,
    zone: str | None = "+08:00",
    taken: str = "2026:03:01 11:58:30",
) -> bytes:
    """As a phone takes it: with a place, a time with its zone, lying on its side."""
    image = Image.new("RGB", size, (40, 90, 160))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Taipei Phones"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = taken
    if zone is not None:
        details[ExifTags.Base.OffsetTimeOriginal] = zone
    if located:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef] = "N"
        place[ExifTags.GPS.GPSLatitude] = (23.0, 28.0, 48.36)
        place[ExifTags.GPS.GPSLongitudeRef] = "E"
        place[ExifTags.GPS.GPSLongitude] = (120.0, 26.0, 57.1)
    written = io.BytesIO()
    image.save(written, format, exif=exif)
    return written.getvalue()
