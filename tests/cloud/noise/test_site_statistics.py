"""Figures by intersection and hour of the day, and levels before the sign stood and since."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office, noise_register
from cloud_city import GATEWAY, City, exceedance
from vigil_cloud.cli import main
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Readings
from vigil_cloud.jobs.port import Turn
from vigil_cloud.noise.hours import LevelHours, energy_mean, fill
from vigil_cloud.noise.models import LevelHour
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.senml import microseconds

HOUR = timedelta(hours=1)
LAEQ = Series("noise", GATEWAY, "mic-1", "LAeq")
LAFMAX = Series("noise", GATEWAY, "mic-1", "LAFmax")
CLASSIFICATION = {"kind": "siren", "score": 0.91, "vehicle": 0.012, "model": "m1"}
JUDGEMENT = {"limit_db": 86.0, "uncertainty_db": 1.2, "components": {}}


@pytest.fixture
def office(city: City) -> Office:
    made = Office(city)
    city.birth()
    return made


def figures(office: Office, **query: str) -> dict[str, Any]:
    answer = office.city.client("ana").get("/api/v1/noise/statistics/sites", params=query)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def site(office: Office, name: str | None = "zhongshan", **query: str) -> dict[str, Any]:
    (found,) = [one for one in figures(office, **query)["sites"] if one["intersection"] == name]
    told: dict[str, Any] = found
    return told


def measured(office: Office, series: Series, hour: datetime, level: float, flag: int = 1) -> None:
    """One reading a minute, so many as an hour has, and asked for as ingest does."""
    points = [
        Point(series, microseconds(hour + timedelta(minutes=minute)), level, flag)
        for minute in range(60)
    ]
    office.city.services.timeseries.write(points)
    told(office, points, office.city.time)


def told(office: Office, points: list[Point], received: datetime) -> None:
    readings = Readings("mic-1", "noise", points, received, catching_up=False)
    folded = LevelHours().fold(readings, None)
    assert folded is not None
    if folded.write is not None:
        with writing(office.city.services.sessions) as session:
            folded.write(session)


def filled(office: Office) -> int:
    return fill(Turn(office.city.services, office.city.time))


def hours(office: Office) -> list[LevelHour]:
    with office.city.services.sessions() as session:
        return list(session.scalars(select(LevelHour).order_by(LevelHour.hour)))


def passage(office: Office, id: str, decision: str, *, vetoed: bool = False) -> None:
    said = exceedance(office.city.time, id).model_dump() | {
        "classification": CLASSIFICATION | {"vetoed": vetoed},
        "judgement": JUDGEMENT | {"decision": decision},
    }
    office.city.send(NoiseExceedance.model_validate(said), "mic-1")


def test_passages_are_counted_by_site_and_hour_of_the_citys_clock(office: Office) -> None:
    case = office.noise()
    passage(office, "exceedance-b", "borderline")
    passage(office, "exceedance-n", "not-valid")
    office.later(hours=3)
    passage(office, "exceedance-v", "exceedance", vetoed=True)
    office.decide("ana", case, "fine", 7200)
    office.decide("bo", case, "fine", 7200)

    found = site(office)
    assert (found["exceedances"], found["borderline"], found["not_valid"]) == (1, 1, 1)
    assert (found["vetoed"], found["cases"], found["decided"], found["violations"]) == (1, 1, 1, 1)
    assert found["share"] == 1.0
    assert found["days_to_decision_median"] == pytest.approx(3 / 24)
    local = (office.city.time + timedelta(hours=8)).hour
    by_hour = {one["hour"]: one for one in found["hours"]}
    assert sorted(by_hour) == list(range(24))
    assert by_hour[local]["vetoed"] == 1
    assert by_hour[(local - 3) % 24]["exceedances"] == 1
    assert sum(one["borderline"] for one in found["hours"]) == 1
    assert found["devices"] == ["mic-1"]


def test_a_passage_belongs_to_where_its_device_stood_then(office: Office) -> None:
    office.exceedance("exceedance-1")
    office.later(days=1)
    other = noise_register()["intersections"][0] | {"id": "minsheng", "name": "Minsheng Road"}
    moved = {
        "device": "mic-1",
        "since": office.city.time.isoformat(),
        "intersection": "minsheng",
        "instrument": "XL2-1",
    }
    office.register(intersections=[other], placements=[moved])
    office.later(minutes=5)
    office.exceedance("exceedance-2")
    office.later(days=1)
    down = {"device": "mic-1", "since": office.city.time.isoformat()}
    office.register(placements=[down])
    office.later(minutes=5)
    office.exceedance("exceedance-3")
    assert [one["exceedances"] for one in figures(office)["sites"]] == [1, 1, 1]
    assert site(office, "minsheng")["exceedances"] == 1
    assert site(office, None)["devices"] == []


def test_an_hours_level_is_the_mean_of_its_energy(office: Office) -> None:
    hour = datetime(2026, 2, 28, 4, tzinfo=UTC)
    measured(office, LAEQ, hour, 60.0)
    measured(office, LAFMAX, hour, 91.5)
    louder = [Point(LAEQ, microseconds(hour + timedelta(seconds=30)), 80.0, 1)]
    wrong = [Point(LAEQ, microseconds(hour + timedelta(seconds=40)), 120.0, 4)]
    office.city.services.timeseries.write([*louder, *wrong])
    assert filled(office) == 1
    (found,) = hours(office)
    assert found.LAeq == pytest.approx(10 * math.log10((60 * 1e6 + 1e8) / 61))
    assert (found.LAFmax, found.seconds) == (91.5, 61)
    assert filled(office) == 0, "it is not worked out again for nothing"


def test_an_hour_waits_for_its_end_and_is_worked_out_anew_for_late_readings(
    office: Office,
) -> None:
    hour = office.city.time.replace(minute=0, second=0, microsecond=0)
    measured(office, LAEQ, hour, 60.0)
    assert filled(office) == 0
    office.later(hours=1, minutes=6)
    assert filled(office) == 1
    late = [Point(LAEQ, microseconds(hour + timedelta(seconds=1)), 90.0, 1)]
    office.city.services.timeseries.write(late)
    told(office, late, office.city.time)
    assert filled(office) == 1
    (found,) = hours(office)
    assert (found.seconds, found.asked == found.done) == (61, True)


def test_an_hour_that_goes_on_is_asked_for_once() -> None:
    now = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    points = [Point(LAEQ, microseconds(now), 60.0, 1)]
    readings = Readings("mic-1", "noise", points, now, catching_up=False)
    first = LevelHours().fold(readings, None)
    assert first is not None
    assert LevelHours().fold(readings, first.state) is None
    # Kept through an outage and told when the hour was over: it may have been worked out.
    late = Readings("mic-1", "noise", points, now + HOUR, catching_up=True)
    assert LevelHours().fold(late, first.state) is not None
    # What the handler missed is asked for as well.
    missed = Readings("mic-1", "noise", points, now, catching_up=False, missed_since=now - 2 * HOUR)
    assert LevelHours().fold(missed, first.state) is not None


def test_levels_passages_and_complaints_before_the_sign_stood_and_since(office: Office) -> None:
    register = noise_register()
    today = (office.city.time + timedelta(hours=8)).date()
    effect = today - timedelta(days=2)
    register["roads"][0] |= {"valid_from": str(effect)}
    register["placements"][0] |= {"since": "2026-01-05T00:00:00Z"}
    register["complaints"] = [
        {"reference": f"115-{days}", "intersection": "zhongshan", "received": str(day)}
        for days, day in enumerate(
            [effect - timedelta(days=1), effect - timedelta(days=2), effect, today]
        )
    ]
    office.register(**register)
    office._registered = True
    noon = datetime(effect.year, effect.month, effect.day, 4, tzinfo=UTC)  # 12:00 in the city
    for days, level in ((-1, 70.0), (-2, 70.0), (1, 60.0)):
        measured(office, LAEQ, noon + timedelta(days=days), level)
    measured(office, LAEQ, noon, 100.0)  # the day itself belongs to neither
    assert filled(office) == 4

    change = site(office)["change"]
    assert (change["effect"], change["effect_is"], change["days"]) == (str(effect), "sign", 2)
    before, since = change["before"], change["since"]
    assert (before["LAeq"], since["LAeq"]) == (pytest.approx(70.0), pytest.approx(60.0))
    assert before["by_hour"][12] == pytest.approx(70.0)
    assert [before["by_hour"][hour] for hour in (11, 13)] == [None, None]
    assert (before["measured_hours"], since["measured_hours"]) == (2, 1)
    assert (before["complaints"], since["complaints"]) == (2, 1)


def test_without_a_sign_the_first_device_divides(office: Office) -> None:
    register = noise_register()
    register["roads"] = []
    office.register(**register)
    change = site(office)["change"]
    assert (change["effect"], change["effect_is"]) == ("2026-01-05", "placement")
    assert change["before"]["LAeq"] is None


def test_a_vetoed_passage_that_was_overruled_counts_as_an_exceedance(office: Office) -> None:
    office.register()
    passage(office, "exceedance-v", "exceedance", vetoed=True)
    assert (site(office)["vetoed"], site(office)["exceedances"]) == (1, 0)


def test_the_tables_say_the_same(office: Office) -> None:
    office.exceedance()
    client = office.city.client("ana")
    tables = {}
    for what in ("sites", "hours"):
        answer = client.get("/api/v1/noise/statistics/export", params={"what": what})
        assert answer.headers["content-type"].startswith("text/csv")
        text = answer.raise_for_status().content.decode("utf-8-sig")
        tables[what] = list(csv.DictReader(io.StringIO(text)))
    (one,) = tables["sites"]
    assert (one["intersection"], one["exceedances"], one["effect_is"]) == ("zhongshan", "1", "sign")
    assert len(tables["hours"]) == 24
    assert sum(int(line["exceedances"]) for line in tables["hours"]) == 1


def test_a_period_without_passages_counts_none(office: Office) -> None:
    office.exceedance()
    past = figures(office, start="2020-01-01", stop="2020-02-01")
    assert [one["exceedances"] for one in past["sites"]] == [0]


def test_the_command_prints_them(
    city: City, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(city)
    office.exceedance()
    monkeypatch.setenv("VIGIL_DATA_DIR", str(city.settings.data_dir))
    monkeypatch.setenv("VIGIL_SECRET_KEY", city.settings.secret_key.get_secret_value())
    assert main(["noise", "statistics", "--sites"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["sites"]
    assert (one["intersection"], one["exceedances"]) == ("zhongshan", 1)


def test_of_no_levels_there_is_no_mean() -> None:
    assert energy_mean([]) is None
    assert energy_mean([50.0, 50.0]) == pytest.approx(50.0)
