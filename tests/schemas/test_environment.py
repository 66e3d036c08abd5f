"""Values that a file leaves to the environment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.config import Settings
from vigil_schemas.environment import OTHERS, EnvironmentMissing, filled, unread

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


def test_a_name_that_nobody_reads_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "vigil_broker_pasword").write_text("x", "utf-8")
    environment = {
        "VIGIL_LOG_LEVL": "debug",
        "vigil_log_level": "debug",
        "VIGIL_ELEPHANTS": "2",
        "VIGIL_SECRETS_DIR": str(tmp_path),
        "LOG_LEVL": "debug",
    }
    known = ["VIGIL_LOG_LEVEL", "VIGIL_BROKER_PASSWORD"]
    assert unread(environment, lambda name: name in known, known) == {
        "VIGIL_ELEPHANTS": None,
        "VIGIL_LOG_LEVL": "VIGIL_LOG_LEVEL",
        "vigil_broker_pasword": "VIGIL_BROKER_PASSWORD",
    }


def test_every_name_of_ours_in_the_tree_is_known() -> None:
    """Else a program that inherits it says that it is none of ours."""
    listed = subprocess.run(
        [
            "git",
            "grep",
            "-hoIE",
            r"\bVIGIL_[A-Z0-9_]+\b",
            "--",
            ":!*.md",
            ":(exclude,glob)**/test_*.py",
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {f"VIGIL_{name.upper()}" for name in Settings.model_fields}
    found = {
        name
        for name in listed.stdout.split()
        if name.partition("__")[0] not in names and name not in OTHERS
    }
    assert found == set()
