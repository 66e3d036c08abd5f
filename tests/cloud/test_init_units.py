"""``vigil-cloud init --units DIR``: units of an installation that no package made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from vigil_cloud import cli, units
from vigil_cloud.units import Place, UnitImpossible

NAMES = sorted(f"vigil-cloud{one}.service" for one in ("", "-api", "-ingest", "-migrate"))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIGIL_SECRET_KEY", "VIGIL_DATA_DIR", "VIGIL_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


def init(folder: Path, config: str = "etc/cloud.toml") -> int:
    words = ["--config", str(folder / config), "--data-dir", str(folder / "data")]
    flags = ["--units", str(folder / "units"), "--broker", "embedded", "--no-questions"]
    return cli.main(["init", *words, *flags])


def lines(folder: Path, name: str = "vigil-cloud.service") -> list[str]:
    return (folder / "units" / name).read_text("utf-8").splitlines()


def test_units_name_this_installation_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path) == 0
    said = capsys.readouterr().err
    program = Path(sys.executable).with_name("vigil-cloud")
    config, data = tmp_path / "etc/cloud.toml", tmp_path / "data"

    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == NAMES
    assert f"ExecStart={program} serve --config {config}" in lines(tmp_path)
    assert f"ConditionPathExists={config}" in lines(tmp_path)
    assert f"ReadWritePaths={data}" in lines(tmp_path)
    assert "ProtectSystem=strict" in lines(tmp_path)
    for name in NAMES:
        text = "\n".join(lines(tmp_path, name))
        for of_the_package in ("/usr/bin/", "/etc/vigil-cloud", "/var/lib/", "%", "SECRETS_DIR"):
            assert of_the_package not in text
    for step in (
        "useradd --system",
        f"chown -R vigil-cloud: {data} {config}",
        f"cp {tmp_path}/units/vigil-cloud*.service /etc/systemd/system/",
        "systemctl daemon-reload && systemctl enable --now vigil-cloud.service",
    ):
        assert step in said


def test_the_units_are_right(tmp_path: Path) -> None:
    servers.need("systemd-analyze", "apt-get install systemd")
    assert init(tmp_path) == 0
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / "units" / n) for n in NAMES)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path / 'units'}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_that_somebody_changed_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path) == 0
    assert "stays as it is" not in capsys.readouterr().err
    changed = tmp_path / "units/vigil-cloud.service"
    changed.write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "units/vigil-cloud-api.service").unlink()
    assert init(tmp_path) == 0
    said = capsys.readouterr().err
    assert f"{changed} is there already and says otherwise" in said
    assert said.count("stays as it is") == 1
    assert lines(tmp_path) == ["[Service]", "ExecStart=/bin/true"]
    assert (tmp_path / "units/vigil-cloud-api.service").is_file()


def test_a_key_of_the_shell_is_to_be_given_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIL_SECRET_KEY", "0123456789abcdef0123456789abcdef")
    assert init(tmp_path) == 0
    said = capsys.readouterr().err
    assert f"a line VIGIL_SECRET_KEY=… in {tmp_path}/etc/environment" in said
    assert "0123456789abcdef" not in said
    assert f"EnvironmentFile=-{tmp_path}/etc/environment" in lines(tmp_path)


@pytest.mark.parametrize("config", ["a b/cloud.toml", "100%/cloud.toml", 'a"/cloud.toml'])
def test_a_path_that_systemd_reads_otherwise_is_refused_before_anything_is_made(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, config) == 2
    assert "a unit takes letters" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_of_data_that_no_flag_names_is_looked_at_as_well(
    tmp_path: Path,
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the environment, or from settings that are there."""
    file = tmp_path / "etc/cloud.toml"
    if there:
        file.parent.mkdir()
        file.write_text(
            f'data_dir = "{tmp_path}/my data"\nsecret_key = "{"0123456789abcdef" * 4}"\n'
        )
    else:
        monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "my data"))
    before = sorted(tmp_path.rglob("*"))
    words = ["--config", str(file), "--units", str(tmp_path / "units"), "--broker", "embedded"]
    assert cli.main(["init", *words, "--no-questions"]) == 2
    assert "a unit takes letters" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_secrets_is_made_readable_for_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    monkeypatch.setenv("VIGIL_SECRETS_DIR", str(secrets))
    assert init(tmp_path) == 0
    said = capsys.readouterr().err
    assert f"chgrp -R vigil-cloud {secrets} && chmod -R u=rwX,g=rX,o= {secrets}" in said
    assert f"Environment=VIGIL_SECRETS_DIR={secrets}" in lines(tmp_path)


def test_a_file_is_no_folder_of_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "units").write_text("")
    assert init(tmp_path) == 2
    assert "is no folder" in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()


def test_homes_can_be_read_where_something_of_it_lies_there() -> None:
    at_home = units.texts(Place(data=Path("/home/li/vigil")))["vigil-cloud.service"]
    assert "ProtectHome=read-only" in at_home
    assert "ReadWritePaths=/home/li/vigil" in at_home
    for place in (
        Place(secrets=Path("/home/li/secrets")),
        Place(Path("/opt/v/bin/vigil-cloud"), interpreter=Path("/root/python/bin/python3")),
    ):
        assert "ProtectHome=read-only" in units.texts(place)["vigil-cloud.service"]
    elsewhere = units.texts(Place(Path("/opt/vigil/bin/vigil-cloud")))["vigil-cloud.service"]
    assert "ProtectHome=yes" in elsewhere
    assert "StateDirectory=vigil-cloud" in elsewhere
    with pytest.raises(UnitImpossible):
        units.texts(Place(secrets=Path("/run/my secrets")))
