"""How a domain describes itself to the gateway: one ``EdgeDomain`` in its ``domain.py``.

Everything that the platform (configuration, agent, command line, check) knows of a domain
stands in its descriptor; ``vigil_edge.registry`` lists those that are shipped. What a
descriptor names is imported only when it is called: a gateway without a noise camera
never loads scipy.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.discovery.search import Place, Search
from vigil_edge.examination import Finding, Text
from vigil_schemas.commands import CommandArguments
from vigil_schemas.contract import DomainContract
from vigil_schemas.discovery import RawReading
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.types import Domain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeDomain:
    """One domain on a gateway. Told apart by identity."""

    contract: DomainContract
    """What its pipelines send and take."""
    title: str
    title_zh: str
    settings: Callable[[], Any]
    """What a ``[[key]]`` table is checked by: a subclass of ``DeviceSettings``, or a union of
    them that ``driver`` tells apart."""
    describe: Callable[[Any], list[DeviceDescription]]
    """The devices behind one section, given its settings."""
    build: Callable[[Any, PipelineContext], Pipeline]
    """The pipeline of one section, given its settings."""
    examine: Callable[[Any, Text], Iterable[Finding]] | None = None
    """What ``vigil-edge doctor`` looks at of one section, given its settings and its name."""
    discover: Callable[[Search], AsyncIterator[Place]] | None = None
    """Looks for its devices on this gateway's lines and radios: each place, as it was searched."""
    look: Callable[[Any], Awaitable[list[RawReading]]] | None = None
    """Reads once what one section describes, for whoever is about to add it. Raises
    ``VigilError``."""
    adjustable: tuple[str, ...] = ()
    """Keys of a section that may be changed from the cloud, beside names and position: thresholds
    and intervals, never an address or a file. ``signal.*.high``: of each ``[[key.signal]]``."""
    private_state: tuple[str, ...] = ()
    """Keys of what its pipelines keep in the outbox that stands for people: erased once the
    gateway no longer has the device."""
    tools: str = ""
    """What ``vigil-edge key`` is for; empty where there is no such command."""
    add_commands: Callable[[argparse.ArgumentParser], None] | None = None
    """The words after ``vigil-edge key``."""
    evidence: bool = False
    """Whether its pipelines seal evidence, which needs an address to be uploaded to."""

    @property
    def key(self) -> Domain:
        """The domain's word: ``[[key]]`` in ``gateway.toml``, ``vigil-edge key``."""
        return self.contract.name

    @property
    def commands(self) -> tuple[type[CommandArguments], ...]:
        """What its pipelines take, beside ``restart_source``."""
        return self.contract.commands
