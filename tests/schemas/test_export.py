"""The exported contract is the one in the models, and the official tools accept it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vigil_schemas import envelope, export
from vigil_schemas.contract import PAYLOADS
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import LARGEST_INTEGER

SCHEMAS = Path(__file__).parents[2] / "schemas"
CHECKER = Path(__file__).parent / "asyncapi"


def test_committed_files_equal_the_models() -> None:
    assert export.drifted(SCHEMAS) == []


def test_drift_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(SCHEMAS / "json", tmp_path / "json")
    shutil.copy(SCHEMAS / "asyncapi.yaml", tmp_path)
    changed = tmp_path / "json" / f"{SmokeAlarm.TYPE}.json"
    changed.write_text(changed.read_text("utf-8").replace("tamper", "temper"), "utf-8")
    (tmp_path / "json" / "left-over.json").write_text("{}", "utf-8")
    assert export.drifted(tmp_path) == [f"json/{SmokeAlarm.TYPE}.json", "json/left-over.json"]


def test_every_exported_schema_is_a_schema() -> None:
    for name, schema in export.schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"].endswith(f"{name}.json")


def test_an_encoded_message_keeps_the_exported_schemas() -> None:
    since = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    message = json.loads(
        envelope.encode(
            id="a1b2c3d4",
            source="/gw-home/alarm/0badcafe",
            type=SmokeAlarm.TYPE,
            subject="smoke-kitchen",
            time=since,
            sequence=1,
            data=SmokeAlarm(alarm_id="12345678", condition="smoke", active=True, since=since),
        )
    )
    schemas = export.schemas()
    jsonschema.Draft202012Validator(schemas["cloudevent.v1"]).validate(message)
    jsonschema.Draft202012Validator(schemas[SmokeAlarm.TYPE]).validate(message["data"])
    assert message["dataschema"] == envelope.schema_url(SmokeAlarm.TYPE)


def test_the_official_asyncapi_parser_accepts_the_document() -> None:
    if not (CHECKER / "node_modules").is_dir():
        pytest.skip("the AsyncAPI parser is not installed: make setup")
    done = subprocess.run(
        ["npm", "run", "--silent", "check"],
        cwd=CHECKER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout


def test_every_whole_number_of_the_contract_has_both_ends() -> None:
    """One without an end is taken here and is too large for a database's column."""
    for model in PAYLOADS.values():
        for path, node in nodes(model.model_json_schema()):
            if node.get("type") == "integer" and "enum" not in node:
                assert {"minimum", "exclusiveMinimum"} & node.keys(), (model, path)
                assert node["maximum"] <= LARGEST_INTEGER, (model, path)


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, inner in schema.items():
            yield from nodes(inner, f"{path}/{key}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from nodes(inner, f"{path}/{number}")
