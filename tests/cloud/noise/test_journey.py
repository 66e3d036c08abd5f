"""From a loud vehicle to a dossier that leaves the house: two inspectors decide."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office, decision
from cloud_city import KEY, City, exceedance
from vigil_cloud.cases.models import CaseVote
from vigil_cloud.cli import main
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise.owners import Owner

PLATE = "XYZ9876"


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


def verdicts(case: dict[str, Any]) -> dict[str, str]:
    (checks,) = [one for one in case["sections"] if one["code"] == "checks"]
    for fact in checks["facts"]:
        assert fact["verdict"] in {"pass", "fail", "unknown"}
        assert fact["value"] != fact["value_zh"]
    return {one["code"]: one["verdict"] for one in checks["data"]["checks"]}


def refusals(office: Office, case: str) -> list[tuple[str, str]]:
    with office.city.services.sessions() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.action == "case.refused"))
        return [(one.account, one.detail["code"]) for one in lines if one.subject == case]


def everything_shown(office: Office, who: str, case: str) -> str:
    """Whatever the API tells this account of the case."""
    client = office.city.client(who)
    found = [
        client.get(f"/api/v1/cases/{case}").text,
        client.get(f"/api/v1/cases/{case}/dossier.json").text,
        client.get("/api/v1/cases", params={"view": "all"}).text,
        client.get("/api/v1/alerts").text,
        client.get("/api/v1/noise/statistics").text,
    ]
    return "".join(found)


def test_the_first_verdict_is_told_to_nobody_before_the_second(office: Office) -> None:
    case = office.noise()
    assert set(verdicts(case).values()) == {"pass", "unknown"}  # nobody measures the weather
    fine = next(one for one in case["outcomes"] if one["code"] == "fine")
    assert (fine["barred"], fine["proposed_twd"]) == (None, 7200)

    office.decide("ana", case, "fine", 7200, "xyz-9876")

    for who in ("bo", "inspector", "administrator"):
        shown = everything_shown(office, who, case["id"])
        for secret in (PLATE, "XYZ", "xyz", "7200,", "Seen and heard."):
            assert secret not in shown.replace('"proposed_twd":7200,', ""), (who, secret)
    assert PLATE in everything_shown(office, "ana", case["id"])
    with office.city.services.sessions() as session:
        (vote,) = session.scalars(select(CaseVote)).all()
        assert vote.entries is not None
        assert PLATE.encode() not in vote.entries

    # An administrator sees what was decided, and no plate.
    decided = office.decide("bo", case, "fine", 7200, "XYZ 9876")
    assert (decided["state"], decided["outcome"]) == ("decided", "fine")
    assert {one["entries"][0]["value"] for one in decided["decisions_given"]} == {PLATE}
    assert PLATE not in everything_shown(office, "administrator", case["id"])


def test_who_decided_on_less_decides_again_on_the_whole(office: Office) -> None:
    """A second measurement joins between two blind decisions."""
    case = office.noise()
    office.decide("ana", case, "fine", 7200)
    alert = office.exceedance("exceedance-louder", LAFmax=99.0)
    office.do("inspector", f"/{case['id']}/alerts", {"alert": alert})

    stale = office.refused("bo", f"/{case['id']}/decisions", decision(case, "fine", 7200))
    assert stale[1] == "case-changed"
    now = office.see("bo", case["id"])
    assert (now["round"], now["decisions_given"]) == (2, [])
    assert "Seen and heard." not in everything_shown(office, "bo", case["id"])
    after = office.decide("bo", now, "fine", 7200)
    assert after["state"] == "in_progress", "ana has not seen the second measurement"

    after = office.decide("ana", office.see("ana", case["id"]), "fine", 7200)
    assert (after["state"], after["outcome"]) == ("decided", "fine")
    assert [one["round"] for one in after["decisions_given"]] == [1, 2, 2]


def test_a_case_shows_that_the_clock_was_only_vouched_for(office: Office) -> None:
    case = office.noise(clock_vouched=True)
    assert verdicts(case)["clock"] == "unknown"
    (checks,) = [one for one in case["sections"] if one["code"] == "checks"]
    (clock,) = [one for one in checks["facts"] if one["title"] == "Clock synchronised"]
    assert "gateway's settings" in clock["value"]
    assert "閘道器設定" in clock["value_zh"]
    office.decide("ana", case, "fine", 7200)
    after = office.decide("bo", case, "fine", 7200)
    assert (after["state"], after["outcome"]) == ("decided", "fine")
    assert verdicts(office.noise(id="exceedance-10"))["clock"] == "pass"


def test_the_sealed_message_may_say_that_the_clock_was_only_vouched_for(office: Office) -> None:
    """The kernel lost its time service between the measurement and its sealing."""
    city = office.city
    measured = {"phase": "measured", "clock_vouched": None}
    city.send(exceedance(city.time, "exceedance-9").model_copy(update=measured), "mic-1")
    assert verdicts(office.noise(clock_vouched=True))["clock"] == "unknown"


def test_two_who_read_two_plates_do_not_agree(office: Office) -> None:
    """Nobody is fined for a plate that only one person has read."""
    case = office.noise()
    office.decide("ana", case, "fine", 7200, "ABC-1234")
    after = office.decide("bo", case, "fine", 7200, "ABC-1284")
    assert (after["state"], after["outcome"]) == ("in_progress", None)
    decided = office.decide("chen", office.see("chen", case["id"]), "fine", 3600, "ABC-1284")
    assert (decided["state"], decided["amount_twd"]) == ("decided", 3600)


def test_what_a_machine_read_stands_beside_what_people_read(office: Office) -> None:
    read = [{"text": "XYZ-9870", "confidence": 0.4}, {"text": "XYZ-9876", "confidence": 0.7}]
    case = office.noise(plates=read)
    assert case["entries"][0]["read"] == ["XYZ-9876", "XYZ-9870"]
    assert office.see("administrator", case["id"])["entries"][0]["read"] == []
    alert = office.city.client("administrator").get(f"/api/v1/alerts/{case['alerts'][0]['id']}")
    assert "XYZ" not in alert.text

    office.decide("ana", case, "fine", 7200, "XYZ-9816")
    after = office.decide("bo", case, "fine", 7200, PLATE)

    told = {one["account"]: one["entries"][0]["read"] for one in after["decisions_given"]}
    assert told == {"ana": "XYZ-9876", "bo": None}


@pytest.mark.parametrize("entries", [{}, {"plate": ""}, {"plate": "?"}, {"other": "ABC-1234"}])
def test_a_fine_needs_a_plate(office: Office, entries: dict[str, str]) -> None:
    case = office.noise()
    body = decision(case, "fine", 7200) | {"entries": entries}
    assert office.refused("ana", f"/{case['id']}/decisions", body)[:2] == (422, "bad-decision")
    body = decision(case, "unreadable") | {"entries": {"plate": "ABC-1234"}}
    assert office.refused("ana", f"/{case['id']}/decisions", body)[:2] == (422, "bad-decision")


def test_every_refusal_is_written_down_and_nothing_is_stuck(office: Office) -> None:
    case = office.noise("ana")
    path = f"/{case['id']}/decisions"
    assert office.refused("ana", path, decision(case, "dismissed"))[1] == "not-impartial"
    assert office.refused("inspector", path, decision(case, "dismissed"))[1] == "case-forbidden"
    office.decide("bo", case, "dismissed")
    assert office.refused("bo", path, decision(case, "fine", 7200))[1] == "decided-already"

    assert refusals(office, case["id"]) == [
        ("ana", "not-impartial"),
        ("inspector", "case-forbidden"),
        ("bo", "decided-already"),
    ]
    assert office.decide("chen", case, "dismissed")["state"] == "decided"


def test_a_lapsed_certificate_bars_a_fine_for_the_day_of_the_exceedance(office: Office) -> None:
    case = office.noise()
    lapsed = {"instrument": "XL2-1", "kind": "calibration", "number": "F-1"}
    dates = {"valid_from": "2026-02-01", "valid_until": "2026-02-04"}
    client = office.city.client("maintainer")
    body = {"certificates": [lapsed | dates]}
    assert client.post("/api/v1/noise/register", json=body).json() == {"entered": 1}
    assert client.post("/api/v1/noise/register", json=body).json() == {"entered": 0}

    assert verdicts(office.see("ana", case["id"]))["certificate-calibration"] == "fail"
    status, code, detail = office.refused(
        "ana", f"/{case['id']}/decisions", decision(case, "fine", 7200)
    )
    assert (status, code) == (409, "outcome-barred")
    assert "expired on 2026-02-04" in detail
    assert refusals(office, case["id"]) == [("ana", "outcome-barred")]

    # One that begins today mends no yesterday; one of that day does.
    office.later(days=2)
    body["certificates"].append(
        lapsed | {"number": "F-2", "valid_from": "2026-03-02", "valid_until": "2026-03-05"}
    )
    office.city.sign_in_anew("maintainer")
    office.city.client("maintainer").post("/api/v1/noise/register", json=body).raise_for_status()
    assert verdicts(office.see("ana", case["id"]))["certificate-calibration"] == "fail"
    office.register(
        certificates=[
            lapsed | {"number": "F-0", "issuer": "Lab"} | dates | {"valid_until": "2026-03-01"}
        ]
    )
    assert verdicts(office.see("ana", case["id"]))["certificate-calibration"] == "pass"


def test_a_fine_that_is_barred_meanwhile_is_not_what_a_case_comes_to(office: Office) -> None:
    """Two had fined and differed in the amount alone; then the certificate was corrected."""
    case = office.noise()
    office.decide("ana", case, "fine", 7200)
    office.decide("bo", case, "fine", 3600)
    lapsed = {"instrument": "XL2-1", "kind": "calibration", "number": "F-1"}
    office.register(
        certificates=[lapsed | {"valid_from": "2026-02-01", "valid_until": "2026-02-04"}]
    )

    after = office.decide("chen", office.see("chen", case["id"]), "dismissed")
    assert (after["state"], after["outcome"]) == ("in_progress", None)
    office.city.account("dee", Role.REVIEWER)
    decided = office.decide("dee", office.see("dee", case["id"]), "dismissed")
    assert (decided["state"], decided["outcome"]) == ("decided", "dismissed")


def test_a_package_of_another_measurement_founds_no_fine(office: Office) -> None:
    other = office.noise(id="exceedance-8")
    named = {"sha256": other["alerts"][0]["evidence_sha256"], "size": 1000}
    case = office.noise(evidence=named)
    assert verdicts(case)["evidence"] == "fail"
    refused = office.refused("ana", f"/{case['id']}/decisions", decision(case, "fine", 7200))
    assert refused[1] == "outcome-barred"


def test_a_reviewer_writes_no_register_whatever_else_they_are(office: Office) -> None:
    office.city.account("both", Role.REVIEWER, Role.INSPECTOR)
    answer = office.city.client("both").post("/api/v1/noise/register", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert office.city.client("both").get("/api/v1/noise/register").is_success


def test_a_decision_keeps_the_checks_that_it_rests_on(office: Office) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 7200)
    office.decide("bo", case, "fine", 7200)
    before = office.see("ana", case["id"])["sections"]
    office.register(
        roads=[
            {
                "intersection": "zhongshan",
                "valid_from": "2026-02-01",
                "limits": [{"limit_db": 94.0}],
            }
        ]
    )
    assert office.see("ana", case["id"])["sections"] == before

    # Whoever judges an appeal judges by the register as it is.
    appeal = {"version": office.see("ana", case["id"])["version"], "text": "The limit is 94."}
    appealed = office.do("inspector", f"/{case['id']}/appeal", appeal)
    assert verdicts(appealed)["limit"] == "fail"


def test_what_a_decision_carries_cannot_be_changed_unseen(office: Office) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 7200)
    office.decide("bo", case, "fine", 7200)
    with writing(office.city.services.sessions) as session:
        one, other = session.scalars(select(CaseVote).order_by(CaseVote.event))
        one.entries = other.entries
    dossier = office.city.client("ana").get(f"/api/v1/cases/{case['id']}/dossier.json").json()
    given = [one["number"] for one in dossier["history"] if one["action"] == "decision-given"]
    assert dossier["history_broken"] == given[:1]


def test_a_case_leaves_as_one_file_that_is_verified_off_line(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 7200)
    office.decide("bo", case, "fine", 7200)
    answer = office.city.client("ana").get(f"/api/v1/cases/{case['id']}/dossier.zip")
    assert answer.headers["content-disposition"].endswith(f'"{case["number"]}.zip"')
    file = tmp_path / "2026-000001.zip"
    file.write_bytes(answer.content)
    key = KEY.public_key().public_bytes_raw().hex()

    for given, source in (([], "from the file itself"), (["--key", key], "given")):
        assert main(["evidence", "verify", str(file), *given]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["case"], said["evidence"], said["key"]) == (
            case["number"],
            [case["alerts"][0]["evidence_sha256"]],
            source,
        )
    with office.city.services.sessions() as session:
        issued = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "case.dossier-issued")
        ).one()
        assert issued.detail["sha256"] == said["sha256"]
        assert issued.detail["paper"] == said["paper"]  # which nothing in the file itself seals

    assert main(["evidence", "verify", str(file), "--key", "00" * 32]) == 1
    assert "signature" in capsys.readouterr().out
    for name, fault in changed(file, case["alerts"][0]["evidence_sha256"]):
        assert main(["evidence", "verify", str(file)]) == 1, name
        assert fault in capsys.readouterr().out, name
    file.write_bytes(answer.content[:-200])
    assert main(["evidence", "verify", str(file), "--key", key]) == 1
    assert main(["evidence", "verify", str(tmp_path / "none.zip")]) == 2


def changed(file: Path, sha256: str) -> Any:
    """The file with one thing of it changed, removed or added."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    package = f"evidence/{sha256}.zip"
    dossier = parts["dossier.json"].replace(b'"amount_twd":7200', b'"amount_twd":7201', 1)
    cases: list[tuple[str, dict[str, bytes], str]] = [
        ("dossier", {**parts, "dossier.json": dossier}, "is not what its own SHA-256 says"),
        ("package", {**parts, package: parts[package][:-1] + b"x"}, "is not what the dossier"),
        ("no package", {k: v for k, v in parts.items() if k != package}, "is missing"),
        ("no paper", {k: v for k, v in parts.items() if k != "dossier.pdf"}, "is missing"),
        ("more", {**parts, "more.exe": b"x"}, "does not belong"),
        ("no keys", {**parts, "keys.json": b"{}"}, "no key is there"),
    ]
    for name, content, fault in cases:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for part, body in content.items():
                archive.writestr(part, body)
        file.write_bytes(buffer.getvalue())
        yield name, fault


