"""Every error has a code of its own, a cause and a remedy that names only what there is."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator

import pytest

import vigil_cloud.cli
import vigil_edge.cli
from errors_page import PAGE, cause, errors, page
from vigil_edge.registry import DOMAINS
from vigil_schemas.errors import VigilError

ERRORS = list(errors())
IDS = [f"{one.__module__}.{one.__name__}" for one in ERRORS]


def test_no_two_errors_share_a_code() -> None:
    counted = Counter(one.code for one in ERRORS)
    assert [code for code, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("error", ERRORS, ids=IDS)
def test_an_error_says_its_cause_and_what_to_do(error: type[VigilError]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.code)
    assert cause(error).endswith((".", ":"))
    assert "remedy" in vars(error), "what to do about it?"
    assert error.remedy.endswith(".")


def words(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    yield name
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield from words(child, f"{name} {word}")


def test_the_commands_that_remedies_name_exist() -> None:
    known = {
        *words(vigil_cloud.cli._parser(), "vigil-cloud"),
        *words(vigil_edge.cli._parser([], DOMAINS), "vigil-edge"),
        "vigil-sim check",
    }
    named = {
        one for error in ERRORS for one in re.findall(r"`(vigil-[a-z]+ [a-z -]+)`", error.remedy)
    }
    assert named
    assert sorted(named - known) == []


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text("utf-8") == page()
