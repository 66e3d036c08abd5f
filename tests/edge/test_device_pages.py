"""The settings shown on the pages of water, check-in and smoke are settings that are taken."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from pydantic import TypeAdapter

from data import ROOT
from vigil_edge.checkin import pipeline as checkin
from vigil_edge.checkin.settings import CheckinSettings
from vigil_edge.smoke import descriptions as smoke
from vigil_edge.smoke.settings import SmokeSettings
from vigil_edge.water.domain import WATER


@pytest.mark.parametrize(
    ("domain", "settings", "pipeline"),
    [
        ("water", WATER.settings(), WATER),
        ("checkin", CheckinSettings, checkin),
        ("smoke", SmokeSettings, smoke),
    ],
)
def test_a_pages_settings_are_taken(domain: str, settings: Any, pipeline: Any) -> None:
    page = (ROOT / "docs" / f"{domain}.md").read_text("utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown
    adapter: TypeAdapter[Any] = TypeAdapter(settings)
    for block in shown:
        for section in tomllib.loads(block)[domain]:
            described = pipeline.describe(adapter.validate_python(section))
            assert section["device"] in {entry.device for entry in described}


@pytest.mark.parametrize("domain", ["water", "checkin", "smoke"])
def test_every_stable_code_is_on_its_page(domain: str) -> None:
    page = (ROOT / "docs" / f"{domain}.md").read_text("utf-8")
    errors = (ROOT / "edge" / "vigil_edge" / domain / "errors.py").read_text("utf-8")
    codes = set(re.findall(r'code: ClassVar\[str\] = "([a-z0-9-]+)"', errors))
    assert codes
    assert {code for code in codes if f"`{code}`" not in page} == set()
