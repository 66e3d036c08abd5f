"""The agent's settings stand in its file alone; a variable that looks like one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil_edge.cli import main
from vigil_edge.configuration.variables import unread

GATEWAY = """\
[gateway]
id = "gw-1"
data_dir = "data"

[cloud]
broker = "mqtt://broker.example:1883"
"""


def test_each_is_told_with_the_key_that_is_meant() -> None:
    assert unread({"VIGIL_LOG_LEVEL": "debug", "VIGIL_TOKENFILE": "x", "VIGIL_ELEPHANTS": "2"}) == [
        "VIGIL_ELEPHANTS is not read: settings stand in the file",
        "VIGIL_LOG_LEVEL is not read: settings stand in the file; is [gateway] log_level meant?",
        "VIGIL_TOKENFILE is not read: settings stand in the file; is [cloud] token_file meant?",
    ]
    assert unread({"VIGIL_SIM_BLE": "tcp:127.0.0.1:1", "VIGIL_FULL": "1"}) == []


def test_check_tells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(GATEWAY, encoding="utf-8")
    monkeypatch.setenv("VIGIL_LOG_LEVEL", "debug")
    assert main(["check", "--config", str(file)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vigil-edge: VIGIL_LOG_LEVEL is not read")


def test_secrets_that_cannot_be_read_are_told_and_stop_nothing(tmp_path: Path) -> None:
    (told,) = unread({"VIGIL_SECRETS_DIR": str(tmp_path / "gone"), "VIGIL_LOG_LEVEL": "debug"})
    assert "gone" in told
