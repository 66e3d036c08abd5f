"""A tag on the defibrillator: registered, seen at stations, a taken AED seen again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aed_town import alert_of, tell
from cloud_city import TAG, City
from vigil_schemas.aed import AedRemoval
from vigil_schemas.checkin import CheckinVisit, StationPosition

STICKER = "epc:3034257bf400b7800004cb30"
NEAR, FAR = "station-1", "station-2"


@pytest.fixture
def tagged(town: City) -> City:
    """The AED carries a tag; one station stands beside it, the other a kilometre away."""
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE devices SET latitude = 23.489 WHERE device = 'station-2'"
        )
    put(town, STICKER)
    return town


def put(city: City, tag: str | None, site: str = "hall") -> dict[str, Any]:
    answer = city.client("maintainer").put(f"/api/v1/aed/sites/{site}/tag", json={"tag": tag})
    found: dict[str, Any] = answer.json()
    return found


def sighted(
    city: City,
    station: str,
    id: str,
    tag: str = STICKER,
    position: StationPosition | None = None,
) -> None:
    city.send(
        CheckinVisit(
            visit_id=id,
            phase="arrived",
            tag=tag,
            carrier="uhf",
            arrived=city.time,
            last_seen=city.time,
            sightings=3,
            position=position,
        ),
        station,
    )


def site(city: City, who: str = "maintainer") -> dict[str, Any]:
    found: dict[str, Any] = city.client(who).get("/api/v1/aed/sites").json()["sites"][0]
    return found


def taken(city: City, *, opened: bool | None) -> None:
    tell(
        city,
        AedRemoval(removal_id="removal-1", phase="taken", taken=city.time, opened=opened),
    )


def test_a_stolen_aed_that_a_station_sees_is_told_to_the_police(tagged: City) -> None:
    taken(tagged, opened=False)
    tagged.later(minutes=4)
    sighted(tagged, FAR, "visit-0001")

    alert = alert_of(tagged, "police")
    assert alert["kind"] == "theft"
    assert (alert["detail"]["seen_at"], alert["detail"]["seen_at_zh"]) == ("Market", "市場")
    assert [one["comment"] for one in alert["history"] if one["action"] == "told-again"] == [
        "seen again station-2"
    ]
    tagged.later(minutes=1)
    sighted(tagged, FAR, "visit-0002")
    again = [one for one in alert_of(tagged, "police")["history"] if one["action"] == "told-again"]
    assert len(again) == 1, "the same station is no news"
    assert site(tagged)["tag_station"] == FAR
    assert site(tagged, "police")["tag"] == STICKER
    assert site(tagged, "family")["tag"] is None
    assert site(tagged, "family")["tag_station"] is None


def test_one_that_was_taken_through_its_door_is_shown_and_calls_nobody(tagged: City) -> None:
    taken(tagged, opened=True)
    sighted(tagged, FAR, "visit-0001")
    alert = alert_of(tagged, "dispatcher")
    assert (alert["kind"], alert["detail"]["seen_at"]) == ("taken", "Market")
    assert [one for one in alert["history"] if one["action"] == "told-again"] == []


def test_one_that_turns_up_elsewhere_is_gone_though_no_contact_said_so(tagged: City) -> None:
    sighted(tagged, NEAR, "visit-0001")
    assert tagged.listed("police", domain="aed") == []
    assert site(tagged)["usable"] is True
    tagged.later(minutes=4)
    sighted(tagged, FAR, "visit-0002")
    alert = alert_of(tagged, "police")
    assert (alert["kind"], alert["severity"]) == ("away", "major")
    assert "City hall seen at Market, 1002 m" in alert["title"]
    assert site(tagged)["usable"] is False, "nobody is sent for it"


def test_an_older_sign_that_comes_late_says_nothing_new(tagged: City) -> None:
    sighted(tagged, NEAR, "visit-0001")
    tagged.time -= timedelta(minutes=10)
    sighted(tagged, FAR, "visit-0002")
    assert site(tagged)["tag_station"] == NEAR


def test_one_tag_is_on_one_thing_or_person(tagged: City) -> None:
    assert put(tagged, TAG)["code"] == "aed-tag-in-use"
    other = {"name": "Other", "latitude": 23.4, "longitude": 120.4}
    tagged.client("maintainer").put("/api/v1/aed/sites/other", json=other).raise_for_status()
    assert put(tagged, STICKER, "other")["data"] == {"on": "hall"}
    given = tagged.client("administrator").put(f"/api/v1/people/p1/tags/{STICKER}")
    assert (given.status_code, given.json()["code"]) == (409, "tag-of-a-thing")
    put(tagged, None)
    assert put(tagged, STICKER, "other")["tag"] == STICKER


def test_what_a_station_on_the_move_meets_is_away_only_where_that_is_known(tagged: City) -> None:
    """A car without a satellite fix may stand right beside the cabinet."""
    tagged.later(minutes=1)
    sighted(tagged, FAR, "visit-0001", position=StationPosition(state="no-fix"))
    assert [one for one in tagged.listed("police") if one["domain"] == "aed"] == []
    tagged.later(minutes=1)
    away = StationPosition(state="fixed", latitude=23.60, longitude=120.44, at=tagged.time)
    sighted(tagged, FAR, "visit-0002", position=away)
    alert = alert_of(tagged, "police")
    assert (alert["kind"], alert["detail"]["seen_at"]) == ("away", "Market (on the move)")
