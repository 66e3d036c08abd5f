"""The secret key: a database opens with its own alone, and every sealed column changes with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, LargeBinary, Table, insert, select
from sqlalchemy.orm import Session, sessionmaker

from revisions import bring_up
from vigil_cloud.config import load
from vigil_cloud.database.base import Sealed, UtcDateTime
from vigil_cloud.database.engine import build_engine, build_sessions, writing
from vigil_cloud.database.migrate import upgrade
from vigil_cloud.database.registry import metadata
from vigil_cloud.identity import audit, secret_key
from vigil_cloud.identity.cipher import BY_PERSONS_KEY, BY_SECRET_KEY, Cipher, Undecipherable
from vigil_cloud.identity.models import Account, AccountSession, Person, PersonKey, SecretKeyMark
from vigil_cloud.identity.personal_records import RECORDS
from vigil_cloud.identity.persons import add_person, name_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.secret_key import WrongSecretKey, sealed_columns
from vigil_cloud.notify.channels import URL_COLUMN, put_channel
from vigil_cloud.notify.models import Channel
from vigil_cloud.preparation import prepare_database
from vigil_cloud.stores import build_services

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
OLD, NEW, OTHER = "old " * 10, "new " * 10, "else" * 10
NAME, URL = "王陳秀英", "json://127.0.0.1:9/hook"


class Store:
    """An empty database of this version."""

    def __init__(self, url: str) -> None:
        self.engine = build_engine(url)
        bring_up(self.engine)
        self.sessions: sessionmaker[Session] = build_sessions(self.engine, **{RECORDS: ()})

    def check(self, secret: str) -> None:
        secret_key.check(self.engine, self.sessions, secret, NOW)

    def fill(self, secret: str) -> None:
        """A person with a name, and a channel."""
        cipher = Cipher(secret)
        with writing(self.sessions) as session:
            add_person(session, cipher, key="p1", name=NAME, now=NOW)
            put_channel(session, cipher, name="hook", url=URL, role=Role.DISPATCHER)

    def rotate(self, old: str = OLD, new: str = NEW) -> secret_key.Rotation:
        with writing(self.sessions) as session:
            return secret_key.rotate(session, Cipher(old), Cipher(new), by="operator", now=NOW)

    def name_and_url(self, secret: str) -> tuple[str, str]:
        cipher = Cipher(secret)
        with self.sessions() as session:
            channel = session.scalars(select(Channel)).one()
            return name_of(session, cipher, "p1"), cipher.open(URL_COLUMN, channel.url)


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    made = Store(migrated_url)
    yield made
    made.engine.dispose()


def test_the_key_of_the_first_use_is_noted_and_another_refused(store: Store) -> None:
    store.check(OLD)
    store.check(OLD)

    with pytest.raises(WrongSecretKey, match="VIGIL_SECRET_KEY"):
        store.check(NEW)
    with store.sessions() as session:
        mark = session.scalars(select(SecretKeyMark)).one()
    assert mark.fingerprint == Cipher(OLD).fingerprint()
    assert OLD.strip() not in mark.fingerprint


def test_an_older_database_is_tried_by_what_it_holds(store: Store) -> None:
    store.fill(OLD)  # as before there were fingerprints

    with pytest.raises(WrongSecretKey, match="2 of 2 sealed values"):
        store.check(NEW)
    store.check(OLD)
    with pytest.raises(WrongSecretKey):
        store.check(NEW)


def test_a_database_of_two_keys_opens_with_none_until_one_is_adopted(store: Store) -> None:
    store.fill(OLD)
    with writing(store.sessions) as session:
        put_channel(session, Cipher(NEW), name="other", url=URL, role=Role.POLICE)

    for secret in (OLD, NEW):
        with pytest.raises(WrongSecretKey, match="secret-key adopt"):
            store.check(secret)
    with writing(store.sessions) as session:
        assert secret_key.adopt(session, Cipher(OLD), by="operator", now=NOW).lost == 1
    store.check(OLD)


def test_whoever_still_has_the_old_key_seals_nothing_after_the_change(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)
    store.rotate()

    for act in (
        lambda session: add_person(session, Cipher(OLD), key="p2", name=NAME, now=NOW),
        lambda session: put_channel(
            session, Cipher(OLD), name="late", url=URL, role=Role.DISPATCHER
        ),
    ):
        with pytest.raises(WrongSecretKey), writing(store.sessions) as session:
            act(session)


def test_rotating_leaves_everything_readable_by_the_new_key_alone(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)

    done = store.rotate()

    assert done.columns["channels.url"] == 1
    assert done.columns["person_keys.sealed"] == 1
    assert store.name_and_url(NEW) == (NAME, URL)
    with pytest.raises(Undecipherable):
        store.name_and_url(OLD)
    store.check(NEW)
    with pytest.raises(WrongSecretKey):
        store.check(OLD)
    with store.sessions() as session:
        audit.verify(session)


def test_rotating_again_changes_nothing_and_says_so(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)
    store.rotate()

    assert store.rotate().already
    assert store.name_and_url(NEW) == (NAME, URL)


def test_a_rotation_that_breaks_off_has_done_nothing(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)

    with store.sessions() as session:
        secret_key.rotate(session, Cipher(OLD), Cipher(NEW), by="operator", now=NOW)
        session.rollback()  # as when the process dies before the commit

    store.check(OLD)
    assert store.name_and_url(OLD) == (NAME, URL)


def test_rotating_with_a_key_that_is_not_the_databases_is_refused(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)

    with pytest.raises(WrongSecretKey):
        store.rotate(old=OTHER)
    assert store.name_and_url(OLD) == (NAME, URL)


def test_everybody_signs_in_again_after_a_rotation(store: Store) -> None:
    store.check(OLD)
    with writing(store.sessions) as session:
        account = Account(username="li", display_name="", roles=[], password_hash="", created=NOW)
        session.add(account)
        session.flush()
        session.add(
            AccountSession(
                token_sha256="0" * 64,
                account_id=account.id,
                csrf="",
                created=NOW,
                used=NOW,
                expires=NOW + timedelta(days=7),
            )
        )

    assert store.rotate().sessions_ended == 1


def test_every_column_of_bytes_is_sealed_or_said_to_be_plain() -> None:
    plain = {"dead_letters.payload", "water_detectors.state", "city_streets.lines"}
    plain |= {"evidence.coarse"}  # nobody can be made out in it
    binary = {
        f"{table.name}.{column.name}"
        for table in metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    sealed = {f"{table.name}.{column.name}" for table, column, _ in sealed_columns()}

    assert binary == plain
    assert sealed >= {"persons.name", "alerts.person_name", "channels.url", "person_keys.sealed"}


def test_every_sealed_column_is_sealed_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever columns there are: found by their type, filled, rotated, opened."""
    monkeypatch.setattr(secret_key, "_PAGE", 5)
    store.check(OLD)
    cipher, wanted = Cipher(OLD), {}
    with writing(store.sessions) as session:
        for table in metadata().sorted_tables:
            columns = [column for column in table.columns if isinstance(column.type, Sealed)]
            if not columns:
                continue
            assert len(table.primary_key.columns) == 1, "the rotation pages by one column"
            for number in range(1, 14):  # several pages, and part of one
                row = _row(session, table, number)
                for column in columns:
                    assert isinstance(column.type, Sealed)
                    text = f"{table.name} {column.name} {number}"
                    row[column.name] = cipher.seal(column.type.purpose, text)
                    wanted[table.name, column.name, number] = text
                session.execute(insert(table).values(row))

    done = store.rotate()

    assert sum(done.columns.values()) == len(wanted)
    found = {}
    with store.sessions() as session:
        for table, column, purpose in sealed_columns():
            key = next(iter(table.primary_key.columns))
            for number, (_, sealed) in enumerate(
                session.execute(select(key, column).order_by(key)), 1
            ):
                found[table.name, column.name, number] = Cipher(NEW).open(purpose, sealed)
    # What the rotation itself keeps is a row beside those (``kept_keys``).
    assert {name: found[name] for name in wanted} == wanted
    assert {table for table, *_ in found.keys() - wanted.keys()} <= {"kept_keys"}


