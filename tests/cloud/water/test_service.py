"""Water in the cloud: an excursion's onset raises, its end clears and tells the extreme."""

from __future__ import annotations

import pytest

from cloud_city import GATEWAY, NOON, City, excursion
from gateways import event
from ingest_bench import Bench, Recorder
from vigil_cloud.domain.aside import BESIDE_FAILED
from vigil_cloud.water import incidents
from vigil_cloud.water.service import WaterHandler
from vigil_cloud.water.titles import titles
from vigil_schemas.types import QartodFlag


def test_the_end_clears_the_alert_and_completes_the_row(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    (onset,) = city.alerts("inspector")
    assert (onset["title"], onset["title_zh"]) == (
        "Conductivity above 2500 µS/cm",
        "導電度高於 2500 µS/cm",
    )
    city.later(minutes=9)
    city.send(excursion(NOON, "end"), "sonde-1")

    (alert,) = city.alerts("inspector")
    assert alert["state"]["active"] is False
    assert alert["cleared"] == "2026-03-01T04:09:00Z", "when it ended, by the sonde's clock"
    answer = city.client("inspector").get("/api/v1/water/excursions").json()
    (row,) = answer["excursions"]
    assert (row["onset_value"], row["extreme_value"], row["ended"]) == (
        0.31,
        0.42,
        "2026-03-01T04:09:00Z",
    )
    assert row["alert_id"] == alert["id"]


@pytest.mark.parametrize(
    ("change", "title", "title_zh"),
    [
        (
            {"parameter": "pH", "unit": "pH", "kind": "below", "limit": 6.0},
            "pH below 6",
            "酸鹼值 pH 低於 6",
        ),
        (
            {"kind": "rate", "limit": 0.01},
            "Conductivity changes faster than 100 µS/cm/s",
            "導電度變化快於 100 µS/cm/s",
        ),
        (
            {"parameter": "temperature", "unit": "Cel", "limit": 31.5},
            "Temperature above 31.5 °C",
            "水溫高於 31.5 °C",
        ),
        (
            {"parameter": "turbidity_FNU", "unit": None, "limit": 400.0},
            "Turbidity above 400 FNU",
            "濁度高於 400 FNU",
        ),
        (
            {"parameter": "chlorine", "unit": None, "limit": 2.0},
            "chlorine above 2",
            "chlorine 高於 2",
        ),
    ],
)
def test_titles_name_parameter_bound_and_unit(
    change: dict[str, object], title: str, title_zh: str
) -> None:
    assert titles(excursion(NOON).model_copy(update=change)) == (title, title_zh)


@pytest.mark.parametrize(
    ("kind", "title", "title_zh"),
    [
        ("off_scale_high", "is above what the sensor can measure", "超出感測器量測上限"),
        ("off_scale_low", "is below what the sensor can measure", "低於感測器量測下限"),
        ("lost_while_rising", "was lost while it was rising", "上升途中失去訊號"),
        ("lost_while_falling", "was lost while it was falling", "下降途中失去訊號"),
    ],
)
def test_an_excursion_without_value_and_limit_raises_and_ends(
    city: City, kind: str, title: str, title_zh: str
) -> None:
    change = {"kind": kind, "limit": None, "value": None, "flag": QartodFlag.FAIL}
    city.send(excursion(city.time).model_copy(update=change), "sonde-1")
    (alert,) = city.alerts("inspector")
    assert (alert["title"], alert["title_zh"]) == (f"Conductivity {title}", f"導電度{title_zh}")
    assert alert["state"]["active"] is True
    city.later(minutes=9)
    city.send(excursion(NOON, "end").model_copy(update=change), "sonde-1")
    (alert,) = city.alerts("inspector")
    assert alert["state"]["active"] is False
    (row,) = city.client("inspector").get("/api/v1/water/excursions").json()["excursions"]
    assert (row["kind"], row["limit"], row["onset_value"]) == (kind, None, None)


def test_inspectors_read_milligrams_and_microsiemens() -> None:
    oxygen = {"parameter": "dissolved_oxygen", "unit": "kg/m3", "kind": "below", "limit": 0.003}
    assert titles(excursion(NOON).model_copy(update=oxygen)) == (
        "Dissolved oxygen below 3 mg/L",
        "溶氧低於 3 mg/L",
    )
    assert titles(excursion(NOON).model_copy(update={"limit": 0.075}))[0] == (
        "Conductivity above 750 µS/cm"
    )


def test_an_excursion_whose_incident_fails_is_told_and_leaves_a_dead_letter(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ValueError("the register is torn")

    monkeypatch.setattr(incidents, "find", failing)
    told = excursion(city.time)
    payload = event(GATEWAY, 1, told, subject="sonde-1", time=city.time, lane="event")
    bench = Bench(city.services, Recorder(), [city.time])
    bench.writer([WaterHandler()]).store([bench.arrived(f"vigil/v1/{GATEWAY}/event", payload)])
    (alert,) = city.alerts("inspector")
    assert alert["state"]["active"]
    (letter,) = bench.dead_letters()
    assert letter.reason == BESIDE_FAILED
    assert "the register is torn" in letter.detail


def test_an_excursion_of_a_sonde_that_moves_is_where_it_was(city: City) -> None:
    event = excursion(city.time).model_copy(update={"latitude": 23.51, "longitude": 120.39})
    city.send(event, "sonde-1")
    (alert,) = city.alerts("inspector")
    assert (alert["latitude"], alert["longitude"]) == (23.51, 120.39)
