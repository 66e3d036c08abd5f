"""What a phone keeps without a network and sends later, with when it was written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cases_office import Office, picture
from vigil_schemas.types import isoformat_utc


def _headers(office: Office, hours: float, clock_s: float = 0.0) -> dict[str, str]:
    """Written so long before now, by a phone whose clock is so far ahead as it sends."""
    now = office.city.time
    return {
        "Written-At": isoformat_utc(now - timedelta(hours=hours)),
        "Device-Clock": isoformat_utc(now + timedelta(seconds=clock_s)),
    }


def _note(office: Office, case: str, headers: dict[str, str]) -> dict[str, Any]:
    after = office.do("inspector", f"/{case}/notes", {"text": "A hose."}, headers=headers)
    line: dict[str, Any] = after["history"][-1]
    return line


def test_a_note_says_when_it_was_written_and_when_it_came(office: Office) -> None:
    case = office.water()["id"]
    line = _note(office, case, _headers(office, 3))
    assert line["at"] == isoformat_utc(office.city.time)
    assert line["detail"] == {"written": isoformat_utc(office.city.time - timedelta(hours=3))}


def test_a_time_that_has_not_come_is_brought_back_and_marked(office: Office) -> None:
    case = office.water()["id"]
    line = _note(office, case, _headers(office, -2, clock_s=7200))
    now = office.city.time
    assert line["detail"] == {
        "written": isoformat_utc(now),
        "claimed": isoformat_utc(now + timedelta(hours=2)),
        "clock_off_s": 7200,
    }


@pytest.mark.parametrize("off_s", [-60, 0, 60])
def test_a_clock_that_is_nearly_right_is_no_doubt(office: Office, off_s: int) -> None:
    case = office.water()["id"]
    assert "clock_off_s" not in _note(office, case, _headers(office, 1, off_s))["detail"]


def test_sent_again_it_is_the_same_request_whatever_the_clock_says(office: Office) -> None:
    case = office.water()["id"]
    path, body = f"/{case}/notes", {"text": "Once."}
    key = {"Idempotency-Key": "a-phone-s-own-key"}
    first = office.do("inspector", path, body, headers=key | _headers(office, 1))
    office.later(minutes=5)
    again = office.do("inspector", path, body, headers=key | _headers(office, 1, 3))
    assert again["version"] == first["version"]


@pytest.mark.parametrize("wrong", ["yesterday", "2026-03-01T12:00:00"])
def test_a_time_that_is_none_is_refused(office: Office, wrong: str) -> None:
    case = office.water()["id"]
    answer = office.ask(
        "inspector", f"/{case}/notes", {"text": "When?"}, headers={"Written-At": wrong}
    )
    assert answer.status_code == 422


def test_a_photograph_is_shown_with_its_times_in_case_and_dossier(office: Office) -> None:
    case = office.water()["id"]
    headers = _headers(office, 3, clock_s=-300)
    after = office.photograph("inspector", case, picture(zone=None), "hose", **headers)
    (shown,) = after["photographs"]
    written = isoformat_utc(office.city.time - timedelta(hours=3))
    assert (shown["written"], shown["clock_off_s"]) == (written, -300)
    assert shown["added"] == isoformat_utc(office.city.time)
    # A camera without a zone stands on the city's clock, and this is said
    assert (shown["taken"], shown["zone_assumed"]) == ("2026-03-01T03:58:30Z", True)

    inspector = office.city.client("inspector")
    document = inspector.get(f"/api/v1/cases/{case}/dossier.json").raise_for_status().json()
    (printed,) = document["photographs"]
    assert (printed["written"], printed["zone_assumed"]) == (written, True)
    pdf = inspector.get(f"/api/v1/cases/{case}/dossier.pdf").raise_for_status()
    assert pdf.content.startswith(b"%PDF")


def test_a_camera_that_says_its_zone_is_believed(office: Office) -> None:
    case = office.water()["id"]
    (shown,) = office.photograph("inspector", case, picture(zone="+09:00"))["photographs"]
    assert (shown["taken"], shown["zone_assumed"]) == ("2026-03-01T02:58:30Z", False)
    assert (shown["written"], shown["clock_off_s"]) == (None, None)