def test_an_owner_is_looked_up_for_a_decided_fine_alone(office: Office, tmp_path: Path) -> None:
    vehicles = tmp_path / "vehicles.json"
    vehicles.write_text(json.dumps({"ABC-1234": {"name": "林大同", "address": "中山路 7 號"}}))
    settings = office.city.services.settings
    object.__setattr__(settings, "vehicle_register_file", vehicles)
    case = office.noise()
    path = f"/api/v1/noise/cases/{case['id']}/owner"
    why = {"reason": "to deliver the notice"}
    office.decide("ana", case, "fine", 7200)
    early = office.city.client("bo").post(path, json=why)
    assert (early.status_code, early.json()["code"]) == (409, "no-plate-decided")
    office.decide("bo", case, "fine", 7200)

    answer = office.city.client("inspector").post(path, json=why)
    assert answer.json()["owner"]["name"] == "林大同"
    assert answer.json()["plate"] == "ABC1234"
    refused = office.city.client("administrator").post(path, json=why)
    assert (refused.status_code, refused.json()["code"]) == (403, "case-forbidden")

    line = office.see("ana", case["id"])["history"][-1]
    assert (line["action"], line["account"], line["text"]) == ("noted", "inspector", why["reason"])
    assert "林大同" not in everything_shown(office, "inspector", case["id"])
    body = {"version": office.see("inspector", case["id"])["version"], "resolution": "revoked"}
    office.do("inspector", f"/{case['id']}/close", body)
    over = office.city.client("inspector").post(path, json=why)
    assert (over.status_code, over.json()["code"]) == (409, "no-plate-decided")
    body = {"version": office.see("ana", case["id"])["version"], "text": "A new proof."}
    office.do("ana", f"/{case['id']}/reopen", body)
    over = office.city.client("inspector").post(path, json=why)
    assert over.json()["code"] == "no-plate-decided"
    for who in ("ana", "bo"):
        office.decide(who, office.see(who, case["id"]), "fine", 7200)
    vehicles.unlink()
    gone = office.city.client("inspector").post(path, json=why)
    assert (gone.status_code, gone.json()["code"]) == (503, "vehicle-register-unavailable")


