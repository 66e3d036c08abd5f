"""Every command that opens the database, with another database's secret key."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigil_cloud import cli
from vigil_cloud.commands.numbers import finite
from vigil_cloud.config import load
from vigil_cloud.preparation import prepare_database
from vigil_cloud.stores import build_services
from waterways import geojson

RIGHT, WRONG = "0123456789abcdef" * 2, "fedcba9876543210" * 2
NO_DATABASE = {
    *("broker", "export-openapi", "evidence verify", "aed dispatch", "alerts simulate"),
    *("conform", "water transport", "water trace", "water detect"),
    *("search replay", "checkin locate", "broker-files rules", "completion"),
}
RESTORES = {"restore"}
"""It asks the backup for its key, not the database, which is empty (backup/test_backup)."""
REHEARSES = {"rehearse"}
"""Refused outside the demo before it opens anything (test_rehearsal)."""
CHANGES_THE_KEY = {"secret-key adopt"}
"""It takes the settings' key whatever the database's was: that is what it is for."""
ARGUMENTS: dict[str, list[str]] = {
    "init": ["--config", "init.toml", "--no-questions"],
    "serve": [],
    "api": [],
    "ingest": [],
    "migrate": [],
    "seed": ["seed.toml"],
    "account add": ["li", "--role", "family", "--password-stdin"],
    "account password": ["li", "--password-stdin"],
    "account close": ["li"],
    "account open": ["li"],
    "account list": [],
    "account remove": ["li"],
    "gateway list": [],
    "gateway enrol": ["gw-a"],
    "gateway certificates": ["gw-a"],
    "gateway add": ["gw-a"],
    "broker-files write": ["certificates", "--name", "broker.example"],
    "broker-files follow": ["certificates", "--name", "broker.example"],
    "gateway rotate-token": ["gw-a"],
    "gateway revoke": ["gw-a"],
    "gateway readmit": ["gw-a"],
    "device list": [],
    "device release": ["mic-1"],
    "device remove": ["mic-1"],
    "device shelves": [],
    "device shelve": ["mic-1", "--reason", "painting", "--hours", "1"],
    "device unshelve": ["mic-1", "1"],
    "search streets": ["streets.geojson"],
    "smoke hydrants": ["hydrants.csv"],
    "person list": [],
    "person add": ["p1", "Wang"],
    "person rotate-key": ["p1"],
    "person erase": ["p1"],
    "tag list": [],
    "tag give": ["epc:0123456789abcdef01234567", "p1"],
    "tag take": ["epc:0123456789abcdef01234567"],
    "amulet list": [],
    "amulet add": ["ibeacon:0123456789abcdef0123456789abcdef:1:7"],
    "amulet add-rotating": ["beacons.csv"],
    "amulet reprint": [],
    "guardian list": ["p1"],
    "guardian add": ["p1", "li"],
    "guardian remove": ["p1", "li"],
    "consent list": ["p1"],
    "consent grant": ["p1", "li"],
    "consent narrow": ["p1", "1", "--scopes", "last_place"],
    "consent revoke": ["p1", "1"],
    "household list": [],
    "household put": ["h1", "Chen"],
    "household add-member": ["h1", "--account", "li"],
    "household remove-member": ["h1", "1"],
    "household give-device": ["h1", "alarm-1"],
    "household take-device": ["h1", "alarm-1"],
    "household erase": ["h1"],
    "district list": [],
    "district put": ["east", "East", "東區"],
    "district remove": ["east"],
    "district limit": ["li", "--whole-city"],
    "district place": ["device", "mic-1", "east"],
    "water import": ["canal.geojson"],
    "water export": ["canal.csv"],
    "water remove": ["r1"],
    "water rules": [],
    "water velocities": ["velocities.csv"],
    "water visits": ["visits.csv"],
    "channel list": [],
    "channel remove": ["hook"],
    "alerts policy add": ["policy.toml"],
    "alerts policy list": [],
    "alerts policy remove": ["fire"],
    "noise statistics": [],
    "audit verify": [],
    "map import": ["streets.geojson"],
    "map show": [],
    "map remove": [],
    "backup": ["city.zip"],
    "dead-letters list": [],
    "dead-letters show": ["1"],
    "dead-letters replay": ["1"],
    "dead-letters dismiss": ["1"],
    "secret-key rotate": ["--new-key-file", "new-key"],
}


def commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[str]:
    """Every command of the program: ``serve``, ``account add``."""
    deeper = [action for action in parser._actions if isinstance(action.choices, dict)]
    if not deeper:
        yield name
    for action in deeper:
        assert isinstance(action.choices, dict)
        for word, child in action.choices.items():
            yield from commands(child, f"{name} {word}".strip())


def test_no_command_is_forgotten_here() -> None:
    assert set(commands(cli._parser())) == {
        *ARGUMENTS,
        *NO_DATABASE,
        *REHEARSES,
        *RESTORES,
        *CHANGES_THE_KEY,
    }


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                yield from options(child)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "1e300", "x"])
def test_a_number_of_an_option_is_one_that_can_be_reckoned_with(text: str) -> None:
    """`--days nan` ended in a traceback, and `--position nan nan` was kept."""
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number"):
        finite(text)
    assert finite("-7.5") == -7.5


def test_no_option_takes_any_float() -> None:
    """But sentinels of recordings, which are compared alone."""
    plain = {one.dest for one in options(cli._parser()) if one.type is float}
    assert plain <= {"sentinel", "keep"}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose database was used with the right key, made once."""
    folder = tmp_path_factory.mktemp("used")
    services = build_services(load(None, data_dir=folder, secret_key=RIGHT))
    prepare_database(services, always=False)
    services.close()
    return folder


