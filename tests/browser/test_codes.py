"""Every code that a page may show is explained in both languages."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

import pytest

import vigil_cloud
import vigil_edge
import vigil_schemas
from vigil_cloud.alerts.schema import AlertAction, Doubt
from vigil_cloud.http.alert_schema import AlertDelivery
from vigil_cloud.notify.escalation.policy import ChannelKind
from vigil_cloud.notify.escalation.progress import Answer, Phase
from vigil_cloud.notify.progress import Reason
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import SourceState

ROOT: Final = Path(__file__).parents[2]
I18N: Final = ROOT / "cloud" / "web" / "src" / "lib" / "i18n"
STATES: Final = frozenset(get_args(SourceState))
KEBAB: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


def texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((I18N / "codes.json").read_text("utf-8"))
    return found


def errors_of(*packages: ModuleType) -> set[str]:
    """The code of every error class of ours that can be imported here."""
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    ours = tuple(package.__name__ for package in packages)
    return {one.code for one in every(VigilError) if one.__module__.startswith(ours)}


def constant(node: ast.AST | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def reported(tree: ast.AST) -> Iterator[str]:
    """Codes that stand beside a state, as a device's health is told, or beside their message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts, name = list(node.args), ast.unparse(node.func).rsplit(".")[-1]
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(constant(keyword.value), str):
                    yield constant(keyword.value)
            told = name.strip("_").lower() in {"report", "finding"}
        elif isinstance(node, ast.Tuple):
            parts, told = list(node.elts), len(node.elts) == 2
        else:
            continue
        values = [constant(part) for part in parts]
        if len(values) > 1 and values[0] in STATES and values[1]:
            yield values[1]
        elif told and len(values) > 1 and isinstance(values[0], str) and KEBAB.fullmatch(values[0]):
            message = parts[1]
            if isinstance(message, ast.JoinedStr) or " " in str(values[1] or ""):
                yield values[0]


def device_codes() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "edge" / "vigil_edge").rglob("*.py"):
        codes = set(reported(ast.parse(file.read_text("utf-8"))))
        found |= {code for code in codes if KEBAB.fullmatch(code)}
    return found


def answered_codes() -> set[str]:
    """Codes of answers that no class stands for."""
    tree = ast.parse((ROOT / "cloud" / "vigil_cloud" / "http" / "problem.py").read_text("utf-8"))
    literal = {
        constant(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "problem"
    }
    from_http = {HTTPStatus(status).phrase.lower().replace(" ", "-") for status in (405,)}
    return {code for code in literal if code} | from_http | {"content-too-large"}


def test_codes_are_found_where_they_are_known_to_be() -> None:
    """What finds nothing proves nothing."""
    assert {"bridge-offline", "register-refused", "probe-no-readings"} <= device_codes()
    assert {"alert-unknown", "probe-timeout", "invalid-message"} <= errors_of(
        vigil_cloud, vigil_edge, vigil_schemas
    )
    assert {"internal", "invalid-request", "database-unavailable"} <= answered_codes()


def test_every_error_and_device_code_has_a_text_in_both_languages() -> None:
    codes = errors_of(vigil_cloud, vigil_edge, vigil_schemas)
    codes |= device_codes() | answered_codes() | {"gateway-offline"}
    known = texts()
    assert sorted(codes - known.keys()) == []
    for code, said in known.items():
        assert said.keys() == {"en", "zh-TW"}, code
        assert re.search(r"[\u4e00-\u9fff]", said["zh-TW"]), code
        assert not re.search(r"[\u4e00-\u9fff]", said["en"]), code


def test_a_sentence_with_data_names_what_the_error_carries() -> None:
    errors_of(vigil_cloud, vigil_edge, vigil_schemas)
    carried = {error.code: set(attributes(error)) for error in every(VigilError)}
    sentences = json.loads((I18N / "particulars.json").read_text("utf-8"))
    assert sentences
    for code, said in sentences.items():
        assert said.keys() == {"en", "zh-TW"}, code
        for text in said.values():
            named = set(re.findall(r"\{(\w+)\}", text))
            assert named, f"{code}: {text} names nothing"
            assert named <= carried[code], code


def every(base: type[VigilError]) -> Iterator[type[VigilError]]:
    yield base
    for one in base.__subclasses__():
        yield from every(one)


def attributes(error: type[VigilError]) -> Iterator[str]:
    """Names that its ``__init__`` sets on itself."""
    if not inspect.isfunction(error.__init__):
        return
    tree = ast.parse(textwrap.dedent(inspect.getsource(error.__init__)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def keys() -> set[str]:
    return set(re.findall(r'^\s*"([\w.-]+)":', (I18N / "en.ts").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("delivery.state", get_args(AlertDelivery.model_fields["state"].annotation)),
        ("delivery.reason", get_args(Reason)),
        ("alert.action", get_args(AlertAction.model_fields["action"].annotation)),
        ("doubt.short", get_args(Doubt)),
        ("escalation.phase", get_args(Phase)),
        ("escalation.channel", get_args(ChannelKind)),
        ("escalation.answer", get_args(Answer)),
    ],
)
def test_every_word_of_the_api_has_a_text(prefix: str, values: tuple[str, ...]) -> None:
    assert values
    assert [value for value in values if f"{prefix}.{value}" not in keys()] == []


def refusal_reasons() -> set[str]:
    """What ingest puts messages aside for: named where it raises, or where it notes it down."""
    found: set[str] = set()
    for folder in ("cloud/vigil_cloud/ingest", "schemas/vigil_schemas"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    name = ast.unparse(node.func).rsplit(".")[-1]
                    if name == "InvalidMessage" and node.args:
                        found.add(constant(node.args[0]))
                    found |= {constant(k.value) for k in node.keywords if k.arg == "reason"}
                elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
                    found |= {constant(part) for part in ast.walk(node.value)}
    return {one for one in found if isinstance(one, str) and KEBAB.fullmatch(one)}


def test_every_reason_of_a_refused_message_has_a_text() -> None:
    reasons = refusal_reasons()
    assert {"malformed-json", "wrong-lane", "unknown-type"} <= reasons
    assert sorted(one for one in reasons if f"gateways.reason.{one}" not in keys()) == []
