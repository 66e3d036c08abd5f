"""The audit chain notices every change; columns open only with the right key."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from cloud_city import NOON, City
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.audit import append, verify
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.errors import AuditBroken
from vigil_cloud.identity.models import AuditEntry

TAMPERING: dict[str, str] = {
    "a changed account": "UPDATE audit_log SET account = 'nobody' WHERE number = 31",
    "a changed time": "UPDATE audit_log SET at = '2020-01-01 00:00:00' WHERE number = 31",
    "a changed detail": "UPDATE audit_log SET detail = '{}' WHERE number = 31",
    "a line taken out": "DELETE FROM audit_log WHERE number = 31",
    "the end cut off": "DELETE FROM audit_log WHERE number > 31",
    "everything gone": "DELETE FROM audit_log",
}


def write_lines(city: City, count: int, account: str = "family") -> None:
    for number in range(count):
        with writing(city.services.sessions) as session:
            append(
                session,
                at=NOON,
                account=account,
                action="location.read",
                subject="test",
                person_key="p1",
                detail={"number": number, "text": "廟口"},
            )


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_noticed(either_city: City, what: str) -> None:
    with either_city.services.sessions() as session:
        before, _ = verify(session)
    write_lines(either_city, 34 - before)
    with either_city.services.sessions() as session:
        assert verify(session)[0] == 34

    with either_city.services.sessions() as session, session.begin():
        session.execute(text(TAMPERING[what]))

    with either_city.services.sessions() as session, pytest.raises(AuditBroken):
        verify(session)


def test_many_writers_make_one_chain(either_city: City) -> None:
    with either_city.services.sessions() as session:
        before, _ = verify(session)
    writers = [
        threading.Thread(target=write_lines, args=(either_city, 10, f"writer-{number}"))
        for number in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with either_city.services.sessions() as session:
        assert verify(session)[0] == before + 40


def test_a_line_of_a_transaction_that_fails_is_not_written(city: City) -> None:
    with city.services.sessions() as session:
        before = verify(session)

    def fail() -> None:
        with writing(city.services.sessions) as session:
            append(session, at=NOON, account="a", action="b", subject="c")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with city.services.sessions() as session:
        assert verify(session) == before
        assert len(session.scalars(select(AuditEntry)).all()) == before[0]


def _flip(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


@pytest.mark.parametrize(
    "spoil", [_flip, lambda sealed: b"\x02" + sealed[1:], lambda sealed: sealed[:8], lambda _: b""]
)
def test_a_changed_column_does_not_open(spoil: Callable[[bytes], bytes]) -> None:
    cipher = Cipher("a secret")
    sealed = cipher.seal("person.name", "王秀英")

    assert cipher.open("person.name", sealed) == "王秀英"
    assert cipher.seal("person.name", "王秀英") != sealed, "equal names must not look equal"
    with pytest.raises(Undecipherable):
        cipher.open("person.name", spoil(sealed))
    with pytest.raises(Undecipherable):
        cipher.open("channel.url", sealed)
    with pytest.raises(Undecipherable):
        Cipher("another secret").open("person.name", sealed)
