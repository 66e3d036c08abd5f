"""AED cabinets on a gateway, as the platform knows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.domain import EdgeDomain
from vigil_edge.examination import Finding, Text
from vigil_schemas.aed import CONTRACT
from vigil_schemas.gateway import DeviceDescription

if TYPE_CHECKING:
    from vigil_edge.aed.pipeline import AedSettings


def _settings() -> Any:
    from vigil_edge.aed.settings import AedSettings

    return AedSettings


def _describe(settings: AedSettings) -> list[DeviceDescription]:
    from vigil_edge.aed.pipeline import describe

    return describe(settings)


def _build(settings: AedSettings, context: PipelineContext) -> Pipeline:
    from vigil_edge.aed.pipeline import build

    return build(settings, context)


def _examine(settings: AedSettings, subject: Text) -> Iterable[Finding]:
    from vigil_edge.aed.examine import look

    return look(settings, subject)


AED: Final = EdgeDomain(
    contract=CONTRACT,
    title="AED cabinets",
    title_zh="AED 箱",
    settings=_settings,
    describe=_describe,
    build=_build,
    examine=_examine,
    adjustable=("door_open_after_s", "stuck_after_s", "same_call_s", "observation_s"),
)
