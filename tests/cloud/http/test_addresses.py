"""What nobody types into an address is refused or finds nothing; it never fails inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cloud_city import City
from cloud_routes import body_models, routes
from vigil_cloud.app import API
from vigil_cloud.identity.roles import Role

HOSTILE = [
    *("a%00b", "%ED%A0%80", "%EF%BF%BF%27%22%5C%24%7B"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"),
    *("-1", "2147483648", "9" * 19, "1e308", "x" * 300),
]


def addresses() -> Iterator[tuple[str, str]]:
    """Every operation with each of its parameters in turn, as ``method`` and an address with
    ``{}`` in that place."""
    for route, flat in routes():
        if route.path == "/stream":  # it does not end
            continue
        method = min(route.methods or {"GET"})
        names = re.findall(r"{(\w+)}", route.path)
        for name in names:
            path = route.path.format(**dict.fromkeys(names, "1") | {name: "{}"})
            yield method, API + path
        for field in flat.query_params:
            path = route.path.format(**dict.fromkeys(names, "1"))
            yield method, f"{API}{path}?{field.alias}={{}}"


@pytest.mark.parametrize(
    "either_city",
    [pytest.param("sqlite", marks=pytest.mark.full), "postgresql"],  # the stricter of the two
    indirect=True,
)
def test_no_address_fails_inside(either_city: City) -> None:
    either_city.account("everything", *Role)
    client = either_city.client("everything")
    failed = []
    asked: Any = sorted(set(addresses()))
    assert len(asked) > 40
    for method, address in asked:
        for text in HOSTILE:
            answer = client.request(method, address.format(text), json={})
            if answer.status_code >= 500 or ("%00" in text and answer.status_code != 422):
                failed.append((method, address.format(text), answer.status_code))

    assert failed == []


@pytest.mark.parametrize("model", body_models(), ids=lambda model: model.__name__)
@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"])
def test_no_text_of_a_body_holds_what_cannot_be_kept(model: Any, text: str) -> None:
    for name, field in model.model_fields.items():
        if (
            field.annotation is str
            and "password" not in name
            and model.__name__ != "PasswordChange"
        ):
            with pytest.raises(ValueError, match=name):
                model.__pydantic_validator__.validate_assignment(
                    model.model_construct(), name, text
                )
