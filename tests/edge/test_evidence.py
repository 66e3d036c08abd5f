"""Evidence: sealed so that a change shows, queued on disk, uploaded until it is there."""

from __future__ import annotations

import asyncio
import hashlib
import io
import stat
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import servers
from edge.ingest_stand_in import until
from vigil_edge.backoff import Backoff
from vigil_edge.evidence import (
    EvidenceFull,
    EvidenceMismatch,
    EvidenceQueue,
    Uploader,
    load_key,
    public_hex,
)
from vigil_schemas.evidence import EvidenceFile, EvidenceManifest

AT = datetime(2026, 1, 1, tzinfo=UTC)


def exceedance(folder: Path, number: int = 1, content: bytes = b"sound" * 1000):
    folder.mkdir(exist_ok=True)
    contents = {"sound.wav": content, "levels.json": b"[%d]" % number}
    files = {}
    entries = []
    for name, data in contents.items():
        files[name] = folder / f"{number}-{name}"
        files[name].write_bytes(data)
        entries.append(
            EvidenceFile(
                name=name,
                role="audio" if name == "sound.wav" else "levels",
                media_type="audio/wav",
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
            )
        )
    manifest = EvidenceManifest(
        evidence_id=f"exceedance-{number}",
        gateway="gw-1",
        device="mic-1",
        sealed=AT,
        started=AT,
        ended=AT,
        files=entries,
    )
    return manifest, files


def queue_in(folder: Path, max_bytes: int = 10**8) -> EvidenceQueue:
    folder.mkdir(exist_ok=True)
    return EvidenceQueue(folder / "evidence", load_key(folder / "key.pem"), max_bytes)


async def test_a_sealed_zip_proves_itself(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)

    reference = await queue.deposit(*exceedance(tmp_path / "files"))

    (path,) = queue.waiting()
    sealed = path.read_bytes()
    assert path.name == f"{reference.sha256}.zip"
    assert hashlib.sha256(sealed).hexdigest() == reference.sha256
    assert len(sealed) == reference.size
    with zipfile.ZipFile(io.BytesIO(sealed)) as archive:
        listing = archive.read("manifest.json")
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex(queue.key)))
        public.verify(archive.read("manifest.sig"), listing)
        for entry in EvidenceManifest.model_validate_json(listing).files:
            assert hashlib.sha256(archive.read(entry.name)).hexdigest() == entry.sha256


