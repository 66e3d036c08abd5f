"""Alerts found by a word and by day, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_city import NOON, City, alarm, exceedance
from vigil_schemas.types import isoformat_utc


def found(city: City, **query: Any) -> list[str]:
    answer = city.client("administrator").get("/api/v1/alerts", params=query)
    assert answer.status_code == 200, answer.text
    return [one["device"] for one in answer.json()["alerts"]]


@pytest.fixture
def two(either_city: City) -> City:
    """A loud vehicle, and an hour later smoke."""
    city = either_city
    city.send(exceedance(city.time), "mic-1")
    city.later(hours=1)
    city.send(alarm(city.time), "alarm-1")
    return city


def test_by_a_word_of_either_language_or_of_a_name(two: City) -> None:
    (smoke,) = [one for one in two.alerts("administrator") if one["device"] == "alarm-1"]
    for text in (smoke["title"], smoke["title_zh"][:2], "ALARM-1", "larm-"):
        assert found(two, text=text) == ["alarm-1"], text
    assert found(two, text=smoke["gateway"]) == ["alarm-1", "mic-1"]
    assert found(two, text=smoke["title"], domain="noise") == []
    for text in ("%", "_", "\\", "no such word"):
        assert found(two, text=text) == [], "a word, and no pattern"


def test_by_day(two: City) -> None:
    between = isoformat_utc(NOON + timedelta(minutes=30))
    assert found(two, since=between) == ["alarm-1"]
    assert found(two, until=between) == ["mic-1"]
    assert found(two, since=between, until=between) == []
    assert found(two, since=isoformat_utc(NOON), state="new") == ["alarm-1", "mic-1"]


@pytest.mark.parametrize(
    "query", [{"text": ""}, {"text": "a\x00"}, {"text": "a" * 81}, {"since": "2026-03-01"}]
)
def test_what_is_no_question_is_refused(city: City, query: dict[str, str]) -> None:
    answer = city.client("administrator").get("/api/v1/alerts", params=query)
    assert answer.status_code == 422
