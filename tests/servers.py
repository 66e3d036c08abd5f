"""Real servers for tests: started on free ports and temporary folders, stopped by process id.

Programs are looked for on PATH, then in ``$VIGIL_SERVERS``. A test that needs
one that is absent skips and says what installs it; with ``VIGIL_REQUIRE=all``
(or that name in a comma-separated list) it fails instead.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SERVERS = Path(os.environ.get("VIGIL_SERVERS", "/opt/vigil-servers/bin"))
DEADLINE_S = 60.0


def find(program: str) -> Path | None:
    """A program on PATH, in the system's sbin or in ``$VIGIL_SERVERS``."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found:
        return Path(found)
    candidate = SERVERS / program
    if candidate.is_file():
        return candidate
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / program).is_file():
            return folder / program
    return None


def required(name: str) -> bool:
    """Whether ``VIGIL_REQUIRE`` says that this may not be missing."""
    wanted = os.environ.get("VIGIL_REQUIRE", "")
    return wanted == "all" or name in wanted.split(",")


def missing(name: str, install: str) -> None:
    """Skip the test, or fail it where ``VIGIL_REQUIRE`` names what is missing."""
    message = f"{name} is not installed: {install}"
    if required(name):
        pytest.fail(message)
    pytest.skip(message)


def need(program: str, install: str) -> Path:
    """The program's path; skips (or fails, see ``required``) with the command that installs it."""
    path = find(program)
    if path is None:
        missing(program, install)
        raise AssertionError("unreachable")
    return path


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def eventually(
    condition: Callable[[], Any], what: str = "condition", deadline_s: float = DEADLINE_S
) -> Any:
    """Poll until the condition is truthy and return its value; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {deadline_s:.0f} s")
        time.sleep(0.02)


@dataclass
class Server:
    """One child process that can be killed, stopped and started again with the same command."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    log: Path
    env: Mapping[str, str] | None = None
    user: str | None = None
    cwd: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    _logs: list[Any] = field(default_factory=list)

    def start(self, deadline_s: float = DEADLINE_S) -> None:
        """Raises ``RuntimeError`` with the end of its log where it does not become ready."""
        output = self.log.open("ab")
        self._logs.append(output)
        self.process = subprocess.Popen(
            list(self.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if self.env is None else {**os.environ, **self.env},
            user=self.user,
            cwd=self.cwd,
        )
        end = time.monotonic() + deadline_s
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self.process.pid

    def kill(self) -> None:
        """As a power failure would: SIGKILL."""
        self._end(signal.SIGKILL, 10)

    def stop(self, deadline_s: float = 15.0) -> None:
        """As an operator would: SIGTERM, then SIGKILL where that is ignored."""
        self._end(signal.SIGTERM, deadline_s)

    def _end(self, number: signal.Signals, deadline_s: float) -> None:
        process, self.process = self.process, None
        if process is not None:
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for output in self._logs:
            output.close()
        self._logs.clear()


@dataclass
class Mosquitto(Server):
    port: int = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


def mosquitto(folder: Path, *, port: int | None = None, extra: str = "") -> Mosquitto:
    """A started Mosquitto that drops nothing while it lives and forgets everything when it dies:
    what survives then is our own doing. ``extra`` is added to its file."""
    program = need("mosquitto", "apt-get install mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        f"max_queued_messages 0\nmax_inflight_messages 1000\nset_tcp_nodelay true\n"
        f"{'user root' if os.geteuid() == 0 else ''}\n{extra}\n"
    )
    server = Mosquitto(
        "mosquitto",
        [str(program), "-c", str(config)],
        lambda: listening(port),
        folder / "mosquitto.log",
        port=port,
    )
    server.start()
    return server


@dataclass
class Influx(Server):
    port: int = 0
    org: str = "vigil"
    bucket: str = "vigil"
    token: str = "test-token-of-the-test-suite"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def influxd(folder: Path, *, port: int | None = None) -> Influx:
    """A started and set-up InfluxDB 2."""
    program = need(
        "influxd", "install InfluxDB 2 (https://docs.influxdata.com) or set VIGIL_SERVERS"
    )
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = Influx(
        "influxd",
        [
            str(program),
            f"--http-bind-address=127.0.0.1:{port}",
            f"--bolt-path={folder}/influx.bolt",
            f"--engine-path={folder}/engine",
            f"--sqlite-path={folder}/influx.sqlite",
            "--reporting-disabled",
            "--log-level=error",
        ],
        lambda: _http_ok(f"http://127.0.0.1:{port}/health"),
        folder / "influxd.log",
        port=port,
    )
    server.start()
    body = {
        "username": "vigil",
        "password": "test-password-of-the-suite",
        "org": server.org,
        "bucket": server.bucket,
        "token": server.token,
    }
    request = urllib.request.Request(
        f"{server.url}/api/v2/setup",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        response.read()
    return server


def _http_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False


@dataclass
class S3(Server):
    port: int = 0
    bucket: str = "vigil"
    access_key: str = "test-access"
    secret_key: str = "test-secret-key"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def versitygw(folder: Path, *, port: int | None = None) -> S3:
    """A started S3 gateway over a folder, with one bucket."""
    program = need("versitygw", "install versitygw (https://github.com/versity/versitygw)")
    root = folder / "s3"
    (root / "vigil").mkdir(parents=True, exist_ok=True)
    (folder / "iam").mkdir(exist_ok=True)
    port = port or free_port()
    server = S3(
        "versitygw",
        [
            *(str(program), "--access", "test-access", "--secret", "test-secret-key"),
            *("--port", f"127.0.0.1:{port}", "--iam-dir", str(folder / "iam")),
            *("posix", str(root)),
        ],
        lambda: listening(port),
        folder / "versitygw.log",
        port=port,
    )
    server.start()
    return server


@dataclass
class Postgres(Server):
    port: int = 0
    data: Path = Path()
    """The cluster's folder."""

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://vigil@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database and return its address."""
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user=vigil dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def stop(self, deadline_s: float = 30.0) -> None:
        # SIGTERM waits for every client to leave; SIGINT disconnects them.
        self._end(signal.SIGINT, deadline_s)


def postgres(folder: Path, *, port: int | None = None) -> Postgres:
    """A started PostgreSQL cluster with the superuser ``vigil`` and durable commits."""
    initdb = need("initdb", "apt-get install postgresql")
    program = need("postgres", "apt-get install postgresql")
    folder.mkdir(parents=True, exist_ok=True)
    user, home = None, folder
    if os.geteuid() == 0:
        # PostgreSQL refuses root, and pytest closes its folders to everybody else.
        user = "postgres"
        home = Path(tempfile.mkdtemp(prefix="vigil-postgres-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        shutil.chown(home, user)
    port = port or free_port()
    data = home / "data"
    subprocess.run(
        [str(initdb), "-D", str(data), "-U", "vigil", "--auth=trust", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    server = Postgres(
        "postgres",
        [
            *(str(program), "-D", str(data), "-p", str(port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}"),
            *("-c", "max_connections=200"),
        ],
        lambda: _postgres_answers(port),
        folder / "postgres.log",
        user=user,
        cwd=Path("/"),
        port=port,
        data=data,
    )
    server.start()
    return server


def _postgres_answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(
            f"host=127.0.0.1 port={port} user=vigil dbname=postgres connect_timeout=2"
        ).close()
    except psycopg.Error:
        return False
    return True


@dataclass
class Toxiproxy(Server):
    port: int = 0

    def _call(self, method: str, path: str, body: Any = None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            response.read()

    def proxy(self, name: str, upstream_port: int) -> int:
        """A port that forwards to ``upstream_port``."""
        port = free_port()
        self._call(
            "POST",
            "/proxies",
            {
                "name": name,
                "listen": f"127.0.0.1:{port}",
                "upstream": f"127.0.0.1:{upstream_port}",
                "enabled": True,
            },
        )
        return port

    def enable(self, name: str, enabled: bool) -> None:
        """Cut or restore a proxy; cutting drops its connections."""
        self._call("POST", f"/proxies/{name}", {"enabled": enabled})

    def toxic(self, name: str, kind: str, attributes: Mapping[str, Any], stream: str) -> None:
        """Add ``latency``, ``bandwidth``, ``timeout``, ``reset_peer``, ``slicer`` …"""
        body = {
            "name": f"{kind}_{stream}",
            "type": kind,
            "stream": stream,
            "attributes": attributes,
        }
        self._call("POST", f"/proxies/{name}/toxics", body)

    def heal(self, name: str, kind: str, stream: str) -> None:
        """Remove a toxic."""
        self._call("DELETE", f"/proxies/{name}/toxics/{kind}_{stream}")


def toxiproxy(folder: Path) -> Toxiproxy:
    """A started Toxiproxy without proxies."""
    program = need("toxiproxy-server", "install Toxiproxy (https://github.com/Shopify/toxiproxy)")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    server = Toxiproxy(
        "toxiproxy",
        [str(program), "-host", "127.0.0.1", "-port", str(port)],
        lambda: listening(port),
        folder / "toxiproxy.log",
        port=port,
    )
    server.start()
    return server


@dataclass
class PulseAudio(Server):
    socket_path: Path = Path()

    @property
    def address(self) -> str:
        """For ``PULSE_SERVER``."""
        return f"unix:{self.socket_path}"


def pulseaudio(folder: Path, *, channels: int = 1, rate: int = 48000) -> PulseAudio:
    """A sound card: a null sink ``vigil`` whose monitor records exactly what is played into it."""
    program = need("pulseaudio", "apt-get install pulseaudio")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "native"
    channel_map = ",".join(["mono"] if channels == 1 else [f"aux{n}" for n in range(channels)])
    script = folder / "default.pa"
    script.write_text(
        f"load-module module-native-protocol-unix auth-anonymous=1 socket={path}\n"
        f"load-module module-null-sink sink_name=vigil channels={channels} rate={rate}"
        f" format=s32le channel_map={channel_map}\n"
        "set-default-sink vigil\nset-default-source vigil.monitor\n"
    )
    server = PulseAudio(
        "pulseaudio",
        [
            *(str(program), "-n", "-F", str(script), "--daemonize=no", "--use-pid-file=no"),
            *("--exit-idle-time=-1", "--disable-shm=yes", "--log-target=stderr"),
            *("--realtime=no", "--high-priority=no"),
        ],
        path.exists,
        folder / "pulseaudio.log",
        env={
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_STATE_PATH": str(folder),
        },
        socket_path=path,
    )
    server.start()
    return server


@dataclass
class DBus(Server):
    socket_path: Path = Path()

    @property
    def address(self) -> str:
        """For ``DBUS_SYSTEM_BUS_ADDRESS``."""
        return f"unix:path={self.socket_path}"


def dbus(folder: Path) -> DBus:
    """A private bus on which anybody may own any name."""
    program = need("dbus-daemon", "apt-get install dbus")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(
        '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"\n'
        ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
        f"<busconfig><type>system</type><listen>unix:path={path}</listen>"
        '<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>'
        '<allow send_type="method_call"/><allow send_type="signal"/>'
        '<allow send_destination="*"/><allow receive_sender="*"/><allow eavesdrop="true"/>'
        "</policy></busconfig>\n"
    )
    server = DBus(
        "dbus-daemon",
        [str(program), f"--config-file={config}", "--nofork", "--nopidfile"],
        path.exists,
        folder / "dbus.log",
        socket_path=path,
    )
    server.start()
    return server


@dataclass
class Iotcore(Server):
    port: int = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


def iotcore(folder: Path, *, port: int | None = None) -> Iotcore:
    """The cloud's embedded broker as a process of its own (pip installs it: always there)."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = Iotcore(
        "iotcore",
        [sys.executable, "-m", "vigil_cloud.broker", f"127.0.0.1:{port}"],
        lambda: listening(port),
        folder / "iotcore.log",
        port=port,
    )
    server.start()
    return server
