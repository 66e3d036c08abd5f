"""Configurations that the play writes are TOML that says what was meant."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_sim.toml_text import dumps

SCALARS = (
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,10}", fullmatch=True)
TABLES = st.recursive(
    st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=4), max_size=4),
    lambda inner: st.dictionaries(
        KEYS, SCALARS | inner | st.lists(inner, min_size=1, max_size=3), max_size=4
    ),
    max_leaves=12,
)


@given(TABLES)
def test_what_is_written_is_read_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(table)) == table


def test_what_toml_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be written"):
        dumps({"a": object()})
