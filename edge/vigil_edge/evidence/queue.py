"""Evidence: sealed, and queued on disk for its upload. A folder is the queue."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_edge.evidence.chain import Chain
from vigil_edge.evidence.key import folder_to_disk
from vigil_edge.evidence.seal import seal
from vigil_edge.evidence.stamp import TimeStamps
from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import EvidenceManifest, EvidenceReference

_ANSWER: Final = ".answer"

_log = structlog.get_logger("evidence")


class EvidenceFull(VigilError):
    """No room for more evidence; the event can still be sent without it."""

    code: ClassVar[str] = "evidence-full"
    remedy: ClassVar[str] = (
        "Let the gateway reach the cloud so that its queue drains, or raise `[evidence] "
        "max_megabytes`."
    )


class EvidenceUnwritable(VigilError):
    """The disk refused the evidence; the event can still be sent without it."""

    code: ClassVar[str] = "evidence-unwritable"
    remedy: ClassVar[str] = "Free or replace the gateway's disk."


class EvidenceQueue:
    """Sealed zips in a folder, each named by its digest; what is refused moves to ``refused/``."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PrivateKey,
        max_bytes: int,
        count: Callable[[str], None],
        stamps: TimeStamps | None = None,
    ) -> None:
        self._count = count
        self._stamps = stamps
        self.folder = folder
        self.refused = folder / "refused"
        self.key = key
        self.max_bytes = max_bytes
        self.added = asyncio.Event()
        self.refused.mkdir(parents=True, exist_ok=True)
        self._chain = Chain(folder, self._chain_broken)
        self._sealing = threading.Lock()
        for path in self.refused.glob("*.zip"):
            # Put aside before answers were kept, perhaps for a reason that passed: once more.
            if not path.with_suffix(_ANSWER).exists():
                path.rename(folder / path.name)
        for draft in folder.glob("*.part"):  # a crash cut these short; their events were not sent
            draft.unlink()

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        """As ``PipelineContext.deposit``.

        Raises ``EvidenceFull``, ``EvidenceMismatch``, ``EvidenceUnwritable``.
        """
        reference = await asyncio.to_thread(self._deposit, manifest, dict(files))
        self.added.set()
        return reference

    async def time_stamp(self, text: bytes) -> bytes | None:
        """As ``PipelineContext.time_stamp``."""
        return None if self._stamps is None else await self._stamps.ask(text)

    @property
    def stamped(self) -> bool:
        """As ``PipelineContext.stamped``."""
        return self._stamps is not None

    def _chain_broken(self, aside: Path) -> None:
        self._count("evidence-chain-broken")
        _log.error("the chain of packages was unreadable: it begins anew", old=str(aside))

    def _deposit(self, manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        with self._sealing:  # one after the other: each names the one before it
            return self._sealed(manifest, files)

    def _sealed(self, manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        package = f"{manifest.evidence_id}/{manifest.device}"
        link = self._chain.link(package)
        manifest = manifest.model_copy(update={"chain": link})
        draft = self.folder / f"{manifest.evidence_id}-{manifest.device}.part"
        try:
            self._make_room(sum(entry.size for entry in manifest.files))
            seal(draft, manifest, files, self.key)
            with draft.open("rb") as sealed:
                sha256 = hashlib.file_digest(sealed, "sha256").hexdigest()
                os.fsync(sealed.fileno())
            reference = EvidenceReference(sha256=sha256, size=draft.stat().st_size)
            self._chain.sealed(package, link, sha256)
            draft.rename(self.folder / f"{sha256}.zip")
            folder_to_disk(self.folder)
        except OSError as error:
            raise EvidenceUnwritable(f"evidence could not be written: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
        return reference

    def _make_room(self, size: int) -> None:
        excess = sum(map(_size, self.folder.rglob("*.zip"))) + size - self.max_bytes
        for path in sorted(self.refused.glob("*.zip"), key=_age):
            if excess <= 0:
                break
            excess -= _size(path)
            path.unlink()
            # A case that nobody can look at any more: counted in health, named in the log.
            self._count("evidence-refused-deleted")
            _log.error(
                "refused evidence was deleted to make room",
                code="evidence-refused-deleted",
                sha256=path.stem,
                answer=_answer(path),
            )
            path.with_suffix(_ANSWER).unlink(missing_ok=True)
        if excess > 0:
            raise EvidenceFull(
                "evidence that waits for its upload fills its share of the disk; "
                "mend the connection to the cloud or raise [evidence] max_megabytes"
            )

    def waiting(self) -> list[Path]:
        """What is to be uploaded, oldest first."""
        return sorted(self.folder.glob("*.zip"), key=_age)

    def refuse(self, path: Path, answer: str) -> None:
        """The cloud will never take it: keep it, and why, for a person to look at.

        Whoever has mended the reason moves the zip back into the folder above.
        """
        (self.refused / path.name).with_suffix(_ANSWER).write_text(answer or "no reason", "utf-8")
        path.rename(self.refused / path.name)

    def refused_count(self) -> int:
        """Packages that the cloud refused and that are kept here."""
        return sum(1 for _ in self.refused.glob("*.zip"))


def _answer(path: Path) -> str:
    """Why the cloud refused it, as far as that was kept."""
    try:
        return path.with_suffix(_ANSWER).read_text("utf-8")[:400]
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name
