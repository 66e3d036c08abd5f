"""What the noise tests share: a context that writes down what it is handed."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.noise import pass_by
from vigil_edge.device.seam import Held, Outgoing
from vigil_edge.worker import Worker
from vigil_schemas.evidence import EvidenceClock, EvidenceManifest, EvidenceReference
from vigil_schemas.gateway import DeviceDescription, SourceState
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.senml import Reading, unpack
from vigil_schemas.types import ClockQuality


@dataclass
class NotebookContext:
    """Keeps everything in lists, and deposits as zip files."""

    directory: Path
    gateway: str = "gw-test"
    clock_vouched: bool = False
    session: int = 0
    held: Held = field(default_factory=Held)
    accepted: list[Outgoing] = field(default_factory=list)
    deposits: list[tuple[EvidenceManifest, Path]] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)
    reports: list[tuple[SourceState, str | None]] = field(default_factory=list)
    messages: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Codes of the reports, with their words."""
    at_work: int = 0
    prepared: list[list[str]] = field(default_factory=list)
    """Processes that make pictures and videos now; each has a time limit of its own."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        self.accepted.extend(outgoing)

    def clock_state(self) -> EvidenceClock:
        return EvidenceClock(quality=ClockQuality.SYNCHRONISED, vouched=self.clock_vouched)

    def state(self, key: str) -> bytes | None:
        return None

    stamped = False

    async def time_stamp(self, text: bytes) -> bytes | None:
        raise AssertionError("no authority is configured")

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        assert set(files) == {file.name for file in manifest.files}
        path = self.directory / f"deposit-{len(self.deposits)}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in manifest.files:
                content = files[file.name].read_bytes()
                assert hashlib.sha256(content).hexdigest() == file.sha256
                assert len(content) == file.size
                archive.writestr(file.name, content)
        self.deposits.append((manifest, path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return EvidenceReference(sha256=digest, size=path.stat().st_size)

    async def work(self, words: Sequence[str], **how: Any) -> bool:
        self.at_work += 1
        try:
            return await Worker(self.count).run(words, **how)
        finally:
            self.at_work -= 1

    async def prepare(self, words: Sequence[str], **how: Any) -> None:
        self.prepared.append(list(words))

    def describe(self, devices: Sequence[DeviceDescription]) -> None:
        raise AssertionError("a noise camera finds no further devices")

    def count(self, counter: str, by: int = 1) -> None:
        self.counters[counter] += by

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        self.reports.append((state, code))
        self.messages.append((code, message))

    @property
    def exceedances(self) -> list[NoiseExceedance]:
        """The sealed ones."""
        return [event for event in self._told if event.phase == "sealed"]

    @property
    def measured(self) -> list[NoiseExceedance]:
        """Those told at once."""
        return [event for event in self._told if event.phase == "measured"]

    @property
    def _told(self) -> list[NoiseExceedance]:
        return [item.data for item in self.accepted if isinstance(item.data, NoiseExceedance)]

    @property
    def readings(self) -> list[Reading]:
        return [
            reading
            for item in self.accepted
            if isinstance(item.data, list)
            for reading in unpack(item.data)[1]
        ]


@pytest.fixture(scope="session", autouse=True)
def _scenes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scenes are drawn once, whichever process of the run asks for one first."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own
    pass_by.drawn_in = shared / "scenes"
    pass_by.drawn_in.mkdir(exist_ok=True)


@pytest.fixture
def context(tmp_path: Path) -> NotebookContext:
    folder = tmp_path / "device"
    folder.mkdir()
    return NotebookContext(folder)
