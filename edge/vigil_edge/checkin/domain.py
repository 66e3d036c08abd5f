"""Check-ins on a gateway, as the platform knows them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final

from vigil_edge.checkin.states import WATCH
from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.discovery.search import Place, Search
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text
from vigil_schemas.checkin import CONTRACT
from vigil_schemas.discovery import RawReading
from vigil_schemas.gateway import DeviceDescription

if TYPE_CHECKING:
    from vigil_edge.checkin.settings import BleSettings, LlrpSettings


def _settings() -> Any:
    from vigil_edge.checkin.settings import CheckinSettings

    return CheckinSettings


def _describe(settings: BleSettings | LlrpSettings) -> list[DeviceDescription]:
    from vigil_edge.checkin.pipeline import describe

    return describe(settings)


def _build(settings: BleSettings | LlrpSettings, context: PipelineContext) -> Pipeline:
    from vigil_edge.checkin.pipeline import build

    return build(settings, context)


def _examine(settings: BleSettings | LlrpSettings, subject: Text) -> Iterable[Finding]:
    from vigil_edge.checkin.examine import look

    return look(settings, subject)


def _discover(search: Search) -> AsyncIterator[Place]:
    from vigil_edge.checkin.discover import discover

    return discover(search)


async def _look(settings: BleSettings | LlrpSettings) -> list[RawReading]:
    from vigil_edge.checkin.discover import look

    return await look(settings)


def _add_commands(parser: argparse.ArgumentParser) -> None:
    from vigil_edge.checkin.cli import add_commands

    add_commands(parser)


CHECKIN: Final = EdgeDomain(
    contract=CONTRACT,
    title="Check-ins",
    title_zh="走失協尋",
    settings=_settings,
    describe=_describe,
    build=_build,
    examine=_examine,
    discover=_discover,
    look=_look,
    adjustable=(
        "absence_s",
        "min_sightings",
        "hold_off_s",
        "observation_s",
    ),
    private_state=(WATCH,),
    tools="decode beacon adverts and LLRP messages",
    add_commands=_add_commands,
)
