"""An instrument's certificate or a limit that ends is told a month before: afterwards nothing that
is measured counts, and nobody would know until the first case was refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cases_office import Office, noise_register
from cloud_city import City
from vigil_cloud.alerts.platform import standing
from vigil_cloud.database.engine import writing
from vigil_cloud.noise.register_ends import KIND, look


@pytest.fixture
def office(city: City) -> Office:
    made = Office(city)
    made.register()
    return made


def told(city: City, year: int, month: int, day: int) -> list[tuple[str, str]]:
    city.time = datetime(year, month, day, 4, 0, tzinfo=UTC)
    with writing(city.services.sessions) as session:
        look(session, city.time)
        return sorted((row.title, row.severity) for row in standing(session, KIND))


def test_each_is_told_a_month_before_and_more_urgently_in_its_last_week(office: Office) -> None:
    city = office.city
    assert told(city, 2027, 12, 1) == []
    found = told(city, 2027, 12, 2)
    assert len(found) == 3
    assert found[2] == ("Metrological verification of XL2-1 ends on 2027-12-31", "minor")
    assert {severity for _, severity in told(city, 2027, 12, 25)} == {"major"}
    assert len(told(city, 2028, 1, 5)) == 3, "until it is renewed"


def test_it_is_over_with_the_next_certificate_or_when_it_measures_no_more(office: Office) -> None:
    city = office.city
    assert len(told(city, 2027, 12, 20)) == 3
    newer = {"valid_from": "2027-12-20", "valid_until": "2029-12-31", "issuer": "Lab"}
    kinds = ("verification", "comparison")
    more = [{"instrument": "XL2-1", "kind": one, "number": f"N-{one}", **newer} for one in kinds]
    office.register(certificates=more)
    ((title, _),) = told(city, 2027, 12, 21)
    assert title == "Field calibration of XL2-1 ends on 2027-12-31"
    office.register(placements=[{"device": "mic-1", "since": "2027-12-21T00:00:00Z"}])
    assert told(city, 2027, 12, 22) == []


def test_who_maintains_the_platform_sees_it(office: Office) -> None:
    city = office.city
    told(city, 2027, 12, 20)
    shown = [one for one in city.alerts("administrator") if one["kind"] == KIND]
    assert len(shown) == 3
    assert "not valid" in shown[0]["detail"]["remedy"]


def test_a_limit_that_nothing_follows_is_told_until_one_does_or_for_a_month(office: Office) -> None:
    city = office.city
    road = noise_register()["roads"][0]
    office.register(roads=[road | {"valid_until": "2026-06-30"}])
    assert told(city, 2026, 5, 31) == []
    assert told(city, 2026, 6, 1) == [("Limit at zhongshan ends on 2026-06-30", "minor")]
    assert told(city, 2026, 6, 28) == [("Limit at zhongshan ends on 2026-06-30", "major")]
    assert len(told(city, 2026, 7, 20)) == 1, "passages are held against none by now"
    office.register(roads=[road | {"valid_from": "2026-07-21"}])
    assert told(city, 2026, 7, 21) == []


def test_a_limit_that_another_follows_is_no_end(office: Office) -> None:
    road = noise_register()["roads"][0]
    office.register(
        roads=[road | {"valid_until": "2026-06-30"}, road | {"valid_from": "2026-07-01"}]
    )
    assert told(office.city, 2026, 6, 20) == []


def test_a_limit_that_ended_where_a_device_stood_before_is_none_of_its_place_now(
    office: Office,
) -> None:
    """It was told as the limit of a place that never had one."""
    city = office.city
    road = noise_register()["roads"][0]
    office.register(roads=[road | {"valid_until": "2026-06-30"}])
    office.register(
        intersections=[noise_register()["intersections"][0] | {"id": "quiet"}],
        placements=[{"device": "mic-1", "since": "2026-07-05T00:00:00Z", "intersection": "quiet"}],
    )
    assert told(city, 2026, 7, 10) == []
    # Back where it ended, the same day: of that place it is one.
    office.register(
        placements=[
            {"device": "mic-1", "since": "2026-07-10T05:00:00Z", "intersection": "zhongshan"}
        ]
    )
    assert told(city, 2026, 7, 11) == [("Limit at zhongshan ended on 2026-06-30", "major")]
