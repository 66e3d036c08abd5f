"""Signing in: cookies, CSRF, expiry, attempts; and what the tables keep of it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cloud_city import PASSWORD, City
from vigil_cloud.identity.errors import AccountExists, WeakPassword
from vigil_cloud.identity.models import Account, AccountSession, LoginAttempt
from vigil_cloud.identity.passwords import check_strength
from vigil_cloud.identity.roles import Role

SESSION = "/api/v1/session"
RIGHT = {"username": "inspector", "password": PASSWORD}


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(city: City) -> None:
    answer = city.anonymous().post(SESSION, json=RIGHT)

    assert answer.status_code == 200
    assert answer.json()["account"]["roles"] == ["inspector"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie, "this city's public address is not https"


def test_the_cookie_is_secure_where_the_public_address_is(tmp_path: object) -> None:
    from pathlib import Path

    city = City(Path(str(tmp_path)), public_url="https://vigil.city.example")
    city.account("inspector", Role.INSPECTOR)
    answer = city.anonymous().post(SESSION, json=RIGHT)
    city.close()

    assert "secure" in answer.headers["set-cookie"].lower()
    assert "max-age" in answer.headers["strict-transport-security"]


def test_tables_keep_no_token_and_no_password(city: City) -> None:
    client = city.anonymous()
    client.post(SESSION, json=RIGHT)
    token = client.cookies["vigil_session"]

    with city.services.sessions() as session:
        account = session.scalars(select(Account).where(Account.username == "inspector")).one()
        assert account.password_hash.startswith("$argon2id$")
        assert token not in set(session.scalars(select(AccountSession.token_sha256)))


@pytest.mark.parametrize(
    "wrong",
    [{"username": "inspector", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}],
)
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(
    city: City, wrong: dict[str, str]
) -> None:
    answer = city.anonymous().post(SESSION, json=wrong)

    assert answer.status_code == 401
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "code": "wrong-password",
        "detail": "User name or password is wrong.",
    }


def test_five_failures_close_the_door_for_five_minutes(city: City) -> None:
    client = city.anonymous()
    for _ in range(5):
        assert client.post(SESSION, json={**RIGHT, "password": "wrong"}).status_code == 401

    blocked = client.post(SESSION, json=RIGHT)
    assert blocked.status_code == 429
    assert blocked.headers["retry-after"] == "300"
    assert client.post(SESSION, json={**RIGHT, "username": "reviewer"}).status_code == 200

    city.later(minutes=5)
    assert client.post(SESSION, json=RIGHT).status_code == 200
    with city.services.sessions() as session:
        assert session.scalars(select(LoginAttempt)).all() == []


def test_a_name_that_does_not_exist_is_blocked_too(city: City) -> None:
    client = city.anonymous()
    answers = [
        client.post(SESSION, json={"username": "nobody", "password": "x"}).status_code
        for _ in range(6)
    ]

    assert answers == [401] * 5 + [429]


def test_changes_need_the_csrf_header_of_this_session(city: City) -> None:
    client = city.client("inspector")
    right = client.headers.pop("X-CSRF-Token")

    assert client.delete(SESSION).json()["code"] == "wrong-csrf-token"
    wrong = city.client("reviewer").headers["X-CSRF-Token"]
    assert client.delete(SESSION, headers={"X-CSRF-Token": wrong}).status_code == 403
    assert client.delete(SESSION, headers={"X-CSRF-Token": "é".encode()}).status_code == 403
    assert client.delete(SESSION, headers={"X-CSRF-Token": right}).status_code == 204


def test_signing_out_ends_the_session_on_the_server(city: City) -> None:
    client = city.client("inspector")
    token = client.cookies["vigil_session"]
    client.delete(SESSION)

    again = city.anonymous()
    again.cookies["vigil_session"] = token
    assert again.get(SESSION).status_code == 401


def test_a_session_ends_when_idle_and_in_any_case_after_a_week(city: City) -> None:
    client = city.client("inspector")
    for _ in range(23):
        city.later(hours=7)
        assert client.get(SESSION).status_code == 200
    city.later(hours=7, minutes=1)
    assert client.get(SESSION).status_code == 401, "161 hours and more: a week is 168"

    other = city.client("reviewer")
    city.later(hours=8)
    assert other.get(SESSION).status_code == 401


def test_closing_an_account_ends_its_sessions(city: City) -> None:
    client = city.client("inspector")
    with city.services.sessions() as session, session.begin():
        session.scalars(select(Account).where(Account.username == "inspector")).one().active = False

    assert client.get(SESSION).status_code == 401
    assert city.anonymous().post(SESSION, json=RIGHT).status_code == 401


@pytest.mark.parametrize(
    "weak", ["short", "aaaaaaaaaaaaaaaa", "password12345", "inspector-inspector", "VigilAdmin1234"]
)
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(WeakPassword):
        check_strength("inspector", weak)


def test_a_name_is_given_once(city: City) -> None:
    with pytest.raises(AccountExists):
        city.account("inspector", Role.POLICE)
