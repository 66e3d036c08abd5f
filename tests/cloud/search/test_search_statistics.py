"""Whether families look before they report, from the audit log of their looks."""

from __future__ import annotations

from typing import Any

from cloud.search.conftest import Missing
from cloud_city import City
from vigil_schemas.types import isoformat_utc


def person(city: City, number: int) -> str:
    """Another elder of the same guardian, who may see where they are."""
    key = f"lost-{number}"
    city.person(key, f"Wang {number}", f"ibeacon:{number:032x}:1:7")
    city.guardian("family", key)
    city.consent("family", key)
    return key


def figures(city: City, **period: Any) -> dict[str, Any]:
    query = {name: isoformat_utc(at) for name, at in period.items()}
    answer = city.client("administrator").get("/api/v1/search/statistics", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_looks_shortly_before_a_report_are_counted(missing: Missing) -> None:
    # Given six elders: two families look an hour before they report, one the day before, one after
    city = missing.city
    began = city.time
    keys = [person(city, number) for number in range(6)]
    see = "/api/v1/people/{}/footprints"
    assert city.client("family").get(see.format(keys[2])).status_code == 200
    city.later(hours=20)
    city.sign_in_anew("family")
    for key in keys[:2]:
        assert city.client("family").get(see.format(key)).status_code == 200
    city.later(hours=1)
    cases = [missing.report(person_key=key)["case_id"] for key in keys[:5]]
    city.later(minutes=20)
    city.client("family").get(see.format(keys[3]))

    # When two searches have ended after three hours
    city.later(hours=2, minutes=40)
    for case in cases[:2]:
        assert missing.end("family", case).status_code == 200

    # Then two of five are told to have looked first
    assert figures(city) == {
        "start": None,
        "stop": None,
        "searches": 5,
        "looked_first": 2,
        "looked_first_share": 0.4,
        "ended": 2,
        "with_a_hit": 0,
        "hours_to_end_median": 3.0,
        "outcomes": {"found-well": 2},
    }
    # And nothing of a few, which would be of one family, nor of another time
    assert figures(city, start=began, stop=began)["searches"] == 0
    assert figures(city, stop=began)["looked_first"] is None


def test_of_one_family_only_the_number_is_told(missing: Missing) -> None:
    missing.report()
    said = figures(missing.city)
    assert said["searches"] == 1
    assert {said[name] for name in ("looked_first", "ended", "with_a_hit")} == {None}
    assert said["outcomes"] is None
