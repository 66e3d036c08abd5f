"""Noise cameras on a gateway, as the platform knows them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.discovery.search import Place, Search
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.noise import CONTRACT

if TYPE_CHECKING:
    from vigil_edge.noise.settings import NoiseSettings


def _settings() -> Any:
    from vigil_edge.noise.settings import NoiseSettings

    return NoiseSettings


def _describe(settings: NoiseSettings) -> list[DeviceDescription]:
    from vigil_edge.noise.pipeline import describe

    return describe(settings)


def _build(settings: NoiseSettings, context: PipelineContext) -> Pipeline:
    from vigil_edge.noise.pipeline import build

    return build(settings, context)


def _examine(settings: NoiseSettings, subject: Text) -> Iterable[Finding]:
    from vigil_edge.noise.examine import look

    return look(settings, subject)


def _discover(search: Search) -> AsyncIterator[Place]:
    from vigil_edge.noise.discover import discover

    return discover(search)


def _add_commands(parser: argparse.ArgumentParser) -> None:
    from vigil_edge.noise.cli import add_commands

    add_commands(parser)


NOISE: Final = EdgeDomain(
    contract=CONTRACT,
    title="Noise cameras",
    title_zh="聲音照相",
    settings=_settings,
    describe=_describe,
    build=_build,
    examine=_examine,
    discover=_discover,
    adjustable=(
        "threshold_db",
        "limits",
        "hysteresis_db",
        "before_s",
        "after_s",
    ),
    tools="levels and triggers from recordings",
    add_commands=_add_commands,
    evidence=True,
)
