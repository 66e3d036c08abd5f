"""End the open session of a certificate that was revoked, by taking the session over.

A broker looks at the list of revoked certificates when somebody connects, not at who is connected
(Mosquitto has no way to be told). The client id of a gateway's session is its name, whatever its
key: whoever connects under that name ends the session before (MQTT 5, 3.1.4-3). The cloud holds
the authority, so it signs itself a certificate of that name for some minutes, connects, and goes.
What was thrown out so is refused when it comes back; the gateway's own box, if it was that, comes
back with the certificate that it has.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from vigil_cloud.certificates import issued
from vigil_cloud.certificates.authority import Authority
from vigil_cloud.config import host_and_port
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.services import Services

LASTS: Final = timedelta(minutes=10)
"""Of the certificate that takes over; its key is never on a disk for longer than it connects."""
CONNECT_S: Final = 5.0
REREAD_S: Final = 0.2
"""A broker that was told reads its list again before it next looks at a socket."""
POLLED_S: Final = 0.4
"""One that nobody tells, because it looks at its files by itself five times a second (Compose)."""
PAUSE_FIRST_S: Final = 0.5
PAUSE_LAST_S: Final = 60.0
"""Between two attempts at a broker that does not let us."""
_log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Where gateways with certificates connect."""

    host: str
    port: int

    @classmethod
    def of_listener(cls, listen: str) -> Address:
        """Of a broker of ours on this machine."""
        host, port = host_and_port(listen)
        return cls("127.0.0.1" if host in {"0.0.0.0", "::"} else host, port)  # noqa: S104 - compared

    @classmethod
    def of_url(cls, url: str) -> Address | None:
        """``None``: gateways' connections have no certificates there."""
        parts = urlsplit(url)
        if parts.scheme != "mqtts" or parts.hostname is None:
            return None
        return cls(parts.hostname, parts.port or 8883)


class SessionNotEnded(OSError):
    """The broker did not let us take the session over."""


class _Late(NamedTuple):
    """A gateway whose session could not be ended."""

    failures: int
    again: float
    """When it is tried again, by the clock that never goes back."""
    serials: set[str]
    error: str


class Takeovers:
    """Ends the sessions of what was revoked, each once, whichever process did it: it is noted with
    the certificate."""

    def __init__(
        self,
        services: Services,
        address: Address,
        wait: Callable[[float], object] = time.sleep,
        reread_s: float = REREAD_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``wait``: for so many seconds; ends early where the process ends. ``reread_s``: so long
        the broker takes to heed a list that was written."""
        self._reread_s = reread_s
        self._services = services
        self._address = address
        self._wait = wait
        self._late: dict[str, _Late] = {}
        """By gateway: what could not be ended so far."""
        self._monotonic = monotonic

    def end_sessions(self) -> None:
        """Of every certificate that was revoked (``issued.to_be_ended``), also while no process
        followed; after the broker was told of its list. Each gateway by itself: a session that
        cannot be ended keeps no other one open, and is tried again after a growing pause.

        Raises ``SessionNotEnded`` where one could not be ended: ask again. Raises ``OSError``,
        SQLAlchemy's errors.
        """
        with self._services.sessions() as session:
            found = issued.to_be_ended(session)
        gone: dict[str, set[str]] = defaultdict(set)
        for row in found:
            gone[row.gateway].add(row.serial)
        self._late = {name: late for name, late in self._late.items() if name in gone}
        if all(self._waits(name, serials) for name, serials in gone.items()):
            self._tell_late()
            return
        self._wait(self._reread_s)
        now = self._services.now()
        with writing(self._services.sessions) as session:
            signer = issued.authority(session, Cipher(self._services.settings.secret), now)
        for gateway, serials in sorted(gone.items()):
            if not self._waits(gateway, serials):
                self._end(signer, gateway, serials, now)
        self._tell_late()

    def _waits(self, gateway: str, serials: set[str]) -> bool:
        """Whether it was tried not long ago, and nothing else of it was revoked since."""
        late = self._late.get(gateway)
        return late is not None and late.serials == serials and self._monotonic() < late.again

    def _end(self, signer: Authority, gateway: str, serials: set[str], now: datetime) -> None:
        try:
            take_over(signer, gateway, self._address, now)
        except OSError as error:  # a broker that refuses, or is not there
            failures = self._late[gateway].failures if gateway in self._late else 0
            pause = min(PAUSE_FIRST_S * 2.0 ** min(failures, 30), PAUSE_LAST_S)
            if not failures:
                _log.error("session-not-ended", gateway=gateway, error=str(error))
            again = self._monotonic() + pause
            self._late[gateway] = _Late(failures + 1, again, serials, str(error))
            with writing(self._services.sessions) as session:
                issued.session_stays(session, serials, now)
            return
        self._late.pop(gateway, None)
        with writing(self._services.sessions) as session:
            issued.session_ended(session, serials)
        _log.info("session-ended", gateway=gateway)

    def _tell_late(self) -> None:
        for late in self._late.values():
            raise SessionNotEnded(late.error)


def take_over(signer: Authority, gateway: str, address: Address, now: datetime) -> None:
    """Connect as this gateway and leave. Raises ``OSError``."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=gateway,
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    context = _context(signer, gateway, now)
    _greet(context, gateway, address)
    client.tls_set_context(context)
    welcomed: list[bool] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: welcomed.append(not reason.is_failure)
    client.connect(address.host, address.port, clean_start=True)
    with closing(_Connected(client)):
        end = time.monotonic() + CONNECT_S
        while not welcomed and time.monotonic() < end:
            if client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS:
                break
    if welcomed != [True]:
        raise _not_ended(gateway, address)


def _greet(context: ssl.SSLContext, gateway: str, address: Address) -> None:
    """Whether it speaks TLS with us, by a connection of its own: paho leaves one that it could not
    wrap to the collector. Raises ``SessionNotEnded``."""
    try:
        with (
            socket.create_connection(address, CONNECT_S) as way,
            context.wrap_socket(way, server_hostname=address.host),
        ):
            return
    except OSError as error:
        raise _not_ended(gateway, address, f" ({error})") from error


def _not_ended(gateway: str, address: Address, why: str = "") -> SessionNotEnded:
    return SessionNotEnded(
        f"the broker at {address.host}:{address.port} lets nobody take over the session of"
        f" {gateway}{why}: its open connection may be that of a revoked certificate; restart the"
        " broker"
    )


class _Connected:
    """Says goodbye, so that nobody is told of a gateway's death that was none."""

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop(0.1)


def _context(signer: Authority, gateway: str, now: datetime) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    made = signer.gateway(request, gateway, now, LASTS, "")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.create_default_context(cadata=signer.pem)
    with tempfile.TemporaryDirectory(prefix="vigil-takeover-") as folder:
        file = Path(folder) / "session.pem"
        file.touch(mode=0o600)
        file.write_bytes(private + made.pem.encode())
        context.load_cert_chain(file)
    return context
