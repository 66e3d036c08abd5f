"""What citizens' phones hear: resolved or gone, coarse, nobody's phone, and never from the sea."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select

from cloud.checkin.test_rotating import heard, sent, worn
from cloud_city import City
from vigil_cloud.checkin import phone_routes, phones
from vigil_cloud.checkin.eid import Key
from vigil_cloud.checkin.models import PhoneReport, PhoneSighting, RotatingBeacon
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts
from vigil_cloud.identity.erasure import erase
from vigil_cloud.jobs.port import Turn

__all__ = ["worn"]
NEAR = (23.4837, 120.4453)
"""Some hundred metres from the stations."""
AT_SEA = (23.45, 119.90)


def said(
    key: Key, when: datetime, place: tuple[float, float] = NEAR, **fields: Any
) -> dict[str, Any]:
    return {
        "id": f"eddystone-eid:{sent(key, when.timestamp()).hex()}",
        "at": when.isoformat(),
        "latitude": place[0],
        "longitude": place[1],
        "accuracy_m": 50.0,
        **fields,
    }


def report(city: City, *reports: dict[str, Any]) -> httpx.Response:
    return city.anonymous().post("/api/v1/phone-reports", json={"heard": list(reports)})


def resolve(city: City) -> None:
    with city.services.sessions() as session:
        if phones.waiting(session, city.time):
            phones.resolve_waiting(Turn(city.services, city.time))


def kept(city: City) -> list[PhoneSighting]:
    with city.services.sessions() as session:
        assert session.scalars(select(PhoneReport)).all() == []
        return list(session.scalars(select(PhoneSighting)))


def last_place(city: City) -> dict[str, Any]:
    found: dict[str, Any] = city.client("family").get("/api/v1/people/p1/last-place").json()
    return found


def test_a_phone_tells_roughly_where_somebody_is(worn: tuple[City, Key]) -> None:
    city, key = worn
    assert report(city, said(key, city.time)).status_code == 202
    resolve(city)
    (one,) = kept(city)
    assert (one.person_key, one.doubt, one.within_m) == ("p1", None, 200.0)
    assert (one.latitude, one.longitude) == (23.484, 120.446), "rounded to two hundred metres"
    shown = last_place(city)
    assert shown["last"] is None, "a phone is no station"
    assert shown["phone"]["within_m"] == 200.0
    assert city.alerts("family") == []


def test_a_station_is_believed_before_a_phone(worn: tuple[City, Key]) -> None:
    city, key = worn
    report(city, said(key, city.time))
    resolve(city)
    heard(city, key, city.time + timedelta(minutes=10))
    assert last_place(city)["phone"] is None, "of before the station heard them"


def test_an_id_of_nobodys_is_gone_and_answered_alike(worn: tuple[City, Key]) -> None:
    city, key = worn
    stranger = Key(b"another city key", 10, key.zero_s)
    known, unknown = report(city, said(key, city.time)), report(city, said(stranger, city.time))
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    resolve(city)
    assert len(kept(city)) == 1


@pytest.mark.parametrize("drawn", [False, True])
def test_what_reports_from_the_sea_is_refused(worn: tuple[City, Key], drawn: bool) -> None:
    """Near no station; and where districts are drawn, in none of them."""
    city, key = worn
    if drawn:
        corners = [(23.3, 120.3), (23.3, 120.6), (23.6, 120.6), (23.6, 120.3)]
        with writing(city.services.sessions) as session:
            districts.put(session, "all", "All", "全市", by="operator", now=city.time)
            districts.outline(session, "all", corners, by="operator", now=city.time)
    answer = report(city, said(key, city.time), said(key, city.time, AT_SEA))
    assert (answer.status_code, answer.json()["code"]) == (422, "phone-out-of-city")
    assert report(city, said(key, city.time, (23.59, 120.35))).status_code == (
        202 if drawn else 422
    )
    resolve(city)
    assert len(kept(city)) == int(drawn), "of a refused request nothing was kept"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "ibeacon:0123456789abcdef0123456789abcdef:1:7"},
        {"id": "eddystone-eid:xyz"},
        {"accuracy_m": -1.0},
        {"accuracy_m": float(10_000)},
        {"latitude": 91.0},
        {"phone": "0912345678"},
    ],
)
def test_static_ids_and_whatever_names_a_phone_are_refused(
    worn: tuple[City, Key], wrong: dict[str, Any]
) -> None:
    city, key = worn
    assert report(city, said(key, city.time, **wrong)).status_code == 422


@pytest.mark.parametrize("minutes", [-16, 2])
def test_what_is_old_or_lies_in_the_future_is_refused(worn: tuple[City, Key], minutes: int) -> None:
    city, key = worn
    answer = report(city, said(key, city.time + timedelta(minutes=minutes)))
    assert (answer.status_code, answer.json()["code"]) == (422, "phone-report-time")


def test_a_replay_and_what_a_station_contradicts_are_marked_and_not_shown(
    worn: tuple[City, Key],
) -> None:
    city, key = worn
    heard(city, key, city.time + timedelta(minutes=1), length_s=600)
    corners = [(23.0, 120.0), (23.0, 121.0), (24.0, 121.0), (24.0, 120.0)]
    with writing(city.services.sessions) as session:
        districts.put(session, "all", "All", "全市", by="operator", now=city.time)
        districts.outline(session, "all", corners, by="operator", now=city.time)
    begin = city.time - timedelta(minutes=10)
    recorded = said(key, begin - timedelta(hours=4), at=city.time.isoformat())
    assert report(city, recorded, said(key, begin, (23.9, 120.9))).status_code == 202
    resolve(city)
    assert sorted(str(one.doubt) for one in kept(city)) == ["replayed", "two-places"]
    assert last_place(city)["phone"] is None


def test_one_network_is_limited(worn: tuple[City, Key]) -> None:
    city, key = worn
    one = said(key, city.time)
    codes = [report(city, one).status_code for _ in range(phone_routes.FROM_ONE_NETWORK + 1)]
    assert codes == [202] * phone_routes.FROM_ONE_NETWORK + [429]


def test_ids_are_limited_however_few_requests_bring_them(
    worn: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn
    monkeypatch.setattr(phone_routes, "IDS_FROM_ONE_NETWORK", 40)
    many = [said(key, city.time)] * phone_routes.MOST
    assert [report(city, *many).status_code for _ in range(3)] == [202, 202, 429]


def test_one_turn_resolves_all_that_wait(
    worn: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn
    monkeypatch.setattr(phones, "AT_ONCE", 2)
    report(city, *[said(key, city.time)] * 5)
    resolve(city)
    assert len(kept(city)) == 5


def test_a_phone_moves_no_beacons_clock(worn: tuple[City, Key]) -> None:
    """A station that hears the id as its window begins narrows it; a phone could lie."""
    city, key = worn
    late = (city.time.timestamp() - key.zero_s) % key.window_s
    begun = city.time - timedelta(seconds=late - 1)

    def offset() -> tuple[float, float, datetime]:
        with city.services.sessions() as session:
            row = session.scalars(select(RotatingBeacon)).one()
            return row.offset_low_s, row.offset_high_s, row.offset_at

    before = offset()
    assert report(city, said(key, begun)).status_code == 202
    resolve(city)
    assert len(kept(city)) == 1
    assert offset() == before
    heard(city, key, begun, length_s=2)
    assert offset() != before


def test_outlines_are_read_once_and_not_while_others_wait_to_write(
    worn: tuple[City, Key],
) -> None:
    city, key = worn
    corners = [(23.3, 120.3), (23.3, 120.6), (23.6, 120.6), (23.6, 120.3)]
    with writing(city.services.sessions) as session:
        districts.put(session, "all", "All", "全市", by="operator", now=city.time)
        districts.outline(session, "all", corners, by="operator", now=city.time)
    said_to: list[str] = []

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said_to.append(" ".join(statement.split()))

    event.listen(city.services.engine, "before_cursor_execute", executed)
    try:
        answer = report(city, *[said(key, city.time)] * phone_routes.MOST)
    finally:
        event.remove(city.services.engine, "before_cursor_execute", executed)
    assert answer.status_code == 202
    (outlines,) = [n for n, one in enumerate(said_to) if "districts.outline" in one]
    last_write = max(n for n, one in enumerate(said_to) if one.startswith("INSERT INTO login"))
    first_kept = min(n for n, one in enumerate(said_to) if "phone_reports" in one)
    assert last_write < outlines < first_kept


def test_phones_wait_when_more_come_than_are_resolved(
    worn: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn
    monkeypatch.setattr(phones, "MOST_WAITING", 2)
    codes = [report(city, said(key, city.time)).status_code for _ in range(4)]
    assert codes == [202, 202, 202, 503]


def test_what_phones_heard_is_erased_with_the_person(worn: tuple[City, Key]) -> None:
    city, key = worn
    report(city, said(key, city.time))
    resolve(city)
    erase(city.services, "p1", by="operator")
    assert kept(city) == []


def test_a_search_shows_what_phones_heard_as_a_weaker_source(worn: tuple[City, Key]) -> None:
    from vigil_cloud.search.likely import WORTH, due

    city, key = worn
    city.guardian("family")
    made = city.client("family").post("/api/v1/search/reports", json={"person_key": "p1"})
    case = made.json()["case_id"]
    city.later(minutes=1)
    report(city, said(key, city.time))
    resolve(city)
    city.later(seconds=1)
    shown = city.client("family").get(f"/api/v1/search/cases/{case}/map").json()
    (entry,) = shown["entries"]
    assert (entry["kind"], entry["account"], entry["worth"]) == ("phone", None, WORTH["phone"])
    assert WORTH["phone"] < WORTH["seen"]
    with city.services.sessions() as session:
        assert due(session, city.later(seconds=1)) == [case]


def test_a_map_is_drawn_anew_for_what_a_phone_heard_before_and_told_after(
    worn: tuple[City, Key],
) -> None:
    from vigil_cloud.search.likely import due
    from vigil_cloud.search.models import SearchLikely

    city, key = worn
    city.guardian("family")
    made = city.client("family").post("/api/v1/search/reports", json={"person_key": "p1"})
    case = made.json()["case_id"]
    with writing(city.services.sessions) as session:
        session.add(SearchLikely(case_id=case, at=city.later(seconds=1), drawn={}))
    city.later(minutes=1)
    with city.services.sessions() as session:
        assert due(session, city.time) == []
    report(city, said(key, city.time - timedelta(minutes=5)))
    resolve(city)
    with city.services.sessions() as session:
        assert due(session, city.time) == [case]
