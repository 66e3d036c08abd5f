"""``vigil-sim fleet``: many logging sondes in one process, with the truth in a ledger.

Made for counting: every reading of every sonde, and every excursion, is noted as it is
produced (readable by others within about a second, all of it once the fleet has ended), so
that a test can say which of them arrived and how often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vigil_sim.ledger import Ledger
from vigil_sim.supervised import every, first_failure, start_supervised
from vigil_sim.water.device import ModbusSonde, SignalRegister

SIGNALS: Final = (
    SignalRegister("specific_conductance", 0x1000, "S/m"),
    SignalRegister("temperature", 0x1002, "Cel"),
    SignalRegister("pH", 0x1004, "pH"),
    SignalRegister("dissolved_oxygen", 0x1006, "kg/m3"),
    SignalRegister("turbidity_FNU", 0x1008),
    SignalRegister("level", 0x100A, "m"),
)
"""The first of them carries the excursions."""
HIGH: Final = 0.25
"""Upper bound of specific conductance, S/m."""
_CALM, _FOUL = 0.05, 0.42
_CALM_OTHERS: Final = {
    "temperature": 24.0,
    "pH": 7.6,
    "dissolved_oxygen": 0.0075,
    "turbidity_FNU": 14.0,
    "level": 0.8,
}
_LENGTH: Final = (20, 60)
"""Shortest and longest excursion, records."""
_CALM_BETWEEN: Final = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Records ``first`` … ``last`` (inclusive) are above the bound."""

    first: int
    last: int