async def test_the_same_evidence_is_the_same_zip(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    manifest, files = exceedance(tmp_path / "files")

    first = await queue.deposit(manifest, files)
    again = await queue.deposit(manifest, dict(reversed(files.items())))

    assert first == again
    assert len(queue.waiting()) == 1


async def test_what_differs_from_its_manifest_is_not_sealed(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    manifest, files = exceedance(tmp_path / "files")
    files["sound.wav"].write_bytes(b"another sound")

    with pytest.raises(EvidenceMismatch):
        await queue.deposit(manifest, files)
    with pytest.raises(EvidenceMismatch):
        await queue.deposit(manifest, {})

    assert list(queue.folder.glob("*.*")) == []


async def test_the_queue_is_bounded_and_refused_zips_go_first(tmp_path: Path) -> None:
    queue = queue_in(tmp_path, max_bytes=14_000)
    await queue.deposit(*exceedance(tmp_path / "files", 1))
    queue.refuse(queue.waiting()[0])
    await queue.deposit(*exceedance(tmp_path / "files", 2))

    await queue.deposit(*exceedance(tmp_path / "files", 3))
    assert queue.refused_count() == 0
    with pytest.raises(EvidenceFull):
        await queue.deposit(*exceedance(tmp_path / "files", 4))

    assert len(queue.waiting()) == 2


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem")

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert public_hex(load_key(tmp_path / "key.pem")) == public_hex(key)


class Cloud(ThreadingHTTPServer):
    """Answers uploads by script: statuses in turn, then 201."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.script: list[int] = []
        self.by_name: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, int]] = []
        self.tokens: set[str | None] = set()
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Cloud
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rsplit("/", 1)[-1]
        cloud = self.server
        cloud.tokens.add(self.headers["Authorization"])
        assert self.path == f"/api/v1/gateways/gw-1/evidence/{name}"
        status = cloud.by_name.get(name) or (cloud.script.pop(0) if cloud.script else 201)
        cloud.asked.append((name, status))
        if status == 201:
            status = 200 if name in cloud.bodies else 201
            cloud.bodies[name] = body
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    server = Cloud()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def uploader(queue: EvidenceQueue, port: int, counts: Counter[str]) -> Uploader:
    return Uploader(
        queue,
        url=f"http://127.0.0.1:{port}",
        gateway="gw-1",
        token="s3cret",
        tls=False,
        rng=Random(1),
        monotonic=time.monotonic,
        count=lambda name: counts.update([name]),
        backoff=lambda rng: Backoff(rng, first_s=0.02, last_s=0.1),
    )


async def run_until_empty(queue: EvidenceQueue, work: Uploader) -> None:
    task = asyncio.create_task(work.run())
    try:
        await until(lambda: task.done() or not queue.waiting())
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_uploads_go_on_until_the_cloud_has_them(tmp_path: Path, cloud: Cloud) -> None:
    queue = queue_in(tmp_path)
    cloud.script = [503, 401, 500, 403, 409, 429]
    references = [await queue.deposit(*exceedance(tmp_path / "files", n)) for n in range(3)]
    counts: Counter[str] = Counter()

    await run_until_empty(queue, uploader(queue, cloud.server_port, counts))

    assert {name: hashlib.sha256(body).hexdigest() for name, body in cloud.bodies.items()} == {
        each.sha256: each.sha256 for each in references
    }
    assert cloud.tokens == {"Bearer s3cret"}
    assert counts["evidence-uploaded"] == 3
    assert counts["evidence-http-503"] == 1


async def test_a_refused_zip_is_kept_and_does_not_block(tmp_path: Path, cloud: Cloud) -> None:
    queue = queue_in(tmp_path)
    bad = await queue.deposit(*exceedance(tmp_path / "files", 1))
    good = await queue.deposit(*exceedance(tmp_path / "files", 2))
    cloud.by_name = {bad.sha256: 422}
    counts: Counter[str] = Counter()

    await run_until_empty(queue, uploader(queue, cloud.server_port, counts))

    assert list(cloud.bodies) == [good.sha256]
    assert (queue.refused / f"{bad.sha256}.zip").exists()
    assert counts["evidence-refused"] == 1
    assert [name for name, _ in cloud.asked].count(bad.sha256) == 1


async def test_one_that_must_wait_does_not_block_the_others(tmp_path: Path, cloud: Cloud) -> None:
    queue = queue_in(tmp_path)
    early = await queue.deposit(*exceedance(tmp_path / "files", 1))
    other = await queue.deposit(*exceedance(tmp_path / "files", 2))
    cloud.by_name = {early.sha256: 409}
    work = asyncio.create_task(uploader(queue, cloud.server_port, Counter()).run())
    try:
        await until(lambda: other.sha256 in cloud.bodies)
        cloud.by_name = {}  # its gateway has been born now
        await until(lambda: early.sha256 in cloud.bodies)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_the_queue_outlives_the_agent_and_an_absent_cloud(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    reference = await queue.deposit(*exceedance(tmp_path / "files"))
    (queue.folder / "half-written.part").write_bytes(b"PK")
    port = servers.free_port()
    counts: Counter[str] = Counter()
    work = asyncio.create_task(uploader(queue, port, counts).run())
    await until(lambda: counts["evidence-unreachable"] >= 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    reopened = queue_in(tmp_path)
    server = Cloud(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        await run_until_empty(reopened, uploader(reopened, port, counts))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert list(server.bodies) == [reference.sha256]
    assert list(reopened.folder.glob("*.part")) == []
