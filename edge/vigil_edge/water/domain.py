"""Water quality on a gateway, as the platform knows them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.discovery.search import Place, Search
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text
from vigil_schemas.discovery import RawReading
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.water import CONTRACT

if TYPE_CHECKING:
    from vigil_edge.water.session_settings import SessionSettings
    from vigil_edge.water.settings import WaterSettings


_PROBE, _FILES = "probe", "files"


def _settings() -> Any:
    from pydantic import Discriminator, Tag

    from vigil_edge.water.session_settings import SessionSettings
    from vigil_edge.water.settings import WaterSettings

    return Annotated[
        Annotated[WaterSettings, Tag(_PROBE)] | Annotated[SessionSettings, Tag(_FILES)],
        Discriminator(_which),
    ]


def _which(section: Any) -> str:
    """A driver that is misspelt is a probe's: its other mistakes are told with it."""
    driver = section.get("driver") if isinstance(section, dict) else getattr(section, "driver", "")
    return _FILES if driver == _FILES else _PROBE


def _describe(settings: WaterSettings | SessionSettings) -> list[DeviceDescription]:
    if settings.driver == "files":
        from vigil_edge.water.session import describe_session

        return describe_session(settings)
    from vigil_edge.water.pipeline import describe

    return describe(settings)


def _build(settings: WaterSettings | SessionSettings, context: PipelineContext) -> Pipeline:
    if settings.driver == "files":
        from vigil_edge.water.session import SessionPipeline

        return SessionPipeline(settings, context)
    from vigil_edge.water.pipeline import build

    return build(settings, context)


def _examine(settings: WaterSettings | SessionSettings, subject: Text) -> Iterable[Finding]:
    from vigil_edge.water.examine import look, look_into

    return look_into(settings, subject) if settings.driver == "files" else look(settings, subject)


def _discover(search: Search) -> AsyncIterator[Place]:
    from vigil_edge.water.discover import discover

    return discover(search)


async def _look(settings: WaterSettings) -> list[RawReading]:
    from vigil_edge.water.discover import look

    return await look(settings)


def _add_commands(parser: argparse.ArgumentParser) -> None:
    from vigil_edge.water.cli import add_commands

    add_commands(parser)


WATER: Final = EdgeDomain(
    contract=CONTRACT,
    title="Water quality",
    title_zh="水質監測",
    settings=_settings,
    describe=_describe,
    build=_build,
    examine=_examine,
    discover=_discover,
    look=_look,
    adjustable=(
        "interval_s",
        "maintenance",
        *(
            f"{which}.*.{key}"
            for which in ("signal", "derived")
            for key in (
                *("high", "low", "high_rate", "hysteresis", "consecutive", "range_fail"),
                *("range_suspect", "rate_suspect", "spike_floor", "flat_s"),
            )
        ),
    ),
    tools="quality control over recorded water readings",
    add_commands=_add_commands,
)