def plan_excursions(rng: random.Random, records: int, wanted: int) -> list[Span]:
    """Seeded spans, apart from each other and from both ends; fewer where there is no room."""
    slot = _LENGTH[1] + 2 * _CALM_BETWEEN
    slots = rng.sample(range(records // slot), min(wanted, records // slot))
    spans = []
    for number in sorted(slots):
        length = rng.randint(*_LENGTH)
        first = number * slot + _CALM_BETWEEN + rng.randrange(_LENGTH[1] - length + 1)
        spans.append(Span(first, first + length - 1))
    return spans


def water(
    seed: str, spans: Sequence[Span], interval_s: float
) -> Callable[[float], dict[str, float]]:
    """The physics of one sonde: calm water, foul within the spans. Every value differs a little."""
    rng = random.Random(seed)
    phase = {signal.name: rng.uniform(0.2, 1.0) for signal in SIGNALS}

    def at(t: float) -> dict[str, float]:
        index = round(t / interval_s)
        # A fraction that no two neighbours share, so that a shifted or repeated value shows.
        unrest = {name: ((index * 0.61803398875 + start) % 1.0) for name, start in phase.items()}
        foul = any(span.first <= index <= span.last for span in spans)
        values = {name: calm * (1 + 0.02 * unrest[name]) for name, calm in _CALM_OTHERS.items()}
        level = _FOUL if foul else _CALM
        return values | {"specific_conductance": level + 0.01 * unrest["specific_conductance"]}

    return at


class ExcursionLog:
    """Writes an excursion's onset and end into the ledger as the sonde produces them."""

    def __init__(self, ledger: Ledger, gateway: str, device: str) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._device = device
        self._onset_us: int | None = None

    def __call__(self, time_us: int, values: Mapping[str, float | None]) -> None:
        """Told of each measurement (``ModbusSonde.observer``)."""
        value = values["specific_conductance"]
        above = value is not None and value > HIGH
        if above == (self._onset_us is not None):
            return
        if above:
            self._onset_us = time_us
        name = f"{self._device}:specific_conductance:{self._onset_us}"
        kind = "excursion-onset" if above else "excursion-end"
        self._ledger.append(
            kind, self._gateway, self._device, "specific_conductance", time_us, value, name
        )
        if not above:
            self._onset_us = None


class Fleet:
    """``sondes`` sondes, one to a gateway, each producing ``records`` records at ``rate`` per s."""

    def __init__(  # noqa: PLR0913 - how many of what, by name
        self,
        ledger: Ledger,
        *,
        sondes: int = 20,
        records: int = 5000,
        rate: float = 10.0,
        parameters: int = 1,
        excursions: int = 3,
        seed: int = 0,
    ) -> None:
        self.ledger = ledger
        self._records = records
        signals = SIGNALS[:parameters]
        self.sondes: list[ModbusSonde] = []
        self.spans: dict[str, list[Span]] = {}
        for number in range(1, sondes + 1):
            gateway, device = f"gw-{number:03d}", f"sonde-{number:03d}"
            rng = random.Random(f"fleet/{seed}/{device}")
            spans = plan_excursions(rng, records, excursions)
            self.spans[device] = spans
            self.sondes.append(
                ModbusSonde(
                    water(f"water/{seed}/{device}", spans, 1.0 / rate),
                    signals,
                    device=device,
                    gateway=gateway,
                    mode="logger",
                    interval_s=1.0 / rate,
                    logger_capacity=max(records, 1),
                    record_limit=records,
                    observer=ExcursionLog(ledger, gateway, device),
                    ledger=ledger,
                )
            )

    async def start(self) -> None:
        """Listen on free ports and begin to produce."""
        await asyncio.gather(*(sonde.start() for sonde in self.sondes))

    async def stop(self) -> None:
        """Stop every sonde and flush the ledger."""
        await asyncio.gather(*(sonde.stop() for sonde in self.sondes))
        self.ledger.flush()

    @property
    def produced(self) -> int:
        """Records produced so far, of all sondes."""
        return sum(sonde.measured for sonde in self.sondes)

    @property
    def acknowledged(self) -> int:
        """Records that gateways have acknowledged, of all sondes."""
        return sum(sonde.memory.tail for sonde in self.sondes if sonde.memory is not None)

    @property
    def overwritten(self) -> int:
        """Records lost inside the sondes because nobody fetched them; 0 unless a ring is full."""
        return sum(sonde.memory.overwritten for sonde in self.sondes if sonde.memory is not None)

    def describe(self) -> dict[str, Any]:
        """For the ports file: every sonde with the ``[[water]]`` table that reads it."""
        return {
            "records": self._records,
            "sondes": [
                {
                    "gateway": sonde.gateway,
                    "device": sonde.device,
                    "address": sonde.address,
                    "excursions": len(self.spans[sonde.device]),
                    "section": _section(sonde),
                }
                for sonde in self.sondes
            ],
        }


def _section(sonde: ModbusSonde) -> dict[str, Any]:
    section = sonde.section(interval_s=0.2)
    section["signal"][0] |= {"high": HIGH}
    return section


async def run(
    fleet: Fleet, ports_file: Path | None, tell: Callable[[dict[str, Any]], None]
) -> None:
    """Serve until SIGTERM or SIGINT; tells ``ready``, ``produced`` and ``acknowledged``.

    Raises ``DeviceFailed`` where a sonde breaks down.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failure = first_failure()
    await fleet.start()
    description = fleet.describe()
    if ports_file is not None:
        # Whoever waits for the file must never read half of it.
        partial = ports_file.with_name(ports_file.name + ".part")
        partial.write_text(json.dumps(description, indent=1), encoding="utf-8")
        partial.replace(ports_file)
    tell({"kind": "ready", "sondes": len(fleet.sondes)})
    total = len(fleet.sondes) * description["records"]
    milestones = {"produced": False, "acknowledged": False}

    def watch() -> None:
        fleet.ledger.flush()
        for name in milestones:
            if not milestones[name] and getattr(fleet, name) >= total:
                milestones[name] = True
                tell({"kind": name, "records": total, "overwritten": fleet.overwritten})

    watching = start_supervised(every(0.5, watch), "watching the fleet")
    stopped: asyncio.Future[Any] = loop.create_task(stop.wait())
    try:
        await asyncio.wait((stopped, failure), return_when=asyncio.FIRST_COMPLETED)
        if failure.done():
            failure.result()
    finally:
        stopped.cancel()
        watching.cancel()
        await fleet.stop()


def add_command(subparsers: Any) -> None:
    """Register ``fleet`` with a command line's sub-commands."""
    parser = subparsers.add_parser(
        "fleet",
        help="many logging sondes on Modbus TCP, with a ledger of all they produced",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.set_defaults(run=main)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``fleet``."""
    parser.add_argument("--sondes", type=int, default=20, help="how many, one to a gateway")
    parser.add_argument("--records", type=int, default=5000, help="records of each sonde")
    parser.add_argument("--rate", type=float, default=10.0, help="records per second of each sonde")
    parser.add_argument(
        "--parameters",
        type=int,
        default=1,
        choices=range(1, len(SIGNALS) + 1),
        help="values in each record; 1 makes as many readings as records",
    )
    parser.add_argument("--excursions", type=int, default=3, help="per sonde, at seeded moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True, help="SQLite file to write")
    parser.add_argument("--ports-file", type=Path, help="JSON file to write once all listen")


def main(arguments: argparse.Namespace) -> int:
    """Run the fleet that the command line asks for."""
    if not 0 < arguments.rate <= 1000:
        sys.stderr.write("vigil-sim fleet: --rate must lie above 0 and up to 1000 per second\n")
        return 2

    def tell(fact: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(fact) + "\n")
        sys.stdout.flush()

    with Ledger(arguments.ledger) as ledger:
        fleet = Fleet(
            ledger,
            sondes=arguments.sondes,
            records=arguments.records,
            rate=arguments.rate,
            parameters=arguments.parameters,
            excursions=arguments.excursions,
            seed=arguments.seed,
        )
        asyncio.run(run(fleet, arguments.ports_file, tell))
    return 0
