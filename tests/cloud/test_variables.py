"""Variables that look like settings and are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vigil_cloud import cli
from vigil_cloud.config import Settings, load
from vigil_cloud.variables import unread


def test_what_is_read_is_not_told() -> None:
    simple = {f"VIGIL_{name.upper()}": "" for name in Settings.model_fields}
    in_tables = {"VIGIL_SMTP__HOST": "", "VIGIL_CASES_ACCESS_HOURS__SEARCH": "3"}
    own = {"VIGIL_HEALTH_URL": "", "VIGIL_NEW_SECRET_KEY": "", "vigil_log_level": "debug"}
    assert unread(simple | in_tables | own | {"PATH": "/bin"}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VIGIL_LOG_LEVL", "VIGIL_LOG_LEVEL"),
        ("VIGIL_SMTP_HOST", "VIGIL_SMTP__HOST"),
        ("VIGIL_QUOTA__DEVICES", "VIGIL_QUOTAS__DEVICES"),
        ("VIGIL_HTTP_PORT__X", "VIGIL_HTTP_PORT"),
        ("VIGIL_BROKER_CA", "VIGIL_BROKER_CA_FILE"),
    ],
)
def test_a_slip_is_told_with_what_is_meant(name: str, meant: str) -> None:
    assert unread({name: "1"}) == [f"{name} is no setting of the cloud; is {meant} meant?"]


def test_what_is_near_to_nothing_is_told_alone() -> None:
    assert unread({"VIGIL_ELEPHANTS": "2"}) == ["VIGIL_ELEPHANTS is no setting of the cloud"]


def test_a_slip_in_a_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_QUOTAS__DEVICE", "5")
    with pytest.raises(Exception, match=r"quotas\.device"):
        load(demo=True)


def test_a_command_tells_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VIGIL_DEMO", "true")
    monkeypatch.setenv("VIGIL_LOG_LEVL", "debug")
    assert cli.main(["account", "list"]) == 0
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "LEVL" in one]
    assert json.loads(line)["event"] == "variable-unknown"
    assert "is VIGIL_LOG_LEVEL meant?" in line


def test_settings_that_are_refused_tell_the_slip_that_may_be_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VIGIL_SECRET_KEY", raising=False)
    monkeypatch.setenv("VIGIL_SECRET_KY", "0123456789abcdef0123456789abcdef")
    assert cli.main(["account", "list"]) == 2
    assert "VIGIL_SECRET_KY is no setting of the cloud; is VIGIL_SECRET_KEY meant?" in (
        capsys.readouterr().err
    )
