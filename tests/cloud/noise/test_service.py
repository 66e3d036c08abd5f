"""Noise in the cloud: an exceedance becomes an alert and a row that inspectors can list."""

from __future__ import annotations

from datetime import timedelta

from cloud_city import NOON, City, exceedance
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.types import isoformat_utc


def test_the_alert_is_told_at_once_and_completed_when_the_evidence_is_sealed(city: City) -> None:
    measured = exceedance(city.time).model_copy(update={"phase": "measured"})
    city.send(measured, "mic-1")
    (alert,) = city.alerts("inspector")
    assert alert["evidence"] == {"state": "waiting", "sha256": None, "files": []}

    city.later(seconds=8)
    sealed = EvidenceReference(sha256="e" * 64, size=1000)
    city.send(exceedance(NOON, evidence=sealed), "mic-1")

    (completed,) = city.alerts("inspector")
    assert completed["id"] == alert["id"]
    assert completed["raised"] == alert["raised"]
    assert completed["evidence"]["sha256"] == "e" * 64
    assert completed["detail"]["phase"] == "sealed"


def test_a_doubt_that_only_the_sealed_message_tells_counts(city: City) -> None:
    measured = exceedance(city.time).model_copy(update={"phase": "measured"})
    city.send(measured, "mic-1")
    city.later(seconds=8)
    sealed = EvidenceReference(sha256="e" * 64, size=1000)
    event = exceedance(NOON, evidence=sealed).model_copy(update={"overload": True})
    city.send(event, "mic-1")
    rows = city.client("inspector").get("/api/v1/noise/exceedances").json()["exceedances"]
    assert [row["overload"] for row in rows] == [True]


def test_a_passage_whose_evidence_could_not_be_made_waits_for_none(city: City) -> None:
    city.send(exceedance(city.time), "mic-1")

    (alert,) = city.alerts("inspector")

    assert alert["evidence"]["state"] == "none"


def test_exceedances_are_listed_by_device_and_period(city: City) -> None:
    for number in range(3):
        at = NOON + timedelta(hours=number)
        city.send(exceedance(at, f"exceedance-{number}"), "mic-1")
    client = city.client("inspector")

    def listed(**query: str) -> list[str]:
        answer = client.get("/api/v1/noise/exceedances", params=query).json()
        return [row["started"] for row in answer["exceedances"]]

    assert listed() == [isoformat_utc(NOON + timedelta(hours=number)) for number in (2, 1, 0)]
    assert listed(device="mic-2") == []
    period = {"start": isoformat_utc(NOON), "stop": isoformat_utc(NOON + timedelta(hours=1))}
    assert listed(**period) == [isoformat_utc(NOON)]
    (row,) = client.get("/api/v1/noise/exceedances", params=period).json()["exceedances"]
    assert (row["LAFmax"], row["calibrated"], row["overload"]) == (91.24, True, False)
