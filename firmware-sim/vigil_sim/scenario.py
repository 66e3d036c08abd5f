"""Reading a scenario: what stands in the simulated city, what happens in it, what goes wrong.

Written in TOML, read once into frozen models that are joined from the tables of all domains. A
mistake is named by its key and, where it can be found, its line.
"""

from __future__ import annotations

import functools
import operator
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, get_args

from pydantic import Field, ValidationError, create_model, model_validator

from vigil_schemas.toml_lines import line_at, lines_of
from vigil_sim.domain import SimulatedDomain
from vigil_sim.fault_rules import objection
from vigil_sim.faults import ScenarioFaultError
from vigil_sim.registry import DOMAINS
from vigil_sim.scenario_model import Happening, Scenario, ScenarioError, Unplugged

_OF_THE_PLATFORM: Final[tuple[type[Happening], ...]] = (Unplugged,)
"""Happenings that are no domain's."""


class CityScenario(Scenario):
    """A scenario with the tables of its domains; made by ``scenario_type``."""

    domains: ClassVar[tuple[SimulatedDomain, ...]] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> CityScenario:
        gateways = [gateway.id for gateway in self.gateway]
        devices = [device.device for device in self.devices]
        for what, names in (("gateway", gateways), ("device", devices)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is defined twice")
        for device in self.devices:
            if device.gateway not in gateways:
                raise ValueError(
                    f"device {device.device!r} names unknown gateway {device.gateway!r}"
                )
        for index, happening in enumerate(self.schedule):
            self._happening_fits(f"schedule[{index}] ({happening.what})", happening)
        self._faults_fit()
        return self

    def _happening_fits(self, what: str, happening: Happening) -> None:
        named = getattr(happening, "device", None)
        if named is not None:
            (domain,) = (d for d in self.domains if isinstance(happening, d.happenings))
            wanted = {device.device for device in self.devices_of(domain.key)}
            if named not in wanted:
                raise ValueError(f"{what} names {named!r}; known: {sorted(wanted)}")
        gateways = {gateway.id for gateway in self.gateway}
        if isinstance(happening, Unplugged) and happening.gateway not in gateways:
            raise ValueError(f"{what} names {happening.gateway!r}; known: {sorted(gateways)}")
        if happening.at_s > self.duration_s:
            raise ValueError(
                f"{what} is at {happening.at_s} s, after the end of the play at {self.duration_s} s"
            )

    def _faults_fit(self) -> None:
        profiles = {
            device.device: domain.faults(device)
            for domain in self.domains
            for device in self.devices_of(domain.key)
        }
        for index, entry in enumerate(self.fault):
            if entry.device not in profiles:
                raise ValueError(f"fault[{index}] names unknown device {entry.device!r}")
            try:
                wrong = objection(entry.fault, profiles[entry.device])
            except ScenarioFaultError as error:
                wrong = str(error)
            if wrong:
                raise ValueError(f"fault[{index}] ({entry.device}): {wrong}")


@functools.cache
def scenario_type(domains: tuple[SimulatedDomain, ...]) -> type[CityScenario]:
    """The model of a scenario in which these domains have their tables."""
    fields: dict[str, Any] = {}
    kinds: list[type[Happening]] = list(_OF_THE_PLATFORM)
    for domain in domains:
        fields[domain.key] = (tuple[domain.device, ...], ())  # type: ignore[name-defined]  # made at run time
        for key, table in domain.tables.items():
            several = table.default == ()
            fields[key] = (tuple[table.kind, ...] if several else table.kind, table.default)  # type: ignore[name-defined]  # as above
        kinds += domain.happenings
    either = functools.reduce(operator.or_, kinds)
    entry = either if len(kinds) == 1 else Annotated[either, Field(discriminator="what")]
    fields["schedule"] = (tuple[entry, ...], ())  # type: ignore[valid-type]  # as above
    made = create_model("Scenario", __base__=CityScenario, **fields)
    made.domains = domains
    made.device_tables = tuple(domain.key for domain in domains)
    return made


def find(name: str) -> Path:
    """The file of a scenario given as a path, or as the name of one that is shipped."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = resources.files("vigil_sim") / "scenarios"
    for candidate in (name, f"{name}.toml", path.name):
        inside = Path(str(shipped / candidate))
        if inside.is_file():
            return inside
    known = ", ".join(sorted(entry.name for entry in Path(str(shipped)).glob("*.toml")))
    raise ScenarioError(f"no scenario {name!r}: neither a file nor one of those shipped: {known}")


def parse(
    text: str, origin: str = "scenario", domains: tuple[SimulatedDomain, ...] = DOMAINS
) -> CityScenario:
    """Raises ``ScenarioError`` with one line per mistake."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of endless digits, too
        raise ScenarioError(f"{origin}: not TOML: {error}") from error
    try:
        return scenario_type(domains).model_validate(raw)
    except ValidationError as error:
        lines = []
        stands = lines_of(text)
        own = [kind for domain in domains for kind in domain.happenings]
        tags = {tag for kind in (*_OF_THE_PLATFORM, *own) for tag in _tags(kind)}
        for mistake in error.errors(include_url=False):
            path = tuple(part for part in mistake["loc"] if part not in tags)
            where = f"{origin}:{line_at(stands, path)}" if path else origin
            key = ".".join(str(part) for part in path)
            message = mistake["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {key}: {message}" if key else f"{where}: {message}")
        raise ScenarioError("\n".join(lines)) from error


def _tags(kind: type[Happening]) -> tuple[str, ...]:
    """What pydantic puts into an error's path for a member of the timetable's union."""
    return get_args(kind.model_fields["what"].annotation)


def load(name: str, domains: tuple[SimulatedDomain, ...] = DOMAINS) -> CityScenario:
    """A scenario by path or shipped name. Raises ``ScenarioError``."""
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path), domains)
