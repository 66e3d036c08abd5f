"""What the cloud may ask of a gateway: three commands, and a configuration from afar."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from pydantic import ValidationError

from vigil_edge.clock import Clock
from vigil_edge.outbox import Outbox
from vigil_edge.reporter import AGENT, Reporter
from vigil_edge.source import Outgoing
from vigil_edge.supervisor import Supervisor
from vigil_schemas.control import Command, Configuration
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import CommandResult
from vigil_schemas.types import Lane

_CONFIGURATION: Final = "configuration"
_COMMANDS: Final = "commands"
_REMEMBERED: Final = 64

_log = structlog.get_logger("control")


class Control:
    """Each command is done once, also when it is delivered twice or across a restart."""

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        supervisors: Mapping[str, Supervisor],
        reporter: Reporter,
    ) -> None:
        self.say_birth: Callable[[], None] = lambda: None
        self._outbox = outbox
        self._clock = clock
        self._supervisors = supervisors
        self._reporter = reporter
        self._revision = 0
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
        """Take a newer revision; an older or known one changes nothing."""
        if configuration.revision <= self._revision:
            return
        unknown = sorted(set(configuration.paused_devices) - set(self._supervisors))
        self._apply(configuration)
        result = CommandResult(
            command_id=f"config-{configuration.revision}",
            accepted=True,
            code="unknown-device" if unknown else "ok",
            message=f"not here: {', '.join(unknown)}"[:400] if unknown else "",
        )
        await self._answer(result, {_CONFIGURATION: configuration.model_dump_json().encode()})

    def _apply(self, configuration: Configuration) -> None:
        self._revision = configuration.revision
        self._reporter.set_interval(configuration.health_interval_s)
        paused = {self._supervisors.get(device) for device in configuration.paused_devices}
        for supervisor in set(self._supervisors.values()):
            supervisor.pause(supervisor in paused)

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
