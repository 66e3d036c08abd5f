"""How a domain describes itself to the gateway: one ``EdgeDomain`` in its ``domain.py``.

Everything that the platform (configuration, agent, command line, check) knows of a domain
stands in its descriptor; ``vigil_edge.registry`` lists those that are shipped. What a
descriptor names is imported only when it is called: a gateway without a noise camera
never loads scipy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vigil_edge.device.seam import Pipeline, Room
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.types import Domain, Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeDomain:
    """One domain on a gateway. Told apart by identity."""

    key: Domain
    """The same word as in the contract: ``[[key]]`` in ``gateway.toml``, ``vigil-edge key``."""
    title: str
    title_zh: str
    settings: Callable[[], Any]
    """What a ``[[key]]`` table is checked by: a subclass of ``DeviceSettings``, or a union of
    them that ``driver`` tells apart."""
    describe: Callable[[Any], list[DeviceDescription]]
    """The devices behind one section, given its settings."""
    build: Callable[[Any, Room], Pipeline]
    """The pipeline of one section, given its settings."""
    events: tuple[type[Model], ...]
    """What its pipelines put into the alarm and event lanes, as now sent."""
    tools: str = ""
    """What ``vigil-edge key`` is for; empty where there is no such command."""
    add_commands: Callable[[argparse.ArgumentParser], None] | None = None
    """The words after ``vigil-edge key``."""
    evidence: bool = False
    """Whether its pipelines seal evidence, which needs an address to be uploaded to."""
