"""Two who write the same thing at once, each in a process of its own: both get a clear answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cloud.checkin.test_hosts import STATION, with_host
from cloud_city import City
from mailbox_server import mailing
from servers import eventually
from vigil_cloud.checkin import amulets, host_address, things
from vigil_cloud.checkin.models import StationAddress, Tag
from vigil_cloud.checkin.service import TagOfThing, give_tag
from vigil_cloud.database.engine import lost_a_race, writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.models import Consent, District
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services


@pytest.fixture
def other(either_city: City) -> Iterator[Services]:
    """Another process of the same city: it waits in no queue of the first one's."""
    made = build_services(either_city.settings, now=lambda: either_city.time)
    yield made
    made.close()


def at_once(
    city: City, other: Services, first: Callable[[Session], Any], second: Callable[[], Any]
) -> Any:
    """``second`` begins while what ``first`` has written is not committed; its answer."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(second())
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    with writing(other.sessions) as session:
        first(session)
        session.flush()
        thread.start()
        if city.services.engine.dialect.name == "postgresql":
            eventually(lambda: _waiting(other), "the second to wait for the first")
    thread.join()
    return answers[0]


def _waiting(services: Services) -> bool:
    with services.engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(connection.scalar(text(query)))


def test_of_two_addresses_that_are_asked_at_once_one_is_told_to_wait(
    either_city: City, other: Services
) -> None:
    city = with_host(either_city)
    wanted = mailing(25)
    smtp = type(city.settings.smtp).model_validate(wanted["smtp"])
    settings = city.settings.model_copy(update={**wanted, "smtp": smtp})

    def ask(session: Session, address: str) -> None:
        host_address.ask(session, city.cipher, settings, STATION, address, "en", city.time)

    def second() -> None:
        with writing(city.services.sessions) as session:
            ask(session, "stranger@elsewhere.example")

    answer = at_once(city, other, lambda session: ask(session, "host@temple.example"), second)
    assert isinstance(answer, host_address.AddressAskedJustNow)
    with city.services.sessions() as session:
        row = session.get_one(StationAddress, STATION)
        assert city.cipher.open("station.address", row.address) == "host@temple.example"


def test_whoever_comes_second_is_told_that_something_has_changed(
    either_city: City, other: Services
) -> None:
    """Through the whole API, at a unique key that nothing else guards."""
    client = either_city.client("administrator")
    body = {"name": "East", "name_zh": "東區"}

    def first(session: Session) -> None:
        session.add(District(district="east", **body))

    answer = at_once(
        either_city, other, first, lambda: client.put("/api/v1/districts/east", json=body)
    )
    if either_city.services.engine.dialect.name == "sqlite":  # it waited, and found it
        assert answer.status_code == 204, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "changed-meanwhile")


def test_a_consent_that_is_taken_back_while_it_is_narrowed_opens_nothing(
    either_city: City, other: Services
) -> None:
    """One guardian lets a relative see less, another lets them see nothing."""
    city = either_city
    consent = city.consent("family")
    now = city.later(minutes=1)
    less = consents.Wanted(frozenset({Scope.LAST_PLACE}))

    def first(session: Session) -> None:
        consents.narrow(
            session, person_key="p1", consent_id=consent, wanted=less, by="guardian", now=now
        )

    def second() -> None:
        with writing(city.services.sessions) as session:
            consents.revoke(session, person_key="p1", consent_id=consent, by="other", now=now)

    assert at_once(city, other, first, second) is None
    with city.services.sessions() as session:
        assert session.scalars(select(Consent).where(Consent.revoked.is_(None))).all() == []


def test_what_is_a_race_and_what_a_mistake_of_ours(either_city: City) -> None:
    wrong: list[tuple[dict[str, Any], bool]] = [
        ({"tag": "ibeacon:0123456789abcdef0123456789abcdef:1:7", "person_key": "p1"}, True),
        ({"tag": "epc:00000000", "person_key": "nobody"}, True),
        ({"tag": "epc:00000000", "person_key": None}, False),
    ]
    for columns, race in wrong:
        with (
            pytest.raises(IntegrityError) as refused,
            writing(either_city.services.sessions) as session,
        ):
            session.add(Tag(**columns))
        assert lost_a_race(refused.value) is race, columns
    assert not lost_a_race(ValueError())


def test_a_tag_is_given_to_a_person_or_put_on_a_thing(either_city: City, other: Services) -> None:
    city, code, tag = either_city, "A7K3M-92MDT", "epc:30340789000c0e42dfdc1c35"
    with writing(city.services.sessions) as session:
        amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)

    def first(session: Session) -> None:
        things.register(
            session, city.cipher, "p1", "bicycle", "red", code, by="family", now=city.time
        )

    def second() -> None:
        with writing(city.services.sessions) as session:
            give_tag(session, tag, "p1", by="operator", now=city.time)

    assert isinstance(at_once(city, other, first, second), TagOfThing)
