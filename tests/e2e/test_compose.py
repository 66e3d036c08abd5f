"""docker-compose.yml does what it says: its own commands and settings, played as processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import httpx
import pytest
import yaml

import servers
from compose import BIN, ENVIRONMENT_FILE, FILE, ROOT, Composition, references, variables
from vigil_cloud.config import ConfigurationError, load
from vigil_sim import scenario
from vigil_sim.checkin.domain import people

SMALL = str(Path(__file__).with_name("small-night.toml"))
GATEWAYS = ("gw-canal", "gw-home", "gw-market", "gw-shrine", "gw-zhongshan")


# --- the files -------------------------------------------------------------------------------


def test_the_file_keeps_the_compose_specification() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return found


def test_nothing_in_clear_is_published_beyond_this_machine() -> None:
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}
    assert published == {
        "mosquitto": ["8883:8883"],  # TLS, certificates
        "api": ["127.0.0.1:8400:8400"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_whoever_keeps_data_may_write_it_before_it_is_killed() -> None:
    waits = {name: one.get("stop_grace_period") for name, one in services().items()}
    assert {waits[name] for name in ("postgres", "influxdb")} == {"60s"}
    assert {waits[name] for name in ("api", "ingest")} == {"30s"}


def test_whatever_runs_says_how_it_is_and_has_limits() -> None:
    for name, one in services().items():
        if one.get("restart") != "unless-stopped" or name == "city":
            continue
        assert one["healthcheck"]["test"], name
        assert one["mem_limit"], name
        assert one["logging"]["options"]["max-size"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name


def test_every_variable_is_in_the_environment_file_and_has_no_default() -> None:
    assert references(FILE.read_text("utf-8")) == set(variables())
    values = re.findall(r"^\w+=(.*)$", ENVIRONMENT_FILE.read_text("utf-8"), re.MULTILINE)
    assert set(values) == {"changeme"}


def test_the_seed_is_that_of_the_scenario_and_holds_no_secret() -> None:
    seed = tomllib.loads((ROOT / "docs/deployment/seed.toml").read_text("utf-8"))
    night = scenario.load("city-night")
    assert {entry["id"] for entry in seed["gateway"]} == {entry.id for entry in night.gateway}
    assert {entry["key"]: entry["name"] for entry in seed["person"]} == {
        person.key: person.name for person in people(night)
    }
    assert {(entry["tag"], entry["person"]) for entry in seed["tag"]} == {
        (tag, person.key) for person in people(night) for tag in person.tags
    }
    assert {entry["password"] for entry in seed["account"]} == {"${VIGIL_CITY_PASSWORD}"}
    assert {entry["token"] for entry in seed["gateway"]} == {"${VIGIL_CITY_TOKEN}"}


def test_the_image_is_built_of_what_is_there_and_runs_without_rights() -> None:
    text = (ROOT / "docs/deployment/Dockerfile").read_text("utf-8").replace("\\\n", " ")
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    steps = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    for step in steps:
        if step[0] == "COPY" and not step[1].startswith("--from="):
            for source in step[1:-1]:
                assert (ROOT / source).exists(), source
                assert source not in ignored
    # By number: whoever runs the image can see that it is not root.
    assert [step[1] for step in steps if step[0] == "USER"] == ["10001"]
    assert "--uid 10001" in text
    assert steps.index(["USER", "10001"]) > max(
        n for n, step in enumerate(steps) if step[0] == "RUN"
    )
    assert "cloud/vigil_cloud/static" in ignored  # the image builds its own pages


@pytest.mark.parametrize(
    ("variable", "service", "words"),
    [
        ("VIGIL_SECRET_KEY", "api", "secret_key"),
        ("VIGIL_CITY_PASSWORD", "seed", "weak-password"),
        ("VIGIL_CITY_TOKEN", "seed", "token of gateway"),
    ],
)
def test_the_cloud_refuses_a_value_of_the_environment_file(
    variable: str, service: str, words: str, tmp_path: Path
) -> None:
    values = variables() | {variable: "changeme"}
    composition = Composition(tmp_path, values)
    # Seeding needs a database; this one is a file.
    more = {"VIGIL_DATABASE_URL": ""} if service == "seed" else {}
    done = composition.once(service, **more)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("vigil-cloud: ")
    assert words in last
    assert not [value for value in values.values() if value != "changeme" and value in done.stderr]


@pytest.mark.parametrize(
    ("variable", "service", "words"),
    [
        ("VIGIL_SECRET_KEY", "ingest", "secret_key"),
        ("POSTGRES_PASSWORD", "migrate", "database_password"),
        ("INFLUX_TOKEN", "api", "influx_token"),
        ("BROKER_PASSWORD", "ingest", "broker_password"),
        ("GATEWAY_BROKER_HOST", "api", "gateway_broker_url"),
    ],
)
def test_the_settings_of_each_service_refuse_it(
    variable: str, service: str, words: str, tmp_path: Path
) -> None:
    values = variables() | {variable: "changeme"}
    composition = Composition(tmp_path, values)
    assert composition.command(service)[2] == "vigil_cloud"
    environment = composition.environment(service)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        pytest.raises(ConfigurationError) as refused,
    ):
        load(None)
    said = str(refused.value)
    assert words in said
    assert not [value for value in values.values() if value != "changeme" and value in said]


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"BROKER_PASSWORD": "changeme"}, "BROKER_PASSWORD"),
        ({"VIGIL_CITY_BROKER_PASSWORD": "changeme"}, "VIGIL_CITY_BROKER_PASSWORD"),
        (dict.fromkeys(("BROKER_PASSWORD", "VIGIL_CITY_BROKER_PASSWORD"), "a" * 64), "BROKER_"),
    ],
)
def test_the_broker_gets_no_known_and_no_shared_password(
    values: dict[str, str], variable: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=f"{variable}.*make one of its own"):
        Composition(tmp_path, variables() | values).up("broker-passwords")
    assert not (tmp_path / "broker-config/passwords-cloud").exists()


def test_the_database_is_not_healthy_while_its_image_sets_it_up(
    composition: Composition,
) -> None:
    servers.need("postgres", "apt-get install postgresql")
    composition.up("postgres")
    server = composition.running["postgres"]
    assert isinstance(server, servers.Postgres)
    home = next(w.split("=", 1)[1] for w in server.command if w.startswith("unix_socket"))
    server.stop()
    # As the image's first start does: it answers, but only on its Unix socket.
    server.command = [
        "listen_addresses=" if word.startswith("listen_addresses") else word
        for word in server.command
    ]
    server.ready = (Path(home) / f".s.PGSQL.{server.port}").exists
    server.start()
    assert not composition.healthy("postgres", PGHOST=home, PGPORT=str(server.port))


# --- the whole -------------------------------------------------------------------------------


def alerts(http: httpx.Client) -> dict[str, dict[str, Any]]:
    """The first alert of each domain, a noise one only once its evidence is stored."""
    found: dict[str, dict[str, Any]] = {}
    for alert in http.get("/alerts", params={"limit": 100}).raise_for_status().json()["alerts"]:
        if alert["domain"] != "noise" or alert["evidence"] == "stored":
            found[alert["domain"]] = http.get(f"/alerts/{alert['id']}").raise_for_status().json()
    return found


class Night(NamedTuple):
    """What is played, and what comes of it."""

    scenario: str
    gateways: tuple[str, ...]
    domains: set[str]


def check_evidence(composition: Composition, http: httpx.Client, evidence: dict[str, Any]) -> None:
    assert {"audio", "video", "plate", "levels"} <= {entry["role"] for entry in evidence["files"]}
    for entry in evidence["files"]:
        assert http.get(f"/evidence/{evidence['sha256']}/{entry['name']}").content
    assert list((composition.folder / "cloud-data").rglob("*.zip")), "evidence is in the volume"


@pytest.mark.parametrize(
    "night",
    [
        pytest.param(Night(SMALL, ("gw-canal", "gw-home"), {"water", "smoke"}), id="small"),
        pytest.param(
            Night("city-night", GATEWAYS, {"noise", "water", "checkin", "smoke"}),
            id="whole",
            marks=pytest.mark.full,
        ),
    ],
)
def test_a_night_on_the_services_of_the_file(composition: Composition, night: Night) -> None:
    servers.need("mosquitto", "apt-get install mosquitto")
    servers.need("postgres", "apt-get install postgresql")
    servers.need("influxd", "install InfluxDB 2 (https://docs.influxdata.com) or set VIGIL_SERVERS")
    composition.services["city"]["command"].append(f"--scenario={night.scenario}")
    composition.up()
    assert composition.ready()["down"] == []
    city = composition.running["city"]
    with httpx.Client(base_url=f"{composition.url}/api/v1", timeout=60, trust_env=False) as http:
        who = {"username": "duty", "password": composition.values["VIGIL_CITY_PASSWORD"]}
        assert http.post("/session", json=who).status_code == 200

        def complete() -> dict[str, dict[str, Any]] | None:
            assert city.process is not None
            assert city.process.poll() is None, composition.said("city")
            found = alerts(http)
            return found if found.keys() >= night.domains else None

        arrived = servers.eventually(complete, "an alert of each domain", 400)
        if "checkin" in arrived:
            assert arrived["checkin"]["subject"]["person_name"]
        if "noise" in arrived:
            check_evidence(composition, http, arrived["noise"]["evidence"])
        device = arrived["water"]["device"]
        series = http.get(f"/devices/{device}/series").raise_for_status().json()["series"]
        assert any(entry["latest"] for entry in series)
    assert not list(composition.folder.rglob("vigil.sqlite3")), "PostgreSQL is the database"
    said = [json.loads(line) for line in composition.said("city").splitlines()]
    assert {"kind": "online", "gateways": list(night.gateways)} in said
    assert city.process is not None
    city.process.terminate()
    assert city.process.wait(60) == 0
    assert composition.ready()["down"] == []
