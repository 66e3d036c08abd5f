"""``vigil-edge`` with a fifth domain that exists in the tests alone: a light that is on or off."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vigil_edge.cli import main
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.device.seam import Outgoing, PipelineContext
from vigil_edge.domain import EdgeDomain
from vigil_edge.registry import DOMAINS
from vigil_schemas.contract import DomainContract, observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import Domain, Lane, Model, QartodFlag

KEY: Domain = "lantern"


class LanternLit(Model):
    """What the toy domain tells."""

    TYPE: ClassVar[str] = "city.vigil.lantern.lit.v1"

    lit: bool


CONTRACT = DomainContract(name=KEY, events=(LanternLit,))


class ToySettings(DeviceSettings):
    driver: Literal["switch"] = "switch"
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.5


class LanternPipeline:
    def __init__(self, settings: ToySettings, context: PipelineContext) -> None:
        self.settings = settings
        self.context = context

    async def run(self) -> None:
        now, device = self.context.now(), self.settings.device
        lit = LanternLit(lit=True)
        reading = Reading("brightness", "/", now, self.settings.brightness, QartodFlag.GOOD)
        await self.context.accept(
            [
                Outgoing(Lane.EVENT, LanternLit.TYPE, device, now, lit),
                Outgoing(
                    Lane.OBSERVATION, observation_type(KEY), device, now, pack(device, [reading])
                ),
            ]
        )
        await asyncio.Event().wait()


def describe(settings: ToySettings) -> list[DeviceDescription]:
    return [settings.described(KEY, settings.driver, ["brightness"])]


def add_commands(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True)
    commands.add_parser("shine").set_defaults(run=lambda _: print("shining") or 0)


LANTERN = EdgeDomain(
    contract=CONTRACT,
    title="Lanterns",
    title_zh="燈籠",
    settings=lambda: ToySettings,
    describe=describe,
    build=LanternPipeline,
    tools="a light",
    add_commands=add_commands,
)

if __name__ == "__main__":
    sys.exit(main(domains=[*DOMAINS, LANTERN]))
