"""A city with two more reviewers, and pictures as phones take them."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import httpx
from PIL import ExifTags, Image

from cloud_city import City, exceedance, excursion
from vigil_cloud.app import case_kinds
from vigil_cloud.cases import deadlines
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role


class Office:
    """People who work on cases, by what they send."""

    def __init__(self, city: City) -> None:
        self.city = city
        for name in ("ana", "bo", "chen"):
            city.account(name, Role.REVIEWER)
        city.account("other-inspector", Role.INSPECTOR)

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

    def noise(self, who: str = "inspector", id: str = "exceedance-9") -> dict[str, Any]:
        """A case about one loud vehicle."""
        self.city.send(exceedance(self.city.time, id), "mic-1")
        (alert,) = self.city.listed("inspector", domain="noise", limit=1)
        return self.do(who, "", {"kind": "noise-exceedance", "alerts": [alert["id"]]})

    def water(self, id: str = "excursion-9") -> dict[str, Any]:
        self.city.send(excursion(self.city.time, id=id), "sonde-1")
        (alert,) = self.city.listed("inspector", domain="water", limit=1)
        return self.do("inspector", "", {"kind": "water-inspection", "alerts": [alert["id"]]})

    def decide(
        self, who: str, case: dict[str, Any], outcome: str, amount: int | None = None
    ) -> dict[str, Any]:
        return self.do(who, f"/{case['id']}/decisions", decision(case, outcome, amount))


def decision(case: dict[str, Any], outcome: str, amount: int | None = None) -> dict[str, Any]:
    return {
        "version": case["version"],
        "outcome": outcome,
        "amount_twd": amount,
        "reason": "Seen and heard.",
    }


def picture(
    size: tuple[int, int] = (640, 480), format: str = "JPEG", *, located: bool = True
) -> bytes:
    """As a phone takes it: with a place, a time with its zone, lying on its side."""
    image = Image.new("RGB", size, (40, 90, 160))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Taipei Phones"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2026:03:01 11:58:30"
    details[ExifTags.Base.OffsetTimeOriginal] = "+08:00"
    if located:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef] = "N"
        place[ExifTags.GPS.GPSLatitude] = (23.0, 28.0, 48.36)
        place[ExifTags.GPS.GPSLongitudeRef] = "E"
        place[ExifTags.GPS.GPSLongitude] = (120.0, 26.0, 57.1)
    written = io.BytesIO()
    image.save(written, format, exif=exif)
    return written.getvalue()
