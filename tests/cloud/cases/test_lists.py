"""Lists of cases: keyset pages, a fixed number of statements, one rule in Python and in SQL."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office
from cloud_city import NOON, City
from sql import statements
from vigil_cloud.cases import listing
from vigil_cloud.cases.listing import Wanted
from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.visibility import NOT_ADMITTED, admitted_to, sight, visible
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role

KINDS = case_kinds()


def fill(city: City, number: int, kind: str = "noise-exceedance", first: int = 0) -> None:
    with writing(city.services.sessions) as session:
        for n in range(first, first + number):
            session.add(
                CaseRow(
                    id=f"{n:08d}-0000-4000-8000-000000000000",
                    number=f"2026-{n:06d}",
                    domain=kind.split("-")[0],
                    kind=kind,
                    label="Loud vehicle",
                    label_zh="高噪音車輛",
                    state=("new", "in_progress", "decided", "closed")[n % 4],
                    opened=NOON + timedelta(seconds=n // 3),
                    opened_by="inspector",
                    since=NOON,
                    assignee=(None, "ana", "inspector")[n % 3],
                    due=NOON + timedelta(hours=n % 50),
                )
            )


@pytest.mark.parametrize("view", ["open", "mine", "unassigned", "to_decide", "overdue", "all"])
def test_a_page_costs_the_same_however_many_there_are(
    office: Office, city: City, view: Any
) -> None:
    office.city.time = NOON + timedelta(hours=3)
    asked = []
    for first, number in ((0, 10), (10, 1000)):
        fill(city, number, first=first)
        client = city.client("ana")
        with statements(city.services.engine) as told:
            answer = client.get("/api/v1/cases", params={"view": view}).raise_for_status()
            client.get("/api/v1/cases/counts").raise_for_status()
        asked.append(len(told))
    assert len(answer.json()["cases"]) in {4, 50}, answer.text[:300]
    assert asked[0] == asked[1] <= 12


def test_pages_joined_are_the_whole_list(office: Office, city: City) -> None:
    fill(city, 131)
    for view in ("all", "overdue"):
        city.time = NOON + timedelta(hours=20)
        found: list[str] = []
        before = None
        while True:
            query = {"view": view, "limit": 20} | ({"before": before} if before else {})
            page = city.client("ana").get("/api/v1/cases", params=query).json()
            found += [one["id"] for one in page["cases"]]
            before = page["next"]
            if before is None:
                break
        assert len(found) == len(set(found))
        with city.services.sessions() as session:
            rows = session.scalars(select(CaseRow)).all()
        if view == "all":
            wanted = sorted(rows, key=lambda row: (row.opened, row.id), reverse=True)
        else:
            late = [
                one for one in rows if one.state != "closed" and one.due and one.due < city.time
            ]
            wanted = sorted(late, key=lambda row: (row.due, row.id))
        assert found == [row.id for row in wanted]


def test_the_right_in_sql_is_the_right_in_python(office: Office, city: City) -> None:
    kinds = [*(kind.name for kind in KINDS if kind.name != "search"), "search", "unknown-kind"]
    for n, kind in enumerate(kinds):
        fill(city, 2, kind, first=n * 2)
    asked = kinds.index("search") * 2  # both are shown on request alone
    ended = NOON - timedelta(seconds=1)
    with writing(city.services.sessions) as session:
        for number, opener, until in (
            (asked, True, None),
            (asked + 1, False, ended),
            (asked + 2, True, None),
            (0, False, NOON + timedelta(days=1)),
            (2, True, None),
        ):
            case = f"{number:08d}-0000-4000-8000-000000000000"
            session.add(CaseAccess(case_id=case, account="somebody", opener=opener, until=until))
    combinations = itertools.chain.from_iterable(
        itertools.combinations(Role, count) for count in (0, 1, 2)
    )
    with city.services.sessions() as session:
        rows = session.scalars(select(CaseRow)).all()
        for roles in combinations:
            for name in ("somebody", "nobody"):
                reader = Reader(1, name, frozenset(roles))
                by_sql = {
                    row.id for row in session.scalars(select(CaseRow).where(visible(KINDS, reader)))
                }
                admitted = admitted_to(session, reader, [row.id for row in rows], NOON)
                by_python = {
                    row.id
                    for row in rows
                    if sight(
                        KINDS.get(row.kind), reader, admitted=admitted.get(row.id, NOT_ADMITTED)
                    )
                    != "none"
                }
                assert by_sql == by_python, (roles, name)


def test_what_nobody_described_is_seen_by_nobody(office: Office, city: City) -> None:
    fill(city, 3, "unknown-kind")
    with city.services.sessions() as session:
        everybody = Reader(1, "all", frozenset(Role))
        rows, _ = listing.page(session, KINDS, everybody, Wanted("all"), NOON, 50, None)
    assert rows == []
    case = "00000000-0000-4000-8000-000000000000"
    assert city.client("administrator").get(f"/api/v1/cases/{case}").status_code == 404
