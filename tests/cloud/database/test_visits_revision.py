"""Revision 0045: whoever is enrolled goes on being told of, as before there were rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.database.test_notify_revision import NOW, fill
from vigil_cloud.checkin.models import PersonRule
from vigil_cloud.checkin.rule_kinds import PRESET, RuleBody, Seen
from vigil_cloud.checkin.rules import quiet, read
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import differences, upgrade


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def test_families_of_those_enrolled_before_go_on_hearing_of_each_stay(engine: Engine) -> None:
    upgrade(engine, "0038")
    for key in ("p1", "p2"):
        fill(engine, "persons", key=key)

    upgrade(engine)

    fill(engine, "persons", key="p3")  # of whom people are told once a guardian says so
    with Session(engine) as session:
        rows = session.scalars(select(PersonRule).order_by(PersonRule.person_key)).all()
        assert [row.person_key for row in rows] == ["p1", "p2"]
        assert [read(row) for row in rows] == [Seen(), Seen()]
        assert all(row.reference is None and not quiet(row, NOW) for row in rows)
        assert all(row.changed.tzinfo is not None and row.changed > NOW for row in rows)
    with engine.connect() as connection:
        assert differences(connection) == []


def test_whoever_carries_an_amulet_and_has_no_rule_begins_with_some(engine: Engine) -> None:
    """Revision 0052: but not whose guardian has ended all of them, nor who carries nothing."""
    upgrade(engine, "0044")
    for number, key in enumerate(("p1", "p2", "p3"), start=1):
        fill(engine, "persons", key=key)
        if key != "p3":
            fill(engine, "tags", tag=f"epc:{number:08x}", person_key=key)
    fill(engine, "audit_log", number=1, person_key="p2", action="rule.removed")

    upgrade(engine)

    with Session(engine) as session:
        rows = session.scalars(select(PersonRule)).all()
        assert {row.person_key for row in rows} == {"p1"}
        begun = {RuleBody(rule=read(row), quiet_from=row.quiet_from, quiet_until=row.quiet_until)
                 .model_dump_json() for row in rows}  # fmt: skip
        assert begun == {one.model_dump_json() for one in PRESET}
        assert all(row.preset and row.held is None for row in rows)
