"""``vigil-edge water probe``: one look at a probe before it is written into a configuration.

Most of what goes wrong there is an address counted from 1, or words in another order: so the
words are shown under every order, and those of one address to each side.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from typing import Any, Final, get_args

from pydantic import ValidationError

from vigil_edge.modbus.numbers import ByteOrder, RegisterType, number
from vigil_edge.water.descriptions import DescribedSignal, Description, described, known
from vigil_edge.water.errors import ProbeRefused
from vigil_edge.water.probe import Probe, connect
from vigil_edge.water.registers import value
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.recordings.errors import OptionWrong

_ORDERS: Final[tuple[ByteOrder, ...]] = get_args(ByteOrder)
_TYPES: Final[tuple[RegisterType, ...]] = get_args(RegisterType)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``probe``."""
    command = commands.add_parser("probe", help="read a probe once, for commissioning")
    command.add_argument("address", metavar="ADDRESS", help="host:port, or a serial port")
    command.add_argument("--unit", type=int, default=1, metavar="N")
    command.add_argument(
        "--driver",
        choices=["modbus-tcp", "modbus-rtu", "modbus-rtu-over-tcp"],
        help="default: by the address; a path is a serial port",
    )
    command.add_argument("--baudrate", type=int, metavar="N")
    command.add_argument("--parity", choices=["N", "E", "O"])
    command.add_argument("--timeout", type=float, default=2.0, metavar="SECONDS")
    command.add_argument(
        "--description", metavar="NAME|FILE.toml", help=f"what it is: {', '.join(known())}"
    )
    command.add_argument("--register", type=_address, metavar="N", help="instead: 10240 or 0x2800")
    command.add_argument("--table", choices=["holding", "input"], default="holding")
    command.add_argument("--type", choices=_TYPES, default="float32")
    command.set_defaults(run=_probe)


def _probe(args: argparse.Namespace) -> int:
    description = described(args.description or "generic")
    if args.register is not None:
        asked = {"name": "value", "register": args.register}
        signal = DescribedSignal.model_validate(asked | {"table": args.table, "type": args.type})
        description = description.model_copy(update={"signal": [signal]})
    settings = _settings(args, description)
    for line in asyncio.run(_look(settings, description)):
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


def _settings(args: argparse.Namespace, description: Description) -> WaterSettings:
    by_address = "modbus-rtu" if args.address.startswith("/") else "modbus-tcp"
    section = {
        "device": "probe",
        "driver": args.driver or by_address,
        "address": args.address,
        "unit": args.unit,
        "timeout_s": args.timeout,
        "baudrate": args.baudrate or description.baudrate,
        "parity": args.parity or description.parity,
        "signal": [signal.section() for signal in description.signal],
    }
    try:
        return WaterSettings.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OptionWrong(f"{where}: {first['msg']}") from error


async def _look(settings: WaterSettings, description: Description) -> list[dict[str, Any]]:
    probe = await connect(settings)
    try:
        return [await _signal(probe, signal) for signal in description.signal]
    finally:
        probe.close()


async def _signal(probe: Probe, signal: DescribedSignal) -> dict[str, Any]:
    line: dict[str, Any] = {"signal": signal.name, "register": signal.register_}
    line["table"] = signal.table
    words = await _words(probe, signal, signal.register_, signal.words)
    if isinstance(words, str):
        line["refused"] = words
    else:
        line |= _shown(signal, words)
        line["value"], line["unit"] = _finite(value(signal, words)), signal.unit
    line["beside"] = {}
    for address in (signal.register_ - 1, signal.register_ + 1):
        if not 0 <= address <= 0x10000 - signal.words:
            continue
        near = await _words(probe, signal, address, signal.words)
        line["beside"][str(address)] = near if isinstance(near, str) else _shown(signal, near)
    for what in ("quality", "sentinel"):
        address = getattr(signal, f"{what}_register")
        if address is not None:
            found = await _words(probe, signal, address, 1)
            line[what] = found if isinstance(found, str) else found[0]
    return line


async def _words(
    probe: Probe, signal: DescribedSignal, address: int, count: int
) -> list[int] | str:
    """What it answers, or how it refuses."""
    try:
        return await probe.read(signal.table, address, count)
    except ProbeRefused as error:
        return str(error)


def _shown(signal: DescribedSignal, words: list[int]) -> dict[str, Any]:
    return {
        "words": [f"{word:04x}" for word in words],
        "orders": {order: _finite(number(words, signal.type, order)) for order in _ORDERS},
    }


def _finite(found: float | None) -> float | str | None:
    """JSON has no NaN and no infinity; here they are worth seeing."""
    return found if found is None or math.isfinite(found) else str(found)


def _address(text: str) -> int:
    number_ = int(text, 0)
    if not 0 <= number_ <= 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text}: from 0 to 65535, as on the wire")
    return number_
