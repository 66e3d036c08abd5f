"""No cell that we write is run by a spreadsheet, and what was written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.spreadsheets import FORMULA, harmless, plain, rows_of, table

DANGEROUS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
)
"""As OWASP lists them (CSV injection), of full width as Excel takes them in East Asia."""


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert harmless(text) == f"'{text}"
    ((_, row),) = rows_of(table(["name"], [[text]]).encode(), ["name"], {}, 1)
    assert row["name"] == text


@given(st.text().filter(lambda text: text.strip() and not text.strip().startswith("'")))
def test_what_was_written_is_read_back(text: str) -> None:
    kept = text.rstrip() if text.startswith(FORMULA) else text.strip()
    assert plain(harmless(text)) == kept
