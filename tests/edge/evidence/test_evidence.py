"""Evidence: sealed so that a change shows, queued on disk, uploaded until it is there."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import servers
from edge import hostile
from edge.evidence.evidence_cloud import Cloud, evidence_cloud
from edge.ingest_stand_in import until
from vigil_edge.backoff import Backoff
from vigil_edge.cli import main
from vigil_edge.evidence.key import load_key, public_hex
from vigil_edge.evidence.queue import EvidenceFull, EvidenceQueue
from vigil_edge.evidence.seal import EvidenceMismatch
from vigil_edge.evidence.upload import Uploader, _for_good
from vigil_schemas.evidence import EvidenceFile, EvidenceManifest

AT = datetime(2026, 1, 1, tzinfo=UTC)


def exceedance(
    folder: Path, number: int = 1, content: bytes = b"sound" * 1000
) -> tuple[EvidenceManifest, dict[str, Path]]:
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


def never(aside: Path) -> None:
    raise AssertionError(f"{aside} was whole")


def queue_in(
    folder: Path, max_bytes: int = 10**8, counts: Counter[str] | None = None
) -> EvidenceQueue:
    counts = Counter() if counts is None else counts
    folder.mkdir(exist_ok=True)
    return EvidenceQueue(
        folder / "evidence",
        load_key(folder / "key.pem", never),
        max_bytes,
        lambda name: counts.update([name]),
    )


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
    counts: Counter[str] = Counter()
    queue = queue_in(tmp_path, 14_000, counts)
    await queue.deposit(*exceedance(tmp_path / "files", 1))
    queue.refuse(queue.waiting()[0], "evidence-invalid")
    await queue.deposit(*exceedance(tmp_path / "files", 2))

    await queue.deposit(*exceedance(tmp_path / "files", 3))
    assert queue.refused_count() == 0
    assert counts == {"evidence-refused-deleted": 1}
    with pytest.raises(EvidenceFull):
        await queue.deposit(*exceedance(tmp_path / "files", 4))

    assert len(queue.waiting()) == 2


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    key = load_key(tmp_path / "key.pem", never)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert public_hex(load_key(tmp_path / "key.pem", never)) == public_hex(key)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with evidence_cloud() as server:
        yield server


def uploader(
    queue: EvidenceQueue,
    port: int,
    counts: Counter[str],
    token: Callable[[], str] = lambda: "s3cret",
    answer_s: float = 60.0,
) -> Uploader:
    return Uploader(
        queue,
        url=f"http://127.0.0.1:{port}",
        gateway="gw-1",
        token=token,
        tls=lambda: False,
        rng=Random(1),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        count=lambda name: counts.update([name]),
        backoff=lambda rng: Backoff(rng, first_s=0.02, last_s=0.1),
        answer_s=answer_s,
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


@pytest.mark.parametrize("written", ["seconds", "date"])
async def test_a_cloud_that_asks_for_patience_is_left_alone_so_long(
    tmp_path: Path, cloud: Cloud, written: str
) -> None:
    queue = queue_in(tmp_path)
    cloud.script = [429]

    def date() -> str:
        return format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)

    cloud.retry_after = {429: (lambda: "2") if written == "seconds" else date}
    await queue.deposit(*exceedance(tmp_path / "files", 1))
    await queue.deposit(*exceedance(tmp_path / "files", 2))

    await run_until_empty(queue, uploader(queue, cloud.server_port, Counter()))

    assert [status for _, status in cloud.asked] == [429, 201, 201]
    assert cloud.moments[1] - cloud.moments[0] >= 1.0


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


PASSING = [
    (400, b"", {}),
    (401, b"", {}),
    (403, b"", {}),
    (404, b'{"code": "not-found"}', {}),
    (408, b"", {}),
    (409, b'{"code": "gateway-unknown"}', {}),
    (413, b"<html>nginx</html>", {}),
    (415, b"", {}),
    (422, b'{"code": "invalid-request"}', {}),
    (422, b'{"code": "evidence-invalid"}', {"Retry-After": "600"}),
    # A cloud that is older than its gateway: it takes the same zip once it is upgraded.
    (
        422,
        b'{"code": "evidence-invalid", "detail": "manifest.json: version: Input should be 1; '
        b"manifest.json: files.3.role: Input should be 'audio'\"}",
        {},
    ),
    (429, b"", {"Retry-After": "5"}),
    (500, b"", {}),
    (503, b'{"code": "too-many-uploads"}', {"Retry-After": "5"}),
    (302, b"", {}),
]


@pytest.mark.parametrize(("status", "body", "headers"), PASSING)
def test_a_reason_that_can_pass_is_not_for_good(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    assert not _for_good(httpx.Response(status, content=body, headers=headers))


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "evidence-invalid"}',
        b"",
        b"[]",
        # Its seal is broken as well: what it says of its version may be what was changed.
        b'{"code": "evidence-invalid", "detail": "manifest.sig: The manifest\'s signature is not '
        b"this gateway's.; manifest.json: version: Input should be 1\"}",
    ],
)
def test_what_is_not_what_was_sealed_is_for_good(body: bytes) -> None:
    assert _for_good(httpx.Response(422, content=body))


def dripping_cloud(begin: bytes, drip: bytes) -> AbstractAsyncContextManager[int]:
    """Takes the zip whole, begins an answer, and never ends it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.write(begin)
        await hostile.without_end(writer, drip, 0.01)

    return hostile.peer(serve)


_REFUSED = b"HTTP/1.1 422 Unprocessable\r\n"


