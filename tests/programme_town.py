"""The programme's office, whoever fits alarms, and a home that has two on a gateway."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from cases_office import picture
from fire_town import HOME, Home

WANG = {
    "name": "王奶奶",
    "phone": "05-222-3333",
    "address": "嘉義市東區民族路8號",
    "latitude": 23.478,
    "longitude": 120.452,
}
OWN = {"household": HOME, "risks": ["disability"], "agreed": True}


class Programme:
    """The office, whoever fits alarms, and a home that has two on a gateway."""

    def __init__(self, home: Home) -> None:
        self.home, self.city = home, home.city

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.city.client(who).request(method, f"/api/v1/smoke/programme{path}", json=body)

    def say(self, who: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(who, method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    def photo(self, home: str, **where: float) -> dict[str, Any]:
        answer = self.city.client("maintainer").post(
            "/api/v1/smoke/programme/photos", params={"home": home, **where}, content=picture()
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def referred(self, **more: Any) -> str:
        body = {"particulars": WANG, "risks": ["elder-alone"], "agreed": True, **more}
        home: str = self.say("registrar", "POST", "/homes", body)["home"]
        return home

    def own(self) -> str:
        home: str = self.applied(village="Zhongshan")["home"]["home"]
        return home

    def applied(self, **more: Any) -> Any:
        return self.say("resident", "POST", "/homes/mine", {**OWN, **more})

    def fitted_until_photographed(self, home: str) -> None:
        self.say("dispatcher", "POST", f"/homes/{home}/decision", {})
        at = (self.city.time + timedelta(days=2)).isoformat()
        self.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
        self.photo(home)

    def fitted(self, home: str, *serials: str, devices: tuple[str | None, ...] = ()) -> Any:
        """Accepted, appointed, photographed, fitted."""
        self.fitted_until_photographed(home)
        expires = (self.city.time + timedelta(days=3650)).date().isoformat()
        alarms = [
            {"serial": serial, "room": "bedroom", "expires": expires, "device": device}
            for serial, device in zip(serials, devices or (None,) * len(serials), strict=True)
        ]
        return self.say("maintainer", "POST", f"/homes/{home}/installation", {"alarms": alarms})

    def looked_at(self, home: str) -> dict[str, Any]:
        """What whoever looks now signs for."""
        seen = self.say("dispatcher", "GET", f"/homes/{home}")
        return {"round": seen["round"], "digest": seen["digest"] or "0" * 64}

    def sign(self, who: str, home: str, party: str, **more: Any) -> httpx.Response:
        """For what hangs there, or as ``more`` says."""
        body = {"party": party, **self.looked_at(home), **more}
        return self.ask(who, "POST", f"/homes/{home}/signature", body)

    def signed(self, home: str, *, on_paper: bool = False) -> Any:
        keeps = "administrator" if on_paper else "resident"
        answers = [
            self.sign(keeps, home, "household", on_paper=on_paper),
            self.sign("maintainer", home, "installer"),
            self.sign("dispatcher", home, "city"),
        ]
        return [answer.raise_for_status().json() for answer in answers][-1]