def _row(session: Session, table: Table, number: int) -> dict[str, Any]:
    """Any row that the table's own rules let in."""
    made: dict[str, Any] = {}
    for column in table.columns:
        if column.computed is not None:  # the database's own
            continue
        if isinstance(column.type, UtcDateTime):
            made[column.name] = NOW
        elif column.primary_key and column.type.python_type is int:
            made[column.name] = number
            for key in column.foreign_keys:  # a row of another's: that one first
                _let_there_be(session, key.column, number)
        elif column.type.python_type is int or column.type.python_type is float:
            missing = column.nullable and column.foreign_keys
            made[column.name] = None if missing else number
            for key in set() if missing else column.foreign_keys:
                _let_there_be(session, key.column, number)
        elif column.type.python_type is bool:
            made[column.name] = False
        elif column.type.python_type is date:
            made[column.name] = NOW.date()
        elif column.type.python_type is str and column.foreign_keys and not column.nullable:
            made[column.name] = f"{number:08}"
            for key in column.foreign_keys:
                _let_there_be(session, key.column, number)
        elif column.type.python_type is str:
            missing = column.nullable and column.foreign_keys
            made[column.name] = None if missing else f"{number:08}"
        elif not isinstance(column.type, Sealed):
            made[column.name] = []
    return made


