"""A wrong veto is overruled by somebody who heard it, and decided by two others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cases_office import Office, decision
from cloud.evidence.packages import manifest_of
from cloud_city import GATEWAY, KEY, City, exceedance, sealed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.evidence import service as evidence
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.noise.models import Exceedance
from vigil_edge.evidence.seal import seal
from vigil_schemas.evidence import CameraRole
from vigil_schemas.noise import NoiseExceedance

REASON = "A motorcycle without a silencer, and the film shows it."
CLASSIFICATION = {"kind": "siren", "score": 0.91, "vehicle": 0.012, "vetoed": True, "model": "m1"}
JUDGEMENT = {"limit_db": 86.0, "uncertainty_db": 1.2, "LAFmax_corrected": 97.1, "components": {}}


@pytest.fixture
def office(city: City) -> Office:
    made = Office(city)
    made.register()
    city.birth()
    return made


def passage(
    office: Office,
    id: str = "exceedance-7",
    *,
    decision: str = "exceedance",
    vetoed: bool = True,
    package: bool = True,
    names: str | None = None,
    sealed_as: tuple[str, bytes] | None = None,
) -> str:
    """One that its gateway sealed, though the veto keeps it from a case; its id in the list.
    ``sealed_as``: digest and bytes of its package."""
    city = office.city
    sha256, body = sealed_as or sealed({"audio.wav": b"sound"}, evidence_id=names or id)
    if package:
        path = evidence.new_upload(city.services)
        path.write_bytes(body)
        evidence.store(city.services, GATEWAY, sha256, path)
        path.unlink(missing_ok=True)
    said = exceedance(city.time, id).model_dump() | {
        "background_db": 62.0,
        "evidence": {"sha256": sha256, "size": len(body)},
        "classification": CLASSIFICATION | {"vetoed": vetoed},
        "judgement": JUDGEMENT | {"decision": decision},
        "plates": [{"text": "ABC-1234", "confidence": 0.9}],
    }
    city.send(NoiseExceedance.model_validate(said), "mic-1")
    return f"{GATEWAY}:{id}"


def overrule(office: Office, who: str, name: str, **more: Any) -> httpx.Response:
    body = {"exceedance": name, "reason": REASON}
    return office.city.client(who).post("/api/v1/noise/overrulings", json=body, **more)


def row_of(office: Office, name: str) -> Exceedance:
    with office.city.services.sessions() as session:
        found = session.get(Exceedance, name)
        assert found is not None
        return found


def sound(case: dict[str, Any]) -> dict[str, Any]:
    (checks,) = [one for one in case["sections"] if one["code"] == "checks"]
    (found,) = [one for one in checks["facts"] if one["title"] == "A vehicle's sound"]
    told: dict[str, Any] = found
    return told


def test_it_becomes_a_case_that_others_decide_and_the_verdict_stays_beside(office: Office) -> None:
    name = passage(office)
    assert office.city.listed("inspector", domain="noise") == []

    case = overrule(office, "ana", name).raise_for_status().json()

    assert (case["kind"], case["opened_by"]) == ("noise-exceedance", "ana")
    assert case["history"][0]["text"] == REASON
    told = sound(office.see("bo", case["id"]))
    assert told["verdict"] == "unknown"
    assert told["value"].startswith("Taken for siren (0.91); a vehicle: 0.01.")
    (alert,) = office.city.alerts("inspector")
    assert alert["evidence"]["sha256"] == row_of(office, name).evidence_sha256
    assert row_of(office, name).overruled_by == "ana"
    listed = office.city.client("bo").get("/api/v1/noise/exceedances").json()["exceedances"]
    assert [(one["vetoed"], one["overruled_by"]) for one in listed] == [(True, "ana")]

    # Who overruled it may not review it; two others fine it.
    path = f"/{case['id']}/decisions"
    assert office.refused("ana", path, decision(case, "fine", 7200))[1] == "not-impartial"
    office.decide("bo", case, "fine", 7200)
    after = office.decide("chen", case, "fine", 7200)
    assert (after["state"], after["outcome"]) == ("decided", "fine")


def test_an_appeal_is_not_decided_by_who_overruled_it_either(office: Office) -> None:
    case = overrule(office, "ana", passage(office)).json()
    office.decide("bo", case, "fine", 7200)
    after = office.decide("chen", case, "fine", 7200)
    body = {"version": after["version"], "text": "He objects."}
    appealed = office.do("inspector", f"/{case['id']}/appeal", body)
    path = f"/{case['id']}/decisions"
    assert office.refused("ana", path, decision(appealed, "dismissed"))[1] == "not-impartial"


def test_it_stands_in_the_audit_log(office: Office) -> None:
    name = passage(office)
    case = overrule(office, "inspector", name).json()
    with office.city.services.sessions() as session:
        (line,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "noise.overruled"))
        assert (line.account, line.subject) == ("inspector", case["id"])
        assert line.detail == {"case": case["number"], "device": "mic-1", "exceedance": name}


def test_the_alert_says_what_its_gateway_told_and_nobody_else_is_called(office: Office) -> None:
    name = passage(office)
    assert row_of(office, name).told is not None
    overrule(office, "inspector", name).raise_for_status()
    with office.city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow)).all()
        assert (alert.acknowledged, alert.acknowledged_by) == (True, "inspector")
    assert row_of(office, name).told is None, "it stands in the alert now"
    (shown,) = office.city.listed("inspector", domain="noise")
    detail = office.city.client("inspector").get(f"/api/v1/alerts/{shown['id']}").json()["detail"]
    assert detail["classification"] == CLASSIFICATION
    assert detail["plate"] == "ABC-1234"


def test_once_overruled_it_is_not_overruled_again_and_a_repeated_request_does_nothing(
    office: Office,
) -> None:
    name = passage(office)
    key = {"Idempotency-Key": "overruling-1"}
    first = overrule(office, "ana", name, headers=key).json()
    again = overrule(office, "ana", name, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    answer = overrule(office, "bo", name)
    assert (answer.status_code, answer.json()["code"]) == (409, "noise-not-overrulable")


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "borderline"},
        {"decision": "not-valid"},
        {"package": False},
        {"names": "exceedance-of-others"},
        {"vetoed": False, "decision": "borderline"},
    ],
    ids=str,
)
def test_what_a_veto_alone_does_not_keep_from_a_case_is_not_made_one(
    office: Office, change: dict[str, Any]
) -> None:
    answer = overrule(office, "ana", passage(office, **change))
    assert (answer.status_code, answer.json()["code"]) == (409, "noise-not-overrulable")
    assert office.city.listed("inspector", domain="noise") == []


@pytest.mark.parametrize("who", ["administrator", "police", "maintainer"])
def test_it_is_for_inspectors_and_reviewers(office: Office, who: str) -> None:
    name = passage(office)
    answer = overrule(office, who, name)
    assert (answer.status_code, answer.json()["code"]) == (403, "case-forbidden")
    assert row_of(office, name).alert_id is None


def test_a_reason_is_asked_for(office: Office) -> None:
    name = passage(office)
    body = {"exceedance": name, "reason": "  "}
    answer = office.city.client("ana").post("/api/v1/noise/overrulings", json=body)
    assert answer.status_code == 422


def test_what_is_told_again_later_changes_nothing(office: Office) -> None:
    name = passage(office)
    overrule(office, "ana", name).raise_for_status()
    before = row_of(office, name)
    passage(office)
    after = row_of(office, name)
    assert (after.alert_id, after.overruled_by, after.told) == (before.alert_id, "ana", None)


def of_two_cameras(folder: Path, id: str) -> tuple[str, bytes]:
    """A package of version 2 with both films, as the edge's own program seals it."""
    taken_by: dict[str, CameraRole] = {"plate-video.webm": "plate", "video.webm": "overview"}
    files = {"audio.flac": b"sound"} | dict.fromkeys(taken_by, id.encode())
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = manifest_of(files, GATEWAY, "mic-1")
    listed = [
        file
        if file.name not in taken_by
        else file.model_copy(
            update={"role": "video", "media_type": "video/webm", "camera": taken_by[file.name]}
        )
        for file in manifest.files
    ]
    manifest = manifest.model_copy(update={"evidence_id": id, "files": listed})
    seal(folder / "package.zip", manifest, {name: folder / name for name in files}, KEY)
    body = (folder / "package.zip").read_bytes()
    return hashlib.sha256(body).hexdigest(), body


def test_the_list_says_which_films_can_be_looked_at(office: Office, tmp_path: Path) -> None:
    """Of both cameras, also where nobody could say which vehicle it was; of none that has not
    come."""
    for name, package in (("seen-by-two", True), ("still-coming", False)):
        made = of_two_cameras(tmp_path / name, name)
        passage(office, name, sealed_as=made, package=package)
    passage(office, "heard-only")
    answer = office.city.client("ana").get("/api/v1/noise/exceedances").json()
    films = {one["id"].partition(":")[2]: one["films"] for one in answer["exceedances"]}
    assert films == {
        "seen-by-two": [
            {"name": "video.webm", "camera": "overview"},
            {"name": "plate-video.webm", "camera": "plate"},
        ],
        "still-coming": [],
        "heard-only": [],
    }
