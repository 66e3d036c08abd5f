"""Searches and looks, one after the other, beside whatever the agent does.

A command is answered as soon as it is taken: a search lasts for minutes, and the next command in
line may be one that lives hang on. What was found comes as a report, on the event lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from vigil_edge.configuration.added import Template, chosen
from vigil_edge.configuration.allowed import DiscoverySettings, refusal
from vigil_edge.delivery.refusal import CommandRefused
from vigil_edge.discovery.reports import Progress, cut
from vigil_edge.discovery.search import Place, Search
from vigil_edge.discovery.store import FoundStore
from vigil_schemas.commands import Discover, Look
from vigil_schemas.discovery import LookReport, RawReading
from vigil_schemas.errors import VigilError
from vigil_schemas.types import Domain, Model

SEARCH_S: Final = 240.0
"""A domain's search is ended then; what it found by then is told."""
LOOK_S: Final = 30.0
_WAITING: Final = 8
_TELL_EVERY_S: Final = 2.0

_log = structlog.get_logger("discovery")


class Searchable(Protocol):
    """What a search must know of a domain; see ``vigil_edge.domain``."""

    @property
    def key(self) -> Domain:
        """Its word."""

    @property
    def settings(self) -> Callable[[], Any]:
        """What a section of it is checked by."""

    @property
    def discover(self) -> Callable[[Search], AsyncIterator[Place]] | None:
        """Yields each place as it was searched."""

    @property
    def look(self) -> Callable[[Any], Awaitable[list[RawReading]]] | None:
        """Reads once what a section describes; raises ``VigilError``."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the agent lends to its searches."""

    gateway: str
    folder: Path
    sections: Callable[[], Sequence[tuple[Domain, Any]]]
    """Of every section in force, its domain and settings."""
    settings: Callable[[], DiscoverySettings]
    used: Callable[[], Sequence[str]]
    """Findings that devices in use stand on."""
    tell: Callable[[Model], Awaitable[None]]
    found_more: Callable[[], Awaitable[None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    count: Callable[[str], None]


class Discovery:
    """``take`` and ``take_look`` never wait; ``run`` does one after the other until cancelled."""

    def __init__(self, domains: Sequence[Searchable], around: Surroundings) -> None:
        self._domains = {each.key: each for each in domains}
        self._around = around
        self._store = FoundStore(around.folder)
        self._jobs: asyncio.Queue[tuple[str, Discover | Look]] = asyncio.Queue(_WAITING)
        self._searching = False

    @property
    def templates(self) -> Mapping[str, Template]:
        """What was found, by ``FoundId``."""
        return self._store.templates

    def take(self, command: str, asked: Discover) -> str:
        """Returns what to answer. Raises ``CommandRefused``."""
        settings = self._around.settings()
        if not settings.enabled:
            message = "`[discovery] enabled = false` stands in the gateway's file"
            raise CommandRefused("discovery-disabled", message)
        if asked.last_unit < asked.first_unit:
            raise CommandRefused("wrong-arguments", "last_unit lies below first_unit")
        if asked.domain is not None and asked.domain not in self._searchable():
            known = ", ".join(sorted(self._searchable()))
            message = f"nothing can be searched for {asked.domain} here; for {known}"
            raise CommandRefused("unsupported", message)
        for address in asked.addresses:
            if why := refusal(address, settings):
                raise CommandRefused("address-not-allowed", f"{address} {why}")
        if self._searching:
            raise CommandRefused("search-running", "a search is under way; wait for its end")
        self._searching = True
        self._queue(command, asked)
        return "it searches; what it finds comes as it is found"

    def take_look(self, command: str, asked: Look) -> str:
        """Returns what to answer. Raises ``CommandRefused``."""
        template = self.templates.get(asked.found)
        if template is None:
            raise CommandRefused("not-found", "this gateway does not know it (any more): search")
        domain = self._domains.get(template.domain)
        if domain is None or domain.look is None:
            raise CommandRefused("unsupported", f"{template.domain} is not read before it is added")
        if chosen(template, asked.choices, "look") is None:
            raise CommandRefused("wrong-arguments", "choices: something has to be chosen first")
        self._queue(command, asked)
        return "it reads; the values come as they are read"

    def _queue(self, command: str, asked: Discover | Look) -> None:
        try:
            self._jobs.put_nowait((command, asked))
        except asyncio.QueueFull as error:
            if isinstance(asked, Discover):
                self._searching = False
            raise CommandRefused("too-many", "too many looks wait: try again") from error

    def _searchable(self) -> dict[str, Searchable]:
        return {key: each for key, each in self._domains.items() if each.discover is not None}

    async def run(self) -> None:
        """Until cancelled."""
        interrupted = self._store.searching
        if interrupted is not None:
            await self._around.tell(Progress(interrupted, self._around.now()).report("interrupted"))
            self._remember({}, None)
        while True:
            command, asked = await self._jobs.get()
            if isinstance(asked, Look):
                await self._look(command, asked)
                continue
            try:
                await self._search(command, asked)
            finally:
                self._searching = False

    # -- searching

    async def _search(self, command: str, asked: Discover) -> None:
        progress = Progress(command, self._around.now())
        self._remember({}, command)
        await self._around.tell(progress.report("searching"))
        places: asyncio.Queue[tuple[Domain, Place] | None] = asyncio.Queue()
        wanted = [each for key, each in self._searchable().items() if asked.domain in (None, key)]
        running = asyncio.gather(*(self._domain(each, asked, places) for each in wanted))
        running.add_done_callback(lambda _: places.put_nowait(None))
        found: dict[str, Template] = {}
        told = self._around.monotonic()
        try:
            while (one := await places.get()) is not None:
                domain, place = one
                progress.take(domain, place)
                found |= {
                    each.key(domain): each.template
                    for each in place.found
                    if each.template is not None
                }
                if self._around.monotonic() - told >= _TELL_EVERY_S:
                    told = self._around.monotonic()
                    await self._around.tell(progress.report("searching"))
        finally:
            running.cancel()
        self._remember(found, None)
        # First what was found is known here, then anybody can ask for it.
        await self._around.tell(progress.report("done", self._around.now()))
        await self._around.found_more()

    async def _domain(
        self,
        domain: Searchable,
        asked: Discover,
        places: asyncio.Queue[tuple[Domain, Place] | None],
    ) -> None:
        """One domain's search; whatever it raises is told as a place that was not searched."""
        around, discover = self._around, domain.discover
        if discover is None:
            return
        search = Search(
            gateway=around.gateway,
            sections=tuple(each for key, each in around.sections() if key == domain.key),
            addresses=tuple(asked.addresses),
            first_unit=asked.first_unit,
            last_unit=asked.last_unit,
            folder=around.folder / "descriptions" / domain.key,
            monotonic=around.monotonic,
        )

        def fails(code: str, message: str) -> None:
            places.put_nowait((domain.key, Place(domain.key, code=code, message=message)))

        try:
            async with asyncio.timeout(SEARCH_S):
                async for place in discover(search):
                    places.put_nowait((domain.key, place))
        except TimeoutError:
            fails("search-too-long", f"not ended within {SEARCH_S:.0f} s; some of it was searched")
        except ModuleNotFoundError as error:
            fails("package-missing", f"{error.name} is not installed on this gateway")
        except VigilError as error:
            fails(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - a mistake in one domain's search is told of it
            around.count("search-crashed")
            _log.exception("a search crashed", domain=domain.key)
            fails("search-crashed", f"{type(error).__name__}: {error}")

    def _remember(self, found: Mapping[str, Template], searching: str | None) -> None:
        try:
            self._store.remember(found, searching, self._around.used())
        except OSError as error:
            self._around.count("found-not-kept")
            _log.error("what was found is not kept: it ends with the agent", error=str(error))

    # -- looking

    async def _look(self, command: str, asked: Look) -> None:
        readings: list[RawReading] = []
        code = message = None
        try:
            readings = await self._read(asked)
        except TimeoutError:
            code, message = "source-slow", f"no answer within {LOOK_S:.0f} s"
        except VigilError as error:
            code, message = error.code, str(error)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            code, message = "bad-configuration", f"{where}: {first['msg']}"
        except Exception as error:  # noqa: BLE001 - a mistake in a driver is the answer
            self._around.count("look-crashed")
            _log.exception("a look crashed", found=asked.found)
            code, message = "command-crashed", f"{type(error).__name__}: {error}"
        report = LookReport(
            command_id=command,
            found=asked.found,
            time=self._around.now(),
            readings=readings[:100],
            code=code,
            message=None if message is None else cut(message, 400),
        )
        await self._around.tell(report)

    async def _read(self, asked: Look) -> list[RawReading]:
        template = self.templates[asked.found]
        domain = self._domains[template.domain]
        section = chosen(template, asked.choices, "look")
        adapter: TypeAdapter[Any] = TypeAdapter(domain.settings())
        settings = adapter.validate_python(section)
        if domain.look is None:
            return []
        async with asyncio.timeout(LOOK_S):
            return await domain.look(settings)
