"""Nothing that comes over HTTP is coerced: numbers, truth and times have one form each."""

from __future__ import annotations

import math
import types
import typing
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cloud_city import City
from cloud_routes import body_models, routes
from vigil_cloud.devices.schema import CommandRequest
from vigil_schemas.commands import COMMANDS

NOT_WHOLE = ["1_0", " 1", "1 ", "1.0", "+1", "01", "1e1", "٣", "", "true"]
NOT_TRUTH = ["yes", "on", "1", "0", "t", "True", "TRUE", " true", ""]
NOT_TIMES = [
    *("2026-03-01", "1772323200", "1772323200000", "2026-03-01T04:00:00", "20260301T040000Z"),
    *("2026-03-01 04:00:00Z", " 2026-03-01T04:00:00Z", "2026-03-01T04:00Z", "now", ""),
]


def holds(annotation: Any, kind: type) -> bool:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType, typing.Annotated}:
        return any(holds(one, kind) for one in typing.get_args(annotation))
    return annotation is kind


def parameters(kind: type) -> list[Any]:
    found = [
        pytest.param(field, id=f"{route.name}.{field.alias}")
        for route, flat in routes()
        for field in (*flat.query_params, *flat.path_params)
        if holds(field.field_info.annotation, kind)
    ]
    assert found
    return found


def refused(field: Any, text: str) -> bool:
    return bool(field.validate(text, {}, loc=("query", field.alias))[1])


@pytest.mark.parametrize("field", parameters(int))
def test_numbers_in_an_address_are_digits(field: Any) -> None:
    assert [text for text in NOT_WHOLE if not refused(field, text)] == []
    assert not refused(field, "5")


@pytest.mark.parametrize("field", parameters(bool))
def test_truth_in_an_address_is_true_or_false(field: Any) -> None:
    assert [text for text in NOT_TRUTH if not refused(field, text)] == []
    assert not refused(field, "true")


def test_every_body_is_read_strictly() -> None:
    assert [one.__name__ for one in body_models() if not one.model_config.get("strict")] == []


def test_no_body_takes_what_it_does_not_know() -> None:
    """A key that is mistyped would count as not given: a pause that pauses nothing."""
    assert [
        one.__name__ for one in body_models() if one.model_config.get("extra") != "forbid"
    ] == []


def test_times_in_an_address_have_a_zone(city: City) -> None:
    client = city.client("inspector")
    for text in NOT_TIMES:
        for name in ("start", "stop"):
            answer = client.get("/api/v1/noise/exceedances", params={name: text})
            assert answer.status_code == 422, (name, text)
    for text in ("2026-03-01T04:00:00Z", "2026-03-01T12:00:00.25+08:00"):
        answer = client.get("/api/v1/noise/exceedances", params={"start": text})
        assert answer.status_code == 200, text


def test_a_body_is_not_coerced(city: City) -> None:
    city.one_of_each()
    (fire,) = city.alerts("dispatcher")
    client = city.client("dispatcher")
    address = f"/api/v1/alerts/{fire['id']}"
    for body in ({"version": "0"}, {"version": True}, {"version": 0.0}, {"comment": 7}):
        assert client.post(f"{address}/acknowledge", json=body).status_code == 422, body
    for until in (1772330000, "1772330000", "2026-03-02", True):
        assert client.post(f"{address}/shelve", json={"until": until}).status_code == 422, until
    maintainer = city.client("maintainer")
    for value in ("30", True, " 30"):
        answer = maintainer.post(
            "/api/v1/gateways/gw-east/configurations", json={"health_interval_s": value}
        )
        assert answer.status_code == 422, value


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_setting_is_no_number_that_json_does_not_know(city: City, number: str) -> None:
    """What reads a body takes them; PostgreSQL, and every browser, does not."""
    city.birth()
    maintainer = city.client("maintainer")
    for wanted in (number, f"[1.0, {number}]"):
        answer = maintainer.post(
            "/api/v1/gateways/gw-east/configurations",
            content=f'{{"settings": {{"sonde-1": {{"interval_s": {wanted}}}}}}}',
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, answer.text


def within(annotation: Any) -> set[type[BaseModel]]:
    """Models of bodies, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.values()
        return {annotation}.union(*(within(field.annotation) for field in fields))
    return set().union(*(within(one) for one in typing.get_args(annotation)))


def refuses(model: type[BaseModel], name: str, given: object) -> bool:
    """Whether anything but what is missing beside it is wrong."""
    try:
        model.model_validate({name: given})
    except ValidationError as error:
        return any(one["type"] != "missing" for one in error.errors())
    return False


def test_every_number_of_a_body_is_finite() -> None:
    """JSON as Python reads it knows ``NaN`` and ``Infinity``. What a command is given is read once
    more, by the command's own model."""
    assert [one for one in COMMANDS.values() if one.model_config["allow_inf_nan"]] == []
    taken = set()
    models: set[type[BaseModel]] = set().union(*map(within, body_models()))
    for model in models:
        for name, field in model.model_fields.items():
            if (model, name) == (CommandRequest, "arguments"):
                continue
            for value in (math.nan, math.inf, -math.inf):
                for given in (value, [value], [[value, value]], {"k": value}, {"k": [value]}):
                    if not refuses(model, field.alias or name, given):
                        taken.add(f"{model.__name__}.{name}: {given}")
    assert taken == set()
