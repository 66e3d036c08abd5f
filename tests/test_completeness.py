"""Whoever knows one domain's rooms knows the others': every domain has all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil_schemas.types import Domain

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("domain", [domain.value for domain in Domain])
@pytest.mark.parametrize(
    "place",
    [
        "schemas/vigil_schemas/{}.py",
        "edge/vigil_edge/{}/pipeline.py",
        "edge/vigil_edge/{}/settings.py",
        "firmware-sim/vigil_sim/{}",
        "cloud/vigil_cloud/{}/service.py",
        "docs/{}.md",
        "tests/edge/{}",
        "tests/sim/{}",
        "tests/cloud/{}",
    ],
)
def test_every_domain_has_this_room(domain: str, place: str) -> None:
    assert (ROOT / place.format(domain)).exists()


@pytest.mark.parametrize("domain", [domain.value for domain in Domain])
def test_every_domain_has_a_row_in_the_threat_model(domain: str) -> None:
    rows = (ROOT / "THREAT_MODEL.md").read_text("utf-8").splitlines()
    assert any(row.startswith(f"| {domain} |") for row in rows)


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "THREAT_MODEL.md").read_text("utf-8")
    named = {part for part in text.split("`") if part.startswith("tests/")}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_simulators_share_no_codec_with_the_edge() -> None:
    for path in (ROOT / "firmware-sim").rglob("*.py"):
        text = path.read_text("utf-8")
        assert "import vigil_edge" not in text, path
        assert "from vigil_edge" not in text, path
