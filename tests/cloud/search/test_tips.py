"""What passers-by report under a search's link: without an account, limited, and told nothing."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud.search.conftest import Missing
from cloud_city import NAME, City
from vigil_cloud.alerts.models import AlertHistory
from vigil_cloud.search.models import SearchEntry
from vigil_cloud.search.tips import FROM_ONE_NETWORK, OF_ONE_SEARCH
from vigil_schemas.types import isoformat_utc

CLOTHES = "Red coat"


def linked(missing: Missing) -> tuple[str, str]:
    """A search with a link: the case, and the link's path."""
    case = missing.report(clothes=CLOTHES, place="Noodle stall")["case_id"]
    made = missing.city.client("family").post(f"/api/v1/search/cases/{case}/link")
    assert made.status_code == 200, made.text
    link = missing.map("family", case)["link"]
    return case, "/p/search/" + link.rsplit("/", 1)[1]


def tell(city: City, path: str, address: str = "", **form: str) -> httpx.Response:
    said = {"where": "At the bus stop", "age": "15", **form}
    return city.anonymous().post(path + "?lang=en", data=said, follow_redirects=False)


def test_a_passer_by_reports_and_whoever_follows_the_case_is_told(missing: Missing) -> None:
    # Given a notice with a code on it
    city = missing.city
    case, path = linked(missing)
    code = city.client("family").get(f"/api/v1/search/cases/{case}/link.svg")
    assert (code.headers["content-type"], code.text[:4]) == ("image/svg+xml", "<svg")

    # When somebody opens it, they are told nothing of whom it is about
    page = city.anonymous().get(path + "?lang=en")
    assert page.status_code == 200
    for private in (NAME, CLOTHES, "Noodle stall", "p1"):
        assert private not in page.text
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert "I saw this person" in page.text

    # and when they report
    sent = tell(city, path, near="station-2", contact="0912-345-678")
    assert sent.status_code == 303, sent.text
    thanks = city.anonymous().get(sent.headers["location"])
    assert "Thank you" in thanks.text

    # Then it is on the map, sealed, with its place and time, and the case's people are told
    (entry,) = missing.map("family", case)["entries"]
    assert (entry["kind"], entry["account"], entry["contact"]) == ("tip", None, "0912-345-678")
    assert entry["text"] == "市場: At the bus stop"
    assert entry["at"] == isoformat_utc(city.time - timedelta(minutes=15))
    assert entry["latitude"] is not None
    with city.services.sessions() as session:
        kept = session.scalars(select(SearchEntry)).one()
        assert b"bus" not in (kept.text or b"")
        assert b"0912" not in (kept.contact or b"")
        history = select(AlertHistory.comment).where(AlertHistory.action == "told-again")
        assert session.scalars(history).all() == ["tip 1"]
    (noted,) = [one for one in missing.see("family", case)["history"] if one["account"] is None]
    assert (noted["action"], noted["detail"]) == ("noted", {"entry": "tip"})


def test_a_position_and_a_time_that_a_passer_by_gives_are_kept(missing: Missing) -> None:
    city = missing.city
    case, path = linked(missing)
    page = city.anonymous().get(path + "?lang=en")
    script = page.text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]

    here = {"latitude": "23.4801", "longitude": "120.4402", "accuracy": "35.5"}
    # Noon by the city's clock is now; they saw the person at 11:20.
    sent = tell(city, path, near="station-2", at="2026-03-01T11:20", **here)
    assert sent.status_code == 303, sent.text
    (entry,) = missing.map("family", case)["entries"]
    assert (entry["latitude"], entry["longitude"]) == (23.4801, 120.4402)
    assert entry["radius_m"] == 35.5
    assert entry["at"] == isoformat_utc(city.time - timedelta(minutes=40))
    # A phone whose clock is a minute ahead says now.
    assert tell(city, path, near="station-2", at="2026-03-01T12:01", **here).status_code == 303
    assert isoformat_utc(city.time) in {one["at"] for one in missing.map("family", case)["entries"]}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"at": "2026-03-01T12:11"}, "has not come yet"),
        ({"at": "yesterday"}, "Please say where"),
        ({"at": "2026-03-01T11:20Z"}, "Please say where"),
        ({"latitude": "91", "longitude": "120"}, "Please say where"),
        ({"latitude": "23"}, "Please say where"),
        ({"latitude": "nan", "longitude": "120"}, "Please say where"),
        ({"latitude": "23", "longitude": "120", "accuracy": "-1"}, "Please say where"),
    ],
)
def test_a_place_or_time_that_cannot_be_is_refused(
    missing: Missing, form: dict[str, str], said: str
) -> None:
    case, path = linked(missing)
    answer = tell(missing.city, path, **form)
    assert answer.status_code == 422
    assert said in answer.text
    assert missing.map("family", case)["entries"] == []


