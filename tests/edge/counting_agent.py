"""``vigil-edge`` with a stand-in for one domain, run as a process of its own by the agent's tests.

The stand-in takes the place of the water domain here and nowhere else: a source that
counts, keeps its place in the outbox's state, and writes down what was accepted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from vigil_edge.cli import main
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.device.seam import Outgoing, PipelineContext, SourceError
from vigil_edge.domain import EdgeDomain
from vigil_edge.registry import DOMAINS
from vigil_schemas.contract import observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import CONTRACT, DOMAIN, WaterExcursion


class CountingSettings(DeviceSettings):
    driver: Literal["counter"] = "counter"
    total: int = 0
    """Readings to give before resting; a tenth as many events."""
    batch: int = 10
    fails: Literal["never", "source-error", "crash", "once", "ends", "stuck", "hangs"] = "never"
    ledger: Path | None = None
    others: tuple[str, ...] = ()
    """Further devices behind the same source, as alarms behind one bridge."""


class Unplugged(SourceError):
    code = "unplugged"


class Counter:
    def __init__(self, settings: CountingSettings, context: PipelineContext) -> None:
        self.settings = settings
        self.context = context
        self.began = datetime(2026, 1, 1, tzinfo=UTC)

    async def run(self) -> None:
        settings = self.settings
        if settings.fails == "source-error":
            raise Unplugged(settings.device, "no cable")
        if settings.fails == "crash":
            raise ZeroDivisionError("a mistake in the program")
        if settings.fails == "once" and not (self.context.directory / "failed").exists():
            (self.context.directory / "failed").touch()
            raise Unplugged(settings.device, "no cable")
        if settings.fails == "ends":
            return
        if settings.fails == "stuck":
            await stubborn()
        if settings.fails == "hangs":
            while not (self.context.directory / "hang").exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
            time.sleep(3600)  # noqa: ASYNC251 - the mistake that a watchdog is for
        self.context.report("ok")
        number = int(self.context.state("next") or b"0")
        while number < settings.total:
            upto = min(number + settings.batch, settings.total)
            await self.context.accept(self.facts(number, upto), {"next": str(upto).encode()})
            if settings.ledger:
                with settings.ledger.open("a") as ledger:
                    ledger.write(f"{upto}\n")
            number = upto
        await asyncio.Event().wait()

    def facts(self, first: int, upto: int) -> list[Outgoing]:
        device = self.settings.device
        readings = [
            Reading("level", "m", self.at(number), float(number), QartodFlag.GOOD)
            for number in range(first, upto)
        ]
        facts = [
            Outgoing(
                Lane.OBSERVATION,
                observation_type("water"),
                device,
                self.at(first),
                pack(device, readings),
            )
        ]
        for number in range(first, upto):
            if number % 10 == 0:
                excursion = WaterExcursion(
                    excursion_id=f"{device}-{number:08d}",
                    phase="onset",
                    parameter="level",
                    kind="above",
                    limit=0.0,
                    value=float(number),
                    flag=QartodFlag.GOOD,
                    started=self.at(number),
                )
                facts.append(
                    Outgoing(Lane.EVENT, WaterExcursion.TYPE, device, self.at(number), excursion)
                )
        return facts

    def at(self, number: int) -> datetime:
        return self.began + timedelta(milliseconds=number)


async def stubborn() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


def describe(settings: CountingSettings) -> list[DeviceDescription]:
    return [
        settings.model_copy(update={"device": device}).described(
            "water", settings.driver, ["level"]
        )
        for device in (settings.device, *settings.others)
    ]


COUNTER = EdgeDomain(
    contract=CONTRACT,
    title="Counter",
    title_zh="計數",
    settings=lambda: CountingSettings,
    describe=describe,
    build=Counter,
)


if __name__ == "__main__":
    others = [domain for domain in DOMAINS if domain.key != DOMAIN]
    sys.exit(main(domains=[*others, COUNTER]))
