"""``vigil-edge doctor`` and ``status``: what is well and what to mend, on real servers."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import servers
from edge.agent_process import Agent, agent_on
from edge.authority import Authority
from servers.tsa import time_authority
from vigil_edge import cli
from vigil_edge.configuration.gateway_file import ConfigError, load
from vigil_edge.configuration.lock import held
from vigil_edge.device.health import keep
from vigil_edge.doctor import checks
from vigil_edge.doctor.command import speaks_chinese
from vigil_edge.examination import Text, device_file, tcp
from vigil_edge.registry import DOMAINS
from vigil_schemas.gateway import GatewayHealth
from vigil_schemas.types import ClockQuality

NAME = Text("it", "它")


def written(folder: Path, broker: str, more: str = "") -> Path:
    file = folder / "gateway.toml"
    file.write_text(
        f'[gateway]\nid = "gw-doctor"\ndata_dir = "{folder}/data"\nclock = "host"\n'
        f'[cloud]\nbroker = "{broker}"\n{more}',
        "utf-8",
    )
    return file


def said(file: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    status = cli.main(["doctor", "--config", str(file), *more], DOMAINS)
    return status, capsys.readouterr().out.strip().splitlines()


def test_a_broker_that_is_there_lets_in(
    tmp_path: Path, mosquitto: servers.Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    status, lines = said(written(tmp_path, mosquitto.url), capsys)
    assert any("broker: lets us in" in line for line in lines), lines
    (agent,) = [line for line in lines if line.startswith("MEND")]
    assert "agent: does not run" in agent
    assert "systemctl start" in agent
    assert status == 1


def test_an_agent_that_is_not_let_in_is_no_reason_to_look_away(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    """Its own connection is left alone where it has one."""
    (tmp_path / "data").mkdir()
    config = load(written(tmp_path, mosquitto.url), DOMAINS)
    health = GatewayHealth(
        uptime_s=1,
        resident_bytes=1,
        cpu_percent=1,
        disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[],
        sources=[],
    )
    keep(config.gateway.data_dir, datetime.now(UTC), health, linked=True)
    *_, found = checks.broker(config, running=True)
    assert found.well
    keep(config.gateway.data_dir, datetime.now(UTC), health, linked=False)
    *_, found = checks.broker(config, running=True)
    assert not found.well
    assert "lets us in, and the agent has no connection" in found.said.en
    assert "gateways page" in found.mend.en

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        config = load(written(tmp_path, f"mqtt://127.0.0.1:{deaf.getsockname()[1]}"), DOMAINS)
        *_, found = checks.broker(config, running=True)
    assert not found.well
    assert "does not let us in" in found.said.en


def test_nobody_there_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = f"127.0.0.1:{servers.free_port()}"
    section = (
        f'[[water]]\ndevice = "sonde-1"\nname_zh = "水圳"\ndriver = "modbus-tcp"\n'
        f'address = "{probe}"\n[[water.signal]]\nname = "pH"\nunit = "pH"\n'
        '[[water]]\ndevice = "sonde-2"\ndriver = "modbus-rtu"\naddress = "/dev/ttyNONE0"\n'
        '[[water.signal]]\nname = "pH"\nunit = "pH"\n'
    )
    file = written(tmp_path, f"mqtt://127.0.0.1:{servers.free_port()}", section)
    status, lines = said(file, capsys, "--json")
    found = {(one["subject"], one["well"]) for one in map(json.loads, lines)}
    assert status == 1
    assert {("broker", False), ("sonde-1", False), ("sonde-2", False), ("clock", True)} <= found
    assert all(one["mend"]["zh"] for one in map(json.loads, lines) if not one["well"])

    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    _, lines = said(file, capsys)
    assert any(line.startswith("待修  水圳：") or "待修  水圳:" in line for line in lines), lines


def test_a_certificate_that_ends_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gw-doctor")
    file = written(
        tmp_path,
        "mqtts://127.0.0.1:8883",
        f'ca_file = "{authority.file}"\ncertificate_file = "{certificate}"\nkey_file = "{key}"\n',
    )
    config = load(file, DOMAINS)
    now = datetime.now(UTC)
    for moment, words in (
        (now, "has not been renewed"),
        (now + timedelta(days=2), "ended on"),
        (now - timedelta(days=2), "is not valid before"),
    ):
        found = checks.certificate(config, moment)
        assert found is not None
        assert not found.well
        assert words in found.said.en
        assert found.mend.zh


def test_the_clock_is_well_where_somebody_vouches_for_it() -> None:
    assert checks.clock(lambda: 0.01, vouched=False).well
    assert checks.clock(lambda: None, vouched=True).well
    wrong = checks.clock(lambda: None, vouched=False)
    assert not wrong.well
    assert "timedatectl" in wrong.mend.zh


def test_a_time_stamping_authority_is_asked_for_a_stamp(tmp_path: Path) -> None:
    with time_authority(tmp_path / "tsa") as own, time_authority(tmp_path / "other") as other:
        for ca_file, well, words in (
            (own.ca_file, True, "stamps"),
            (other.ca_file, False, "does not hold"),
        ):
            more = f'[evidence]\ntimestamp_url = "{own.url}"\ntimestamp_ca_file = "{ca_file}"\n'
            config = load(written(tmp_path, "mqtt://127.0.0.1:1883", more), DOMAINS)
            found = checks.time_stamps(config)
            assert found is not None
            assert (found.well, words in found.said.en) == (well, True)
    gone = checks.time_stamps(config)
    assert gone is not None
    assert not gone.well
    assert "timestamp_url" in gone.mend.zh
    assert checks.time_stamps(load(written(tmp_path, "mqtt://127.0.0.1:1883"), DOMAINS)) is None


def test_an_authority_without_an_address_is_a_mistake(tmp_path: Path) -> None:
    with time_authority(tmp_path / "tsa") as own:
        more = f'[evidence]\ntimestamp_ca_file = "{own.ca_file}"\n'
        with pytest.raises(ConfigError) as told:
            load(written(tmp_path, "mqtt://127.0.0.1:1883", more), DOMAINS)
    (mistake,) = told.value.mistakes
    assert mistake.key == "evidence.timestamp_ca_file"
    assert "timestamp_url" in mistake.message


def test_devices_of_the_kernel(tmp_path: Path) -> None:
    assert device_file(NAME, "/dev/null").well
    assert "no device" in device_file(NAME, str(tmp_path)).said.en
    missing = device_file(NAME, "/dev/ttyNONE7")
    assert not missing.well
    assert "there are" in missing.mend.en


def test_a_port_that_answers_and_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert tcp(NAME, *server.getsockname()).well
    assert not tcp(NAME, "127.0.0.1", servers.free_port()).well
    assert "has no address" in tcp(NAME, "no-such-name.invalid", 80).said.en


@pytest.mark.parametrize(
    ("environment", "chinese"),
    [
        ({"LANG": "zh_TW.UTF-8"}, True),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, False),
        ({"LC_MESSAGES": "zh_TW"}, True),
        ({}, False),
    ],
)
def test_the_language_is_that_of_the_shell(environment: dict[str, str], chinese: bool) -> None:
    assert speaks_chinese(environment) is chinese


def status_of(agent: Agent, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    config = str(agent.folder / "gateway.toml")
    code = cli.main(["status", "--config", config, "--json"], DOMAINS)
    return code, json.loads(capsys.readouterr().out)


def test_status_with_and_without_an_agent(
    tmp_path: Path, mosquitto: servers.Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent_on(mosquitto.port, tmp_path) as agent:
        # The next report is an hour away: that there is a link now is told all the same.
        agent.configure(mosquitto.port, "", interval_s=3600)
        code, found = status_of(agent, capsys)
        assert (code, found["report"]) == (3, None)
        process = agent.start()

        def linked() -> bool:
            _, found = status_of(agent, capsys)
            report = found["report"]
            return isinstance(report, dict) and report["linked"] is True

        servers.eventually(linked, "a report of a connected agent")
        code, found = status_of(agent, capsys)
        assert (code, found["status"], found["process"]) == (0, "well", process.pid)
        process.terminate()
        process.wait(60)
        code, found = status_of(agent, capsys)
        assert (code, found["process"]) == (3, None)
        assert isinstance(found["report"], dict), "what it said last is still there"
        config = str(agent.folder / "gateway.toml")
        assert cli.main(["status", "--config", config], DOMAINS) == 3
        lines = capsys.readouterr().out
        assert "does not run" in lines
        assert os.linesep in lines


def test_an_outbox_that_is_just_being_made_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "mqtt://127.0.0.1:1883")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "outbox.sqlite").touch()
    cli.main(["status", "--config", str(file), "--json"], DOMAINS)
    assert json.loads(capsys.readouterr().out)["outbox"] == {}


def test_an_outbox_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "mqtt://127.0.0.1:1883")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "outbox.sqlite").write_bytes(b"no database at all, " * 100)
    assert cli.main(["status", "--config", str(file)], DOMAINS) != 0
    told = capsys.readouterr()
    said = told.err.strip().splitlines()
    assert len(said) == 1
    assert "outbox.sqlite cannot be read" in said[0]
    assert "waits for the cloud: ?" in told.out
    assert "MB free" in told.out, "what can be looked at is told all the same"
    assert cli.main(["status", "--config", str(file), "--json"], DOMAINS) != 0
    assert "cannot be read" in json.loads(capsys.readouterr().out)["outbox_error"]


def test_a_look_that_cannot_be_done_hides_no_other(tmp_path: Path) -> None:
    """A certificate that a worn-out card has spoilt, and a lock that is no file."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gw-doctor")
    names = f'certificate_file = "{certificate}"\nkey_file = "{key}"\n'
    port = servers.free_port()
    file = written(tmp_path, f"mqtts://127.0.0.1:{port}", f'ca_file = "{authority.file}"\n{names}')
    config = load(file, DOMAINS)
    certificate.write_bytes(b"\0" * 512)
    (tmp_path / "data" / "lock").mkdir(parents=True)

    found = {one.subject.en: one for one in checks.everything(config)}

    for name in ("certificate", "agent"):
        assert "cannot be looked at" in found[name].said.en
        assert found[name].mend.zh
    assert found["disk"].well
    assert "does not answer" in found["broker"].said.en