def _let_there_be(session: Session, key: Column[Any], number: int) -> None:
    """The row that is pointed at, unless it is there."""
    wanted = number if key.type.python_type is int else f"{number:08}"
    if session.scalar(select(key).where(key == wanted)) is None:
        session.execute(insert(key.table).values(_row(session, key.table, number)))


def test_a_name_is_sealed_under_its_persons_own_key(store: Store) -> None:
    store.check(OLD)
    store.fill(OLD)

    with store.sessions() as session:
        person = session.get_one(Person, "p1")
        with pytest.raises(Undecipherable):
            Cipher(OLD).open("person.name", person.name)
    with writing(store.sessions) as session:
        session.get_one(PersonKey, "p1").sealed = None
    with store.sessions() as session, pytest.raises(Undecipherable, match="destroyed"):
        name_of(session, Cipher(OLD), "p1")


def test_names_of_an_older_version_get_their_persons_own_key(tmp_path: Path) -> None:
    services = build_services(load(None, data_dir=tmp_path, secret_key=OLD), lambda: NOW)
    upgrade(services.engine)
    with writing(services.sessions) as session:
        sealed = Cipher(OLD).seal("person.name", NAME)
        session.add(Person(key="p1", name=sealed, created=NOW))

    prepare_database(services, always=False)

    with services.sessions() as session:
        assert session.get_one(Person, "p1").name[:1] == BY_PERSONS_KEY
        assert name_of(session, Cipher(OLD), "p1") == NAME
    services.close()


def test_a_name_that_the_adopted_key_does_not_open_stops_no_start(tmp_path: Path) -> None:
    services = build_services(load(None, data_dir=tmp_path, secret_key=NEW), lambda: NOW)
    upgrade(services.engine)
    with writing(services.sessions) as session:
        for key, secret in (("p1", OLD), ("p2", NEW)):
            sealed = Cipher(secret).seal("person.name", NAME)
            session.add(Person(key=key, name=sealed, created=NOW))
        secret_key.adopt(session, Cipher(NEW), by="operator", now=NOW)

    prepare_database(services, always=False)

    with services.sessions() as session:
        assert session.get_one(Person, "p1").name[:1] == BY_SECRET_KEY
        assert name_of(session, Cipher(NEW), "p2") == NAME
    services.close()
