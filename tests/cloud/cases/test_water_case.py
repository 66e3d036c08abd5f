"""An inspection: a picture without a place, notes that arrive late, one inspector's decision."""

from __future__ import annotations

import io
import itertools

import httpx
import pytest
from PIL import Image

from cases_office import Office, picture, picture_of_an_editor
from cloud_city import City
from vigil_cloud.cases import photographs
from vigil_cloud.database.engine import writing


def kept(office: Office, case: str, photograph: str) -> bytes:
    answer = office.city.client("inspector").get(f"/api/v1/cases/{case}/photographs/{photograph}")
    assert answer.is_success, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return answer.content


def test_an_inspection_from_alert_to_closed(office: Office) -> None:
    case = office.water()
    path = f"/{case['id']}"
    assert case["sections"][0]["facts"][0] == {
        "title": "Limit",
        "title_zh": "限值",
        "value": "2500 µS/cm",
        "value_zh": "2500 µS/cm",
        "verdict": None,
    }
    assert (case["state"], case["assignee"]) == ("in_progress", "inspector"), "who opens it has it"
    # Taking what one has is no change
    again = office.do("inspector", f"{path}/take", {"version": 1})
    assert again["version"] == case["version"]
    office.do("inspector", f"{path}/notes", {"text": "A hose from the backyard, sample W-17."})
    seen = office.photograph("inspector", case["id"], picture(), "暗管 hose")
    decided = office.decide("inspector", seen, "fine", 60000)
    assert (decided["state"], decided["amount_twd"]) == ("decided", 60000)
    closed = office.do(
        "inspector", f"{path}/close", {"version": decided["version"], "resolution": "mended"}
    )
    assert closed["state"] == "closed"
    (alert,) = office.city.alerts("inspector", domain="water")
    state = alert["state"]
    assert (state["acknowledged"], state["confirmed"]) == (True, True), "nobody is asked again"
    assert alert["confirmed_by"] == "inspector"

    # What was kept on the phone meanwhile is taken, closed or not
    late = office.photograph("inspector", case["id"], picture((64, 48)), "later")
    assert [one["caption"] for one in late["photographs"]] == ["暗管 hose", "later"]


def test_a_photograph_is_kept_without_its_place_and_encrypted(office: Office, city: City) -> None:
    case = office.water()
    sent = picture((4000, 3000))
    (shown,) = office.photograph("inspector", case["id"], sent)["photographs"]
    content = kept(office, case["id"], shown["id"])

    assert (shown["location_removed"], shown["taken"]) == (True, "2026-03-01T03:58:30Z")
    with Image.open(io.BytesIO(content)) as image:
        assert dict(image.getexif()) == {}
        assert image.size == (3000, 4000)  # it stands upright now
    for word in (b"GPS", b"Taipei Phones", b"Exif"):
        assert word not in content
    objects = [file for file in (city.settings.data_dir / "objects").rglob("*") if file.is_file()]
    raw = b"".join(file.read_bytes() for file in objects)
    assert b"JFIF" not in raw
    assert len(raw) > len(content) // 2


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_a_picture_without_a_place_says_nothing_of_one(office: Office, format: str) -> None:
    case = office.water()
    sent = picture((64, 48), format, located=False)
    (shown,) = office.photograph("inspector", case["id"], sent)["photographs"]
    assert (shown["location_removed"], shown["width"], shown["height"]) == (False, 48, 64)


def test_metadata_that_cannot_be_read_does_not_lay_a_picture_on_its_side(office: Office) -> None:
    """A clock that was never set, and a value of another type than it should be."""
    unset = picture((64, 48), taken="0001:01:01 00:00:00")
    case = office.water()
    for sent in (unset, picture_of_an_editor((64, 48))):
        shown = office.photograph("inspector", case["id"], sent)["photographs"]
        assert {(one["width"], one["height"]) for one in shown} == {(48, 64)}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "photograph-refused"),
        (b"GIF89a" + b"\0" * 500, 422, "photograph-refused"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 422, "photograph-refused"),
        (picture()[:2000], 422, "photograph-refused"),
        (b"\0" * (photographs.LARGEST_BYTES + 1), 413, "photograph-too-large"),
        # A few kilobytes that would be 300 million pixels
        (None, 413, "photograph-too-large"),
    ],
    ids=["empty", "gif", "svg", "cut", "large", "bomb"],
)
def test_what_is_no_photograph_is_refused_and_nothing_is_kept(
    office: Office, city: City, content: bytes | None, status: int, code: str
) -> None:
    if content is None:
        written = io.BytesIO()
        Image.new("1", (20_000, 15_000)).save(written, "PNG")
        content = written.getvalue()
    case = office.water()
    answer = office.send_photograph("inspector", case["id"], content)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert office.see("inspector", case["id"])["photographs"] == []
    assert not list((city.settings.data_dir / "objects").rglob("cases/*/*"))


