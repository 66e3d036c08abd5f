"""What a handler does beside storing an alarm fails alone, whoever shares a savepoint with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cloud_city import City, populated
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertHistory, FeedEntry, FeedHead
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import table_of
from vigil_cloud.domain.aside import Aside, handled_in_parts


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = populated(tmp_path)
    yield made
    made.close()


class Handler:
    """Tells of itself, of three parts, and of a part within the last of them."""

    def __init__(self, session: Session, city: City, *fails: str) -> None:
        self.session = session
        self.city = city
        self.fails = fails
        self.times = 0

    def handle(self, aside: Aside) -> None:
        self.times += 1
        self.tell("own")
        for name in ("one", "two"):
            assert aside.do(name, partial(self.tell, name), "otherwise") == (
                "otherwise" if name in self.fails else name
            )
        aside.do("outer", lambda: self.outer(aside), "otherwise")

    def outer(self, aside: Aside) -> str:
        self.tell("outer")
        return aside.do("inner", lambda: self.tell("inner"), "otherwise")

    def tell(self, name: str) -> str:
        feed.append(self.session, "alert", name, self.city.time)
        self.session.flush()
        if name in self.fails:
            raise ValueError(name)
        return name


def told(city: City) -> list[str]:
    with city.services.sessions() as session:
        return list(session.scalars(select(FeedEntry.key).order_by(FeedEntry.number)))


@pytest.mark.parametrize(
    ("fails", "left", "complaint"),
    [
        ((), ["own", "one", "two", "outer", "inner"], None),
        (("two",), ["own", "one", "outer", "inner"], "two: ValueError: two"),
        (("inner",), ["own", "one", "two", "outer"], "inner: ValueError: inner"),
        (
            ("one", "outer"),
            ["own", "two"],
            "one: ValueError: one; outer: ValueError: outer",
        ),
    ],
)
def test_a_part_that_fails_takes_nothing_with_it(
    city: City, fails: tuple[str, ...], left: list[str], complaint: str | None
) -> None:
    before = told(city)
    with writing(city.services.sessions) as session:
        handler = Handler(session, city, *fails)
        said = handled_in_parts(session, handler.handle)
    assert told(city)[len(before) :] == left
    assert (None if said is None else said.detail) == complaint
    assert handler.times == (2 if fails else 1)


@pytest.mark.parametrize("read_behind", [False, True])
def test_what_a_part_leaves_to_be_written_fails_with_that_part(
    city: City, read_behind: bool
) -> None:
    """Its error comes in the next statement of the alarm's own, or at the savepoint's end."""
    with writing(city.services.sessions) as session:

        def spoil() -> None:
            session.add(AlertHistory(alert_id="there is none", at=city.time, action="-"))

        def handle(aside: Aside) -> None:
            feed.append(session, "alert", "own", city.time)
            aside.do("spoilt", spoil, None)
            if read_behind:
                assert session.scalars(select(AlertHistory)).all() == []
            feed.append(session, "alert", "behind", city.time)

        said = handled_in_parts(session, handle)
    assert told(city)[-2:] == ["own", "behind"]
    assert said is not None
    assert said.detail.startswith("spoilt: IntegrityError: ")


def test_an_alarm_that_fails_by_itself_is_refused(city: City) -> None:
    def handle(_aside: Aside) -> None:
        raise ValueError("its own")

    with city.services.sessions() as session, pytest.raises(ValueError, match="its own"):
        handled_in_parts(session, handle)


@pytest.mark.parametrize("apart", [False, True])
def test_what_was_undone_is_read_as_it_is(city: City, apart: bool) -> None:
    """Also where the session has read what the try that was undone had written past it."""
    read: list[int] = []
    with writing(city.services.sessions) as session:
        feed.lock(session)
        head = session.get_one(FeedHead, 1)
        before = head.number

        def count(aside: Aside) -> None:
            def fails() -> None:
                session.connection().execute(update(table_of(FeedHead)).values(number=before + 7))
                session.refresh(head)
                read.append(head.number)
                raise ValueError("a mistake")

            aside.do("fails", fails, None)
            read.append(head.number)

        if apart:
            count(Aside(session))
        else:
            handled_in_parts(session, count)
    assert read == [before + 7] * (1 if apart else 2) + [before]


def test_all_parts_share_a_savepoint_while_nothing_fails(city: City) -> None:
    begun: list[str] = []
    with writing(city.services.sessions) as session:
        event.listen(session.get_bind(), "savepoint", lambda _c, name: begun.append(name))
        assert handled_in_parts(session, Handler(session, city).handle) is None
    assert len(begun) == 1


def test_a_database_that_is_away_is_no_failure_of_a_part(city: City) -> None:
    away = OperationalError("SELECT 1", {}, Exception("database is locked"))

    def handle(aside: Aside) -> None:
        def ask() -> None:
            raise away

        aside.do("part", ask, None)

    with city.services.sessions() as session, pytest.raises(OperationalError):
        handled_in_parts(session, handle)
