"""Bounds tried on a recording before a station calls anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_city import City
from vigil_cloud.water.dry_run import Alarm, Asked, Bound, Watch, per_week, try_bounds
from vigil_edge.water.excursion import Bound as GatewaysBound
from vigil_edge.water.excursion import Excursions
from vigil_schemas.types import QartodFlag

ASK = "/api/v1/water/dry-run"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def table(values: list[float | str], name: str = "pH") -> str:
    lines = [
        f"{(BEGIN + timedelta(minutes=10 * n)).isoformat()},{value}"
        for n, value in enumerate(values)
    ]
    return "\n".join([f"time,{name}", *lines])


def tried(city: City, content: str | bytes, who: str = "inspector", **query: Any) -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return city.client(who).post(ASK, params=query, content=data)


CALM = [7.0 + 0.01 * (n % 7) for n in range(400)]


def test_what_a_bound_would_have_called_for_is_shown_with_its_rate(city: City) -> None:
    values: list[float | str] = [*CALM]
    values[100:104] = [9.4, 9.6, 9.5, 9.3]
    values[200] = 9.9
    answer = tried(city, table(values), time="time", bound=["pH=6,9"])
    assert answer.is_success, answer.text
    found = answer.json()
    (alarm,) = [one for one in found["alarms"] if one["kind"] != "anomaly"]
    assert (alarm["column"], alarm["kind"], alarm["extreme"]) == ("pH", "above", 9.6)
    assert alarm["started"] == (BEGIN + timedelta(minutes=1000)).isoformat().replace("+00:00", "Z")
    assert alarm["ended"] == (BEGIN + timedelta(minutes=1040)).isoformat().replace("+00:00", "Z")
    assert found["rows"] == 400
    assert found["weeks"] == pytest.approx(399 * 600 / (7 * 86400))
    (rate,) = [one for one in found["rates"] if one["kind"] == "above"]
    assert rate["per_week"] == pytest.approx(1 / found["weeks"])


def test_without_a_bound_the_columns_are_answered(city: City) -> None:
    found = tried(city, "時間;酸鹼值\n2026-03-01 00:00;7,1\n".encode("big5")).json()
    assert found["columns"] == ["時間", "酸鹼值"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"time": "time", "bound": ["salt=1,2"]}, "no column 'salt'"),
        ({"time": "when", "bound": ["pH=1,2"]}, "no column 'when'"),
        ({"bound": ["pH=1,2"]}, "no column of times"),
        ({"time": "time", "bound": ["pH"]}, "COLUMN=LOW,HIGH"),
        ({"time": "time", "bound": ["pH=a,b"]}, "COLUMN=LOW,HIGH"),
        ({"time": "time", "bound": ["pH=9,6"]}, "LOW must be below HIGH"),
        ({"time": "time", "bound": ["pH=,inf"]}, "COLUMN=LOW,HIGH"),
    ],
)
def test_what_cannot_be_tried_is_told(city: City, query: dict[str, Any], says: str) -> None:
    answer = tried(city, table([*CALM]), **query)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "bad-recording"
    assert says in problem["detail"]


def test_what_is_no_table_is_told(city: City) -> None:
    answer = tried(city, b"\x1f\x8b torn", time="time", bound=["pH=6,9"])
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-recording")


def test_only_who_inspects_tries(city: City) -> None:
    assert tried(city, table([*CALM]), "family", time="time", bound=["pH=6,9"]).status_code == 403


def test_a_pause_is_no_time_watched(tmp_path: Path) -> None:
    rows = [f"2026-03-01T{hour:02}:00Z,7.1" for hour in range(12)]
    rows += [f"2026-04-01T{hour:02}:00Z,7.1" for hour in range(12)]
    path = tmp_path / "r.csv"
    path.write_text("\n".join(["time,pH", *rows]))
    outcome = try_bounds(path, Asked("time", [Bound("pH", high=9)]))
    assert outcome.weeks == pytest.approx(22 * 3600 / (7 * 86400))
    assert per_week(outcome) == {}, "of less than a day nothing is said"


def test_stations_of_one_file_are_tried_apart(tmp_path: Path) -> None:
    rows = [
        f"{(BEGIN + timedelta(minutes=10 * n)).isoformat()},{name},{level}"
        for n in range(300)
        for name, level in (("A", 7.1 if n < 290 else 9.5), ("B", 8.9))
    ]
    path = tmp_path / "r.csv"
    path.write_text("\n".join(["time,station,pH", *rows]))
    outcome = try_bounds(path, Asked("time", [Bound("pH", high=9)]))
    calls = [(one.station, one.kind) for one in outcome.alarms if one.kind != "anomaly"]
    assert calls == [("A", "above")]
    assert outcome.alarms[-1].ended_s is None, "it lasts at the end of the recording"


def of_the_gateway(bound: Bound, values: list[float | None]) -> list[tuple[str, int, int | None]]:
    """Kind, and the rows in which each began and ended, by the gateway's own engine."""
    assert bound.high is not None
    assert bound.low is not None
    judge = Excursions(
        "sonde",
        [
            GatewaysBound("pH", "pH", "above", bound.high, bound.hysteresis, bound.consecutive),
            GatewaysBound("pH", "pH", "below", bound.low, bound.hysteresis, bound.consecutive),
        ],
    )
    found: dict[str, tuple[str, int, int | None]] = {}
    for n, value in enumerate(values):
        flag = QartodFlag.MISSING if value is None else QartodFlag.GOOD
        for one in judge.take("pH", BEGIN + timedelta(minutes=n), value, flag):
            begun = (one.started - BEGIN) // timedelta(minutes=1)
            ended = None if one.ended is None else (one.ended - BEGIN) // timedelta(minutes=1)
            found[one.excursion_id] = (one.kind, begun, ended)
    return sorted(found.values(), key=lambda one: (one[1], one[0]))


@given(
    values=st.lists(st.none() | st.sampled_from([5.0, 5.9, 6.2, 7.0, 8.6, 8.8, 9.1, 9.6])),
    hysteresis=st.sampled_from([0.0, 0.3]),
    consecutive=st.integers(1, 3),
)
def test_it_calls_when_the_gateway_would(
    values: list[float | None], hysteresis: float, consecutive: int
) -> None:
    bound = Bound("pH", 9.0, 6.0, hysteresis, consecutive)
    watches = [Watch(bound, "above", 9.0), Watch(bound, "below", 6.0)]
    alarms: list[Alarm] = []
    for n, value in enumerate(values):
        if value is not None:
            found = [watch.take("", 60.0 * n, value) for watch in watches]
            alarms += [one for one in found if one is not None]
    mine = [
        (
            one.kind,
            round(one.started_s / 60),
            None if one.ended_s is None else round(one.ended_s / 60),
        )
        for one in alarms
    ]
    assert sorted(mine, key=lambda one: (one[1], one[0])) == of_the_gateway(bound, values)
