"""The noise camera's pipeline, built without loading what only a running one needs."""

from __future__ import annotations

from vigil_edge.device.seam import Pipeline, PipelineContext
from vigil_edge.noise.settings import NoiseSettings
from vigil_schemas.gateway import DeviceDescription


def build(settings: NoiseSettings, context: PipelineContext) -> Pipeline:
    """The pipeline of one ``[[noise]]`` section."""
    # scipy comes with it: an agent without a noise camera stays small.
    from vigil_edge.noise.live import NoisePipeline

    return NoisePipeline(settings, context)


def describe(settings: NoiseSettings) -> list[DeviceDescription]:
    """What the section drives."""
    return settings.descriptions()
