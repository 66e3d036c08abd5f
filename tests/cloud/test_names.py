"""What people call things: something that can be seen, on one line, and unlike any other."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_city import City

UNSEEN = ["\u200b", " ", "\u3000", "\u2800", "\u3164", "\u00ad", "\u200d", "\ufeff", " \u200c "]
TURNED = ["\u202eabc", "\u200fabc", "abc\u2066", "a\nb", "a\u2028b", "in\u200bspector"]
NAMES = ["王秀英", "Łukasz O’Brien", "ศรี", "مها", "क्‍ष", "👩‍🚒 Chief", "Pwe-lā"]
"""The last but one is joined by U+200D, as is the Devanagari before it."""


def _named(city: City, where: str, name: str) -> int:
    administrator = city.client("administrator")
    match where:
        case "account":
            body: dict[str, Any] = {"display_name": name, "language": "en"}
            return city.client("inspector").put("/api/v1/session/profile", json=body).status_code
        case "household":
            return administrator.put("/api/v1/households/h1", json={"name": name}).status_code
        case "district":
            names = {"name": name, "name_zh": name}
            return administrator.put("/api/v1/districts/d1", json=names).status_code
        case "person":
            return administrator.put("/api/v1/people/p9", json={"name": name}).status_code
    body = {"key": "inspector", "new": False, "values": {"display_name": name}}
    return administrator.put("/api/v1/registers/accounts/entry", json=body).status_code


@pytest.mark.parametrize("where", ["account", "household", "district", "person", "register"])
def test_a_name_can_be_seen_and_turns_nothing(city: City, where: str) -> None:
    # A register strips what is typed: blanks alone are no name there, but none at all.
    unseen = [one for one in UNSEEN if where != "register" or one.strip()]
    taken = [ascii(one) for one in (*unseen, *TURNED) if _named(city, where, one) != 422]
    assert taken == []
    refused = [one for one in NAMES if _named(city, where, one) not in {200, 204}]
    assert refused == []


def test_an_account_that_differs_in_capitals_alone_is_refused(city: City) -> None:
    def add(key: str) -> Any:
        body = {"key": key, "new": True, "values": {"roles": ["inspector"]}}
        return city.client("administrator").put("/api/v1/registers/accounts/entry", json=body)

    for key in ("Inspector", "INSPECTOR", "inSpector"):
        refused = add(key)
        assert (refused.status_code, refused.json()["code"]) == (409, "account-exists"), key
    assert add("inspector2").status_code == 200


def test_a_household_that_differs_in_capitals_alone_is_refused(city: City) -> None:
    def put(key: str, name: str = "Chen") -> int:
        path = f"/api/v1/households/{key}"
        return city.client("administrator").put(path, json={"name": name}).status_code

    assert put("Chen-1") == 204
    assert put("chen-1") == 422
    assert put("Chen-1", "Chen and Lin") == 204, "the one that is there is changed"
    assert put("chen-2") == 204
