"""Joining by an invitation, and a stock of amulets: what tests of families share."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from cloud_city import PASSWORD, City
from vigil_cloud.checkin import amulets, notice
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry

FREE = "ibeacon:0123456789abcdef0123456789abcdef:1:50"
OTHER = "ibeacon:0123456789abcdef0123456789abcdef:1:51"
OLD = "eddystone-uid:0123456789abcdef0123:0123456789ab"
CODE, OTHER_CODE = "A7K3M-92MDT", "B7K3M-92MDT"
AGREED = {
    "notice": notice.VERSION,
    "language": "zh-TW",
    "capacity": "representative",
    "agreed": True,
}
MOTHER = "陳阿好"


def enrolment(amulet: str = CODE, **other: Any) -> dict[str, Any]:
    return {**AGREED, "name": MOTHER, "amulet": amulet, **other}


@pytest.fixture
def stocked(city: City) -> City:
    """Three amulets that nobody wears; one of an older batch, without a code."""
    with writing(city.services.sessions) as session:
        for tag, code in ((FREE, CODE), (OTHER, OTHER_CODE), (OLD, None)):
            amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)
    return city


def invited(city: City, username: str = "registrar") -> dict[str, Any]:
    answer = city.client(username).post("/api/v1/invitations", json={"reason": "came to the desk"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_of(invitation: dict[str, Any]) -> str:
    token: str = invitation["link"].split("#")[1]
    return token


def new_account(
    city: City, token: str, username: str = "daughter"
) -> tuple[httpx.Client, httpx.Response]:
    client = city.anonymous()
    body = {"token": token, "username": username, "password": PASSWORD, "language": "en"}
    answer = client.post("/api/v1/join/account", json=body)
    if answer.status_code == 201:
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client, answer


def code_of(answer: httpx.Response) -> str:
    code: str = answer.json()["code"]
    return code


def actions(city: City, word: str) -> list[tuple[str, str, str | None]]:
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.action.startswith(word))
        rows = session.scalars(query.order_by(AuditEntry.number)).all()
        return [(row.action, row.account, row.person_key) for row in rows]
