"""Signing in: cookies, CSRF, expiry, attempts; and what the tables keep of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select

from cloud_city import PASSWORD, City
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts, passwords
from vigil_cloud.identity.errors import AccountExists, TooManyAttempts, WeakPassword
from vigil_cloud.identity.models import Account, AccountSession, AuditEntry, LoginAttempt
from vigil_cloud.identity.passwords import check_strength
from vigil_cloud.identity.roles import Role

SESSION = "/api/v1/session"
PASSWORD_OF_SESSION = "/api/v1/session/password"
NEW = "other words that nobody expects"
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


def test_the_cookie_is_secure_behind_a_proxy_that_ends_tls(city: City) -> None:
    client = city.anonymous()
    client.headers["X-Forwarded-Proto"] = "https"
    signed_in = client.post(SESSION, json=RIGHT)
    leaving = client.delete(
        SESSION,
        headers={
            "X-CSRF-Token": signed_in.json()["csrf"],
            **cookie(signed_in.cookies["vigil_session"]),
        },
    )

    for answer in (signed_in, leaving):
        assert "; secure" in answer.headers["set-cookie"].lower()


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


def test_guesses_sent_all_at_once_are_counted_too(city: City) -> None:
    city.serve()
    client = city.anonymous()

    def guess(number: int) -> int:
        wrong = {**RIGHT, "password": f"guess {number}"}
        while (status := client.post(SESSION, json=wrong).status_code) == 503:
            pass  # the line was full: come again
        return status

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(24)))

    assert answers.count(401) == 5, "more guesses than five were looked at"
    assert answers.count(429) == 19


def test_a_stranger_elsewhere_cannot_lock_anybody_out(city: City) -> None:
    client = city.anonymous()
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    for _ in range(6):
        client.post(SESSION, json={**RIGHT, "password": "wrong"}, headers=elsewhere)

    assert client.post(SESSION, json=RIGHT, headers=elsewhere).status_code == 429
    assert client.post(SESSION, json=RIGHT).status_code == 200


def test_one_network_cannot_try_every_name(either_city: City) -> None:
    city = either_city

    def count(name: int, address: str) -> None:
        with writing(city.services.sessions) as session:
            attempts.count(session, attempts.limits(f"name-{name}", address), city.time)

    for number in range(attempts.MAX_FROM_ONE_NETWORK):
        count(number, f"2001:db8:0:1::{number:x}")  # one network, ever another address

    with pytest.raises(TooManyAttempts):
        count(1000, "2001:db8:0:1:ffff::1")
    count(1000, "2001:db8:0:2::1")
    city.later(minutes=5)
    count(1001, "2001:db8:0:1::1")
    with city.services.sessions() as session:
        assert len(session.scalars(select(LoginAttempt)).all()) == 2, "old windows are forgotten"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    assert attempts.client_network(address) == network


def test_a_flood_of_sign_ins_is_turned_away_at_the_door(city: City) -> None:
    client = city.anonymous()
    with ExitStack() as line:
        for _ in range(passwords.IN_LINE):
            line.enter_context(holding(passwords._line))
        answer = client.post(SESSION, json=RIGHT)

        assert (answer.status_code, answer.json()["code"]) == (503, "too-busy")
        assert answer.headers["retry-after"] == "1"
        assert client.get("/api/v1/alerts").status_code == 401, "the others are answered"

    assert client.post(SESSION, json=RIGHT).status_code == 200
    with city.services.sessions() as session:
        assert session.scalars(select(LoginAttempt)).all() == [], "who waited failed nothing"


@contextmanager
def holding(semaphore: threading.BoundedSemaphore) -> Iterator[None]:
    semaphore.acquire()
    try:
        yield
    finally:
        semaphore.release()


def test_signing_in_again_ends_the_session_that_the_browser_had(city: City) -> None:
    client = city.anonymous()
    client.post(SESSION, json=RIGHT)
    before = client.cookies["vigil_session"]
    client.post(SESSION, json={**RIGHT, "username": "reviewer"})
    after = client.cookies["vigil_session"]
    planted = city.anonymous().post(SESSION, json=RIGHT, headers=cookie("a-strangers-choice"))

    assert before != after
    assert city.anonymous().get(SESSION, headers=cookie(before)).status_code == 401
    assert client.get(SESSION).json()["account"]["username"] == "reviewer"
    assert planted.cookies["vigil_session"] != "a-strangers-choice"


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"vigil_session={token}"}


def test_a_changed_password_leaves_one_session(city: City) -> None:
    client = city.client("inspector")
    stolen = city.anonymous()
    stolen.post(SESSION, json=RIGHT)
    before = client.cookies["vigil_session"]

    changed = client.put(PASSWORD_OF_SESSION, json={"current": PASSWORD, "new": NEW})

    assert changed.status_code == 200, changed.text
    assert stolen.get(SESSION).status_code == 401
    assert city.anonymous().get(SESSION, headers=cookie(before)).status_code == 401
    assert client.get(SESSION).json()["csrf"] == changed.json()["csrf"]
    assert city.anonymous().post(SESSION, json=RIGHT).status_code == 401
    assert city.anonymous().post(SESSION, json={**RIGHT, "password": NEW}).status_code == 200
    with city.services.sessions() as session:
        actions = session.scalars(select(AuditEntry.action)).all()
        assert "password.changed" in actions


def test_a_stolen_session_does_not_serve_to_guess_the_password(city: City) -> None:
    client = city.client("inspector")
    guess = {"current": "not this one", "new": NEW}

    answers = [client.put(PASSWORD_OF_SESSION, json=guess).status_code for _ in range(6)]

    assert answers == [401] * 5 + [429]


def test_a_new_password_must_not_be_weak(city: City) -> None:
    answer = city.client("inspector").put(
        PASSWORD_OF_SESSION, json={"current": PASSWORD, "new": "password12345"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "weak-password")


def test_signing_out_everywhere_ends_every_session_of_the_account_alone(city: City) -> None:
    client, other = city.client("inspector"), city.anonymous()
    other.post(SESSION, json=RIGHT)

    answer = client.delete("/api/v1/sessions")

    assert answer.status_code == 204
    assert "vigil_session" not in client.cookies
    assert other.get(SESSION).status_code == 401
    assert city.client("reviewer").get(SESSION).status_code == 200


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
    assert client.delete(SESSION, headers={b"X-CSRF-Token": "é".encode()}).status_code == 403
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
