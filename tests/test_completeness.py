"""Whoever knows one domain's rooms knows the others': every domain has all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigil_schemas.domains import SHIPPED

DOMAINS = [contract.name for contract in SHIPPED]
ROOT = Path(__file__).parents[1]
PACKAGES = (
    "schemas/vigil_schemas",
    "edge/vigil_edge",
    "cloud/vigil_cloud",
    "firmware-sim/vigil_sim",
)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(
    "place",
    [
        "schemas/vigil_schemas/{}.py",
        "edge/vigil_edge/{}/pipeline.py",
        "edge/vigil_edge/{}/settings.py",
        "firmware-sim/vigil_sim/{}/[a-z]*.py",
        "edge/vigil_edge/{}/domain.py",
        "firmware-sim/vigil_sim/{}/domain.py",
        "cloud/vigil_cloud/{}/domain.py",
        "cloud/vigil_cloud/{}/service.py",
        "docs/{}.md",
        "tests/edge/{}/test_*.py",
        "tests/sim/{}/test_*.py",
        "tests/cloud/{}/test_*.py",
    ],
)
def test_every_domain_has_this_room(domain: str, place: str) -> None:
    assert list(ROOT.glob(place.format(domain)))


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_a_row_in_the_threat_model(domain: str) -> None:
    rows = (ROOT / "THREAT_MODEL.md").read_text("utf-8").splitlines()
    assert any(row.startswith(f"| {domain} |") for row in rows)


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "THREAT_MODEL.md").read_text("utf-8")
    named = {part for part in text.split("`") if part.startswith("tests/")}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_table_of_decisions_names_each_one_by_its_number() -> None:
    folder = ROOT / "docs/decisions"
    titles = {
        path.name: path.read_text("utf-8").partition("\n")[0] for path in folder.glob("[0-9]*.md")
    }
    wanted = [f"# {row[1]}. {row[2]}" for row in decisions()]

    assert [titles.get(row[3]) for row in decisions()] == wanted
    assert sorted(titles) == [row[3] for row in decisions()]
    numbers = [int(row[1]) for row in decisions()]
    assert numbers == sorted(set(numbers)), "in order, and none twice"
    assert [int(row[3][:4]) for row in decisions()] == numbers


def decisions() -> list[re.Match[str]]:
    """Rows of the table: number, title, file."""
    text = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    return list(re.finditer(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", text, re.MULTILINE))


def test_the_simulators_share_no_codec_with_the_edge() -> None:
    for path in (ROOT / "firmware-sim").rglob("*.py"):
        text = path.read_text("utf-8")
        assert "import vigil_edge" not in text, path
        assert "from vigil_edge" not in text, path


def unwritten(tree: ast.AST, abstract: bool = False) -> Iterator[str]:
    """Functions that do nothing but say so; a protocol's and an abstract class's may."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases}
            yield from unwritten(node, abstract=bool(bases & {"Protocol", "ABC"}))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = {ast.unparse(mark) for mark in node.decorator_list}
            if not abstract and not marks & {"overload", "abstractmethod"} and says_so(node):
                yield node.name
            yield from unwritten(node)
        else:
            yield from unwritten(node, abstract)


def says_so(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    (last,) = function.body[-1:]
    if isinstance(last, ast.Raise):
        return "NotImplementedError" in ast.unparse(last)
    told = ast.get_docstring(function) is not None
    empty = isinstance(last, ast.Pass) or ast.unparse(last) == "..."
    # A documented function that does nothing on purpose says why in its docstring.
    return len(function.body) == 1 and empty and not told


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_still_to_be_written(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text("utf-8")
        assert list(unwritten(ast.parse(text))) == [], path
        assert not re.search(r"#.*\b(TODO|FIXME|XXX)\b", text), path


def test_what_is_still_to_be_written_is_recognised() -> None:
    text = """
class Port(Protocol):
    def get(self) -> int: ...
class Store:
    def put(self):
        pass
    async def get(self):
        \'\'\'Docstring.\'\'\'
        raise NotImplementedError
    def close(self):
        \'\'\'Nothing is open.\'\'\'
def start(): ...
"""
    assert list(unwritten(ast.parse(text))) == ["put", "get", "start"]


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_document_names_only_what_there_is(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)(?=`|\s+#|$)", text, re.MULTILINE)) <= targets
    for name in re.findall(r"`((?:tests|docs|cloud|edge|schemas|firmware-sim)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
        assert (document.parent / link).exists(), link