@pytest.mark.parametrize(
    ("begin", "drip", "counter"),
    [
        (b"HTTP/1.1 201 Created\r\n", b"X-More: 1\r\n", "evidence-unreachable"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", "evidence-unreachable"),
        (_REFUSED + b"\r\n", b" ", "evidence-answer-cut"),
        (_REFUSED + b"\r\n", b" " * 100_000, "evidence-answer-cut"),
        (_REFUSED + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", "evidence-answer-cut"),
    ],
    ids=["headers", "early-hints", "body", "long-body", "chunk-length"],
)
async def test_an_answer_without_end_is_none_and_the_evidence_stays(
    tmp_path: Path, begin: bytes, drip: bytes, counter: str
) -> None:
    counts: Counter[str] = Counter()
    queue = queue_in(tmp_path)
    await queue.deposit(*exceedance(tmp_path / "files"))
    async with dripping_cloud(begin, drip) as port:
        task = asyncio.create_task(uploader(queue, port, counts, answer_s=0.3).run())
        await until(lambda: counts[counter] >= 2 or task.done())  # and it is tried again
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(queue.waiting()) == 1
    assert queue.refused_count() == 0


@pytest.mark.parametrize("drip", [b".", b"." * 100_000])
async def test_a_success_stands_whatever_follows_it(tmp_path: Path, drip: bytes) -> None:
    counts: Counter[str] = Counter()
    queue = queue_in(tmp_path)
    await queue.deposit(*exceedance(tmp_path / "files"))
    async with dripping_cloud(b"HTTP/1.1 201 Created\r\n\r\n", drip) as port:
        await run_until_empty(queue, uploader(queue, port, counts, answer_s=0.3))
    assert counts["evidence-uploaded"] == 1


async def test_what_an_earlier_version_put_aside_is_offered_once_more(
    tmp_path: Path, cloud: Cloud
) -> None:
    queue = queue_in(tmp_path)
    await queue.deposit(*exceedance(tmp_path / "files", 1))
    await queue.deposit(*exceedance(tmp_path / "files", 2))
    first, second = queue.waiting()
    queue.refuse(first, "evidence-invalid: it is not whole")
    second.rename(queue.refused / second.name)  # with no word of why

    reopened = queue_in(tmp_path)

    assert [path.name for path in reopened.waiting()] == [second.name]
    assert reopened.refused_count() == 1
    assert (queue.refused / first.name).with_suffix(".answer").read_text().endswith("not whole")


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
    with evidence_cloud(port) as server:
        await run_until_empty(reopened, uploader(reopened, port, counts))

    assert list(server.bodies) == [reference.sha256]
    assert list(reopened.folder.glob("*.part")) == []


async def test_one_that_the_cloud_stumbles_over_does_not_block_the_others(
    tmp_path: Path, cloud: Cloud
) -> None:
    queue = queue_in(tmp_path)
    bad = await queue.deposit(*exceedance(tmp_path / "files", 1))
    os.utime(queue.waiting()[0], (0, 0))  # the oldest: the first to be tried each time
    others = [await queue.deposit(*exceedance(tmp_path / "files", n)) for n in range(2, 6)]
    cloud.by_name = {bad.sha256: 500}
    counts: Counter[str] = Counter()
    work = asyncio.create_task(uploader(queue, cloud.server_port, counts).run())
    try:
        await until(lambda: {each.sha256 for each in others} <= cloud.bodies.keys())
        # The cloud has them a moment before the gateway has read its answer.
        await until(lambda: [path.stem for path in queue.waiting()] == [bad.sha256])
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_one_that_cannot_be_read_does_not_block_the_others(
    tmp_path: Path, cloud: Cloud
) -> None:
    queue = queue_in(tmp_path)
    (queue.folder / f"{'0' * 64}.zip").symlink_to(tmp_path)  # opening it fails, as on a bad block
    good = await queue.deposit(*exceedance(tmp_path / "files", 2))
    counts: Counter[str] = Counter()
    work = asyncio.create_task(uploader(queue, cloud.server_port, counts).run())
    try:
        await until(lambda: good.sha256 in cloud.bodies)
        await until(lambda: counts["evidence-unreadable"] >= 2)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_a_token_that_is_changed_is_taken_up(tmp_path: Path, cloud: Cloud) -> None:
    queue = queue_in(tmp_path)
    await queue.deposit(*exceedance(tmp_path / "files"))
    file = tmp_path / "token"
    cloud.accepted = "Bearer new"
    counts: Counter[str] = Counter()
    work = uploader(queue, cloud.server_port, counts, lambda: file.read_text())
    task = asyncio.create_task(work.run())
    try:
        await until(lambda: counts["evidence-credentials-unreadable"])
        file.write_text("old")
        await until(lambda: counts["evidence-http-401"])
        file.write_text("new")
        await until(lambda: not queue.waiting())
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_public_key_is_printed_and_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[gateway]\nid = "gw-a"\ndata_dir = "data"\n[cloud]\nbroker = "mqtt://127.0.0.1:1"\n',
        "utf-8",
    )
    (tmp_path / "data").mkdir()

    assert main(["evidence", "public-key", "--config", str(config)]) == 2
    assert "evidence-key-missing" in capsys.readouterr().err
    assert list((tmp_path / "data").iterdir()) == []

    key = load_key(tmp_path / "data" / "evidence-key.pem", lambda _: None)
    assert main(["evidence", "public-key", "--config", str(config)]) == 0
    assert capsys.readouterr().out.strip() == public_hex(key)
