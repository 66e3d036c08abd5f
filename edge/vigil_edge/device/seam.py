"""The seam between a domain's pipeline and the agent that runs it.

A pipeline reads its device, decides what matters, and hands facts to its
``PipelineContext``. It runs until it is cancelled; when its device fails it raises a
``SourceError`` and the agent starts it anew after a growing pause. It never
touches the network towards the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from vigil_edge.delivery.outgoing import Outgoing
from vigil_edge.delivery.refusal import CommandRefused
from vigil_edge.device.told_again import ToldAgain
from vigil_schemas.commands import CommandArguments
from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import EvidenceClock, EvidenceManifest, EvidenceReference
from vigil_schemas.gateway import DeviceDescription, SourceState

__all__ = [
    "CommandRefused",
    "Held",
    "Outgoing",
    "Pipeline",
    "PipelineContext",
    "SourceError",
    "TakesCommands",
]


class SourceError(VigilError):
    """A device could not be read. Subclasses set ``code``; the agent restarts the pipeline."""

    code: ClassVar[str] = "source-failed"
    remedy: ClassVar[str] = "Do what the message says; the agent tries again by itself."

    def __init__(self, device: str, message: str) -> None:
        super().__init__(message)
        self.device = device


@dataclass(slots=True)
class Held:
    """What a device's pipeline could not put into the outbox yet: whoever is started in its place
    (its settings changed, its source failed) goes on with it. It lives as long as the process."""

    outgoing: list[Outgoing] = field(default_factory=list)
    state: dict[str, bytes] = field(default_factory=dict)
    """The pipeline's own, to be kept with it; ``PipelineContext.state`` knows it already."""
    told_again: ToldAgain = field(default_factory=ToldAgain)


class PipelineContext(Protocol):
    """What the agent lends to one pipeline. All of it belongs to that pipeline's device."""

    @property
    def gateway(self) -> str:
        """This gateway's id."""

    @property
    def directory(self) -> Path:
        """A folder of the device's own, on the gateway's disk, for buffers and evidence."""

    def now(self) -> datetime:
        """Aware UTC wall clock."""

    def monotonic(self) -> float:
        """Seconds, for durations."""

    @property
    def clock_vouched(self) -> bool:
        """Whether the wall clock counts as synchronised by the settings' word alone."""

    @property
    def session(self) -> int:
        """The number of the newest connection to the cloud; 0: none since this run began. After
        another one what stands is told again: the cloud may have been restored from a backup."""

    def clock_state(self) -> EvidenceClock:
        """How far the wall clock can be trusted now, as a package of evidence tells it."""

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        """Put facts and the pipeline's own state into the outbox, in one durable transaction.

        Returns once they are on disk: from then on they will reach the cloud.
        Raises ``OutboxFull`` only for alarms and events that really found no room.
        """

    def state(self, key: str) -> bytes | None:
        """What ``accept`` last kept under this key, also across restarts; what is held first."""

    @property
    def held(self) -> Held:
        """What waits for room in the outbox."""

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        """Seal files into an evidence zip and queue its upload; returns its digest and size.

        ``manifest.files`` names every file; ``files`` maps those names to paths, which
        may be deleted afterwards. The queue survives a crash.
        """

    @property
    def stamped(self) -> bool:
        """Whether the settings name a time stamping authority."""

    async def time_stamp(self, text: bytes) -> bytes | None:
        """The authority's stamp (RFC 3161, DER) of a text that is about to be sealed; ``None``
        where none is configured or it did not answer in time, which is told. Takes a few seconds
        at most."""

    async def work(
        self,
        words: Sequence[str],
        *,
        priority: int,
        within_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> bool:
        """Run a program in a process of its own when it is its turn among this gateway's heavy
        work; whether it ended well in time. ``priority``: 0 is the most urgent. Raises
        ``WorkDropped``."""

    async def prepare(
        self, words: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Work that begins with these words will be asked for in a few seconds: its program may
        be started and load what it needs (``vigil_edge.waiting_program``)."""

    def describe(self, devices: Sequence[DeviceDescription]) -> None:
        """Devices that were found while running: the gateway's births name them from now on."""

    def count(self, counter: str, by: int = 1) -> None:
        """Add to a counter shown in health, such as ``frames-dropped`` or an error code."""

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        """Say how the source is doing; a change of state or code becomes a health event."""


@runtime_checkable
class TakesCommands(Protocol):
    """A pipeline that can be asked for something, as its domain's descriptor says."""

    async def command(self, device: str, arguments: CommandArguments, /) -> str:
        """Do it; returns a sentence for whoever asked. ``device``: one behind this pipeline.

        Raises ``CommandRefused`` where it cannot be done. Must not wait for long.
        """


class Pipeline(Protocol):
    """One device's way from protocol to facts."""

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError`` when the device cannot be read."""