def test_whoever_may_not_look_at_the_lock_neither_disturbs_the_agent_nor_says_that_it_is_off(
    tmp_path: Path, mosquitto: servers.Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    """As another user: signed in under its name, the broker would end its connection."""
    file = written(tmp_path, mosquitto.url)
    (tmp_path / "data" / "lock").mkdir(parents=True)

    found = list(checks.everything(load(file, DOMAINS)))

    (_, signing_in) = [one for one in found if one.subject.en == "broker"]
    assert not signing_in.well
    assert "not signed in" in signing_in.said.en
    assert "sudo -u vigil" in signing_in.mend.zh
    assert cli.main(["status", "--config", str(file)], DOMAINS) == 1
    told = capsys.readouterr().out
    assert "agent: cannot be looked at: " in told
    assert "does not run" not in told
    assert cli.main(["status", "--config", str(file), "--json"], DOMAINS) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["process"], said["status"]) == (None, "degraded")
    assert "lock" in said["process_error"]


def test_an_agent_that_could_not_write_its_number_runs_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its disk was full as it began; another's number from before is not its own."""
    if os.geteuid() != 0:
        servers.missing("root, who mounts", "run this as root")
    file = written(tmp_path, f"mqtt://127.0.0.1:{servers.free_port()}")
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(data)], check=True)
    try:
        (data / "filler").write_bytes(bytes(4096))
        with held(data):
            found = {one.subject.en: one for one in checks.everything(load(file, DOMAINS))}
            assert "could not write its number" in found["agent"].said.en
            assert cli.main(["status", "--config", str(file)], DOMAINS) == 1
            assert "does not run" not in capsys.readouterr().out
        assert cli.main(["status", "--config", str(file)], DOMAINS) == 3
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_disk_that_became_read_only_is_told_as_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rights do not help there, and a worn-out card becomes so by itself."""
    if os.geteuid() != 0:
        servers.missing("root, who mounts", "run this as root")
    file = written(tmp_path, f"mqtt://127.0.0.1:{servers.free_port()}")
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(data)], check=True)
    try:
        with closing(sqlite3.connect(data / "outbox.sqlite")) as outbox:
            outbox.execute("PRAGMA journal_mode = WAL")
            outbox.execute("PRAGMA user_version = 1")
        subprocess.run(["mount", "-o", "remount,ro", str(data)], check=True)
        _, lines = said(file, capsys)
        (disk,) = [line for line in lines if "disk:" in line]
        assert f"{data} is mounted read-only" in disk
        assert "dmesg" in disk
        assert cli.main(["status", "--config", str(file)], DOMAINS) != 0
        told = capsys.readouterr()
        assert "agent: does not run" in told.out
        assert "MB free" in told.out
        assert len(told.err.splitlines()) == 1
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_broker_at_an_address_of_version_6_is_reached() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        assert tcp(NAME, "::1", port).well