@pytest.fixture
def data(tmp_path: Path, used: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; settings with the wrong key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed.toml").write_text("", "utf-8")
    (tmp_path / "canal.geojson").write_text(geojson(), "utf-8")
    row = "2026-01-01T00:00:00Z,r1,0.4"
    (tmp_path / "velocities.csv").write_text(f"time,reach,velocity_m_s\n{row}\n", "utf-8")
    (tmp_path / "visits.csv").write_text(
        "time,station,signal,standard,reading\n2026-01-01T00:00:00Z,sonde-1,pH,7,7.1\n", "utf-8"
    )
    (tmp_path / "streets.geojson").write_text(geojson(), "utf-8")
    (tmp_path / "hydrants.csv").write_text("id,lon,lat,kind\nH1,120.44,23.48,\n", "utf-8")
    (tmp_path / "new-key").write_text("0" * 40, "utf-8")
    (tmp_path / "beacons.csv").write_text(f"{'0' * 32},10,4711\n", "utf-8")
    (tmp_path / "policy.toml").write_text(
        'name = "fire"\n[fallback]\nafter_s = 0\nchannel = "page"\npersons = ["role:police"]\n',
        "utf-8",
    )
    shutil.copytree(used, tmp_path / "data")
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VIGIL_SECRET_KEY", WRONG)
    return tmp_path


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_wrong_secret_key_starts_nothing(
    data: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command.split(), *ARGUMENTS[command]]) == 2

    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("vigil-cloud: wrong-secret-key: ")
    assert "VIGIL_SECRET_KEY" in lines[0]


def test_the_key_is_changed_by_command(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = (data / "new-key").read_text("utf-8")
    monkeypatch.setenv("VIGIL_SECRET_KEY", RIGHT)
    monkeypatch.setenv("VIGIL_NEW_SECRET_KEY", new)

    assert cli.main(["secret-key", "rotate"]) == 0
    assert '"rotated": true' in capsys.readouterr().out
    assert cli.main(["secret-key", "rotate"]) == 0, "again, as after a crash before the answer"
    assert '"rotated": false' in capsys.readouterr().out
    assert cli.main(["audit", "verify"]) == 2
    monkeypatch.setenv("VIGIL_SECRET_KEY", new)
    assert cli.main(["audit", "verify"]) == 0


@pytest.mark.parametrize("new", ["", "short", RIGHT])
def test_a_bad_new_key_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], new: str
) -> None:
    monkeypatch.setenv("VIGIL_SECRET_KEY", RIGHT)
    monkeypatch.setenv("VIGIL_NEW_SECRET_KEY", new)

    assert cli.main(["secret-key", "rotate"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert cli.main(["audit", "verify"]) == 0
