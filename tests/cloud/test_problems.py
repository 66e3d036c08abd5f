"""What a stranger or a slip of the hand can send: always a refusal that says what is wrong."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cases_office import Office
from cloud_city import City
from vigil_cloud.http import alert_routes
from vigil_cloud.http.pages import STATIC


@pytest.mark.parametrize(
    "path", ["/%00", "/" + "a" * 300, "/a%00b/c", "/%ff%fe", "//etc/passwd", "/..", "/.vite"]
)
def test_no_address_breaks_the_pages(city: City, path: str) -> None:
    answer = city.anonymous().get(path)

    page = 200 if (STATIC / "index.html").is_file() else 404
    assert answer.status_code == (422 if "%00" in path else page), "no address carries a NUL"
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/people/p1/footprints?stop=0001-01-01T00:00:00Z",
        "/api/v1/people/p1/footprints?stop=0001-01-01T00:00:00%2B14:00",
        "/api/v1/devices/mic-1/series/LAeq?stop=0001-01-01T00:00:00Z",
        "/api/v1/noise/exceedances?start=9999-12-31T23:59:59-14:00",
        "/api/v1/water/excursions?stop=0001-01-01T00:00:00%2B00:01",
        "/api/v1/smoke/conditions?start=9999-12-31T23:59:59-14:00",
    ],
)
def test_times_at_the_ends_of_the_calendar_are_refused(city: City, path: str) -> None:
    from vigil_cloud.identity.roles import Role

    city.account("everybody", *Role)
    city.consent("everybody")

    answer = city.client("everybody").get(path)

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in {"invalid-request", "bad-period", "wrong-range"}


def test_times_at_the_ends_of_the_calendar_break_nothing_in_bodies_and_headers(city: City) -> None:
    fallback = {"after_s": 9, "channel": "page", "rota": "duty"}
    quiet = {"from": "22:00", "to": "07:00"}
    administrator = city.client("administrator")
    for start in ("0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-12:00"):
        rota = {"duty": {"persons": ["dispatcher"], "start": start}}
        body = {"name": "p", "rota": rota, "fallback": fallback}
        answer = administrator.put("/api/v1/escalation-policies/p", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), start
    rota = {"duty": {"persons": ["dispatcher"]}}
    policy = {"name": "p", "rota": rota, "quiet_hours": quiet, "fallback": fallback}
    for at in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        body = {"policy": policy, "at": at, "severity": "major"}
        answer = administrator.post("/api/v1/escalation-policies/simulate", json=body)
        assert answer.status_code == 422, answer.text
    office = Office(city)
    case = office.water()["id"]
    for header in ("Written-At", "Device-Clock"):
        for at in ("9999-12-31T23:59:59-14:00", "1772323200", "0001-01-01T00:00:00+14:00"):
            answer = office.ask("inspector", f"/{case}/notes", {"text": "x"}, headers={header: at})
            assert answer.status_code == 422, (header, at)
        now = {header: "2026-03-01T12:00:00+08:00"}
        office.do("inspector", f"/{case}/notes", {"text": "x"}, headers=now)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/session",
        "/api/v1/people/evidence/consents",
        "/api/v1/gateways/evidence/commands",
        "/api/v1/gateways/evidence/evidence/commands",
        "/api/v1/gateways/gw-east/evidence/" + "0" * 64,
    ],
)
def test_no_name_in_an_address_opens_the_limit_of_a_body(city: City, path: str) -> None:
    answer = city.anonymous().post(path, content=b"x" * 70_000)

    if answer.status_code in {404, 405}:
        return  # nothing there reads a body
    assert (answer.status_code, answer.json()["code"]) == (413, "content-too-large")


def test_codes_do_not_depend_on_the_python_below(city: City) -> None:
    client = city.client("inspector")

    large = client.post("/api/v1/session", content=b"x" * 70_000).json()
    wrong = client.get("/api/v1/alerts?limit=many").json()

    assert (large["code"], large["title"]) == ("content-too-large", "Content Too Large")
    assert (wrong["code"], wrong["title"]) == ("invalid-request", "Unprocessable Content")


@pytest.mark.parametrize("error", [InterfaceError("SELECT 1", {}, Exception()), PoolTimeout()])
def test_a_database_that_is_away_or_busy_is_503(
    city: City, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    client = city.client("inspector")

    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr(alert_routes, "summaries", away)
    answer = client.get("/api/v1/alerts")

    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert answer.headers["retry-after"]


def test_a_refusal_carries_what_it_is_about(city: City) -> None:
    answer = city.client("inspector").get("/api/v1/devices/nowhere")

    assert answer.json()["code"] == "unknown-device"
    assert answer.json()["data"] == {"device": "nowhere"}


def test_a_refusal_about_nothing_in_particular_has_no_data(city: City) -> None:
    assert "data" not in city.anonymous().get("/api/v1/devices").json()
