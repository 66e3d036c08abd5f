"""The platform's rooms name no domain: what they know of one stands in its description.

Looked for in code (names, imports, texts; no comments and no documentation): the shipped domains'
own words, and words of what they sense.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigil_cloud.shipped import SHIPPED
from vigil_schemas.domains import SHIPPED as CONTRACTS

ROOT = Path(__file__).parents[1]
DOMAINS = tuple(sorted({*SHIPPED, *(contract.name for contract in CONTRACTS)}))
PLAIN_ENGLISH = {
    "search": "people search lists and texts",
}
"""Domains whose word says something else as well: the linter's walls alone hold those."""
SENSED = (
    "beacon",
    "plate",
    "canal",
    "sonde",
    "microphone",
    "elder",
    "exceedance",
    "excursion",
    "check-in",
    "alarm_id",
    "carbon_monoxide",
)
ALLOWED = {
    ("cloud/vigil_cloud/shipped.py", "*"): "the one list of the cloud's domains",
    ("edge/vigil_edge/registry.py", "*"): "the one list of the edge's domains",
    ("firmware-sim/vigil_sim/registry.py", "*"): "the one list of simulated domains",
    ("schemas/vigil_schemas/domains.py", "*"): "the one list of contracts",
    ("schemas/vigil_schemas/recordings/layout.py", "sonde"): "how people name a column of stations",
    ("schemas/vigil_schemas/evidence.py", "plate"): "a role of a file in the sealed contract",
    ("cloud/web/src/alert/EvidenceCard.svelte", "plate"): "the same role, shown",
    ("cloud/web/src/lib/i18n/en.ts", "plate"): "the same role's words",
    ("cloud/web/src/lib/i18n/zh-TW.ts", "plate"): "the same role's words",
    ("cloud/vigil_cloud/identity/roles.py", "irrigation"): "the role of those who keep the gates",
    ("firmware-sim/vigil_sim/demo/accounts.py", "irrigation"): "the same role",
    ("cloud/vigil_cloud/street_map/openstreetmap.py", "water"): "a layer of the tiles' own schema",
    ("cloud/vigil_cloud/street_map/openstreetmap.py", "canal"): "a tag of OpenStreetMap",
    ("cloud/web/src/lib/map/streets.ts", "water"): "a layer of the tiles' own schema",
    ("firmware-sim/vigil_sim/streets.py", "canal"): "a tag of OpenStreetMap, and a name",
    ("cloud/vigil_cloud/http/security_headers.py", "microphone"): "what a browser calls its own",
}
"""File and word, and why."""
WEB = ("cloud/web/src",)
PYTHON = (
    "cloud/vigil_cloud",
    "edge/vigil_edge",
    "firmware-sim/vigil_sim",
    "schemas/vigil_schemas",
)
NOT_OURS = {"static", "migrations", "node_modules", "scenarios", "api", "__pycache__", "week"}
"""Built pages; tables as they were; what is generated; data; the model of one service, which is
about its domains as a scenario is (ADR 50)."""


def is_a_domains(path: Path) -> bool:
    """A domain's room, or its module of the contract."""
    return any(part in DOMAINS for part in (*path.parts, path.stem))


def platform_files() -> list[Path]:
    found = [path for folder in PYTHON for path in (ROOT / folder).rglob("*.py")]
    for folder in WEB:
        found += [
            path for path in (ROOT / folder).rglob("*") if path.suffix in {".ts", ".svelte", ".css"}
        ]
    inside = [path.relative_to(ROOT) for path in found]
    return sorted(
        path for path in inside if not is_a_domains(path) and not NOT_OURS & set(path.parts)
    )


def said_in_python(text: str) -> Iterator[str]:
    """Names and texts of a program; each as one piece."""
    tree = ast.parse(text)
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in documentation:
                yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name for alias in node.names)
            yield from (getattr(node, "module", None) or "").split(".")


def said_on_pages(text: str) -> Iterator[str]:
    """Lines without their comments."""
    text = re.sub(r"<!--.*?-->|/\*.*?\*/", "", text, flags=re.DOTALL)
    yield from (re.sub(r"(^|\s)//.*", "", line) for line in text.splitlines())


def words(domains: tuple[str, ...] = DOMAINS) -> dict[str, re.Pattern[str]]:
    parts = [name for name in (*domains, *SENSED) if name not in PLAIN_ENGLISH]
    return {one: re.compile(rf"(?i)(^|.*[^a-z]){one}s?([^a-z].*|$)") for one in parts}


def named(said: Iterator[str]) -> set[str]:
    found = set()
    looked_for = words()
    for piece in said:
        for word, pattern in looked_for.items():
            if any(pattern.fullmatch(line) for line in piece.splitlines()):
                found.add(word)
    return found


def test_no_room_of_the_platform_names_a_domain() -> None:
    wrong = []
    for path in platform_files():
        text = (ROOT / path).read_text("utf-8")
        said = said_in_python(text) if path.suffix == ".py" else said_on_pages(text)
        if (str(path), "*") not in ALLOWED:
            wrong += [f"{path}: {word}" for word in named(said) if (str(path), word) not in ALLOWED]
    assert sorted(wrong) == []


def test_a_shipped_domain_is_entered_in_at_most_six_files() -> None:
    lists = {name for name, word in ALLOWED if word == "*"}
    named_beside_code = [
        name
        for name in ("pyproject.toml", "Makefile", "docker-compose.yml", "constraints.txt")
        if any(re.search(rf"\b{domain}\b", _uncommented(name)) for domain in ("noise", "smoke"))
    ]
    assert len(lists) + len(named_beside_code) <= 6


def _uncommented(name: str) -> str:
    return re.sub(r"(?m)#.*$", "", (ROOT / name).read_text("utf-8"))


def test_nothing_is_allowed_that_is_not_there() -> None:
    for name, word in ALLOWED:
        path = ROOT / name
        text = path.read_text("utf-8")
        said = said_in_python(text) if path.suffix == ".py" else said_on_pages(text)
        found = named(said)
        assert found if word == "*" else word in found, (name, word)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from vigil_cloud.smoke.service import x", {"smoke"}),
        ("X = 'city.vigil.noise.observation.v1'", {"noise"}),
        ("def smoke_job(): ...", {"smoke"}),
        ("row.alarm_id", {"alarm_id"}),
        ("'''About smoke.'''\n# noise\nX = 'checkin'", {"checkin"}),
        ("watermark = checking(plates)", {"plate"}),
    ],
)
def test_a_word_is_found_where_it_counts(text: str, found: set[str]) -> None:
    assert named(said_in_python(text)) == found
