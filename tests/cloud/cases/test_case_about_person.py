"""A kind of case from tests alone: somebody is missing, no alert is there, few may look.

It proves the port for what no shipped domain does yet: a case by hand, about a person, opened by
a guardian, shown to the police for a time and with a reason, forgotten with the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office, picture
from cloud_city import NAME, populated
from vigil_cloud.cases.models import CaseEvent, CasePhotograph, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds, Choice, Outcome, Words
from vigil_cloud.cases.retention import expire
from vigil_cloud.cases.rules import OneDecides
from vigil_cloud.identity import audit
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role

FAMILY, POLICE = frozenset({Role.FAMILY}), frozenset({Role.POLICE})
SEARCH = CaseKind(
    name="search",
    domain="search",
    words=Words("Missing person", "失蹤協尋"),
    rule=OneDecides(),
    outcomes=(Outcome("found", Words("Found", "尋獲"), follows=False),),
    resolutions=(Choice("home", Words("At home", "返家")),),
    rights={
        "open": FAMILY,
        "note": FAMILY | POLICE,
        "photograph": FAMILY | POLICE,
        "take": POLICE,
        "decide": POLICE,
        "close": POLICE,
    },
    on_request=POLICE,
    by_hand=True,
    about_person=True,
)


@pytest.fixture
def searching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr("vigil_cloud.app.case_kinds", lambda: CaseKinds([SEARCH]))
    city = populated(tmp_path / "cloud")
    city.guardian("family")
    city.account("stranger", Role.FAMILY)
    yield Office(city)
    city.close()


def missing(office: Office) -> dict[str, Any]:
    return office.do(
        "family",
        "",
        {"kind": "search", "person_key": "p1", "title": f"{NAME} is missing", "note": "Red coat."},
    )


def test_a_guardian_reports_and_the_police_look_for_a_time_and_with_a_reason(
    searching: Office,
) -> None:
    case = missing(searching)
    assert case["title"] == f"{NAME} is missing"
    address = f"/api/v1/cases/{case['id']}"

    # The police see that there is a case, and nothing of whom it is about
    (listed,) = searching.listed("police")
    assert (listed["withheld"], listed["title"], listed["opened_by"]) == (True, "", "")
    assert NAME not in str(listed)
    refused = searching.city.client("police").get(address)
    assert (refused.status_code, refused.json()["code"]) == (403, "case-needs-reason")
    assert searching.city.client("dispatcher").get(address).status_code == 404

    # With a reason they see it, the family sees that they do, and it ends by itself
    short = searching.refused("police", f"/{case['id']}/access", {"reason": "  "})
    assert short[:2] == (422, "invalid-request")
    seen = searching.do("police", f"/{case['id']}/access", {"reason": "Call 110-2231"})
    assert "Red coat." in str(seen)
    told = searching.see("family", case["id"])["history"][-1]
    assert (told["action"], told["account"], told["text"]) == (
        "access-given",
        "police",
        "Call 110-2231",
    )
    searching.city.later(hours=12)
    searching.city.sign_in_anew("police")
    refused = searching.city.client("police").get(address)
    assert refused.json()["code"] == "case-needs-reason"


def test_access_ends_with_the_case(searching: Office) -> None:
    case = missing(searching)
    path = f"/{case['id']}"
    seen = searching.do("police", f"{path}/access", {"reason": "Call 110-2231"})
    found = searching.decide("police", seen, "found")
    with searching.city.services.sessions() as session:
        assert session.scalar(select(CaseRow.state)) == "decided"
    searching.ask("police", f"{path}/close", {"version": found["version"], "resolution": "home"})
    answer = searching.city.client("police").get(f"/api/v1/cases{path}")
    assert answer.json()["code"] == "case-needs-reason"
    assert searching.see("family", case["id"])["state"] == "closed"
    again = searching.refused("police", f"{path}/access", {"reason": "Curious"})
    assert again[:2] == (409, "case-wrong-state")


def test_only_a_guardian_reports_and_only_their_own_person(searching: Office) -> None:
    body = {"kind": "search", "person_key": "p1"}
    assert searching.refused("stranger", "", body)[:2] == (403, "no-consent")
    nobody = {"kind": "search", "person_key": "p-nobody"}
    assert searching.refused("family", "", nobody)[:2] == (403, "no-consent")
    assert searching.refused("family", "", {"kind": "search"})[:2] == (422, "case-kind-mismatch")
    assert searching.refused("police", "", body)[:2] == (404, "case-kind-unknown")


def test_with_the_person_everything_written_about_them_goes(searching: Office) -> None:
    case = missing(searching)
    searching.photograph("family", case["id"], picture((64, 48)), "In her red coat")
    city = searching.city
    erase(city.services, "p1", by="administrator")

    with city.services.sessions() as session:
        row = session.scalars(select(CaseRow)).one()
        assert (row.title, row.person_key, row.erased) == (None, None, True)
        events = session.scalars(select(CaseEvent)).all()
        assert [event.action for event in events] == ["opened", "photograph-added"]
        assert {(event.text, event.salt) for event in events} == {(None, None)}
        assert session.scalars(select(CasePhotograph.key)).all() == [None]
        audit.verify(session)
    expire(city.services, city.time, "retention")
    assert not [one for one in (city.settings.data_dir / "objects").rglob("*") if one.is_file()]
    with city.services.sessions() as session:
        assert session.scalars(select(CasePhotograph)).all() == []


def test_every_look_and_change_is_in_the_audit_log_of_the_person(searching: Office) -> None:
    case = missing(searching)
    searching.see("family", case["id"])
    searching.see("family", case["id"])
    with searching.city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.person_key == "p1")
        lines = [one.action for one in session.scalars(query) if one.action.startswith("case.")]
    assert lines == ["case.opened", "case.read"]
