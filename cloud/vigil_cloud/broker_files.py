"""A broker's certificate files, kept as the authority says: written, renewed, followed.

A revocation reaches new connections because the list is written here within half a second of
its commit, in whichever process that was, and the broker is told to read it again.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from sqlalchemy.exc import SQLAlchemyError

from vigil_cloud.broker_rules import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE, REVOKED_FILE
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.authority import Authority, host_name
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError

LOOK_S: Final = 0.5
RENEWED_BEFORE: Final = timedelta(days=60)
WHOLE_LOOK: Final = 7200
"""So many looks (an hour) between two at the certificate's own end."""
_log = structlog.get_logger(__name__)


class BrokerFiles:
    """The folder that a broker's ``cafile``, ``certfile``, ``keyfile`` and ``crlfile`` lie in."""

    def __init__(self, services: Services, folder: Path, names: Sequence[str]) -> None:
        """``names``: host names and addresses that gateways reach the broker under."""
        self.folder = folder
        self._services = services
        self._names = _usable(names)
        self._written: int | None = None

    def write(self) -> bool:
        """Bring the files up to date; whether one has changed. Raises ``OSError``, SQLAlchemy's
        errors, ``Undecipherable``."""
        now = self._services.now()
        self.folder.mkdir(parents=True, exist_ok=True)
        with writing(self._services.sessions) as session:
            signer = issued.authority(session, Cipher(self._services.settings.secret), now)
            number = issued.list_number(session)  # before the list, which may be newer
            made = issued.revocation_list(session, signer, now)
        changed = self._put(AUTHORITY_FILE, signer.pem.encode(), 0o644)
        if not self._serves(signer):
            certificate, key = signer.broker(self._names, now)
            self._put(KEY_FILE, key.encode(), 0o640)
            changed |= self._put(CERTIFICATE_FILE, certificate.encode(), 0o644)
        if self._list_differs(made):
            changed |= self._put(REVOKED_FILE, made.public_bytes(Encoding.PEM), 0o644)
        self._written = number
        return changed

    def stale(self) -> bool:
        """Whether something was revoked since ``write``. Raises SQLAlchemy's errors."""
        with self._services.sessions() as session:
            return issued.list_number(session) != self._written

    def _serves(self, signer: Authority) -> bool:
        """Whether the broker's certificate is this authority's, for these names, and lasts."""
        try:
            pem = (self.folder / CERTIFICATE_FILE).read_bytes()
            found = x509.load_pem_x509_certificate(pem)
            found.verify_directly_issued_by(x509.load_pem_x509_certificate(signer.pem.encode()))
            key = load_pem_private_key((self.folder / KEY_FILE).read_bytes(), password=None)
            same = key.public_key() == found.public_key()
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, InvalidSignature, x509.ExtensionNotFound) as error:
            _log.info("broker-certificate-made", reason=f"{type(error).__name__}: {error}")
            return False
        known = {str(name.value) for name in names}
        now = self._services.now()
        lasts = found.not_valid_after_utc - now > RENEWED_BEFORE
        begun = found.not_valid_before_utc <= now  # not so after a clock that was far ahead
        return same and begun and lasts and known == set(self._names)

    def _list_differs(self, made: x509.CertificateRevocationList) -> bool:
        try:
            before = x509.load_pem_x509_crl((self.folder / REVOKED_FILE).read_bytes())
        except (OSError, ValueError):
            return True
        return _content(before) != _content(made)

    def _put(self, name: str, content: bytes, mode: int) -> bool:
        """Write it whole, or leave the old one; whether it differs. It belongs to the folder's
        group, so that a broker under another user may read its key."""
        path = self.folder / name
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == content:
                return False
        draft = path.with_name(f".{name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), -1, self.folder.stat().st_gid)
            os.fchmod(file.fileno(), mode)
        draft.replace(path)
        return True


def _usable(names: Sequence[str]) -> list[str]:
    """As a certificate says them. A machine may be called what no name in a certificate can be;
    that one is left out and told."""
    found: dict[str, None] = {}
    for name in names:
        try:
            found[host_name(name)] = None
        except ValueError as error:
            _log.warning("broker-name-left-out", name=name, error=str(error))
    return list(found)


def _content(revoked: x509.CertificateRevocationList) -> tuple[object, ...]:
    number = revoked.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    serials = sorted(entry.serial_number for entry in revoked)
    return revoked.issuer, revoked.last_update_utc, number, serials


class Follower:
    """A thread that keeps a broker's files up to date and tells the broker."""

    def __init__(
        self,
        files: BrokerFiles,
        tell: Callable[[], None],
        look_s: float = LOOK_S,
        ended: Callable[[], None] = lambda: None,
        end_sessions: Callable[[], None] = lambda: None,
    ) -> None:
        """``ended``: called where the thread ends without ``stop``; ``end_sessions``: once the
        broker was told of a list that has changed."""
        self._files = files
        self._tell = tell
        self._look_s = look_s
        self._ended = ended
        self._end_sessions = end_sessions
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-files", daemon=True)
        self.failing = ""
        """Why the files cannot be kept up to date; empty while they are."""
        self.died = False
        """Whether nobody follows any more, and nobody asked for that."""

    def start(self) -> None:
        """Begin to follow, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        try:
            self.run()
        finally:
            if not self._stopping.is_set():
                self.died = True
                self.failing = "the thread that writes them has ended; see the log"
                self._ended()

    def run(self) -> None:
        """Until ``stop``."""
        looks, owed, open_still = 0, False, False
        while not self._stopping.wait(self._look_s):
            looks = (looks + 1) % WHOLE_LOOK
            try:
                if (self._files.stale() or looks == 0) and self._files.write():
                    owed = True
                    _log.info("broker-files-written", folder=str(self._files.folder))
                if owed:  # also where it could not be told of an earlier change
                    self._tell()
                    owed, open_still = False, True
                if open_still:  # by itself: a broker that has its list is not told again
                    self._end_sessions()
                    open_still = False
                self.failing = ""
            except (SQLAlchemyError, VigilError, OSError, ValueError) as error:
                said = f"{type(error).__name__}: {error}"
                if not self.failing:
                    _log.error("broker-files-not-written", error=said.splitlines()[0])
                self.failing = said[:300]
