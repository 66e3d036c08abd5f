"""The log as its settings say."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from vigil_cloud.log import set_up_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    try:
        raise ValueError("the reason")
    except ValueError:
        structlog.stdlib.get_logger("vigil_cloud.test").exception("it-failed", gateway="gw-中山")


def test_a_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    structlog.stdlib.get_logger("vigil_cloud.test").debug("unseen")
    fail()

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["gateway"]) == ("it-failed", "error", "gw-中山")
    assert "ValueError: the reason" in told["exception"]


def test_columns_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", "console")
    structlog.stdlib.get_logger("vigil_cloud.test").debug("seen")
    logging.getLogger("uvicorn.error").warning("of a library")
    fail()

    lines = capsys.readouterr().err.splitlines()
    assert "seen" in lines[0]
    assert "of a library" in lines[1]
    assert "gateway=gw-中山" in lines[2]
    assert lines[-1] == "ValueError: the reason"
    assert "\x1b" not in "".join(lines), "no colours where there is no terminal"
