"""Every operation of the API by every role, by relatives, by a guardian and by nobody.

The table has a row for each operation of the OpenAPI document: a new route without a
stated right fails here.
"""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
import pytest

import operation_city
from city_application import create_app
from cloud_city import GATEWAY, NAME, TAG, City
from cloud_routes import document, unlisted
from operation_people import ALL, GUARDIAN, RELATIVE
from operation_rights import OPEN, TABLE, UNLISTED, Row
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.rows import new_device
from vigil_cloud.identity.roles import Role
from vigil_cloud.ingest.dead_letters import WITHHELD


def operations() -> set[str]:
    return {
        f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item
    }


def test_every_operation_has_a_stated_right() -> None:
    stated = {row.operation for row in TABLE}

    assert operations() == stated | set(OPEN), "state who may use the new route"
    assert not stated & set(OPEN)


def test_what_the_description_leaves_out_is_stated_and_tells_of_nobody(city: City) -> None:
    """Pages behind a link, asked with one that somebody made up: signed in or not is the same."""
    operation_city.prepared(city)
    answers = unlisted(create_app(city.services))
    assert {answer.partition(" ")[2] for answer in answers} == set(UNLISTED), "state its right"
    whoever = (city.anonymous(), city.client(Role.ADMINISTRATOR), city.client(GUARDIAN))
    for method, path in (answer.split(" ") for answer in sorted(answers) if "{" in answer):
        address = path.replace(":path", "").format(path="people/p1", token="A" * 43, answer="seen")
        said = [client.request(method, address, follow_redirects=True) for client in whoever]
        assert {one.status_code for one in said} == {said[0].status_code}, address
        assert "{token}" not in path or not said[0].is_success, address
        assert not any(word in one.text for one in said for word in (NAME, TAG)), address


@pytest.fixture
def prepared(city: City) -> dict[str, str]:
    return operation_city.prepared(city)


def ask(client: httpx.Client, row: Row, names: dict[str, str], **more: Any) -> tuple[int, str]:
    address = (row.address or row.path).format(**names)
    body = row.body
    if body is not None and row.path.endswith("/alerts"):
        body = {key: text.format(**names) for key, text in row.body.items()}
    with client.stream(row.method, address, json=body, **more) as answer:
        endless = answer.headers["content-type"].startswith("text/event-stream")
        text = "" if endless else answer.read().decode(errors="replace")
        return answer.status_code, text


def named(row: Row) -> str:
    return f"{row.method} {row.address or row.path}"


def asked(number: int, row: Row) -> list[str]:
    """Everybody in the long form (``VIGIL_FULL=1``). Else whoever has the right, and of those who
    have none every third, in turn: each of them is asked for a third of all operations, and each
    operation by a third of them."""
    if os.environ.get("VIGIL_FULL") == "1":
        return sorted(ALL)
    others = sorted(ALL - row.who)
    return sorted({*row.who, *others[number % 3 :: 3]})


def test_only_those_pass_who_have_the_right(city: City, prepared: dict[str, str]) -> None:
    for number, row in enumerate(TABLE):
        whoever = asked(number, row)
        passed = {who for who in whoever if passes(city, prepared, row, who)}

        assert passed == row.who, named(row)


def passes(city: City, prepared: dict[str, str], row: Row, who: str) -> bool:
    status, text = ask(city.client(who), row, prepared)
    assert status < 500, (named(row), who, text)
    if row.method != "GET" and "/session" in row.path:
        city.sign_in_anew(who)
    if row.operation.startswith("DELETE /api/v1/devices"):
        with writing(city.services.sessions) as session:
            device = new_device("mic-1", GATEWAY, "noise", city.time)
            insert_missing(session, Device, [device])
    if who not in {RELATIVE, GUARDIAN}:
        assert NAME not in text, f"{who} is told a name by {named(row)}"
        assert TAG not in text, f"{who} is told a tag by {named(row)}"
    if status not in {401, 403, 404}:
        return True
    problem = json.loads(text)
    assert problem["status"] == status
    if row.hidden and not row.path.endswith("/service"):
        expected = 403 if who in row.knows else 404
        assert status == expected, f"{named(row)} tells {who} that it is there"
    return False


def test_nobody_passes_without_a_session_nor_changes_anything_without_its_token(
    city: City, prepared: dict[str, str]
) -> None:
    for row in TABLE:
        status, text = ask(city.anonymous(), row, prepared)
        assert (status, json.loads(text)["code"]) == (401, "not-signed-in"), named(row)

        for token in ("", "something else") if row.method != "GET" else ():
            client, wrong = city.client(min(row.who or ALL)), {"X-CSRF-Token": token}
            status, text = ask(client, row, prepared, headers=wrong)
            assert (status, json.loads(text)["code"]) == (403, "wrong-csrf-token"), named(row)


def test_a_refused_check_in_is_listed_without_what_it_tells(
    city: City, prepared: dict[str, str]
) -> None:
    assert prepared
    (letter,) = city.client(Role.MAINTAINER).get("/api/v1/dead-letters").json()["dead_letters"]

    assert (letter["reason"], letter["payload"], letter["detail"]) == ("stale", WITHHELD, WITHHELD)
