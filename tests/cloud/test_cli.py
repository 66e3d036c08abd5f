"""`vigil-cloud` as an operator meets it.

Commands run in this process, except for one: to start one costs a second of a processor.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import servers
from gateways import Gateway, birth, event, new_name, now, observation
from revisions import tables_in
from vigil_cloud import cli
from vigil_cloud.config import load
from vigil_cloud.database import migrate
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.handler import DevicesHandler
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.port import Received
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.stores import build_services
from vigil_schemas.control import Command, Configuration, Receipt
from vigil_schemas.envelope import decode_envelope
from vigil_schemas.gateway import DeviceDescription

PASSWORD = "four unrelated quiet words"


@dataclass
class Done:
    """What a command said, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


class Operator:
    """A data folder, and commands over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.mqtt = servers.free_port(), servers.free_port()
        self.variables = {
            "VIGIL_DATA_DIR": str(folder / "data"),
            "VIGIL_SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "VIGIL_HTTP_PORT": str(self.http),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{self.mqtt}",
        }
        self.server: servers.Server | None = None

    def environment(self, **changes: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("VIGIL_")}
        return {**inherited, **self.variables, **changes}

    def run(self, *arguments: str, **changes: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment(**changes), clear=True),
            mock.patch.object(sys, "stdin", io.StringIO(PASSWORD + "\n")),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = cli.main(arguments)
        return Done(status, out.getvalue(), err.getvalue())

    def start(self, *command: str, until: str = '"kind": "ready"') -> servers.Server:
        log = self.folder / "server.log"
        self.server = servers.Server(
            "vigil-cloud",
            [sys.executable, "-m", "vigil_cloud.cli", *command],
            lambda: log.exists() and until in log.read_text(),
            log,
            env=self.variables,
        )
        self.server.start()
        return self.server

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http}{path}", timeout=60
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    made = Operator(tmp_path)
    yield made
    if made.server is not None:
        made.server.stop()


@pytest.fixture
def settled(operator: Operator) -> Operator:
    """With the tables there: whoever finds none migrates, which takes longer than most commands."""
    tables_in(operator.folder / "data")
    return operator


def test_serve_stores_what_an_added_gateway_sends_and_answers_commands(operator: Operator) -> None:
    name = new_name()
    added = operator.run("gateway", "add", name)
    assert added.returncode == 0, added.stderr
    assert len(json.loads(added.stdout)["token"]) >= 32
    account = operator.run("account", "add", "mai", "--role", "maintainer", "--password-stdin")
    assert account.returncode == 0, account.stderr
    server = operator.start("serve")
    ready = json.loads((operator.folder / "server.log").read_text().splitlines()[-1])
    assert ready["url"] == f"http://127.0.0.1:{operator.http}"
    servers.eventually(lambda: operator.get("/readyz")[0] == 200, "everything is ready")

    gateway, stranger = Gateway(operator.mqtt, name), Gateway(operator.mqtt)
    reading = observation(stranger.name, 1, device="sonde-2", time=now())
    stranger.publish("observation", reading)
    gateway.publish("observation", observation(name, 1, device="sonde-1", time=now()))
    gateway.wait_stored("observation", 1)
    servers.eventually(
        lambda: (
            [
                [one.reason for one in message.data.reasons]
                for _, message in stranger.down
                if isinstance(message.data, Receipt)
            ]
            == [["unknown-gateway"]]
        ),
        "the stranger is told why",
    )
    assert stranger.receipt("observation") is None, "it must keep what is not stored"
    assert operator.run("gateway", "add", stranger.name).returncode == 0
    stranger.deliver("observation", [(1, reading)])

    born = birth(now(), accepts=[Command.TYPE, Configuration.TYPE])
    gateway.publish("status", event(name, None, born, subject=name, time=now(), lane="status"))
    _post_as_maintainer(operator, f"/api/v1/gateways/{name}/commands", {"action": "report_health"})
    _post_as_maintainer(
        operator, f"/api/v1/gateways/{name}/configurations", {"health_interval_s": 30}
    )
    wanted: set[type] = {Command, Configuration}
    servers.eventually(
        lambda: {type(message.data) for _, message in gateway.down} >= wanted,
        "command and configuration reach the gateway",
    )
    gateway.close()
    stranger.close()
    server.stop()
    assert not servers.listening(operator.mqtt)
    assert "Traceback" not in (operator.folder / "server.log").read_text()


def _post_as_maintainer(operator: Operator, path: str, body: dict[str, Any]) -> None:
    import httpx

    base = f"http://127.0.0.1:{operator.http}"
    with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
        answer = client.post("/api/v1/session", json={"username": "mai", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        token = {"X-CSRF-Token": answer.json()["csrf"]}
        assert client.post(path, json=body, headers=token).status_code == 202


def test_readiness_tells_which_part_is_down(settled: Operator) -> None:
    settled.variables["VIGIL_BROKER_URL"] = f"mqtt://127.0.0.1:{servers.free_port()}"
    settled.start("serve")

    status, body = settled.get("/readyz")

    assert (status, body["down"]) == (503, ["ingest"])
    assert settled.get("/healthz")[0] == 200


def test_a_killed_server_leaves_no_broker_behind(settled: Operator) -> None:
    settled.start("serve").kill()

    servers.eventually(lambda: not servers.listening(settled.mqtt), "the broker has ended")


def test_known_secrets_are_refused_outside_the_demo(operator: Operator) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "vigil_cloud", "serve"],
        env=operator.environment(VIGIL_SECRET_KEY="changeme"),
        capture_output=True,
        text=True,
        timeout=servers.DEADLINE_S,
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith("vigil-cloud: configuration: secret_key: set VIGIL_SECRET_KEY")
    assert refused.stderr.count("\n") == 1


def test_a_taken_port_is_one_line(settled: Operator, mosquitto: servers.Mosquitto) -> None:
    for command, changes, code in (
        ("serve", {"VIGIL_BROKER_LISTEN": f"127.0.0.1:{mosquitto.port}"}, "broker-failed"),
        ("api", {"VIGIL_HTTP_PORT": str(mosquitto.port)}, "port-taken"),
    ):
        refused = settled.run(command, **changes)
        assert refused.returncode == 2
        assert f"vigil-cloud: {code}: " in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_database_that_is_away_is_one_line(operator: Operator) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{servers.free_port()}/nothing"

    refused = operator.run("migrate", VIGIL_DATABASE_URL=url)

    assert refused.returncode == 2
    assert refused.stderr.startswith("vigil-cloud: database-unavailable: ")


def test_a_service_that_starts_before_its_database_waits_for_it(
    operator: Operator, tmp_path: Path
) -> None:
    database = servers.postgres(tmp_path / "postgres")
    operator.variables["VIGIL_DATABASE_URL"] = database.create("vigil")
    assert operator.run("migrate").returncode == 0
    database.stop()
    try:
        operator.start("serve", until="database-away")
        log = operator.folder / "server.log"
        assert '"kind": "ready"' not in log.read_text()

        database.start()
        servers.eventually(lambda: '"kind": "ready"' in log.read_text(), "it is ready")
    finally:
        database.stop()


def test_a_migration_that_is_to_wait_waits_for_its_database(operator: Operator) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{servers.free_port()}/nothing"

    refused = operator.run(
        "migrate", "--wait", VIGIL_DATABASE_URL=url, VIGIL_DATABASE_PATIENCE_S="0.5"
    )

    assert refused.returncode == 2
    assert "database-away" in refused.stderr


@pytest.mark.parametrize("command", ["serve", "api", "ingest"])
def test_a_service_waits_no_longer_than_its_patience(operator: Operator, command: str) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{servers.free_port()}/nothing"

    refused = operator.run(command, VIGIL_DATABASE_URL=url, VIGIL_DATABASE_PATIENCE_S="0.5")

    assert refused.returncode == 2
    assert "database-away" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("vigil-cloud: database-unavailable: ")


def test_a_servers_database_is_migrated_by_hand(
    operator: Operator, postgres: servers.Postgres
) -> None:
    url = postgres.create(new_name("cli"))

    early = operator.run("gateway", "add", "gw-a", VIGIL_DATABASE_URL=url)
    assert early.returncode == 2
    assert "database-outdated" in early.stderr
    assert "vigil-cloud migrate" in early.stderr

    migrated = operator.run("migrate", VIGIL_DATABASE_URL=url).stdout
    assert f"empty -> {migrate.head()}" in migrated
    assert operator.run("gateway", "add", "gw-a", VIGIL_DATABASE_URL=url).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("gateway", "add", "GW A"), "2 to 63 of a-z"),
        (("account", "add", "li", "--role", "king", "--password-stdin"), "known are"),
        (
            ("account", "add", "li", "--role", "inspector"),
            "give the password with --password-stdin",
        ),
        (("migrate", "--config", "/nowhere/cloud.toml"), "no such file"),
        (("seed", "/nowhere/seed.toml"), "bad-seed"),
    ],
)
def test_mistakes_are_named(operator: Operator, arguments: tuple[str, ...], text: str) -> None:
    refused = operator.run(*arguments)

    assert refused.returncode == 2
    assert text in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["alerts", "simulate"],
        ["alerts", "simulate", "p.toml", "--answers", "a.csv", "--at", "noon"],
        ["aed", "dispatch", "--at", "1,2"],
        ["nonsense"],
        ["alerts", "simulate", "p.toml", "--answers", "a.csv", "--severity", "wo\nrse"],
    ],
)
def test_a_wrong_command_line_is_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vigil-cloud")
    assert line.endswith("--help)")


def test_the_api_is_described_without_any_setting(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"

    exported = operator.run("export-openapi", str(file), VIGIL_SECRET_KEY="")

    assert exported.returncode == 0, exported.stderr
    document = json.loads(file.read_text())
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/devices/{device}/series/{parameter}" in document["paths"]


def test_a_device_is_released_by_hand(settled: Operator) -> None:
    assert settled.run("migrate").returncode == 0
    services = build_services(load(demo=True, data_dir=settled.folder / "data"))
    described = DeviceDescription(device="sonde-1", domain="water", driver="test")
    data = birth(now(), [described])
    envelope = decode_envelope(
        event("gw-a1", None, data, subject="gw-a1", time=now(), lane="status")
    )
    with writing(services.sessions) as session:
        DevicesHandler().handle(session, Received("gw-a1", envelope, data, now()))

    released = settled.run("device", "release", "sonde-1")
    unknown = settled.run("device", "release", "sonde-9")

    assert released.returncode == 0, released.stderr
    assert json.loads(released.stdout) == {"device": "sonde-1", "released_from": "gw-a1"}
    assert unknown.returncode == 2
    assert "unknown-device" in unknown.stderr
    with services.sessions() as session:
        assert not session.get_one(Device, "sonde-1").claimed
    services.close()


def test_a_forgotten_password_and_a_closed_account_are_the_operators_work(
    settled: Operator,
) -> None:
    assert settled.run("migrate").returncode == 0
    added = settled.run("account", "add", "mei", "--role", "inspector", "--password-stdin")
    assert added.returncode == 0, added.stderr

    for command in (("password", "mei", "--password-stdin"), ("close", "mei"), ("open", "mei")):
        done = settled.run("account", *command)
        assert done.returncode == 0, done.stderr
    unknown = settled.run("account", "close", "nobody")
    assert (unknown.returncode, "account-unknown" in unknown.stderr) == (2, True)

    checked = settled.run("audit", "verify")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["lines"] == 4
    services = build_services(load(demo=True, data_dir=settled.folder / "data"))
    with services.sessions() as session:
        told = [(line.account, line.action) for line in lines_of(session)]
        assert told[1:] == [
            ("vigil-cloud", "password.changed"),
            ("vigil-cloud", "account.closed"),
            ("vigil-cloud", "account.opened"),
        ]
        session.execute(text("UPDATE audit_log SET account = 'nobody' WHERE number = 2"))
        session.commit()
    services.close()

    broken = settled.run("audit", "verify")
    assert broken.returncode == 2
    assert broken.stderr == "vigil-cloud: audit-broken: audit line 2 was changed\n"


def lines_of(session: Session) -> list[AuditEntry]:
    return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def test_certificates_of_no_gateway_are_not_none(operator: Operator) -> None:
    operator.run("migrate")
    done = operator.run("gateway", "certificates", "gw-nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown-gateway" in done.stderr
    operator.run("gateway", "add", "gw-token")
    done = operator.run("gateway", "certificates", "gw-token")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_folder_that_cannot_be_is_one_line(operator: Operator) -> None:
    (operator.folder / "file").write_text("")
    folder = str(operator.folder / "file" / "data")

    for command in ("migrate", "api"):
        failed = operator.run(command, VIGIL_DATA_DIR=folder)
        assert failed.returncode == 2
        assert failed.stderr.startswith("vigil-cloud: file-unavailable: ")
        assert len(failed.stderr.splitlines()) == 1
