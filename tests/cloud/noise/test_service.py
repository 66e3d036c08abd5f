"""Noise in the cloud: an exceedance becomes an alert and a row that inspectors can list."""

from __future__ import annotations

from datetime import timedelta

from cloud_city import NOON, City, exceedance
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.noise import NoiseExceedance, NoiseExceedanceV1
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


def judged(city: City, id: str, decision: str, vetoed: bool | None = None) -> NoiseExceedance:
    said = exceedance(city.time, id).model_dump(exclude_none=True)
    said |= {
        "phase": "measured",
        "flags": ["clipping"] if decision == "not-valid" else [],
        "judgement": {
            "limit_db": 86.0,
            "LAFmax_corrected": 91.1,
            "uncertainty_db": 0.9,
            "decision": decision,
        },
    }
    if vetoed is not None:
        said["classification"] = {
            "kind": "siren" if vetoed else "vehicle",
            "score": 0.97,
            "vehicle": 0.01 if vetoed else 0.97,
            "vetoed": vetoed,
            "model": "test",
        }
    return NoiseExceedance.model_validate(said)


def test_what_founds_no_case_is_kept_and_counted_and_no_alert(city: City) -> None:
    for number, (decision, vetoed) in enumerate(
        [("exceedance", False), ("borderline", False), ("not-valid", None), ("exceedance", True)]
    ):
        city.send(judged(city, f"exceedance-{number}", decision, vetoed), "mic-1")
    (alert,) = city.alerts("inspector")
    assert alert["detail"]["exceedance_id"] == "exceedance-0"
    client = city.client("inspector")
    rows = client.get("/api/v1/noise/exceedances").json()["exceedances"]
    found = {(row["decision"], row["vetoed"], row["alert_id"] is None) for row in rows}
    assert found == {
        ("exceedance", False, False),
        ("borderline", False, True),
        ("not-valid", None, True),
        ("exceedance", True, True),
    }
    apart = client.get("/api/v1/noise/exceedances", params={"without_alert": "true"}).json()
    assert {row["decision"] for row in apart["exceedances"]} == {one[0] for one in found}
    assert [row["alert_id"] for row in apart["exceedances"]] == [None] * 3
    siren = next(row for row in rows if row["vetoed"])
    assert siren["findings"]["classification"]["kind"] == "siren"
    figures = client.get("/api/v1/noise/statistics").json()
    counted = [figures[name] for name in ("exceedances", "borderline", "not_valid", "vetoed")]
    assert counted == [1, 1, 1, 1]


def test_a_gateway_of_before_goes_on_working(city: City) -> None:
    said = exceedance(city.time).model_dump(include=set(NoiseExceedanceV1.model_fields))
    city.send(NoiseExceedanceV1.model_validate(said), "mic-1")
    (alert,) = city.alerts("inspector")
    assert alert["detail"]["type"] == "noise-exceedance"
    (row,) = city.client("inspector").get("/api/v1/noise/exceedances").json()["exceedances"]
    assert (row["decision"], row["vetoed"], row["findings"]) == (None, None, None)
    assert row["alert_id"] == alert["id"]


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