def test_a_photograph_of_100_megabytes_is_refused_and_nothing_is_kept(
    office: Office, city: City
) -> None:
    case, megabyte = office.water(), bytes(2**20)

    client = city.client("inspector")
    headers = {"Content-Type": "image/jpeg"}
    path = f"/api/v1/cases/{case['id']}/photographs"
    try:
        answer = client.post(path, content=itertools.repeat(megabyte, 100), headers=headers)
    except httpx.TransportError:  # the server has answered and gone before everything was sent
        pass
    else:
        assert (answer.status_code, answer.json()["code"]) == (413, "photograph-too-large")
    assert office.see("inspector", case["id"])["photographs"] == []


def test_a_request_sent_again_does_nothing_more(office: Office, city: City) -> None:
    case = office.water()
    path = f"/{case['id']}/notes"
    key = {"Idempotency-Key": "phone-7-note-1"}
    for _ in range(3):
        office.do("inspector", path, {"text": "Seen."}, headers=key)
    noted = [one["text"] for one in office.see("inspector", case["id"])["history"] if one["text"]]
    assert noted == ["Seen."]
    other = office.refused("inspector", path, {"text": "Other."}, headers=key)
    assert other[:2] == (422, "idempotency-key-reused")
    # Another account's key is another key
    office.do("administrator", path, {"text": "Mine."}, headers=key)

    for _ in range(2):
        after = office.photograph(
            "inspector",
            case["id"],
            picture((64, 48)),
            "",
            **{"Idempotency-Key": "phone-7-picture-1"},
        )
    assert len(after["photographs"]) == 1
    objects = city.settings.data_dir / "objects" / "cases"
    assert len([file for file in objects.rglob("*") if file.is_file()]) == 1


def test_a_case_opened_twice_by_the_same_request_is_one(office: Office) -> None:
    key = {"Idempotency-Key": "open-once-0001"}
    body = {"kind": "water-inspection", "title": "Foam at the bridge", "note": "Called in."}
    first = office.do("inspector", "", body, headers=key)
    second = office.do("inspector", "", body, headers=key)
    assert (first["id"], first["number"]) == (second["id"], second["number"])
    assert first["title"] == "Foam at the bridge"
    assert len(office.listed("inspector")) == 1


def test_whoever_acts_on_an_older_version_is_told_what_others_did(office: Office) -> None:
    case = office.water()
    path = f"/{case['id']}"
    office.do("other-inspector", f"{path}/take", {"version": case["version"]})
    office.do("administrator", f"{path}/notes", {"text": "The mayor asks."})

    status, code, detail = office.refused(
        "inspector",
        f"{path}/hand-over",
        {"version": case["version"], "to": "inspector"},
    )

    assert (status, code) == (409, "case-changed")
    assert "other-inspector taken at 2026-03-01 04:00 UTC" in detail
    assert "administrator noted" in detail
    now = office.see("inspector", case["id"])
    handed = office.do(
        "inspector", f"{path}/hand-over", {"version": now["version"], "to": "inspector"}
    )
    assert handed["assignee"] == "inspector"
    assert handed["history"][-1]["detail"] == {"from": "other-inspector", "to": "inspector"}
    bad = office.refused(
        "inspector", f"{path}/hand-over", {"version": handed["version"], "to": "dispatcher"}
    )
    assert bad[:2] == (422, "cannot-take-case")


def test_an_alert_belongs_to_one_case(office: Office, city: City) -> None:
    case = office.water()
    alert = case["alerts"][0]["id"]
    status, code, detail = office.refused(
        "other-inspector", "", {"kind": "water-inspection", "alerts": [alert]}
    )
    assert (status, code) == (409, "alert-in-a-case")
    assert case["number"] in detail
    assert [one["id"] for one in office.listed("inspector", alert=alert)] == [case["id"]]
    wrong = office.refused("inspector", "", {"kind": "noise-exceedance", "alerts": [alert]})
    assert wrong[:2] == (422, "case-kind-mismatch")

    office.noise()
    (noise,) = city.listed("inspector", domain="noise")
    mixed = office.refused("inspector", f"/{case['id']}/alerts", {"alert": noise["id"]})
    assert mixed[:2] == (422, "case-kind-mismatch")


def test_what_people_write_is_sealed_in_the_tables(office: Office, city: City) -> None:
    case = office.do(
        "inspector", "", {"kind": "water-inspection", "title": "Mr Lin's pond", "note": "Lin knows"}
    )
    office.do("inspector", f"/{case['id']}/notes", {"text": "Lin was here"})
    office.photograph("inspector", case["id"], picture((64, 48)), "Lin at the pipe")
    with writing(city.services.sessions) as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        dumped = "\n".join(connection.iterdump())
    assert "Lin" not in dumped
    assert b"Lin".hex().upper() not in dumped.upper()
