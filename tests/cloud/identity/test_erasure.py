"""Erased: nothing in the stores names the person or their tags, and the chain still verifies."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.engine import make_url

import servers
from cloud_city import GATEWAY, NAME, NOON, TAG, City, visit
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.models import Tag, Visit
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import person_keys
from vigil_cloud.identity.audit import lines_about, verify
from vigil_cloud.identity.erasure import GivenMeanwhile, UnknownPerson, erase
from vigil_cloud.identity.errors import AuditBroken
from vigil_cloud.identity.models import AuditEntry, PersonKey
from vigil_cloud.identity.person_keys import PersonErased
from vigil_cloud.identity.persons import add_person
from vigil_cloud.identity.roles import Role
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.senml import microseconds

OTHER_TAG = "epc:00112233445566778899aabb"
LIVED = NOON + timedelta(minutes=29)
"""When the last of the visits came."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived_before(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A city's folder on each kind of database, and the name of the one on PostgreSQL: to copy."""
    folder, template, url = request.getfixturevalue("populated_folder"), "", ""
    if request.param == "postgresql":
        folder, populated = request.getfixturevalue("populated_postgres")
        template = f"t{uuid.uuid4().hex[:16]}"
        url = request.getfixturevalue("postgres").create(template, populated)
    city = City(Path(shutil.copytree(folder, tmp_path_factory.mktemp("lived") / "cloud")), url)
    live(city)
    city.close()
    return city.settings.data_dir, template


@pytest.fixture
def lived(
    lived_before: tuple[Path, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[City]:
    """A city in which the person has been for a while, and so has another."""
    folder, template = lived_before
    url = ""
    if template:
        server: servers.Postgres = request.getfixturevalue("postgres")
        url = server.create(f"t{uuid.uuid4().hex[:16]}", template)
    city = City(Path(shutil.copytree(folder, tmp_path / "cloud")), url)
    city.time = LIVED
    yield city
    city.close()


def live(city: City) -> None:
    city.account("daughter", Role.FAMILY)
    city.guardian("family")
    city.consent("daughter")
    city.person("p2", "李春生", OTHER_TAG)
    for number in range(30):
        at = NOON + timedelta(minutes=number)
        city.time = at
        city.send(visit(at, id=f"visit-{number:04}"), "station-1")
        city.send(visit(at, id=f"other-{number:04}", tag=OTHER_TAG), "station-2")
    city.client("daughter").get("/api/v1/people/p1/footprints")
    city.client("daughter").get("/api/v1/alerts")
    series = Series("checkin", GATEWAY, TAG, "rssi")
    kept = Series("checkin", GATEWAY, OTHER_TAG, "rssi")
    city.services.timeseries.write(
        [Point(one, microseconds(NOON) + n, -60.0, 1) for one in (series, kept) for n in range(50)]
    )
    with writing(city.services.sessions) as session:
        for number, tag in enumerate((TAG, OTHER_TAG)):
            session.add(
                DeadLetter(
                    gateway=GATEWAY,
                    topic=f"vigil/v1/{GATEWAY}/event",
                    reason="wrong-schema",
                    detail=f"data: tag {tag!r}",
                    payload=b'{"data":{"tag":"' + tag.encode() + b'"}}',
                    size=100,
                    digest=f"{number:064}",
                    first_received=NOON,
                    last_received=NOON,
                )
            )
    assert city.time == LIVED


def everything_stored(city: City) -> bytes:
    """Every byte of every file, and what PostgreSQL dumps."""
    url = make_url(city.services.engine.url)
    city.services.engine.dispose()
    found = [p.read_bytes() for p in city.settings.data_dir.rglob("*") if p.is_file()]
    if url.get_backend_name() == "postgresql":
        found.append(_rows(city.services.engine))
    return b"\n".join(found)


def _rows(engine: Engine) -> bytes:
    with engine.connect() as connection:
        return "\n".join(
            str(row)
            for table in inspect(engine).get_table_names()
            for row in connection.execute(text(f'SELECT * FROM "{table}"'))
        ).encode()


def test_nothing_in_the_stores_names_the_person_or_the_tag(lived: City) -> None:
    city = lived
    before = everything_stored(city)
    assert TAG.encode() in before

    done = erase(city.services, "p1", by="operator")

    assert done.complete
    assert done.removed["visits"] == 30
    assert done.removed["alerts"] == 30
    assert done.removed["dead_letters"] == 1
    after = everything_stored(city)
    assert TAG.encode() not in after
    assert NAME.encode() not in after
    assert OTHER_TAG.encode() in after, "nobody else was erased"
    with city.services.sessions() as session:
        assert session.get_one(PersonKey, "p1").sealed is None
        assert len(session.scalars(select(Visit)).all()) == 30
        assert len(session.scalars(select(AlertRow)).all()) == 30
        assert city.services.timeseries.series(OTHER_TAG)
        verify(session)


def test_every_table_that_points_to_a_person_is_emptied_of_them(lived: City) -> None:
    """Whatever tables there are: found by their column."""
    city = lived
    erase(city.services, "p1", by="operator")

    stays = {"audit_log", "person_keys"}
    with city.services.engine.connect() as connection:
        for table in inspect(city.services.engine).get_table_names():
            columns = {one["name"] for one in inspect(city.services.engine).get_columns(table)}
            if "person_key" in columns and table not in stays:
                query = text(f"SELECT count(*) FROM {table} WHERE person_key = 'p1'")
                assert connection.scalar(query) == 0, table


def test_the_chain_keeps_the_pseudonym_and_verifies(lived: City) -> None:
    city = lived
    erase(city.services, "p1", by="operator")

    with city.services.sessions() as session:
        actions = {line.action for line in lines_about(session, "p1")}
        verify(session)
    assert {"tag.given", "consent.granted", "location.read", "person.erased"} <= actions


def test_a_line_that_was_blanked_without_an_erasure_is_found(lived: City) -> None:
    city = lived
    erase(city.services, "p1", by="operator")
    with writing(city.services.sessions) as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.person_key == "p2")).first()
        assert line is not None
        line.redacted, line.subject, line.detail = True, "", {}

    with city.services.sessions() as session, pytest.raises(AuditBroken, match="blanked"):
        verify(session)


