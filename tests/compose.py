"""docker-compose.yml played without a container engine.

Each service's own command, environment and configuration files are used; only what a container
would have given is put in its place: host names and ports become 127.0.0.1 and free ports,
volumes and bind mounts become folders and files of this machine.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

import servers

ROOT: Final = Path(__file__).resolve().parents[1]
FILE: Final = ROOT / "docker-compose.yml"
ENVIRONMENT_FILE: Final = ROOT / "docs/deployment/compose.env"
BIN: Final = Path(sys.executable).parent
OURS: Final = ("vigil-cloud", "vigil-edge", "vigil-sim")
WATCHERS: Final = ("prometheus", "grafana")
"""Nothing depends on them; what they are given has tests of its own (``test_watching.py``)."""
PORTS: Final = {
    "mosquitto": 1883,
    "gateways": 1884,
    "certificates": 8883,
    "influxdb": 8086,
    "postgres": 5432,
    "api": 8400,
    "ingest": 8401,
}
LISTENERS: Final = {"gateways": "mosquitto", "certificates": "mosquitto"}
"""Further ports of a service: whose."""
_REFERENCE: Final = re.compile(r"\$(?:(?P<literal>\$)|\{(?P<name>\w+)(?P<rest>[^}]*)\})")


def references(text: str) -> set[str]:
    """Names of the variables that a compose file asks for, in its texts or as secrets."""
    inside = {found["name"] for found in _REFERENCE.finditer(text) if found["name"]}
    return inside | {each["environment"] for each in yaml.safe_load(text)["secrets"].values()}


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """As the Compose specification has it, for ``$$`` and ``${NAME:?message}``."""
    if isinstance(value, dict):
        return {key: interpolated(entry, variables) for key, entry in value.items()}
    if isinstance(value, list):
        return [interpolated(entry, variables) for entry in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        if found["literal"]:
            return "$"
        assert found["rest"].startswith(":?"), f"{found[0]}: a missing value must be an error"
        return variables[found["name"]]

    return _REFERENCE.sub(fill, value)


def variables() -> dict[str, str]:
    """compose.env as an operator fills it in: ``openssl rand -hex 32`` for each."""
    lines = ENVIRONMENT_FILE.read_text("utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    return {name: secrets.token_hex(32) for name in names} | {
        # The tests' own start of InfluxDB sets this one up.
        "INFLUX_TOKEN": servers.Influx.token,
        "GATEWAY_BROKER_HOST": "127.0.0.1",
    }


class Composition:
    """The services of docker-compose.yml as processes in one folder."""

    def __init__(self, folder: Path, values: Mapping[str, str]) -> None:
        self.folder = folder
        self.values = values
        written = yaml.safe_load(FILE.read_text("utf-8"))
        self.volumes = sorted(written["volumes"])
        self.services: dict[str, dict[str, Any]] = interpolated(written["services"], values)
        self.secrets: dict[str, dict[str, str]] = written["secrets"]
        self.ports = {name: servers.free_port() for name in PORTS}
        self.running: dict[str, servers.Server] = {}
        for name in self.volumes:
            (folder / name).mkdir(parents=True, exist_ok=True)

    # --- a container's world, here ---------------------------------------------------------

    def mounts(self, service: str) -> dict[str, Path]:
        """What the service sees under which path; its own file system is a folder too."""
        own = self.folder / "containers" / service
        own.mkdir(parents=True, exist_ok=True)
        found = {"/var/lib/vigil": own}
        if self.services[service].get("secrets"):
            found["/run/secrets"] = self._secrets(service)
        for entry in self.services[service].get("volumes", ()):
            source, target, *_ = entry.split(":")
            if source.startswith("."):
                found[target] = ROOT / source
                assert found[target].is_file(), f"{service} mounts {source}, which is not there"
            else:
                assert source in self.volumes, f"{service} mounts {source}, which is no volume"
                found[target] = self.folder / source
        return found

    def _secrets(self, service: str) -> Path:
        """The folder of a service's secrets, each a file, as Compose makes them of variables."""
        folder = self.folder / "secrets" / service
        folder.mkdir(parents=True, exist_ok=True)
        for entry in self.services[service]["secrets"]:
            asked = {"source": entry, "target": entry} if isinstance(entry, str) else entry
            variable = self.secrets[asked["source"]]["environment"]
            (folder / asked["target"]).write_text(self.values[variable], "utf-8")
        return folder

    def here(self, service: str, text: str) -> str:
        """A command's word, a value or a file's text with this machine's addresses and paths."""
        mounts = self.mounts(service)
        if any(
            target.startswith("/source/") for target in mounts
        ):  # the script copies a folder's files by their folder's name
            text = text.replace("/source/", "\0/")
        for target in sorted(mounts, key=len, reverse=True):
            text = text.replace(target, str(mounts[target]))
        for name, port in PORTS.items():
            host = LISTENERS.get(name, name)
            text = text.replace(f"{host}:{port}", f"127.0.0.1:{self.ports[name]}")
        return text.replace("\0", str(self.folder / "source"))

    def environment(self, service: str) -> dict[str, str]:
        """The service's variables."""
        found = {
            key: self.here(service, value)
            for key, value in self.services[service].get("environment", {}).items()
        }
        if "VIGIL_HTTP_PORT" in found:
            assert found["VIGIL_HTTP_HOST"] == "0.0.0.0"
            assert found["VIGIL_HTTP_PORT"] == str(PORTS["api"])
            found |= {"VIGIL_HTTP_HOST": "127.0.0.1", "VIGIL_HTTP_PORT": str(self.ports["api"])}
        if "VIGIL_OPERATIONS_LISTEN" in found:
            assert found["VIGIL_OPERATIONS_LISTEN"] == f"0.0.0.0:{PORTS['ingest']}"
            found["VIGIL_OPERATIONS_LISTEN"] = f"127.0.0.1:{self.ports['ingest']}"
        return found

    def command(self, service: str) -> list[str]:
        """The service's command with the programs of this virtual environment."""
        first, *rest = self.services[service]["command"]
        words = [self.here(service, word) for word in rest]
        if first in OURS:
            return [sys.executable, "-m", first.replace("-", "_"), *words]
        program = BIN / first if (BIN / first).exists() else Path(shutil.which(first) or first)
        return [str(program), *words]

    def order(self) -> Iterator[str]:
        """Services, each after what it depends on."""
        graph = {
            name: set(service.get("depends_on", {})) for name, service in self.services.items()
        }
        return iter(TopologicalSorter(graph).static_order())

    # --- starting and stopping ---------------------------------------------------------------

    def up(self, *only: str) -> None:
        """Start every service, or those named, in the order of their dependencies."""
        for service in self.order():
            if (only and service not in only) or service in WATCHERS:
                continue
            starter = getattr(self, f"_start_{service.replace('-', '_')}", None)
            if starter is not None:
                starter()
            elif self.services[service].get("restart") == "no":
                self.run(service)
            else:
                self.start(service, lambda: True)

    def down(self) -> None:
        """Stop every service, newest first."""
        for name in reversed(list(self.running)):
            self.running.pop(name).stop()

    def run(self, service: str, **more: str) -> None:
        """A service that does its work and ends; anything but success raises."""
        done = self.once(service, **more)
        assert done.returncode == 0, f"{service}: {done.stdout}{done.stderr}"

    def once(self, service: str, **more: str) -> subprocess.CompletedProcess[str]:
        return servers.run(
            self.command(service),
            env={"PATH": os.environ["PATH"], **self.environment(service), **more},
            text=True,
            timeout=120,
            cwd=self.folder,
        )

    def start(self, service: str, ready: Any) -> servers.Server:
        """A service that stays."""
        server = servers.Server(
            service,
            self.command(service),
            ready,
            self.folder / f"{service}.log",
            env=self.environment(service),
            cwd=self.folder,
        )
        self.running[service] = server
        server.start()
        return server

    def healthy(self, service: str, **environment: str) -> bool:
        """What the service's own health check says."""
        kind, program, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        found = servers.need(program, f"install what {service} is checked with")
        done = subprocess.run(
            [str(found), *words],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0

    def secret(self, service: str, path: str) -> str:
        """What the service reads in a file of ``/run/secrets``."""
        return Path(self.here(service, path)).read_text("utf-8")

    def said(self, service: str) -> str:
        """Everything that a service wrote."""
        return (self.folder / f"{service}.log").read_text("utf-8", "replace")

    def _start_broker_passwords(self) -> None:
        servers.need("mosquitto_passwd", "apt-get install mosquitto")
        source = self.folder / "source"
        source.mkdir(exist_ok=True)
        for target, path in self.mounts("broker-passwords").items():
            if target.startswith("/source/"):
                shutil.copy(path, source / Path(target).name)
        shell, option, script = self.command("broker-passwords")
        if os.geteuid() != 0:
            script = script.replace("chown -R mosquitto:mosquitto", f"chown -R {os.geteuid()}")
            script = script.replace("chown -R 10001:1883", f"chown -R {os.geteuid()}")
        # Numbers of the images; here the follower is ourselves and the group has another number.
        script = script.replace("10001:1883", f"{os.geteuid()}:mosquitto")
        environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
        done = subprocess.run(
            [shell, option, script],
            env=environment | self.environment("broker-passwords"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _start_broker_files(self) -> None:
        self.start("broker-files", lambda: '"kind": "ready"' in self.said("broker-files"))
        words = [self.here("broker-files", word) for word in self._check("broker-files")]
        subprocess.run(words, check=True, timeout=60)

    def _check(self, service: str) -> list[str]:
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return list(words)

    def _start_mosquitto(self) -> None:
        """Started by root, as in its image, it becomes the user ``mosquitto``."""
        program = servers.need("mosquitto", "apt-get install mosquitto")
        port = self.ports["mosquitto"]
        folder = self.mounts("mosquitto")["/mosquitto/config"]
        config = folder / "mosquitto.conf"
        if not (folder / "certificates/revoked.pem").exists():
            # Started without `broker-files`, by tests of the other listeners.
            (folder / "conf.d/certificates.conf").unlink()
        for file in (config, *(folder / "conf.d").iterdir()):
            text = self.here("mosquitto", file.read_text("utf-8"))
            for name in ("mosquitto", *LISTENERS):
                listener = f"listener {PORTS[name]}\n"
                text = text.replace(listener, f"listener {self.ports[name]} 127.0.0.1\n")
            file.write_text(text, "utf-8")
        assert f"listener {port} " in config.read_text("utf-8")
        if os.geteuid() == 0:
            for parent in (config.parent, *config.parents[1:]):  # pytest's folders are closed
                if parent in {Path("/tmp"), Path("/")}:
                    break
                parent.chmod(parent.stat().st_mode | 0o011)
        server = servers.Server(
            "mosquitto",
            self.command("mosquitto"),
            lambda: servers.listening(port),
            self.folder / "mosquitto.log",
            env={"PATH": f"{program.parent}:{os.environ['PATH']}"},
        )
        self.running["mosquitto"] = server
        server.start()

    def _start_influxdb(self) -> None:
        wanted = self.services["influxdb"]["environment"]
        server = servers.influxd(self.folder / "influx-data", port=self.ports["influxdb"])
        self.running["influxdb"] = server
        # What the image's first start does is what `servers.influxd` did through the same API.
        assert wanted["DOCKER_INFLUXDB_INIT_MODE"] == "setup"
        assert wanted["DOCKER_INFLUXDB_INIT_ORG"] == server.org
        assert wanted["DOCKER_INFLUXDB_INIT_BUCKET"] == server.bucket
        assert self.secret("influxdb", wanted["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"]) == (
            server.token
        )

    def _start_postgres(self) -> None:
        """As the image does: a superuser with a password, and a database of the same name."""
        wanted = self.services["postgres"]["environment"]
        folder = self.folder / "postgres-data"
        server = servers.postgres(folder, port=self.ports["postgres"])
        self.running["postgres"] = server
        assert wanted["POSTGRES_USER"] == "vigil"
        server.create(wanted["POSTGRES_DB"])
        address = f"host=127.0.0.1 port={server.port} user=vigil dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            password = self.secret("postgres", wanted["POSTGRES_PASSWORD_FILE"])
            connection.execute(f"ALTER ROLE vigil PASSWORD '{password}'")
            rules = server.data / "pg_hba.conf"
            rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
        assert self.healthy("postgres", PGPORT=str(server.port))

    def _start_ingest(self) -> None:
        self._start_ours("ingest")

    def _start_api(self) -> None:
        self._start_ours("api")

    def _start_ours(self, service: str) -> None:
        """It says that it is ready, and then its health check says so too."""
        self.start(service, lambda: '"kind": "ready"' in self.said(service))
        kind, program, *rest = self.services[service]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        port = str(self.ports[service])
        words = [word.replace(str(PORTS[service]), port) for word in rest]
        subprocess.run([sys.executable, *words], check=True, timeout=60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    def ready(self) -> dict[str, Any]:
        """What ``/readyz`` says; raises while anything is down."""
        with urllib.request.urlopen(f"{self.url}/readyz", timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
