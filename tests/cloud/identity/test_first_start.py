"""The first account in a browser: with the code of the log, once, and never beside an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from cloud_city import PASSWORD, City
from vigil_cloud.identity import first_start
from vigil_cloud.identity.models import Account, SetupCode
from vigil_cloud.identity.roles import Role


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[City]:
    """A cloud that nobody has an account of."""
    made = City(tmp_path / "empty")
    yield made
    made.close()


def offered(city: City) -> str:
    code = first_start.offer(city.services.sessions, city.cipher, city.time)
    assert code is not None
    return code


def set_up(city: City, code: str, **more: str) -> httpx.Response:
    body = {"code": code, "username": "li", "password": PASSWORD, "language": "en", **more}
    return city.anonymous().post("/api/v1/setup", json=body)


def test_the_first_account_is_an_administrators_and_signed_in(empty: City) -> None:
    assert empty.anonymous().get("/api/v1/setup").json() == {"open": True}
    answer = set_up(empty, offered(empty).lower())
    assert answer.status_code == 201, answer.text
    assert answer.json()["account"]["username"] == "li"
    assert set(answer.json()["account"]["roles"]) == {Role.ADMINISTRATOR, Role.MAINTAINER}
    assert "vigil_session" in answer.cookies
    assert empty.anonymous().get("/api/v1/setup").json() == {"open": False}
    with empty.services.sessions() as session:
        assert session.scalars(select(SetupCode)).all() == []


@pytest.mark.parametrize("between", [" ", "－", "–", ""])
def test_a_code_is_taken_as_people_type_it(empty: City, between: str) -> None:
    """In full width, as a Chinese input method writes it, and O for 0."""
    code = offered(empty).replace("-", between).replace("0", "o").replace("1", "l")
    wide = {ord(one): ord(one) + 0xFEE0 for one in code if "!" <= one <= "~"}
    assert set_up(empty, code.translate(wide)).status_code == 201


def test_a_second_one_is_refused_also_with_the_code(empty: City) -> None:
    code = offered(empty)
    assert set_up(empty, code).status_code == 201
    again = set_up(empty, code, username="wu")
    assert (again.status_code, again.json()["code"]) == (409, "setup-closed")
    assert first_start.offer(empty.services.sessions, empty.cipher, empty.time) is None
    with empty.services.sessions() as session:
        assert session.scalars(select(Account.username)).all() == ["li"]


def test_an_account_made_elsewhere_closes_it(empty: City) -> None:
    code = offered(empty)
    empty.account("wu", Role.FAMILY)
    assert set_up(empty, code).json()["code"] == "setup-closed"


def test_another_code_and_a_weak_password_make_nothing(empty: City) -> None:
    former = offered(empty)
    code = offered(empty)
    for wrong in (former, "0000-0000-0000-0000"):
        refused = set_up(empty, wrong)
        assert (refused.status_code, refused.json()["code"]) == (403, "setup-code-wrong")
    assert set_up(empty, code, password="short").json()["code"] == "weak-password"
    with empty.services.sessions() as session:
        assert session.scalars(select(Account)).all() == []
        assert code.replace("-", "") not in session.scalars(select(SetupCode.code_hash)).one()
    assert set_up(empty, code).status_code == 201


def test_guesses_are_counted(empty: City) -> None:
    offered(empty)
    codes = {set_up(empty, "0000-0000-0000-0000").status_code for _ in range(61)}
    assert codes == {403, 429}
