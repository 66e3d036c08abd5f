"""The embedded MQTT broker: iotcore (rumqttd) in a child process that is watched.

The child ends with its parent (it reads a pipe that closes) and is started again when
it dies. What it cannot do is in docs/decisions/0003-embedded-broker.md.
Run alone: ``python -m vigil_cloud.broker HOST:PORT``.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import ClassVar, Final

import structlog
from iotcore import Broker

from vigil_cloud.config import host_and_port
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import MAX_MESSAGE_BYTES

MAX_CONNECTIONS: Final = 2_000
OWN_HANDLES: Final = 64
"""Of its file handles the broker itself needs so many."""
CONNECT_S: Final = 10
"""Who has connected and not said CONNECT by then is let go: each holds a file handle."""
MAX_PAYLOAD_BYTES: Final = 4 * MAX_MESSAGE_BYTES
"""Above the contract's limit: what is too large shall reach the dead-letter table."""
MAX_INFLIGHT: Final = 500
SEGMENT_BYTES: Final = 4 * 1024 * 1024
SEGMENTS: Final = 4
"""Each topic filter's log holds so much before its oldest segment goes; gateways send again
what no receipt has confirmed, so going too early costs time and no reading."""
_WATCH_S: Final = 0.25
_START_PAUSE_LONGEST_S: Final = 5.0

_log = structlog.get_logger(__name__)


class BrokerFailed(VigilError):
    """The embedded broker does not start."""

    code: ClassVar[str] = "broker-failed"
    remedy: ClassVar[str] = (
        "See whether something else listens on its address (`VIGIL_BROKER_LISTEN`), then "
        "start again."
    )


def configuration(host: str, port: int, handles: int | None = None) -> str:
    """TOML as rumqttd reads it: one MQTT 5 listener (3.1.1 is on none: it hides refusals).

    ``handles`` are the file handles that its process may have, by default as ours.
    """
    if handles is None:
        handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_CONNECTIONS
    if handles != resource.RLIM_INFINITY:
        most = max(OWN_HANDLES, min(most, handles - OWN_HANDLES))
    listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"""id = 0
[router]
id = 0
max_connections = {most}
max_outgoing_packet_count = 200
max_segment_size = {SEGMENT_BYTES}
max_segment_count = {SEGMENTS}
[v5.1]
name = "vigil"
listen = "{listen}"
next_connection_delay_ms = 0
[v5.1.connections]
connection_timeout_ms = {CONNECT_S * 1000}
max_payload_size = {MAX_PAYLOAD_BYTES}
max_inflight_count = {MAX_INFLIGHT}
dynamic_filters = true
"""


class EmbeddedBroker:
    """Start, watch, stop."""

    username: ClassVar[str] = ""
    password: ClassVar[str] = ""
    """It asks nobody who they are."""

    def __init__(self, listen: str) -> None:
        """``listen`` is ``host:port``. Raises ``ValueError`` where it is not."""
        self.host, self.port = host_and_port(listen)
        self._folder = tempfile.TemporaryDirectory(prefix="vigil-broker-")
        self._config = Path(self._folder.name) / "rumqttd.toml"
        self._broker: Broker | None = None
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="broker-watch", daemon=True)
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where a client on this machine connects."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared
        return f"mqtt://{host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._broker._process if self._broker else None
        return process.pid if process is not None else None

    def start(self) -> None:
        """Until it accepts connections. Raises ``BrokerFailed``."""
        self._config.write_text(configuration(self.host, self.port))
        try:
            self._start_child()
        except (OSError, RuntimeError) as error:
            self._folder.cleanup()
            raise BrokerFailed(
                f"embedded broker on {self.host}:{self.port}: {error};"
                " choose another VIGIL_BROKER_LISTEN or point VIGIL_BROKER_URL at a broker"
            ) from error
        self._watcher.start()

    def check(self) -> None:
        """For ``/readyz``. Raises ``BrokerFailed`` while the child is down."""
        if self._broker is None or not self._broker.is_running:
            raise BrokerFailed("embedded broker is not running; it is being started again")

    def stop(self) -> None:
        """End the broker and its supervision; waits at most ten seconds."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join(10)
        if self._broker is not None:
            self._broker.stop()
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def _start_child(self) -> None:
        broker = Broker(config_path=str(self._config))
        broker.start()
        self._broker = broker

    def _watch(self) -> None:
        pause_s = _WATCH_S
        while not self._stopping.wait(pause_s):
            if self._broker is not None and self._broker.is_running:
                pause_s = _WATCH_S
                continue
            _log.warning("broker-died", restarts=self.restarts)
            try:
                if self._broker is not None:
                    self._broker.stop()  # releases the pipe of the dead child
                self._start_child()
                self.restarts += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn tries again
                _log.error("broker-restart-failed", error=f"{type(error).__name__}: {error}")
                pause_s = min(pause_s * 2, _START_PAUSE_LONGEST_S)


def main() -> int:
    """The broker alone, until SIGTERM or SIGINT."""
    broker = EmbeddedBroker(sys.argv[1])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    broker.start()
    stop.wait()
    broker.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
