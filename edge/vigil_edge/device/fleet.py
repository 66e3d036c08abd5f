"""Every section's pipeline, while the agent runs: added, changed and removed without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from pydantic import BaseModel

from vigil_edge.configuration.gateway_file import DeviceSection
from vigil_edge.configuration.light import GpioLight, LedLight
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.light import shine
from vigil_edge.device.seam import Pipeline
from vigil_edge.device.supervisor import Supervisor
from vigil_schemas.gateway import DeviceDescription

_LATER: Final = 4.0
"""Seconds that a removed pipeline may take to end."""

_log = structlog.get_logger("fleet")


Build = Callable[[DeviceSection, SourceRecord], Pipeline]
"""A new pipeline of a section, which reports into the record."""
Supervise = Callable[[DeviceSection, Callable[[], Pipeline], SourceRecord], Supervisor]
"""Who keeps the pipelines of a section running, one after the other."""


@dataclass(slots=True)
class _Member:
    section: DeviceSection
    record: SourceRecord
    supervisor: Supervisor = field(init=False)
    task: asyncio.Task[None] | None = None
    light: asyncio.Task[None] | None = None
    lit: LedLight | GpioLight | None = None
    """What ``light`` shows it on."""


class Fleet:
    """``run`` keeps all of them running until it is cancelled; ``apply`` may come at any time."""

    def __init__(
        self,
        build: Build,
        record: Callable[[str], SourceRecord],
        supervise: Supervise,
        keep: Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]],
        connected: Callable[[], bool] = lambda: True,
    ) -> None:
        """``keep`` runs a part of the agent and starts it anew where it crashes. ``connected``:
        to the cloud, for lamps on the box."""
        self._build = build
        self._record = record
        self._supervise = supervise
        self._keep = keep
        self._connected = connected
        self._members: dict[str, _Member] = {}
        self._found: dict[str, DeviceDescription] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._running = False

    @property
    def records(self) -> list[SourceRecord]:
        """Of every source, in the order of the configuration."""
        return [member.record for member in self._members.values()]

    @property
    def devices(self) -> list[DeviceDescription]:
        """As sections describe them, and then those that pipelines found."""
        described: dict[str, DeviceDescription] = {}
        for member in self._members.values():
            actions = [each.ACTION for each in member.section.domain.commands]
            for entry in member.section.describe():
                # Where only some of its domain's devices take one, the section says which.
                taken = {"commands": entry.commands or actions}
                described[entry.device] = entry.model_copy(update=taken)
        return [*described.values(), *(v for k, v in self._found.items() if k not in described)]

    def found(self, devices: Sequence[DeviceDescription]) -> bool:
        """Devices that no section describes; whether any of them is news."""
        new = {each.device: each for each in devices if self._found.get(each.device) != each}
        self._found |= new
        return bool(new)

    def by_device(self) -> dict[str, tuple[DeviceSection, Supervisor]]:
        """Who reads a device, by every name that a command may use."""
        found: dict[str, tuple[DeviceSection, Supervisor]] = {}
        for name, member in self._members.items():
            entry = (member.section, member.supervisor)
            found |= {each.device: entry for each in member.section.describe()}
            found[name] = entry
        return found

    def apply(self, sections: Sequence[DeviceSection]) -> list[str]:
        """Make it these sections; returns the devices whose pipelines were touched."""
        wanted = {section.settings.device: section for section in sections}
        touched = [name for name in self._members if name not in wanted]
        for name in touched:
            self._remove(self._members.pop(name))
        members: dict[str, _Member] = {}
        for name, section in wanted.items():
            member = self._members.get(name)
            if member is None or member.section.domain is not section.domain:
                if member is not None:
                    self._remove(member)
                member = self._member(section)
                self._start(member)
                touched.append(name)
            elif _differs(member.section.settings, section.settings):
                member.section = section
                member.supervisor.restart()
                self._shine(member)
                touched.append(name)
            else:
                member.section = section
            members[name] = member
        self._members = members
        return touched

    def pause(self, devices: Sequence[str]) -> tuple[str, str]:
        """Pause these devices and no others. Returns a code and a message for those that were to
        be paused and are not."""
        wanted = set(devices)
        known: set[str] = set()
        shared = ("ok", "")
        for name, member in self._members.items():
            read = {each.device for each in member.section.describe()} | {name}
            known |= read
            others = read - {name}
            stops = name in wanted or (bool(others) and others <= wanted)
            member.supervisor.pause(stops)
            named = sorted(wanted & read)
            if named and not stops:
                # One home's alarm must not silence the others behind the same bridge.
                whole = f"read with others by {name}; pause that, or all of them"
                shared = ("shares-its-source", f"not paused: {', '.join(named)}, {whole}")
        unknown = sorted(wanted - known)
        return ("unknown-device", f"not here: {', '.join(unknown)}") if unknown else shared

    async def run(self) -> None:
        """Until cancelled; pipelines have then ended, or have been given up."""
        self._running = True
        for member in self._members.values():
            self._start(member)
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            members = self._members.values()
            tasks = [one for m in members for one in (m.task, m.light) if one is not None]
            tasks += self._leaving
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_LATER)

    def _member(self, section: DeviceSection) -> _Member:
        record = self._record(section.settings.device)
        member = _Member(section, record)
        # Whatever the section is by the time the pipeline is started anew.
        member.supervisor = self._supervise(
            section, lambda: self._build(member.section, record), record
        )
        return member

    def _start(self, member: _Member) -> None:
        if self._running and member.task is None:
            member.task = asyncio.create_task(_run(self._keep, member.supervisor))
            self._shine(member)

    def _shine(self, member: _Member) -> None:
        """Its lamp, as its section has it now. It goes on while the pipeline is started anew."""
        wanted = member.section.settings.light
        if not self._running or wanted == member.lit:
            return
        self._darken(member)
        member.lit = wanted
        if wanted is None:
            return
        record = member.record

        def works() -> bool:
            return record.state in {"ok", "degraded"} and self._connected()

        def count(counter: str) -> None:
            record.counters[counter] += 1

        async def light() -> None:
            await shine(wanted, works, count)

        member.light = asyncio.create_task(_light(self._keep, light))

    def _darken(self, member: _Member) -> None:
        if member.light is not None:
            member.light.cancel()
            self._leaving.add(member.light)
            member.light.add_done_callback(self._leaving.discard)
            member.light = member.lit = None

    def _remove(self, member: _Member) -> None:
        _log.info("pipeline removed", device=member.record.device)
        self._darken(member)
        if member.task is not None:
            member.task.cancel()
            self._leaving.add(member.task)
            member.task.add_done_callback(self._leaving.discard)


async def _light(
    keep: Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]],
    light: Callable[[], Awaitable[None]],
) -> None:
    await keep("light", light)


async def _run(
    keep: Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]], supervisor: Supervisor
) -> None:
    await keep("supervisor", supervisor.run)


def _differs(before: BaseModel, after: BaseModel) -> bool:
    """Whether a pipeline would do anything otherwise: names and positions are for people."""
    names = {"name", "name_zh", "latitude", "longitude"}
    return type(before) is not type(after) or _rest(before, names) != _rest(after, names)


def _rest(settings: BaseModel, without: set[str]) -> dict[str, Any]:
    return {k: v for k, v in settings if k not in without}
