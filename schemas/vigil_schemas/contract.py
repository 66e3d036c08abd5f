"""What one domain adds to the contract, and every event type that this process understands.

The shipped domains are listed in ``vigil_schemas.domains``; whoever brings another one calls
``register`` at the start. A type that nobody has registered is refused (``unknown-type``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, get_args

from vigil_schemas.commands import COMMANDS, CommandArguments
from vigil_schemas.control import (
    Command,
    CommandV1,
    Configuration,
    ConfigurationV1,
    ConfigurationV2,
    Receipt,
    ReceiptV1,
)
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
)
from vigil_schemas.types import Domain, Model

RESERVED: Final = frozenset({"cloud", "command", "config", "device", "gateway", "platform"})
"""Words that are no domain's: the platform's own event types and alerts use them."""
_NAME: Final = re.compile(get_args(Domain)[1].metadata[0].pattern)
_DOWNWARD: Final = (
    *(Receipt, ReceiptV1, Command, CommandV1),
    *(Configuration, ConfigurationV2, ConfigurationV1),
)

PAYLOADS: Final[dict[str, type[Model]]] = {
    model.TYPE: model
    for model in (
        GatewayBirth,
        GatewayDeath,
        GatewayHealth,
        DeviceHealth,
        ObservationLoss,
        CommandResult,
        ConfigurationReport,
        DiscoveryReport,
        LookReport,
        *_DOWNWARD,
    )
}
"""Every event type whose data is one model; ``register`` adds those of a domain."""

OBSERVATION_TYPES: Final[dict[str, Domain]] = {}
"""The domain of each type of observations whose domain is registered."""

ALARM_TYPES: Final[dict[str, Domain]] = {}
"""The domain of each event type that may come on the alarm lane, of any version."""

DOWNWARD: Final[frozenset[str]] = frozenset(model.TYPE for model in _DOWNWARD)
"""Types that only the cloud sends."""


class BadContract(ValueError):
    """A domain's description contradicts itself, or what is registered already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainContract:
    """The messages of one domain beside its observations."""

    name: Domain
    events: tuple[type[Model], ...] = ()
    """As gateways send them today."""
    alarms: tuple[type[Model], ...] = ()
    """Those of them that may come on the alarm lane."""
    accepted: tuple[type[Model], ...] = ()
    """Older versions of them, which are still taken."""
    commands: tuple[type[CommandArguments], ...] = ()
    """What its devices may be asked for; an action may be that of several domains."""
    observes: bool = True
    """``False``: no device of it measures anything; observations in its name are refused."""


def type_of(model: type[Model]) -> str:
    """The event type of a model. Raises ``BadContract`` where it names none."""
    name = getattr(model, "TYPE", None)
    if not isinstance(name, str):
        raise BadContract(f"{model.__name__} names no event TYPE")
    return name


def kind_of(event_type: str) -> str:
    """An event type without its version."""
    return event_type.rpartition(".")[0]


def alarm_types(contract: DomainContract) -> frozenset[str]:
    """Those of its event types that may come on the alarm lane, of any version."""
    kinds = {kind_of(type_of(model)) for model in contract.alarms}
    names = (type_of(model) for model in (*contract.events, *contract.accepted))
    return frozenset(name for name in names if kind_of(name) in kinds)


def observation_type(domain: Domain) -> str:
    """The event type of a domain's observations; its data is a SenML pack."""
    return f"city.vigil.{domain}.observation.v1"


_contracts: Final[dict[Domain, DomainContract]] = {}


def contracts() -> Sequence[DomainContract]:
    """Every registered domain's, in the order of registration."""
    return tuple(_contracts.values())


def register(contract: DomainContract) -> None:
    """Understand this domain's messages from now on. Idempotent. Raises ``BadContract``."""
    known = _contracts.get(contract.name)
    if known is not None:
        if known != contract:
            raise BadContract(f"domain {contract.name!r} is registered already, differently")
        return
    models = (*contract.events, *contract.accepted)
    names = _checked_names(contract, models)
    for command in contract.commands:
        if COMMANDS.setdefault(command.ACTION, command) is not command:
            raise BadContract(f"{contract.name}: the action {command.ACTION} has other arguments")
    _contracts[contract.name] = contract
    PAYLOADS.update(zip(names, models, strict=True))
    ALARM_TYPES.update(dict.fromkeys(alarm_types(contract), contract.name))
    if contract.observes:
        OBSERVATION_TYPES[observation_type(contract.name)] = contract.name


def _checked_names(contract: DomainContract, models: Sequence[type[Model]]) -> list[str]:
    """The event types of its models. Raises ``BadContract``."""
    if not _NAME.fullmatch(contract.name) or contract.name in RESERVED:
        raise BadContract(f"{contract.name!r} cannot be a domain's name")
    if not set(contract.alarms) <= set(contract.events):
        raise BadContract(f"{contract.name}: alarms that are not among its events")
    names = [type_of(model) for model in models]
    for name in names:
        if not name.startswith(f"city.vigil.{contract.name}."):
            raise BadContract(f"{name} does not begin with city.vigil.{contract.name}.")
        if names.count(name) > 1 or name == observation_type(contract.name):
            raise BadContract(f"{name} stands for two things")
    return names


def forget(contract: DomainContract) -> None:
    """Take it away again: a test's domain ends with its test."""
    del _contracts[contract.name]
    OBSERVATION_TYPES.pop(observation_type(contract.name), None)
    for model in (*contract.events, *contract.accepted):
        del PAYLOADS[type_of(model)]
    for name in alarm_types(contract):
        del ALARM_TYPES[name]


@contextmanager
def registered(contract: DomainContract) -> Iterator[None]:
    """Registered for as long as the block lasts."""
    register(contract)
    try:
        yield
    finally:
        forget(contract)
