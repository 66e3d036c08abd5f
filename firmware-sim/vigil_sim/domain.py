"""How a domain describes itself to the simulators: one ``SimulatedDomain`` in its ``domain.py``.

Everything that the platform (scenario, city, play, demo, command line) knows of a domain stands
in its descriptor; ``vigil_sim.registry`` lists those that are shipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from vigil_sim.fault_rules import FaultProfile
from vigil_sim.journey import Journey
from vigil_sim.scenario_model import Device, Happening, Part, Scenario
from vigil_sim.site import Site

Commands = argparse._SubParsersAction  # argparse names this type nowhere else
LoadScenario = Callable[[str], Scenario]
"""By path or shipped name. Raises ``ScenarioError``."""
SeedTable = tuple[str, dict[str, Any]]
"""Name and keys of one ``[[table]]`` of the file that ``vigil-cloud seed`` reads."""


def _nothing_listed(_: Scenario) -> dict[str, Any]:
    return {}


def _nothing_offered(_sign_in: SignIn) -> Sequence[str]:
    return ()


def _nothing_seeded(_: Scenario, __: Sequence[str], ___: str) -> Sequence[SeedTable]:
    return ()


def _no_commands(_: Commands[argparse.ArgumentParser], __: LoadScenario) -> None:
    """Most domains have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTable:
    """A further table of a scenario: ``[key]`` once, or ``[[key]]`` any number of times."""

    kind: type[Part]
    default: Part | tuple[()]
    """Where the scenario does not write it; ``()`` for ``[[key]]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightAlert:
    """The alert that a night of this domain ends in, as somebody at the console sees it."""

    moment: str
    """Key of the event's detail that says when it happened at the device (RFC 3339)."""
    evidence: frozenset[str] = frozenset()
    """Roles of the files that its sealed evidence must have."""
    readings: bool = False
    """Whether its device's readings must be found in the time series."""


class SignedIn(Protocol):
    """An account of the demo, over the cloud's API (paths beneath ``/api/v1``)."""

    def get(self, path: str) -> Any:
        """One resource as JSON."""

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """One change; what was answered."""


SignIn = Callable[[str], AbstractContextManager[SignedIn]]
"""By user name."""
Act = Callable[[Mapping[str, Any], SignIn], str]
"""What people do, given what the timetable says; returns what to say of it."""


class Around(Protocol):
    """What people of the demo can do and see beside the cloud's API."""

    @property
    def scenario(self) -> Scenario:
        """What is played."""

    def sign_in(self, username: str) -> AbstractContextManager[SignedIn]:
        """As ``SignIn``."""

    def page(self, address: str) -> str:
        """A page as a browser without an account gets it, in English."""

    def shown(self, username: str) -> Sequence[str]:
        """Titles of what the phone of this account has shown, oldest first."""

    def unplug(self, gateway: str) -> None:
        """Its box loses its power."""

    def plug_in(self, gateway: str) -> None:
        """It has it again."""


Errand = Callable[[Mapping[str, Any], Around], Iterator[str | None]]
"""What people do that takes longer than one act, given what the timetable says. Asked for its next
step about once a second: what to say of it, or ``None`` while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedDomain:
    """One domain of the simulated city. Told apart by identity."""

    key: str
    """The same word as in the contract: ``[[key]]`` in a scenario and in a gateway's file."""
    title: str
    title_zh: str
    icon: str
    """One character for a terminal."""
    device: type[Device]
    """What ``[[key]]`` holds."""
    start: Callable[[Site, Sequence[Any]], Awaitable[None]]
    """Build and run the devices, which are of the type ``device``, and tell the site of them."""
    faults: Callable[[Any], FaultProfile]
    """What a device of the type ``device`` makes of faults."""
    ledger: Mapping[str, str]
    """Kinds of ledger entries that its devices write, with what each stands for."""
    happenings: tuple[type[Happening], ...] = ()
    tables: Mapping[str, ExtraTable] = field(default_factory=dict)
    listed: Callable[[Scenario], dict[str, Any]] = _nothing_listed
    """Further keys of ``city.json``."""
    seed: Callable[[Scenario, Sequence[str], str], Sequence[SeedTable]] = _nothing_seeded
    """Of the demo: scenario, user names of relatives, and until when they may see (RFC 3339)."""
    people: Mapping[str, Act] = field(default_factory=dict)
    """Of the demo: what people do, by the happening's ``what``."""
    errands: Mapping[str, Errand] = field(default_factory=dict)
    """Of the demo, whose check waits for each: by the happening's ``what``."""
    phones: Callable[[Scenario], Collection[str]] = lambda _: ()
    """Of the demo: user names of those who are told by Web Push, on a phone of the demo's own."""
    offers: Callable[[SignIn], Sequence[str]] = _nothing_offered
    """Of the demo that stays: what else there is to try out, a line each."""
    journeys: tuple[Journey, ...] = ()
    """Of the demo: what people do on the pages, from its alarms to their closed cases."""
    alert: NightAlert | None = None
    """None: a night of this domain raises nothing that the demo could wait for."""
    add_commands: Callable[[Commands[argparse.ArgumentParser], LoadScenario], None] = _no_commands
    """Its own words on the command line."""
