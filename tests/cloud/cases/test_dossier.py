"""The dossier: everything of a case, who looked, and a digest that any change breaks."""

from __future__ import annotations

import io
import json
from typing import Any, get_args

import jsonschema
import pytest
from pypdf import PdfReader
from sqlalchemy import update

from cases_office import Office, picture
from cloud_city import City
from vigil_cloud.cases import history, lifecycle
from vigil_cloud.cases.dossier_pdf import printable
from vigil_cloud.cases.models import CaseEvent
from vigil_cloud.cases.wording import ACTIONS, STATES
from vigil_cloud.database.engine import writing
from vigil_schemas.dossier import CaseDossier, digest_of
from vigil_schemas.export import schemas


def fetched(office: Office, who: str, case: str, file: str = "dossier.json") -> Any:
    answer = office.city.client(who).get(f"/api/v1/cases/{case}/{file}")
    assert answer.is_success, answer.text
    return answer


@pytest.fixture
def decided(office: Office) -> dict[str, Any]:
    case = office.noise()
    office.do("inspector", f"/{case['id']}/notes", {"text": "See #panic(1) $x$ *b* 🚗"})
    office.photograph("inspector", case["id"], picture(), "路口告示牌")
    case = office.see("ana", case["id"])
    office.decide("ana", case, "fine", 3000)
    return office.decide("bo", case, "fine", 3000)


def test_it_lists_everything_and_its_digest_fits(office: Office, decided: dict[str, Any]) -> None:
    office.see("inspector", decided["id"])
    document = fetched(office, "inspector", decided["id"]).json()

    jsonschema.validate(document, schemas()["case.dossier.v1"])
    assert digest_of(document) == document["sha256"] == CaseDossier(**document).digest()
    assert (document["outcome"]["code"], document["amount_twd"]) == ("fine", 3000)
    assert [one["account"] for one in document["decisions"]] == ["ana", "bo"]
    assert document["sections"][0]["data"]["LAFmax"] == 91.24
    assert [one["caption"] for one in document["photographs"]] == ["路口告示牌"]
    assert document["history_broken"] == []
    looks = {(one["account"], one["what"]) for one in document["looks"]}
    assert {("ana", "page"), ("inspector", "page"), ("inspector", "dossier.json")} <= looks

    changes: list[dict[str, Any]] = [
        {"amount_twd": 300},
        {"made_by": "somebody"},
        {"decisions": []},
    ]
    for change in changes:
        assert digest_of({**document, **change}) != document["sha256"]


def test_a_history_that_somebody_changed_is_told(
    office: Office, city: City, decided: dict[str, Any]
) -> None:
    with writing(city.services.sessions) as session:
        last = decided["history"][-1]["number"]
        change = update(CaseEvent).where(CaseEvent.number == last)
        session.execute(change.values(detail={"outcome": "dismissed", "amount_twd": None}))
    assert fetched(office, "ana", decided["id"]).json()["history_broken"] == [last]


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_on_paper_in_both_languages_with_the_data_attached(
    office: Office, decided: dict[str, Any], language: str
) -> None:
    answer = fetched(office, "ana", decided["id"], f"dossier.pdf?language={language}")
    assert answer.headers["content-type"] == "application/pdf"
    pdf = PdfReader(io.BytesIO(answer.content))
    text = "".join(page.extract_text() for page in pdf.pages)

    for word in (
        ["審查決定", "違規：裁罰", "路口告示牌", "查閱紀錄"]
        if language == "zh-TW"
        else ["Decisions", "Violation: fine", "路口告示牌", "Who looked"]
    ):
        assert word in text
    # What people wrote is text, never markup; what the font lacks is named.
    assert "See #panic(1) $x$ *b* 〔U+1F697〕" in text.replace("\n", " ")
    ((attached,),) = pdf.attachments.values()
    document = json.loads(attached)
    assert document["sha256"] == digest_of(document)
    assert document["sha256"] in text.replace("\n", "")
    assert "🚗" in str(document["history"])


def test_a_blind_decision_is_in_nobody_elses_dossier(office: Office) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 3000)

    assert len(fetched(office, "ana", case["id"]).json()["decisions"]) == 1
    for who in ("bo", "inspector", "administrator"):
        answer = fetched(office, who, case["id"])
        assert answer.json()["decisions"] == []
        assert "3000" not in answer.text
        assert "Seen and heard." not in answer.text
        assert digest_of(answer.json()) == answer.json()["sha256"]


def test_every_state_and_action_has_words() -> None:
    assert set(STATES) == set(lifecycle.STATES)
    assert set(ACTIONS) == set(get_args(history.Action))


def test_what_the_font_lacks_is_written_as_its_number() -> None:
    assert printable("車牌 ABC-1234 龘\n") == "車牌 ABC-1234 龘\n"
    assert printable("\x01🚗") == "〔U+0001〕〔U+1F697〕"
