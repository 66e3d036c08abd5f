"""Each rule is written down where the finding says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vigil_cloud.conform.rules import RULES, written
from vigil_schemas.contract import PAYLOADS

ROOT = Path(__file__).parents[3]
PLACES = {code: written(code, None, ()) for code in RULES}
PLACES |= {
    f"data of {name}": written("data", name, ("data", next(iter(model.model_fields))))
    for name, model in PAYLOADS.items()
}
PLACES["envelope"] = written("envelope", None, ("time",))


@pytest.mark.parametrize("code", PLACES)
def test_a_rule_is_where_it_is_said_to_be(code: str) -> None:
    name, _, inside = PLACES[code].partition("#")
    text = (ROOT / name).read_text("utf-8")
    if inside.startswith("/"):
        part = json.loads(text)
        for key in inside[1:].split("/"):
            part = part[key]
    elif inside:
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert inside in {
            re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings
        }
