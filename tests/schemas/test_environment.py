"""Values that a file leaves to the environment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_schemas.environment import EnvironmentMissing, filled

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().filter(lambda text: "${" not in text),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_refers_to_nothing_stays_as_it_is(value: Any) -> None:
    assert filled(value, {}) == value


@given(values, st.text(min_size=1))
def test_a_reference_anywhere_is_filled(value: Any, secret: str) -> None:
    written = {"a": [value, {"b": "${SECRET}"}]}
    assert filled(written, {"SECRET": secret}) == {"a": [value, {"b": secret}]}


@pytest.mark.parametrize("text", ["x${A}", "${A}x", "$A", "${}", "${1A}", "${A:-b}", "$${A}"])
def test_only_a_whole_reference_counts(text: str) -> None:
    assert filled(text, {"A": "secret"}) == text


def test_what_the_environment_holds_is_not_looked_through_again() -> None:
    assert filled("${A}", {"A": "${B}", "B": "secret"}) == "${B}"


@pytest.mark.parametrize("environment", [{}, {"TOKEN": ""}])
def test_a_missing_value_names_the_variable_and_the_place(environment: dict[str, str]) -> None:
    with pytest.raises(EnvironmentMissing, match=r"gateway\.1\.token: .* TOKEN is not set"):
        filled({"gateway": [{"token": "x"}, {"token": "${TOKEN}"}]}, environment)
