"""Whoever catches whatever may happen says so: it is logged, counted, handed on or raised again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "schemas/vigil_schemas",
    "edge/vigil_edge",
    "cloud/vigil_cloud",
    "firmware-sim/vigil_sim",
)
EVERYTHING = frozenset({"Exception", "BaseException"})
TELLS = ("count", "inc", "exception", "error", "warning", "info", "critical", "debug", "fail")
SUPPRESSED = {
    "firmware-sim/vigil_sim/play.py": "of two failures the first is the one that is raised",
}


def caught(handler: ast.ExceptHandler) -> frozenset[str]:
    if handler.type is None:
        return EVERYTHING
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return frozenset(ast.unparse(kind) for kind in kinds)


def tells(handler: ast.ExceptHandler) -> bool:
    for node in ast.walk(ast.Module(handler.body, [])):
        if isinstance(node, ast.Raise):
            return True
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr.strip("_") in TELLS:
            return True
        if handler.name and isinstance(node, ast.Name) and node.id == handler.name:
            return True
    return False


def silent(text: str) -> Iterator[int]:
    """Lines where whatever may happen is caught and nothing is said of it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and caught(node) & EVERYTHING and not tells(node):
            yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            named = " ".join(ast.unparse(one) for one in node.args)
            if any(name in named for name in EVERYTHING):
                yield node.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_no_failure_is_swallowed(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        name = str(path.relative_to(ROOT))
        found = list(silent(path.read_text("utf-8")))
        assert found == [] or name in SUPPRESSED, (name, found)


def test_what_is_swallowed_is_found() -> None:
    text = """
try:
    a()
except Exception:
    pass
try:
    b()
except (OSError, BaseException):
    return 0
try:
    c()
except Exception as error:
    answer = str(error)
try:
    d()
except Exception:
    self._context.count("d-crashed")
except ValueError:
    pass
with suppress(Exception):
    e()
"""
    assert sorted(silent(text)) == [4, 8, 20]
