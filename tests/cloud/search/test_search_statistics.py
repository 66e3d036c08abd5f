"""Whether families look before they report, from the audit log of their looks."""

from __future__ import annotations

from typing import Any

from cloud.search.conftest import Missing
from cloud_city import City


def person(city: City, number: int) -> str:
    """Another elder of the same guardian, who may see where they are."""
    key = f"lost-{number}"
    city.person(key, f"Wang {number}", f"ibeacon:{number:032x}:1:7")
    city.guardian("family", key)
    city.consent("family", key)
    return key


def figures(city: City, quarter: str | None = None) -> dict[str, Any]:
    query = {} if quarter is None else {"quarter": quarter}
    city.client("administrator")
    city.sign_in_anew("administrator")
    answer = city.client("administrator").get("/api/v1/search/statistics", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_looks_shortly_before_a_report_are_counted(missing: Missing) -> None:
    # Given ten elders: five families look an hour before they report, one the day before
    city = missing.city
    keys = [person(city, number) for number in range(10)]
    see = "/api/v1/people/{}/footprints"
    assert city.client("family").get(see.format(keys[5])).status_code == 200
    city.later(hours=20)
    city.sign_in_anew("family")
    for key in keys[:5]:
        assert city.client("family").get(see.format(key)).status_code == 200
    city.later(hours=1)
    cases = [missing.report(person_key=key)["case_id"] for key in keys]

    # When five searches have ended after three hours, and one of the others after the quarter
    city.later(hours=3)
    for case in cases[:5]:
        assert missing.end("family", case).status_code == 200
    assert figures(city, "2026-Q1")["searches"] is None, "it is not over"
    city.later(days=60)
    before = figures(city, "2026-Q1")
    city.client("family")
    city.sign_in_anew("family")
    assert missing.end("family", cases[5]).status_code == 200

    # Then five of ten are told to have looked first, now and later
    assert before == {
        "quarter": "2026-Q1",
        "start": "2025-12-31T16:00:00Z",
        "stop": "2026-03-31T16:00:00Z",
        "over": True,
        "searches": 10,
        "looked_first": 5,
        "looked_first_share": 0.5,
        "ended": 5,
        "with_a_hit": 0,
        "hours_to_end_median": 3.0,
        "outcomes": {"found-well": 5},
    }
    assert figures(city) == figures(city, "2026-Q1") == before
    assert figures(city, "2025-Q4")["searches"] == 0


def test_what_is_of_a_few_is_withheld(missing: Missing) -> None:
    city = missing.city
    for number in range(5):
        case = missing.report(person_key=person(city, number))["case_id"]
    city.later(hours=1)
    assert missing.end("family", case).status_code == 200
    city.later(days=60)
    said = figures(city)
    assert said["searches"] == 5
    assert said["looked_first"] == 0
    held = ("ended", "hours_to_end_median", "outcomes")
    assert [said[name] for name in held] == [None, None, None], "one search has ended"


def test_of_one_family_nothing_is_told(missing: Missing) -> None:
    missing.report()
    missing.city.later(days=60)
    said = figures(missing.city)
    assert (said["searches"], said["hours_to_end_median"]) == (None, None)
