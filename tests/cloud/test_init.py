"""``vigil-cloud init``: what it writes, what it never writes over."""

from __future__ import annotations

import io
import json
import os
import stat
import tomllib
from pathlib import Path

import pytest

import servers
from cloud.backup.test_full_disk import SmallDisk
from vigil_cloud import cli
from vigil_cloud.config import load
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import accounts
from vigil_cloud.stores import build_services

PASSWORD = "four unrelated quiet words"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIL_SECRET_KEY", raising=False)
    monkeypatch.delenv("VIGIL_DATA_DIR", raising=False)


def init(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str, password: str = "") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n" if password else ""))
    words = ["init", "--config", str(folder / "etc/cloud.toml"), "--data-dir", str(folder / "data")]
    return cli.main([*words, *(["--password-stdin"] if password else []), *more])


def administrators(folder: Path) -> list[str]:
    services = build_services(load(folder / "etc/cloud.toml"))
    try:
        with services.sessions() as session:
            return [one.username for one in accounts(session) if Role.ADMINISTRATOR in one.roles]
    finally:
        services.close()


def test_from_nothing_to_a_cloud_that_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--broker", "embedded", "--administrator", "li"]
    assert init(tmp_path, monkeypatch, *flags, password=PASSWORD) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["written"] is True
    assert told["administrator"] == "li"
    assert told["next"].startswith("vigil-cloud serve --config ")
    file = tmp_path / "etc/cloud.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(tomllib.loads(file.read_text())["secret_key"]) == 64
    assert administrators(tmp_path) == ["li"]

    before = file.read_bytes()
    assert init(tmp_path, monkeypatch, "--administrator", "wu", password=PASSWORD) == 0
    assert json.loads(capsys.readouterr().out)["administrator"] is None
    assert file.read_bytes() == before, "a key is never written over"
    assert administrators(tmp_path) == ["li"]


def test_a_weak_password_keeps_the_key_and_may_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password="short") == 2
    assert "weak-password" in capsys.readouterr().err
    before = (tmp_path / "etc/cloud.toml").read_bytes()
    assert init(tmp_path, monkeypatch, password=PASSWORD) == 0
    assert (tmp_path / "etc/cloud.toml").read_bytes() == before
    assert administrators(tmp_path) == ["administrator"]


def test_settings_that_cannot_be_used_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--broker", "mosquitto", "--gateway-broker-url", "http://broker"]
    assert init(tmp_path, monkeypatch, *flags) == 2
    assert "gateway_broker_url" in capsys.readouterr().err
    assert not (tmp_path / "etc/cloud.toml").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--public-url", "vigil.example"],
        ["--public-url", "https://vigil.example/?from=mail"],
        ["--broker", "moskito"],
        ["--broker", "mqtt://"],
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
) -> None:
    assert init(tmp_path, monkeypatch, *flags, password=PASSWORD) == 2
    assert flags[1] in capsys.readouterr().err
    assert not (tmp_path / "etc/cloud.toml").exists()
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_made_may_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("a file")
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password=PASSWORD) == 2
    assert str(tmp_path / "data") in capsys.readouterr().err
    assert not (tmp_path / "etc/cloud.toml").exists(), "the next call may name another folder"

    (tmp_path / "data").unlink()
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password=PASSWORD) == 0
    assert administrators(tmp_path) == ["administrator"]


def test_flags_that_a_file_does_not_take_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password=PASSWORD) == 0
    assert "was not taken" not in capsys.readouterr().err
    flags = ["--public-url", "https://vigil.example", "--broker", "embedded"]
    assert init(tmp_path, monkeypatch, *flags) == 0
    said = capsys.readouterr().err
    assert "--public-url https://vigil.example was not taken" in said
    assert "--broker" not in said


def test_another_keys_data_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password=PASSWORD) == 0
    (tmp_path / "etc/cloud.toml").rename(tmp_path / "kept.toml")
    capsys.readouterr()
    assert init(tmp_path, monkeypatch, "--broker", "embedded", password=PASSWORD) == 2
    assert "wrong-secret-key" in capsys.readouterr().err
    assert not (tmp_path / "etc/cloud.toml").exists()


def test_where_gateways_reach_the_broker_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--broker", "mosquitto", "--public-url", "https://vigil.example"]
    assert init(tmp_path, monkeypatch, *flags, password=PASSWORD) == 0
    written = tomllib.loads((tmp_path / "etc/cloud.toml").read_text())
    assert written["gateway_broker_url"] == "mqtts://vigil.example:8883"
    assert written["broker_url"] == "mosquitto"


def test_where_the_package_has_a_cloud_none_is_made_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = tmp_path / "vigil" / "cloud.toml"
    monkeypatch.setattr("vigil_cloud.commands.init.DEFAULT", usual)
    monkeypatch.setattr("vigil_cloud.commands.init.PACKAGED", tmp_path)
    words = ["init", "--config", str(usual), "--data-dir", str(tmp_path / "data")]
    assert cli.main([*words, "--no-questions"]) != 0
    assert "vigil-cloud-admin init" in capsys.readouterr().err
    assert not usual.exists()


def test_where_the_package_has_a_cloud_its_own_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else whoever sets the key that is asked for begins a second cloud, in the folder at hand."""
    monkeypatch.setattr("vigil_cloud.commands.opening.PACKAGED", tmp_path)
    assert cli.main(["account", "list"]) == 2
    assert "vigil-cloud-admin" in capsys.readouterr().err

    monkeypatch.setenv("VIGIL_SECRETS_DIR", str(tmp_path))  # as `vigil-cloud-admin` sets it
    assert cli.main(["account", "list"]) == 2
    assert "vigil-cloud-admin" not in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next ``init`` would take it for the settings, without its key."""
    if os.geteuid() != 0:
        servers.missing("root, who mounts", "run this as root")
    disk = SmallDisk(tmp_path / "etc")
    disk.mount(64)
    try:
        filler = disk.folder / "filler"
        filler.write_bytes(bytes(64 * 1024))
        assert init(tmp_path, monkeypatch) == 2
        assert "No space left" in capsys.readouterr().err
        assert list(disk.folder.iterdir()) == [filler]

        filler.unlink()
        assert init(tmp_path, monkeypatch) == 0
        assert json.loads(capsys.readouterr().out)["written"] is True
    finally:
        disk.close()
