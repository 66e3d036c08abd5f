"""Smoke alarms on a gateway, as the platform knows them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.discovery.search import Place, Search
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text
from vigil_schemas.discovery import RawReading
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import CONTRACT

if TYPE_CHECKING:
    from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
    from vigil_edge.smoke.wired_settings import WiredSettings


def _settings() -> Any:
    from vigil_edge.smoke.settings import SmokeSettings

    return SmokeSettings


def _describe(settings: BrokerSettings | WiredSettings) -> list[DeviceDescription]:
    from vigil_edge.smoke.descriptions import describe

    return describe(settings)


def _build(settings: BrokerSettings | WiredSettings, context: PipelineContext) -> Pipeline:
    from vigil_edge.smoke.sources import build

    return build(settings, context)


def _examine(settings: BrokerSettings, subject: Text) -> Iterable[Finding]:
    from vigil_edge.smoke.examine import look

    return look(settings, subject)


def _discover(search: Search) -> AsyncIterator[Place]:
    from vigil_edge.smoke.discover import discover

    return discover(search)


async def _look(settings: ZigbeeSettings) -> list[RawReading]:
    from vigil_edge.smoke.discover import look

    return await look(settings)


def _add_commands(parser: argparse.ArgumentParser) -> None:
    from vigil_edge.smoke.cli import add_commands

    add_commands(parser)


SMOKE: Final = EdgeDomain(
    contract=CONTRACT,
    title="Smoke alarms",
    title_zh="住宅火警",
    settings=_settings,
    describe=_describe,
    build=_build,
    examine=_examine,
    discover=_discover,
    look=_look,
    adjustable=("silent_after_s",),
    tools="decode smoke alarm payloads",
    add_commands=_add_commands,
)
