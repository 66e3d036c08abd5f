"""On PostgreSQL two rows end nearly every transaction: the feed's head and the audit log's. Whoever
takes both takes the feed's first; else an alarm and somebody's act wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from cases_office import Office
from cloud_city import City, alarm, visit
from vigil_cloud import seed
from vigil_cloud.alerts import feed
from vigil_cloud.checkin import hosts
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit, households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.service import account_named

FEED, AUDIT = "feed_head", "audit_head"


@contextmanager
def locks_watched(engine: Engine) -> Iterator[list[tuple[str, ...]]]:
    """The heads that each transaction took, in its order."""
    taken: list[tuple[str, ...]] = []

    def begun(connection: Connection) -> None:
        connection.info["heads"] = []

    def executed(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        heads = connection.info.setdefault("heads", [])
        for head in {FEED, AUDIT} - set(heads):
            if statement.lstrip().upper().startswith(f"UPDATE {head.upper()}"):
                heads.append(head)
                if len(heads) > 1:
                    taken.append(tuple(heads))

    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield taken
    finally:
        event.remove(engine, "begin", begun)
        event.remove(engine, "before_cursor_execute", executed)


SEED = """
[[district]]
id = "east"
name = "East"
name_zh = "東區"
[[household]]
key = "third"
name = "Third"
district = "east"
devices = ["alarm-1"]
"""


def test_whoever_takes_both_heads_takes_the_feeds_first(city: City, tmp_path: Path) -> None:
    office = Office(city)
    file = tmp_path / "seed.toml"
    file.write_text(SEED)
    with locks_watched(city.services.engine) as taken:
        case = office.noise()
        office.decide("ana", case, "dismissed")
        decided = office.decide("bo", case, "dismissed")
        body = {"version": decided["version"], "resolution": "filed"}
        office.do("inspector", f"/{case['id']}/close", body)
        city.send(alarm(city.time), "alarm-1")
        city.send(visit(city.time), "station-1")
        by, now = "operator", city.time
        with writing(city.services.sessions) as session:
            for key in ("one", "other"):
                described = households.Described(key, "1 Road")
                households.put(session, city.cipher, key, described, by=by, now=now)
            households.add_member(
                session,
                "one",
                account=account_named(session, "family"),
                relation=Relation.RESIDENT,
                by=by,
                now=now,
            )
            hosts.make_links(session, city.cipher, "station-1", by=by, now=now)
            hosts.put_host_channel(session, city.cipher, "station-1", "json://127.0.0.1:9", "en")
        for key in ("one", "other"):
            city.later(seconds=1)
            with writing(city.services.sessions) as session:
                households.give_device(session, key, "alarm-1", by=by, now=city.time)
        city.later(seconds=1)
        seed.apply(city.services, seed.read(file))
        with writing(city.services.sessions) as session:
            hosts.withdraw_links(session, "station-1", by=by, now=city.time)
        for one in city.listed("dispatcher", domain="smoke"):
            path = f"/api/v1/alerts/{one['id']}/acknowledge"
            city.client("dispatcher").post(path, json={}).raise_for_status()
    assert (FEED, AUDIT) in taken, "something takes both"
    assert (AUDIT, FEED) not in taken


def test_a_registers_file_takes_the_feeds_first(city: City) -> None:
    """Each of its lines moves alerts and writes into the log."""
    city.one_of_each()
    client = city.client("administrator")
    district = {"key": "east", "new": True, "values": {"name": "East", "name_zh": "東區"}}
    client.put("/api/v1/registers/districts/entry", json=district).raise_for_status()
    text = "device,district\nsonde-1,east\nmic-1,east\nalarm-1,east\n"
    with locks_watched(city.services.engine) as taken:
        done = client.post("/api/v1/registers/devices/import", content=text.encode()).json()
    assert len(done["changed"]) == 3, done
    assert (FEED, AUDIT) in taken
    assert (AUDIT, FEED) not in taken


def test_a_transaction_that_takes_them_the_wrong_way_is_seen(city: City) -> None:
    with (
        locks_watched(city.services.engine) as taken,
        writing(city.services.sessions) as session,
    ):
        audit.append(session, at=city.time, account="x", action="x.y", subject="z")
        feed.lock(session)
    assert taken == [(AUDIT, FEED)]
