"""What the cloud may ask of a gateway: three commands, and a configuration from afar."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog
from pydantic import ValidationError

from vigil_edge.clock import Clock
from vigil_edge.delivery.outbox import AGENT, Outbox
from vigil_edge.delivery.outgoing import Outgoing
from vigil_schemas.control import Command, Configuration
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import CommandResult
from vigil_schemas.types import Lane

_CONFIGURATION: Final = "configuration"
_COMMANDS: Final = "commands"
_REMEMBERED: Final = 64

_log = structlog.get_logger("control")


class Source(Protocol):
    """What is done to the pipeline that reads a device."""

    @property
    def device(self) -> str:
        """The name of the section that the pipeline is of."""

    def restart(self) -> None:
        """Now, without a pause."""

    def pause(self, paused: bool) -> None:
        """Stop until told otherwise."""


class Reports(Protocol):
    """Who tells the cloud how this gateway is."""

    @property
    def gateway(self) -> str:
        """This gateway's id."""

    def report_now(self) -> None:
        """Do not wait for the minute to pass."""

    def set_interval(self, seconds: float) -> None:
        """How often from now on."""


class Control:
    """Each command is done once, also when it is delivered twice or across a restart."""

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        supervisors: Mapping[str, Source],
        reporter: Reports,
    ) -> None:
        self.say_birth: Callable[[], None] = lambda: None
        self._outbox = outbox
        self._clock = clock
        self._supervisors = supervisors
        self._reporter = reporter
        self._revision = 0
        self._refused: set[int] = set()
        self._done: list[str] = json.loads(outbox.state(AGENT, _COMMANDS) or b"[]")

    def restore(self) -> None:
        """Apply the configuration that was last received, before the first pipeline starts."""
        kept = self._outbox.state(AGENT, _CONFIGURATION)
        if kept is None:
            return
        try:
            self._apply(Configuration.model_validate_json(kept))
        except ValidationError as error:
            _log.warning("the kept configuration is unreadable", error=str(error))

    async def command(self, command: Command) -> None:
        """Do it and answer with a ``CommandResult`` on the event lane."""
        if command.command_id in self._done:
            return
        result = self._perform(command)
        self._done = [*self._done, command.command_id][-_REMEMBERED:]
        await self._answer(result, {_COMMANDS: json.dumps(self._done).encode()})

    def _perform(self, command: Command) -> CommandResult:
        if command.action == "report_health":
            self._reporter.report_now()
        elif command.action == "resend_birth":
            self.say_birth()
        else:
            supervisor = self._supervisors.get(command.device or "")
            if supervisor is None:
                return CommandResult(
                    command_id=command.command_id,
                    accepted=False,
                    code="unknown-device",
                    message=f"this gateway has no device {command.device}",
                )
            supervisor.restart()
        return CommandResult(command_id=command.command_id, accepted=True)

    async def configuration(self, configuration: Configuration) -> None:
        """Take a newer revision; a known one changes nothing, and an older one is refused."""
        if configuration.revision <= self._revision:
            await self._refuse(configuration.revision)
            return
        self._apply(configuration)
        code, message = self._unpaused(configuration)
        result = CommandResult(
            command_id=f"config-{configuration.revision}",
            accepted=True,
            code=code,
            message=message[:400],
        )
        await self._answer(result, {_CONFIGURATION: configuration.model_dump_json().encode()})

    async def _refuse(self, revision: int) -> None:
        """Once each: a retained configuration comes with every connection."""
        if revision == self._revision or revision in self._refused:
            return
        self._refused = {*self._refused, revision} if len(self._refused) < _REMEMBERED else set()
        result = CommandResult(
            command_id=f"config-{revision}",
            accepted=False,
            code="older-revision",
            message=f"this gateway already has revision {self._revision}",
        )
        await self._answer(result, {})

    def _apply(self, configuration: Configuration) -> None:
        self._revision = configuration.revision
        self._reporter.set_interval(configuration.health_interval_s)
        wanted = set(configuration.paused_devices)
        for supervisor, devices in self._sources().items():
            supervisor.pause(_stops(supervisor, devices, wanted))

    def _unpaused(self, configuration: Configuration) -> tuple[str, str]:
        """Code and message for devices that were to be paused and are not."""
        wanted = set(configuration.paused_devices)
        unknown = sorted(wanted - set(self._supervisors))
        if unknown:
            return "unknown-device", f"not here: {', '.join(unknown)}"
        for supervisor, devices in self._sources().items():
            named = sorted(wanted & devices)
            if named and not _stops(supervisor, devices, wanted):
                # One home's alarm must not silence the others behind the same bridge.
                whole = f"read with others by {supervisor.device}; pause that, or all of them"
                return "shares-its-source", f"not paused: {', '.join(named)}, {whole}"
        return "ok", ""

    def _sources(self) -> dict[Source, set[str]]:
        """The devices that each supervisor reads."""
        found: dict[Source, set[str]] = {}
        for device, supervisor in self._supervisors.items():
            found.setdefault(supervisor, set()).add(device)
        return found

    async def _answer(self, result: CommandResult, state: Mapping[str, bytes]) -> None:
        outgoing = Outgoing(
            Lane.EVENT,
            CommandResult.TYPE,
            self._reporter.gateway,
            self._clock.now(),
            result,
        )
        try:
            await self._outbox.accept(AGENT, [outgoing], state, self._clock.quality)
        except VigilError as error:
            _log.warning("answer could not be kept", code=error.code, error=str(error))


def _stops(supervisor: Source, devices: set[str], wanted: set[str]) -> bool:
    """A source is paused by its own name, or by those of all its devices."""
    others = devices - {supervisor.device}
    return supervisor.device in wanted or (bool(others) and others <= wanted)