def test_an_alarm_waits_for_no_register_of_vehicles(office: Office) -> None:
    """Another office's server may take its time: nothing of ours is locked meanwhile."""

    class Slow:
        def owner(self, plate: str) -> Owner | None:
            said = exceedance(office.city.time, "exceedance-11")
            alarm = threading.Thread(target=office.city.send, args=(said, "mic-1"))
            alarm.start()
            alarm.join(60)
            return None if alarm.is_alive() else Owner(name=plate)

    case = office.noise()
    for who in ("ana", "bo"):
        office.decide(who, case, "fine", 7200)
    server = office.city._server
    assert server is not None
    application: Any = server.config.app
    application.state.vehicle_register = Slow()
    path = f"/api/v1/noise/cases/{case['id']}/owner"
    answer = office.city.client("inspector").post(path, json={"reason": "to deliver the notice"})
    assert answer.json()["owner"]["name"] == "ABC1234"


def test_figures_of_the_service(office: Office) -> None:
    """Three exceedances, of which one becomes a fine that is paid, one is dismissed."""
    fined, other = office.noise(), office.noise(id="exceedance-10")
    office.exceedance("exceedance-11")
    office.register(
        complaints=[
            {"reference": f"c{n}", "intersection": "zhongshan", "received": day}
            for n, day in enumerate(["2025-12-20", "2025-12-30", "2026-01-05", "2026-02-01"])
        ]
    )
    office.decide("ana", fined, "fine", 7200)
    client = office.city.client("inspector")
    assert client.get("/api/v1/noise/statistics").json()["decided"] == 0
    office.later(days=3)
    decided = office.decide("bo", fined, "fine", 7200)
    for who in ("ana", "bo"):
        office.decide(who, other, "dismissed")
    referred = office.do(
        "ana", f"/{fined['id']}/refer", {"version": decided["version"], "text": "To the EPB."}
    )
    close = {"version": referred["version"], "resolution": "paid"}
    office.do("inspector", f"/{fined['id']}/close", close)

    figures = office.city.client("inspector").get("/api/v1/noise/statistics").json()
    assert {key: figures[key] for key in ("exceedances", "cases", "decided", "violations")} == {
        "exceedances": 3,
        "cases": 2,
        "decided": 2,
        "violations": 1,
    }
    assert figures["actionable_share"] == pytest.approx(1 / 3)
    assert figures["days_to_decision_median"] == pytest.approx(3.0)
    assert (figures["referred"], figures["paid"], figures["amount_twd"]) == (1, 1, 7200)
    (there,) = figures["complaints"]
    # 58 days since the microphone came (Jan 5) and 58 before; its own day counts for neither.
    assert (there["days"], there["before"], there["after"]) == (58.0, 2, 1)

    day = {"start": "2026-03-02"}
    later = office.city.client("inspector").get("/api/v1/noise/statistics", params=day).json()
    assert (later["exceedances"], later["actionable_share"]) == (0, None)


def test_an_entry_of_something_unregistered_is_refused_whole(office: Office) -> None:
    client = office.city.client("inspector")
    body = {
        "instruments": [{"serial": "XL2-9"}],
        "placements": [
            {"device": "mic-1", "since": "2026-01-01T00:00:00Z", "intersection": "nowhere"}
        ],
    }
    answer = client.post("/api/v1/noise/register", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "noise-not-registered")
    assert client.get("/api/v1/noise/register").json()["instruments"] == []
    reviewer = office.city.client("reviewer").post("/api/v1/noise/register", json={})
    assert reviewer.status_code == 403
