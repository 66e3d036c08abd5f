"""An automatic sampler beside a probe: started by a command, or by itself as a bound is crossed.

Which bottle is next is kept before the contact closes, and what was filled is a reading of the
parameter ``sample_bottle`` at that moment: so a crash in between fills no bottle twice, and the one
of which nothing is sure is told as suspect at the next start.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import uuid5

from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext, SourceError
from vigil_edge.modbus.client import ModbusClient
from vigil_edge.water.errors import SamplerFailed, SamplerFull
from vigil_edge.water.excursion import NAMESPACE
from vigil_edge.water.probe import FAILURES
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.contract import observation_type
from vigil_schemas.senml import Reading, instant, microseconds, pack
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import BOTTLE, DOMAIN, TakeSample, WaterExcursion

SAMPLER: Final = "water/sampler"


class Contact(Protocol):
    """What starts the sampler."""

    async def write_contact(self, address: int, *, closed: bool) -> None:
        """A coil. Raises ``SourceError``."""

    async def write(self, address: int, words: list[int]) -> None:
        """Holding registers. Raises ``SourceError``."""

    def close(self) -> None:
        """Hang up."""


async def reach(settings: WaterSettings) -> Contact:
    """The relay module of a probe's sampler. Raises ``SourceError``."""
    assert settings.sampler is not None  # noqa: S101 - asked for with a sampler alone
    own = settings.sampler.model_dump(include={"driver", "address", "unit"}, exclude_none=True)
    client = ModbusClient(settings.model_copy(update=own), FAILURES)
    try:
        await client.open()
    except BaseException:
        client.close()
        raise
    return client


class Sampler:
    """Of one probe. One bottle at a time."""

    def __init__(
        self,
        settings: WaterSettings,
        context: PipelineContext,
        connect: Callable[[WaterSettings], Awaitable[Contact]] = reach,
    ) -> None:
        assert settings.sampler is not None  # noqa: S101 - made for a sampler alone
        self._settings, self._own, self._context = settings, settings.sampler, context
        self._connect = connect
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_s: float | None = None
        self.trouble: tuple[str, str] | None = None
        """Code and words of why a bottle was not filled; none once one was."""
        kept = context.state(SAMPLER)
        state: dict[str, Any] = json.loads(kept) if kept else {"bottle": 0, "open_us": None}
        self._bottle: int = state["bottle"]
        self._open_us: int | None = state["open_us"]

    async def begun(self) -> None:
        """Tell the bottle that was being filled when everything stopped."""
        if self._open_us is not None:
            await self._tell(instant(self._open_us), QartodFlag.SUSPECT)

    async def asked(self, arguments: TakeSample) -> str:
        """Fill one. Raises ``CommandRefused``."""
        if arguments.new_bottles:
            self._bottle = 0
        try:
            bottle = await self._fill()
        except SourceError as error:
            raise CommandRefused(error.code, str(error)) from error
        return f"bottle {bottle} of {self._own.bottles} is being filled"

    def heed(self, events: Iterable[WaterExcursion]) -> None:
        """What just happened: a bottle is filled by itself where a bound was crossed."""
        if not self._own.on_excursion or not any(one.phase == "onset" for one in events):
            return
        if self._rests() or self._tasks:
            self._context.count("sampler-rested")
            return
        task = asyncio.create_task(self._by_itself())
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw is told as well: nobody waits for this task."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.trouble = SamplerFailed.code, f"{type(error).__name__}: {error}"
            self._context.count(SamplerFailed.code)

    def _rests(self) -> bool:
        since = self._last_s
        return since is not None and self._context.monotonic() - since < self._own.rest_s

    async def end(self) -> None:
        """Let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _by_itself(self) -> None:
        try:
            await self._fill()
        except SourceError as error:  # told in the source's health
            self._context.count(error.code)

    async def _fill(self) -> int:
        async with self._turn:
            try:
                return await self._filled()
            except SourceError as error:
                self.trouble = error.code, str(error)
                raise

    async def _filled(self) -> int:
        device, own = self._settings.device, self._own
        if self._bottle >= own.bottles:
            raise SamplerFull(device, f"all {own.bottles} bottles are filled")
        try:
            contact = await self._connect(self._settings)
        except SourceError as error:
            raise SamplerFailed(device, f"{error.code}: {error}") from error
        try:
            at = self._context.now()
            self._bottle, self._open_us = self._bottle + 1, microseconds(at)
            await self._context.accept([], {SAMPLER: self._state()})
            await self._pulse(contact)
        except SourceError as error:
            # Whether it was started nobody knows: the bottle counts, and is told as suspect.
            await self._tell(at, QartodFlag.SUSPECT)
            raise SamplerFailed(device, f"{error.code}: {error}") from error
        finally:
            contact.close()
        self._last_s, self.trouble = self._context.monotonic(), None
        await self._tell(at, QartodFlag.GOOD)
        return self._bottle

    async def _pulse(self, contact: Contact) -> None:
        """Closed and opened again, also where everything stops meanwhile: a contact that stays
        closed fills the bottle over its brim."""
        try:
            await self._set(contact, closed=True)
            await asyncio.sleep(self._own.pulse_s)
        finally:
            await self._set(contact, closed=False)

    async def _set(self, contact: Contact, *, closed: bool) -> None:
        own, where = self._own, self._own.register_
        if own.table == "coil":
            await contact.write_contact(where, closed=closed)
        else:
            await contact.write(where, [own.value if closed else own.rest_value])

    async def _tell(self, at: datetime, flag: QartodFlag) -> None:
        """The bottle as a reading, with the state that follows."""
        self._open_us = None
        device = self._settings.device
        reading = Reading(BOTTLE, "count", at, float(self._bottle), flag)
        name = f"{device}/{BOTTLE}/{microseconds(at)}/{self._bottle}"
        told = Outgoing(
            Lane.OBSERVATION,
            observation_type(DOMAIN),
            device,
            at,
            pack(device, [reading]),
            str(uuid5(NAMESPACE, name)),
        )
        await self._context.accept([told], {SAMPLER: self._state()})

    def _state(self) -> bytes:
        return json.dumps({"bottle": self._bottle, "open_us": self._open_us}).encode()
