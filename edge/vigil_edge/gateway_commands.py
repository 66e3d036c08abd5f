"""What the cloud asks of a gateway and its devices, led to the part that does it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from vigil_edge.delivery.control import Asked
from vigil_edge.delivery.refusal import CommandRefused
from vigil_edge.device.configuring import ActiveConfiguration
from vigil_edge.device.fleet import Fleet
from vigil_edge.discovery.service import Discovery
from vigil_edge.domain import EdgeDomain
from vigil_schemas.commands import (
    COMMANDS,
    OF_THE_GATEWAY,
    CommandArguments,
    Discover,
    Look,
    ReportHealth,
    ResendBirth,
    RestartSource,
    RotateCertificate,
)

_OF_THE_GATEWAY: Final = frozenset(each.ACTION for each in OF_THE_GATEWAY)


@dataclass(frozen=True, slots=True)
class GatewayActs:
    """What a gateway does when it is asked to."""

    report_now: Callable[[], None]
    say_birth: Callable[[], object]
    renew: Callable[[], Awaitable[datetime]]
    """To when the new certificate is valid."""


class GatewayCommands:
    """Commands by their action; a device's own go to its supervisor."""

    def __init__(
        self,
        domains: Mapping[str, EdgeDomain],
        fleet: Fleet,
        discovery: Discovery,
        configuration: ActiveConfiguration,
        acts: GatewayActs,
    ) -> None:
        self._domains = domains
        self._fleet = fleet
        self._discovery = discovery
        self._configuration = configuration
        self._acts = acts

    async def perform(self, asked: Asked) -> str:
        """Raises ``CommandRefused``."""
        if asked.action in _OF_THE_GATEWAY:
            return await self._of_the_gateway(asked)
        found = self._fleet.by_device().get(asked.device or "")
        if found is None:
            known = asked.action in COMMANDS or asked.device is not None
            code = "unknown-device" if known else "unsupported"
            raise CommandRefused(code, f"this gateway has no device {asked.device}")
        section, supervisor = found
        if asked.action == RestartSource.ACTION:
            _arguments(RestartSource, asked)
            supervisor.restart()
            return ""
        taken = {each.ACTION: each for each in self._domains[section.domain.key].commands}
        model = taken.get(asked.action)
        if model is None:
            known_ones = ", ".join(sorted({RestartSource.ACTION, *taken}))
            message = f"{asked.device} does not take {asked.action}; it takes {known_ones}"
            raise CommandRefused("unsupported", message)
        return await supervisor.command(asked.device or "", _arguments(model, asked))

    async def _of_the_gateway(self, asked: Asked) -> str:
        arguments = _arguments(COMMANDS[asked.action], asked)
        if isinstance(arguments, Discover):
            return self._discovery.take(asked.id, arguments)
        if isinstance(arguments, Look):
            return self._discovery.take_look(asked.id, arguments)
        if asked.action == ReportHealth.ACTION:
            self._acts.report_now()
        elif asked.action == ResendBirth.ACTION:
            self._acts.say_birth()
        elif asked.action == RotateCertificate.ACTION:
            ends = await self._acts.renew()
            return f"the new certificate ends on {ends:%Y-%m-%d}"
        else:
            mistakes = await self._configuration.reload()
            if mistakes:
                said = "; ".join(f"line {each.line}: {each.message}" for each in mistakes)
                raise CommandRefused("bad-configuration", said)
        return ""


def _arguments(model: type[CommandArguments], asked: Asked) -> CommandArguments:
    try:
        # As JSON: there, strict lets a text be a time.
        return model.model_validate_json(json.dumps(dict(asked.arguments)), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CommandRefused("wrong-arguments", f"{where}: {first['msg']}") from error
