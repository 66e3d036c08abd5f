"""A real time stamping authority (RFC 3161): ``openssl ts`` behind HTTP."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servers.programs import need

_CONFIGURATION: Final = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa-key.pem
certs = {folder}/ca.pem
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """Its key and certificate in a folder. ``answer`` can be replaced: what it does with a
    question, DER to DER."""

    def __init__(self, folder: Path, name: str = "Time Authority of the Tests") -> None:
        self.folder, self.name = folder, name
        self._openssl = need("openssl", "apt-get install openssl")
        self.ca_file = folder / "ca.pem"
        self.questions: list[bytes] = []
        self.answer: Callable[[bytes], bytes] = self.stamp
        self.url = ""
        self._make()
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))

    def _make(self) -> None:
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = _name(f"{self.name} CA")
        ca = _certificate(issuer, issuer, ca_key, ca_key, ca=True)
        own = _certificate(_name(self.name), issuer, key, ca_key, ca=False)
        self.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa-key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def stamp(self, question: bytes) -> bytes:
        """As ``openssl ts`` answers it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            asked, said = Path(folder) / "question.tsq", Path(folder) / "answer.tsr"
            asked.write_bytes(question)
            self._run(
                *("-reply", "-config", self.folder / "tsa.cnf"),
                *("-queryfile", asked, "-out", said),
            )
            return said.read_bytes()

    def verify(self, text: bytes, answer: bytes) -> bool:
        """Whether ``openssl ts`` itself finds that the stamp holds for the text."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            data, said = Path(folder) / "text", Path(folder) / "answer.tsr"
            data.write_bytes(text)
            said.write_bytes(answer)
            words = ("-verify", "-data", data, "-in", said, "-CAfile", self.ca_file)
            return self._run(*words, check=False).returncode == 0

    def _run(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._openssl), "ts", *map(str, words)]
        return subprocess.run(command, check=check, capture_output=True, timeout=60)


@contextmanager
def time_authority(folder: Path, name: str = "Time Authority of the Tests") -> Iterator[Authority]:
    """Behind HTTP on loopback, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder, name)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            authority.questions.append(question)
            if self.headers["Content-Type"] != "application/timestamp-query":
                self.send_error(415)
                return
            body = authority.answer(question)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing goes to the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    authority.url = f"http://127.0.0.1:{server.server_address[1]}/tsa"
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    signer: EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .add_extension(_usage(ca=ca), critical=True)
    )
    if not ca:
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(stamping, critical=True)
    return made.sign(signer, hashes.SHA256())


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
