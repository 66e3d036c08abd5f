"""Mosquitto in a child process, configured by us: TLS for gateways, access control, revocation.

What the embedded broker cannot do (docs/decisions/0003-embedded-broker.md) and a city on one
machine needs: gateways elsewhere sign in with certificates of our own authority, each has its own
branch only, and one that was thrown out is refused at its next connection. The child is watched,
started again when it dies, and ends with us.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO, ClassVar, Final

import structlog

from vigil_cloud import broker_rules
from vigil_cloud.broker import BrokerFailed
from vigil_cloud.broker_files import BrokerFiles, Follower
from vigil_cloud.broker_takeover import Address, Takeovers
from vigil_cloud.certificates import issued
from vigil_cloud.config import host_and_port
from vigil_cloud.database.engine import writing
from vigil_cloud.services import Services

START_S: Final = 15.0
STOP_S: Final = 10.0
_WATCH_S: Final = 0.25
_START_PAUSE_LONGEST_S: Final = 5.0
_LINE: Final = 400
_log = structlog.get_logger(__name__)


class MosquittoBroker:
    """Start, watch, stop; tell it of what was revoked."""

    username: ClassVar[str] = broker_rules.CLOUD

    def __init__(self, services: Services, names: Sequence[str]) -> None:
        """``names``: what gateways reach it under."""
        settings = services.settings
        self.host, self.port = host_and_port(settings.broker_listen)
        self._gateways = host_and_port(settings.gateways_listen)
        self.folder = (settings.data_dir / "broker").absolute()
        self.password = secrets.token_urlsafe(32)
        """The cloud's, made anew at each start."""
        self._sessions = services.sessions
        self._files = BrokerFiles(services, self.folder / "certificates", names)
        self._stopping = threading.Event()
        address = Address.of_listener(settings.gateways_listen)
        sessions = Takeovers(services, address, self._stopping.wait)
        self._follower = Follower(self._files, self.reload, end_sessions=sessions.end_sessions)
        self._child: subprocess.Popen[str] | None = None
        self._watcher = threading.Thread(target=self._watch, name="broker-watch", daemon=True)
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where the cloud connects."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared
        return f"mqtt://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        running = self._child is not None and self._child.poll() is None
        return self._child.pid if running and self._child is not None else None

    def start(self) -> None:
        """Until it accepts connections. Raises ``BrokerFailed``."""
        if shutil.which("mosquitto", path=_path()) is None:
            raise BrokerFailed(
                "broker_url is `mosquitto`, and there is no program of that name;"
                " `apt-get install mosquitto`, or point VIGIL_BROKER_URL at a broker"
            )
        try:
            self._refuse_taken()  # before anything is noted of sessions that another one may hold
            self._configure()
            self._start_child()
        except OSError as error:
            raise BrokerFailed(f"mosquitto cannot be started: {error}") from error
        self._watcher.start()
        self._follower.start()

    def check(self) -> None:
        """For ``/readyz``. Raises ``BrokerFailed`` while the child is down or the list of revoked
        certificates cannot be kept up to date."""
        if self.pid is None:
            raise BrokerFailed("mosquitto is not running; it is being started again")
        if self._follower.failing:
            raise BrokerFailed(f"the list of revoked certificates: {self._follower.failing}")

    def reload(self) -> None:
        """Have it read its certificates and the list of revoked ones again."""
        child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End the broker and its supervision."""
        self._stopping.set()
        self._follower.stop()
        if self._watcher.is_alive():
            self._watcher.join(STOP_S)
        self._end_child()

    # -- its files

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with writing(self._sessions) as session:
            issued.all_sessions_ended(session)
        self._files.write()
        for name, content in (
            ("cloud.acl", broker_rules.mosquitto_cloud_acl()),
            ("gateways.acl", broker_rules.mosquitto_gateways_acl()),
            ("passwords", f"{self.username}:{_hashed(self.password)}\n"),
            ("mosquitto.conf", self._configuration()),
        ):
            path = self.folder / name
            path.touch(mode=0o600)
            path.chmod(0o600)
            path.write_text(content, "utf-8")

    def _configuration(self) -> str:
        host, port = self._gateways
        gateways = broker_rules.mosquitto_certificates(
            f"{port} {host}", self._files.folder, self.folder / "gateways.acl"
        )
        # Of root alone it asks whom to become, and by itself somebody who could read nothing here.
        user = "user root\n" if os.geteuid() == 0 else ""
        return f"""\
# Written by vigil-cloud at each start.
{user}per_listener_settings true
{broker_rules.LIMITS}{broker_rules.FORGETS}log_dest stderr
log_type error
log_type warning
listener {self.port} {self.host}
allow_anonymous false
password_file {self.folder}/passwords
acl_file {self.folder}/cloud.acl
max_connections 64
{gateways}"""

    # -- the child

    def _refuse_taken(self) -> None:
        """Whoever listens there already would be taken for ours, and may let anybody in. Raises
        ``BrokerFailed``."""
        for setting, (host, port) in (
            ("VIGIL_BROKER_LISTEN", (self.host, self.port)),
            ("VIGIL_GATEWAYS_LISTEN", self._gateways),
        ):
            family, kind, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    tried.bind(address)
                    tried.listen()
                except OSError as error:
                    raise BrokerFailed(
                        f"mosquitto cannot listen on {host}:{port} ({setting}):"
                        f" {error.strerror}. Where that is Debian's own mosquitto:"
                        " `systemctl disable --now mosquitto`"
                    ) from error

    def _start_child(self) -> None:
        self._refuse_taken()
        command = ["mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        guardian = shutil.which("setpriv")
        if guardian is not None:  # it ends with us also where we are killed
            command = [guardian, "--pdeathsig", "TERM", "--", *command]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={"PATH": _path()},  # none of our secrets
        )
        said: list[str] = []
        if child.stderr is not None:
            reader = threading.Thread(
                target=_pass_on, args=(child.stderr, said), name="broker-log", daemon=True
            )
            reader.start()
        self._child = child
        end = time.monotonic() + START_S
        while not self._listens():
            if child.poll() is not None or time.monotonic() > end:
                self._end_child()
                raise BrokerFailed(f"mosquitto ends at its start: {'; '.join(said[-3:])}")
            self._stopping.wait(0.05)

    def _listens(self) -> bool:
        host = self.url.removeprefix("mqtt://").rpartition(":")[0].strip("[]")
        try:
            socket.create_connection((host, self.port), timeout=1).close()
        except OSError:
            return False
        return self.pid is not None

    def _end_child(self) -> None:
        child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _watch(self) -> None:
        pause_s = _WATCH_S
        while not self._stopping.wait(pause_s):
            if self.pid is not None:
                pause_s = _WATCH_S
                continue
            _log.warning("broker-died", restarts=self.restarts)
            try:
                self._start_child()
                self.restarts += 1
            except (BrokerFailed, OSError) as error:
                _log.error("broker-restart-failed", error=f"{type(error).__name__}: {error}")
                pause_s = min(pause_s * 2, _START_PAUSE_LONGEST_S)


def _pass_on(lines: IO[str], said: list[str]) -> None:
    with contextlib.closing(lines):
        for line in lines:
            said.append(line.strip()[:_LINE])
            del said[:-10]
            _log.warning("mosquitto", line=said[-1])


def _hashed(password: str) -> str:
    """As mosquitto_passwd writes it (``$7$``: PBKDF2 with SHA-512)."""
    salt, rounds = secrets.token_bytes(12), 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _path() -> str:
    """Where Debian puts it: ``/usr/sbin``, which a user's ``PATH`` lacks."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
