"""Commands of the cloud: each done at most once, before it expires, and answered.

Also when it is delivered twice, across a restart, or retained by a broker for whoever comes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from vigil_edge.clock import Clock
from vigil_edge.delivery.outbox import AGENT, Outbox
from vigil_edge.delivery.outgoing import Outgoing
from vigil_schemas.control import AnyCommand, Command
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import CommandResult
from vigil_schemas.types import Lane, isoformat_utc

WAITING_MOST: Final = 100
"""Commands that wait for their turn; the cloud sends those beyond again."""
_COMMANDS: Final = "commands"
_REMEMBERED: Final = 256
_MESSAGE: Final = 400

_log = structlog.get_logger("control")


@dataclass(frozen=True, slots=True)
class Asked:
    """One command, of whichever version."""

    id: str
    action: str
    device: str | None
    arguments: Mapping[str, Any]
    expires: datetime | None

    @classmethod
    def of(cls, command: AnyCommand) -> Asked:
        """A command of either version. Version 1 has no arguments and no expiry."""
        if isinstance(command, Command):
            arguments, expires = command.arguments, command.expires
            return cls(command.command_id, command.action, command.device, arguments, expires)
        return cls(command.command_id, command.action, command.device, {}, None)


Perform = Callable[[Asked], Awaitable[str]]
"""Does what is asked; returns what to answer. Raises ``CommandRefused``."""


class Control:
    """One per agent: ``take`` never waits, ``run`` does one command after the other of each
    device. A probe that does not answer for as long as it may keeps no loudspeaker waiting."""

    def __init__(
        self,
        gateway: str,
        outbox: Outbox,
        clock: Clock,
        perform: Perform,
        count: Callable[[str], None],
    ) -> None:
        self.clock_offset_s: Callable[[], float | None] = lambda: None
        """This clock minus the cloud's, where it is known to be wrong."""
        self._gateway = gateway
        self._outbox = outbox
        self._clock = clock
        self._perform = perform
        self._count = count
        self._arrived: asyncio.Queue[tuple[Asked, bool]] = asyncio.Queue()
        self._waiting = 0
        self._done = _recalled(outbox.state(AGENT, _COMMANDS))
        """By command id: its answer; none where the agent stopped while it was being done."""

    def take(self, command: AnyCommand, retained: bool) -> None:
        """From the broker. ``retained``: it was not sent to us now, but left for whoever comes."""
        if self._waiting >= WAITING_MOST:
            self._count("commands-dropped")
            _log.error("too many commands wait: one was dropped", command=command.command_id)
            return
        self._waiting += 1
        self._arrived.put_nowait((Asked.of(command), retained))

    async def run(self) -> None:
        """Until cancelled."""
        last: dict[str | None, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as lines:
                while True:
                    asked, retained = await self._arrived.get()
                    last = {device: task for device, task in last.items() if not task.done()}
                    before = last.get(asked.device)
                    last[asked.device] = lines.create_task(self._in_turn(before, asked, retained))
        finally:
            self._waiting = self._arrived.qsize()  # what had its turn ended with the group

    async def _in_turn(
        self, before: asyncio.Task[None] | None, asked: Asked, retained: bool
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._one(asked, retained)
        self._waiting -= 1

    async def _one(self, asked: Asked, retained: bool) -> None:
        if asked.id in self._done:
            await self._again(asked)
            return
        refusal = self._refusal(asked, retained)
        if refusal is None:
            # First on the disk, then done: after a crash in between it is not done again.
            if not await self._remember(asked.id, None):
                return
            refusal = await self._do(asked)
        await self._remember(asked.id, refusal)

    async def _again(self, asked: Asked) -> None:
        """A repetition is answered as before, and not done again."""
        answer = self._done[asked.id]
        self._count("commands-repeated")
        if answer is None:
            message = "the agent stopped while it was being done; it is not done again"
            answer = _answer(asked.id, accepted=False, code="interrupted", message=message)
        await self._remember(asked.id, answer)

    def _refusal(self, asked: Asked, retained: bool) -> CommandResult | None:
        if retained:
            message = "the broker had kept it for whoever comes; commands are never retained"
            return _answer(asked.id, accepted=False, code="retained", message=message)
        now = self._clock.now() - timedelta(seconds=self.clock_offset_s() or 0.0)
        if asked.expires is not None and now > asked.expires:
            message = (
                f"it was to be begun before {isoformat_utc(asked.expires)};"
                f" here it is {isoformat_utc(now.replace(microsecond=0))}"
            )
            return _answer(asked.id, accepted=False, code="expired", message=message)
        return None

    async def _do(self, asked: Asked) -> CommandResult:
        _log.info("command", action=asked.action, device=asked.device, command=asked.id)
        try:
            message = await self._perform(asked)
        except VigilError as error:
            return _answer(asked.id, accepted=False, code=error.code, message=str(error))
        except Exception as error:  # noqa: BLE001 - a mistake in a pipeline is the answer
            _log.exception("command crashed", action=asked.action, device=asked.device)
            message = f"{type(error).__name__}: {error}"
            return _answer(asked.id, accepted=False, code="command-crashed", message=message)
        return _answer(asked.id, accepted=True, code="ok", message=message)

    async def _remember(self, name: str, answer: CommandResult | None) -> bool:
        """Keep and send an answer in one transaction; false where the disk refuses."""
        done = {**{k: v for k, v in self._done.items() if k != name}, name: answer}
        self._done = dict(list(done.items())[-_REMEMBERED:])
        kept = {k: None if v is None else v.model_dump() for k, v in self._done.items()}
        state = {_COMMANDS: json.dumps(kept).encode()}
        try:
            await self._outbox.accept(AGENT, self._told(answer), state, self._clock.quality)
        except VigilError as error:
            self._count("command-not-kept")
            _log.warning("a command could not be kept", code=error.code, error=str(error))
            if answer is None:
                del self._done[name]
            return False
        return True

    async def tell(self, answer: CommandResult) -> None:
        """An answer to something that is no command: a configuration. Raises ``VigilError``."""
        await self._outbox.accept(AGENT, self._told(answer), None, self._clock.quality)

    def _told(self, answer: CommandResult | None) -> list[Outgoing]:
        if answer is None:
            return []
        now = self._clock.now()
        return [Outgoing(Lane.EVENT, CommandResult.TYPE, self._gateway, now, answer)]


def _answer(name: str, *, accepted: bool, code: str, message: str) -> CommandResult:
    return CommandResult(
        command_id=name, accepted=accepted, code=code[:60], message=message[:_MESSAGE]
    )


def _recalled(kept: bytes | None) -> dict[str, CommandResult | None]:
    found = json.loads(kept or b"{}")
    if isinstance(found, list):  # as 0.1 kept them: ids alone, all of them answered
        return {name: _answer(name, accepted=True, code="ok", message="") for name in found}
    return {k: None if v is None else CommandResult.model_validate(v) for k, v in found.items()}