def test_how_often_is_limited_and_said(missing: Missing) -> None:
    city = missing.city
    case, path = linked(missing)
    answers = [tell(city, path).status_code for _ in range(FROM_ONE_NETWORK + 1)]
    assert answers == [303] * FROM_ONE_NETWORK + [429]
    assert "call 110" in tell(city, path).text
    assert len(missing.map("family", case)["entries"]) == FROM_ONE_NETWORK

    city.later(minutes=6)
    assert tell(city, path).status_code == 303
    with city.services.sessions() as session:  # a burst is told once, not six times
        history = select(AlertHistory.comment).where(AlertHistory.action == "told-again")
        assert session.scalars(history).all() == ["tip 1"]
    assert FROM_ONE_NETWORK < OF_ONE_SEARCH


def test_a_report_every_nine_minutes_does_not_silence_those_that_follow(missing: Missing) -> None:
    city = missing.city
    _, path = linked(missing)
    for _ in range(5):
        assert tell(city, path).status_code == 303
        city.later(minutes=9)
    with city.services.sessions() as session:
        history = select(AlertHistory.comment).where(AlertHistory.action == "told-again")
        assert session.scalars(history).all() == ["tip 1", "tip 3", "tip 5"]


def test_a_form_that_is_sent_twice_is_one_report(missing: Missing) -> None:
    """osTicket/osTicket#2004: pressed again because the answer is slow. Two sightings would count
    for twice as much on the map."""
    city = missing.city
    case, path = linked(missing)
    page = city.anonymous().get(path + "?lang=en").text
    (form,) = re.findall(r'name="form" value="([^"]+)"', page)
    for _ in range(2):
        sent = tell(city, path, form=form)
        assert sent.status_code == 303
        assert "Thank you" in city.anonymous().get(sent.headers["location"]).text
    assert len(missing.map("family", case)["entries"]) == 1

    # Somebody else who says the same in the same words has seen them as well.
    (other,) = re.findall(
        r'name="form" value="([^"]+)"', city.anonymous().get(path + "?lang=en").text
    )
    assert other != form
    assert tell(city, path, form=other).status_code == 303
    assert len(missing.map("family", case)["entries"]) == 2


def test_two_presses_at_once_are_one_report(missing: Missing) -> None:
    city = missing.city
    case, path = linked(missing)
    gate, found = threading.Barrier(2), []

    def press() -> None:
        client = city.anonymous()
        gate.wait()
        said = {"where": "At the bus stop", "age": "15", "form": "of-one-page"}
        found.append(client.post(path, data=said, follow_redirects=False).status_code)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [303, 303]
    assert len(missing.map("family", case)["entries"]) == 1


def test_a_clock_that_is_set_back_silences_no_report(missing: Missing) -> None:
    city = missing.city
    _, path = linked(missing)
    city.later(hours=6)
    assert tell(city, path).status_code == 303
    city.later(hours=-6)
    assert tell(city, path).status_code == 303
    with city.services.sessions() as session:
        history = select(AlertHistory.comment).where(AlertHistory.action == "told-again")
        assert session.scalars(history).all() == ["tip 1", "tip 2"]


@pytest.mark.parametrize(
    "form",
    [
        {"where": ""},
        {"where": "x"},
        {"where": "x" * 501},
        {"where": "a\0b"},
        {"age": "7"},
        {"contact": "1" * 101},
        {"where": "y" * 20_000},
    ],
)
def test_what_says_nothing_is_refused(missing: Missing, form: dict[str, str]) -> None:
    case, path = linked(missing)
    refused = tell(missing.city, path, **form)
    assert refused.status_code == 422
    assert missing.map("family", case)["entries"] == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a" * 5, b"where=%ff%fe"])
def test_what_is_no_form_is_refused(missing: Missing, content: bytes) -> None:
    _, path = linked(missing)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = missing.city.anonymous().post(path, content=content, headers=headers)
    assert refused.status_code == 422


def test_the_link_ends_with_the_search_and_can_be_withdrawn(missing: Missing) -> None:
    city = missing.city
    case, path = linked(missing)
    family = city.client("family")
    assert family.delete(f"/api/v1/search/cases/{case}/link").status_code == 200
    assert city.anonymous().get(path).status_code == 404
    assert tell(city, path).status_code == 404
    assert missing.map("family", case)["link"] is None

    family.post(f"/api/v1/search/cases/{case}/link").raise_for_status()
    family.post(f"/api/v1/search/cases/{case}/link").raise_for_status()
    other = "/p/search/" + missing.map("family", case)["link"].rsplit("/", 1)[1]
    assert other != path
    assert city.anonymous().get(other).status_code == 200
    assert missing.end("family", case).is_success
    assert tell(city, other).status_code == 404
    assert city.anonymous().get(other).status_code == 404
    refused: Any = family.post(f"/api/v1/search/cases/{case}/link")
    assert refused.json()["code"] == "search-over"


def test_only_who_follows_the_case_makes_a_link(missing: Missing) -> None:
    case = missing.report()["case_id"]
    for who in ("stranger", "police", "administrator"):
        client = missing.city.client(who)
        for answer in (
            client.post(f"/api/v1/search/cases/{case}/link"),
            client.get(f"/api/v1/search/cases/{case}/link.svg"),
        ):
            assert answer.status_code in {403, 404}, who


def test_links_are_not_guessed_for_ever(missing: Missing) -> None:
    missing.report()
    answers = {
        missing.city.anonymous().get(f"/p/search/{'x' * 42}{n % 10}").status_code for n in range(61)
    }
    assert answers == {404, 429}
