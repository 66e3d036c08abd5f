"""An S3 server over a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .ports import free_port, listening
from .process import Server
from .programs import need


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
