"""Sondes on Modbus, found by asking: every unit of a line for one register, then who it is.

Any answer tells of a device, an exception as well: it says which registers it has not. What its
registers mean no device says; of those whose manuals are shipped it is tried which fit.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from vigil_edge.configuration.added import Template
from vigil_edge.configuration.addresses import host_and_port
from vigil_edge.device.seam import SourceError
from vigil_edge.discovery.addresses import spoken, unclaimed
from vigil_edge.discovery.search import Found, Place, Search
from vigil_edge.modbus.client import ModbusClient
from vigil_edge.modbus.settings import MODBUS_PORT, ModbusSettings
from vigil_edge.water.descriptions import Description, described, known
from vigil_edge.water.errors import ProbeRefused, ProbeUnreachable
from vigil_edge.water.probe import FAILURES
from vigil_edge.water.registers import value
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.discovery import Choice, Option, RawReading
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.water import DOMAIN

CHOICE: Final = "description"
OTHER_PORTS: Final = (5084, 1883, 8883, 554)
"""Of LLRP, MQTT and RTSP: an address with one of these is not asked in Modbus."""
TIMEOUT_S: Final = 0.5
_NOBODY: Final = frozenset({10, 11})
"""Exceptions of a Modbus gateway that has nobody of this number behind it."""
_LINES: Final = ((9600, "N"), (19_200, "E"), (115_200, "N"))
"""What a serial line may be set to: most probes' own, the standard's, and the fastest."""
_ANY_UNIT: Final = 4
"""So many units that all answer on Modbus TCP are one device that does not look at the number."""
_LARGEST: Final = 1e7
_SMALLEST: Final = 1e-7


@dataclass(frozen=True, slots=True)
class _Line:
    """Where units may be."""

    driver: str
    address: str
    baudrate: int = 9600
    parity: str = "N"

    def settings(self, unit: int) -> ModbusSettings:
        """Of one unit on it."""
        return ModbusSettings.model_validate(
            {"device": "search", "unit": unit, "timeout_s": TIMEOUT_S, **self.table()}
        )

    def table(self) -> dict[str, Any]:
        """As ``gateway.toml`` writes it."""
        line: dict[str, Any] = {"driver": self.driver, "address": self.address}
        if self.driver == "modbus-rtu":
            line |= {"baudrate": self.baudrate, "parity": self.parity}
        return line

    def __str__(self) -> str:
        serial = f" {self.baudrate} 8{self.parity}1" if self.driver == "modbus-rtu" else ""
        return f"{self.driver} {self.address}{serial}"


async def discover(search: Search) -> AsyncIterator[Place]:
    """Each line with the units that answered."""
    probes = tuple(one for one in search.sections if isinstance(one, WaterSettings))
    search = replace(search, sections=probes)  # sessions of files are found by nobody's answer
    described_here, wrong = _descriptions(search.folder)
    for each in wrong:
        yield each
    configured = {_of_section(one): one.device for one in search.sections}
    typed = {_plain(line.driver, line.address) for line in _lines(search)}
    for one in search.sections:
        line = _Line(one.driver, _plain(one.driver, one.address))
        if one.driver == "modbus-tcp" and line.address not in typed:
            known_one = await _unit(line, one.unit, configured, described_here)
            yield Place(str(line), [known_one] if known_one else [])
    for line in _lines(search):
        asked = range(search.first_unit, search.last_unit + 1)
        try:
            found = [
                found
                for unit in asked
                if (found := await _unit(line, unit, configured, described_here)) is not None
            ]
        except SourceError as error:
            yield Place(str(line), code=error.code, message=str(error))
            continue
        yield Place(f"{line}, {asked.start}–{asked.stop - 1}", _one_of_many(line, found))


def _lines(search: Search) -> Iterator[_Line]:
    """This gateway's shared lines, on which there may be more than is configured, and what was
    typed. A configured address on TCP is left alone: some devices take one connection only."""
    seen: set[tuple[str, str]] = set()
    for one in search.sections:
        shared = (one.driver, _plain(one.driver, one.address))
        if one.driver != "modbus-tcp" and shared not in seen:
            seen.add(shared)
            yield _Line(one.driver, one.address, one.baudrate, one.parity)
    for address in search.addresses:
        if address.startswith("/") and ("modbus-rtu", address) not in seen:
            yield from (_Line("modbus-rtu", address, *line) for line in _LINES)
    for address in spoken(search.addresses, "rtu", MODBUS_PORT, bare=False):
        if ("modbus-rtu-over-tcp", address) not in seen:
            yield _Line("modbus-rtu-over-tcp", address)
    plain = [*spoken(search.addresses, "modbus", MODBUS_PORT)]
    plain += unclaimed(search.addresses, (MODBUS_PORT, *OTHER_PORTS))
    for address in dict.fromkeys(plain):
        yield _Line("modbus-tcp", address)


def _of_section(one: WaterSettings) -> tuple[str, str, int]:
    return one.driver, _plain(one.driver, one.address), one.unit


def _plain(driver: str, address: str) -> str:
    """The same however it is written: with its port, an IPv6 address in brackets."""
    if driver == "modbus-rtu":
        return address
    host, port = host_and_port(address, MODBUS_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _unit(
    line: _Line,
    unit: int,
    configured: dict[tuple[str, str, int], str],
    described_here: dict[str, Description],
) -> Found | None:
    """One unit. Raises ``ProbeUnreachable`` where the line itself is not there."""
    device = configured.get((line.driver, _plain(line.driver, line.address), unit))
    settings = line.settings(unit)
    facts: list[tuple[str, str]] = [("address", line.address), ("unit", str(unit))]
    if device is None:
        client = ModbusClient(settings, FAILURES)
        try:
            if not await _answers(client):
                return None
            facts += await _identity(client)
        finally:
            client.close()
    fits = {} if device else await _fits(settings, described_here)
    return Found(
        driver=line.driver,
        title=f"Modbus device, unit {unit} at {line.address}",
        title_zh=f"Modbus 裝置，位址 {line.address}，單元 {unit}",
        identity=(_plain(line.driver, line.address), str(unit)),
        facts=tuple(facts),
        choices=() if device else (_choice(fits, described_here),),
        template=None if device else _template(line, unit, described_here),
        device=device,
        readable=device is None,
    )


async def _answers(client: ModbusClient) -> bool:
    """Whether somebody of this number is there."""
    try:
        await client.read("holding", 0, 1)
    except ProbeRefused as error:
        return error.exception not in _NOBODY
    except ProbeUnreachable:
        raise
    except SourceError:
        return False
    return True


async def _identity(client: ModbusClient) -> list[tuple[str, str]]:
    """What it says of itself (function 43, 14); many say nothing."""
    names = ("vendor", "product", "revision")
    try:
        told = await client.identify()
    except SourceError:
        return []
    return [(name, told[number]) for number, name in enumerate(names) if told.get(number)]


async def _fits(
    settings: ModbusSettings, described_here: dict[str, Description]
) -> dict[str, tuple[int, int]]:
    """Of each description, how many of its values came and can be values."""
    found: dict[str, tuple[int, int]] = {}
    for name, description in described_here.items():
        client = ModbusClient(settings, FAILURES)
        plausible = 0
        try:
            for signal in description.signal:
                try:
                    words = await client.read(signal.table, signal.register_, signal.words)
                except ProbeRefused:
                    continue
                low, high = signal.span
                read = value(signal, words)
                plausible += read is not None and low <= read <= high and _can_be(read)
        except SourceError:
            plausible = 0  # it does not even refuse: another one's registers
        finally:
            client.close()
        found[name] = (plausible, len(description.signal))
    return found


def _can_be(read: float) -> bool:
    return read == 0 or (math.isfinite(read) and _SMALLEST < abs(read) < _LARGEST)


def _choice(fits: dict[str, tuple[int, int]], described_here: dict[str, Description]) -> Choice:
    best = sorted(fits, key=lambda name: (-fits[name][0] / fits[name][1], -fits[name][0], name))
    options = []
    for name in best:
        one, (came, of) = described_here[name], fits[name]
        options.append(
            Option(
                value=name,
                title=f"{one.title}: {came} of {of} values"[:200],
                title_zh=f"{one.title_zh}：{of} 項中有 {came} 項"[:200],
            )
        )
    return Choice(key=CHOICE, title="What it is", title_zh="裝置型號", options=options[:100])


def _template(line: _Line, unit: int, described_here: dict[str, Description]) -> Template:
    return Template(
        domain=DOMAIN,
        table={**line.table(), "unit": unit},
        choices={
            CHOICE: {
                name: {
                    "max_read": one.max_read,
                    "merge": one.merge,
                    "signal": [signal.section() for signal in one.signal],
                }
                for name, one in described_here.items()
            }
        },
    )


def _one_of_many(line: _Line, found: list[Found]) -> list[Found]:
    """On Modbus TCP a device often answers whatever number it is asked by."""
    strangers = [one for one in found if one.device is None]
    if line.driver != "modbus-tcp" or len(strangers) < _ANY_UNIT:
        return found
    units = [int(one.identity[1]) for one in strangers]
    if units[-1] - units[0] + 1 != len(units):
        return found
    first = strangers[0]
    facts = (*first.facts, ("answers to units", f"{units[0]}–{units[-1]}"))
    same = Found(
        driver=first.driver,
        title=first.title,
        title_zh=first.title_zh,
        identity=first.identity,
        facts=facts,
        choices=first.choices,
        template=first.template,
        readable=True,
    )
    return [*(one for one in found if one.device is not None), same]


def _descriptions(folder: Path) -> tuple[dict[str, Description], list[Place]]:
    """Those that are shipped, and the gateway's own; what is wrong with one of these is told."""
    found = {name: described(name) for name in known()}
    wrong: list[Place] = []
    for path in sorted(folder.glob("*.toml"))[:50]:
        try:
            found[path.stem[:80]] = described(str(path))
        except OptionWrong as error:
            wrong.append(Place(str(path), code=error.code, message=str(error)))
    return found, wrong


async def look(settings: WaterSettings) -> list[RawReading]:
    """Every signal once: its words and what they would be. Raises ``SourceError``."""
    client = ModbusClient(settings, FAILURES)
    readings: list[RawReading] = []
    try:
        await client.open()
        for signal in settings.signal:
            try:
                words = await client.read(signal.table, signal.register_, signal.words)
            except ProbeRefused as error:
                doubt = str(error)[:200]
                readings.append(RawReading(name=signal.name, raw="", unit=signal.unit, doubt=doubt))
                continue
            read = value(signal, words)
            finite = read is not None and math.isfinite(read)
            low, high = signal.span
            doubt_ = None if finite and read is not None and low <= read <= high else "no reading"
            readings.append(
                RawReading(
                    name=signal.name,
                    raw=" ".join(f"{word:04x}" for word in words),
                    value=read if finite else None,
                    unit=signal.unit,
                    doubt=doubt_,
                )
            )
    finally:
        client.close()
    return readings
