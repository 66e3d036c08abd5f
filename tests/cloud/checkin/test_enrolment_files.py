"""Enrolment by files: in the encodings that offices have, whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from cloud_city import TAG, City
from vigil_cloud.checkin import enrolment_files
from vigil_cloud.checkin.models import Amulet, Tag
from vigil_cloud.identity.models import AuditEntry, Consent, Guardian, Person
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope

OTHER = "ibeacon:0123456789abcdef0123456789abcdef:1:8"
SPARE = "ibeacon:0123456789abcdef0123456789abcdef:1:9"
FILE = f"""代號,姓名,標籤,監護人,條碼
p2,陳阿公,{OTHER},daughter、son,
p3,=林阿嬤,,,
,,{SPARE},,AB3DE-FGH7J
"""


@pytest.fixture
def office(city: City) -> City:
    city.account("bureau", Role.REGISTRAR)
    for name in ("daughter", "son"):
        city.account(name, Role.FAMILY)
    return city


def put(city: City, content: str | bytes, who: str = "bureau", **query: Any) -> dict[str, Any]:
    body = content.encode() if isinstance(content, str) else content
    answer = city.client(who).post("/api/v1/enrolment/import", content=body, params=query)
    return {"status": answer.status_code, **answer.json()}


def counts(city: City) -> tuple[int, ...]:
    with city.services.sessions() as session:
        models = (Person, Tag, Guardian, Amulet)
        return tuple(session.scalar(select(func.count()).select_from(one)) or 0 for one in models)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "big5", "cp950"])
def test_a_file_is_looked_at_first_then_taken_once(office: City, encoding: str) -> None:
    content, before = FILE.encode(encoding), counts(office)

    looked = put(office, content, dry_run="true")
    assert (looked["done"], looked["mistakes"], counts(office)) == (False, [], before)
    assert (looked["persons"], looked["tags"], looked["guardians"]) == (2, 1, 2)

    taken = put(office, content)
    assert (taken["done"], taken["persons"], taken["rows"]) == (True, 2, 3)
    after = counts(office)
    assert after == (before[0] + 2, before[1] + 1, before[2] + 2, before[3] + 1)
    again = put(office, content.replace(b"AB3DE-FGH7J", b""))
    assert (again["done"], again["persons"], again["tags"]) == (True, 0, 0)
    assert counts(office) == after


def test_each_bad_line_is_told_and_nothing_is_half_done(office: City) -> None:
    before = counts(office)
    told = put(
        office,
        f"person,name,tag,guardians,code\n"
        f"p2,陳阿公,{OTHER},,\n"
        f"p1,Somebody else,,,\n"  # 3: another name than the enrolled one
        f"p4,Lin,{TAG},,\n"  # 4: p1 carries it
        f"p5,Wu,{OTHER},,\n"  # 5: the second line gave it away
        f"bad key!,Wu,,,\n"
        f"p6,,,,\n"  # 7: a new person needs a name
        f"p7,Wu,,nobody,\n"
        f"p8,Wu,,bureau,\n"  # 9: not of the role family
        f"p9,Wu,beacon-7,,\n"
        f",Wu,{SPARE},,\n"
        f",,{SPARE},,SHORT\n",
    )
    assert (told["status"], told["done"]) == (200, False)
    assert [one["line"] for one in told["mistakes"]] == list(range(3, 13))
    assert counts(office) == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "neither UTF-8 nor Big5"),
        (b"person,colour\n", "first line"),
        (b"person,person,tag\n", "first line"),
        (b"name,guardians\n", "first line"),
        (b'person,name\n"p1,x\n', "no CSV"),
        (b"person,name\np1,x,surplus\n", "more cells"),
        (b"person,name\n" + b"p,x\n" * 501, "More than 500"),
        (b"person,name\n" + b"x" * 2**20, "bytes"),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_line(
    office: City, content: bytes, says: str
) -> None:
    told = put(office, content)
    assert (told["status"], told["code"]) == (422, "bad-enrolment-file")
    assert says in told["detail"]


def test_what_is_taken_out_can_be_put_in_again_and_its_guardians_see_who_did(office: City) -> None:
    put(office, FILE)
    answer = office.client("administrator").get("/api/v1/enrolment/export")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    text = answer.content.decode("utf-8-sig")
    assert f"p2,陳阿公,{OTHER},daughter;son" in text
    assert "p3,'=林阿嬤,," in text, "no formula for a spreadsheet"
    assert "AB3DE" not in text
    with office.services.sessions() as session:
        query = select(AuditEntry.person_key).where(AuditEntry.action == "person.exported")
        assert set(session.scalars(query)) == {"p1", "p2", "p3"}
    rows = enrolment_files.read(answer.content)
    assert {row.name for row in rows} >= {"陳阿公", "=林阿嬤"}
    again = put(office, answer.content)
    assert (again["done"], again["persons"], again["tags"], again["guardians"]) == (True, 0, 0, 0)


@pytest.mark.parametrize("may", [[], ["last_place", "footprint", "live", "alerts"], ["alerts"]])
def test_new_guardians_are_opened_what_whoever_imports_names(office: City, may: list[str]) -> None:
    silent = [{"person": "p2", "account": one} for one in ("daughter", "son")]
    right = {"count": 0, "guardians": []} if may else {"count": 2, "guardians": silent}
    assert put(office, FILE, dry_run="true", guardians_may=may)["not_called"] == right
    with office.services.sessions() as session:
        assert session.scalars(select(Consent)).all() == []

    assert put(office, FILE, guardians_may=may)["not_called"] == right
    (mine,) = office.client("daughter").get("/api/v1/people/mine").json()["people"]
    assert [one["scope"] for one in mine["scopes"]] == may
    # Once more with everything: nobody is new, so nothing is opened.
    again = put(office, FILE.replace("AB3DE-FGH7J", ""), guardians_may=list(Scope))
    assert (again["guardians"], again["not_called"]) == (0, right)


def test_what_is_no_scope_is_refused(office: City) -> None:
    before = counts(office)
    assert put(office, FILE, guardians_may=["alerts", "everything"])["status"] == 422
    assert counts(office) == before