def test_the_pseudonym_is_never_given_again(lived: City) -> None:
    city = lived
    erase(city.services, "p1", by="operator")

    with pytest.raises(PersonErased), writing(city.services.sessions) as session:
        add_person(session, city.cipher, key="p1", name="Somebody", now=city.time)


def test_relatives_see_nothing_and_are_told_as_of_anybody(lived: City) -> None:
    city = lived
    erase(city.services, "p1", by="operator")

    client = city.client("daughter")
    assert client.get("/api/v1/people/p1/footprints").status_code == 403
    assert client.get("/api/v1/people/mine").json() == {"people": []}
    assert city.alerts("daughter") == []


def test_an_erasure_that_broke_off_is_finished_by_the_next(
    lived: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = lived
    with monkeypatch.context() as patch:
        patch.setattr(person_keys, "destroy", _fails)
        with pytest.raises(RuntimeError):
            erase(city.services, "p1", by="operator")
    with city.services.sessions() as session:
        assert len(session.scalars(select(Visit)).all()) == 60, "nothing by halves"

    erase(city.services, "p1", by="operator")
    again = erase(city.services, "p1", by="operator")

    assert sum(again.removed.values()) == 0
    assert TAG.encode() not in everything_stored(city)


def _fails(*_: Any) -> None:
    raise RuntimeError


def test_nobody_is_no_person(city: City) -> None:
    with pytest.raises(UnknownPerson):
        erase(city.services, "nobody", by="operator")


@pytest.mark.parametrize("role", list(Role))
def test_administrators_alone_list_and_erase(city: City, role: Role) -> None:
    client = city.client(role.value)
    allowed = role is Role.ADMINISTRATOR

    listed = client.get("/api/v1/people")
    erased = client.delete("/api/v1/people/p1")

    assert (listed.status_code, erased.status_code) == ((200, 200) if allowed else (403, 403))
    if allowed:
        (person,) = listed.json()["people"]
        assert (person["key"], person["tags"]) == ("p1", 1)
        assert client.get("/api/v1/people").json() == {"people": []}


def test_an_alarm_is_stored_while_readings_are_being_deleted(
    lived: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time series takes as long as it takes: nobody waits for it but whoever erases."""
    city = lived
    stored: list[str] = []

    def delete_slowly(tag: str) -> None:
        with writing(city.services.sessions) as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("SET LOCAL lock_timeout = '5s'"))
            feed.lock(session)
            stored.append(tag)

    monkeypatch.setattr(city.services.timeseries, "delete", delete_slowly)

    erase(city.services, "p1", by="operator")

    assert stored == [TAG]


def test_a_tag_that_is_given_meanwhile_is_not_left_behind(
    lived: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = lived
    late = "epc:0011223344556677889900ff"

    def delete(_tag: str) -> None:
        with writing(city.services.sessions) as session:
            session.add(Tag(tag=late, person_key="p1"))

    monkeypatch.setattr(city.services.timeseries, "delete", delete)
    with pytest.raises(GivenMeanwhile, match="do it again"):
        erase(city.services, "p1", by="operator")
    monkeypatch.undo()

    erase(city.services, "p1", by="operator")

    assert late.encode() not in everything_stored(city)
