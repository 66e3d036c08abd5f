"""A satellite receiver as programs meet it: gpsd's JSON over TCP, and NMEA 0183 sentences.

Speaks as gpsd 3.25 does (``gpsd_json(5)``): greets with VERSION, answers ?WATCH with DEVICES
and WATCH, then reports TPV.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

_VERSION = {"class": "VERSION", "release": "3.25", "proto_major": 3, "proto_minor": 15}


def tpv(latitude: float, longitude: float, *, mode: int = 3, **more: Any) -> bytes:
    """One report; ``mode`` 1: no fix."""
    report = {"class": "TPV", "device": "/dev/ttyS1", "mode": mode, **more}
    if mode > 1:
        report |= {"lat": latitude, "lon": longitude}
    return json.dumps(report).encode() + b"\r\n"


def gga(
    latitude: float, longitude: float, *, quality: int = 1, hdop: float = 0.9, talker: str = "GN"
) -> bytes:
    """A GGA sentence of now."""
    return _sentence(
        f"{talker}GGA,{datetime.now(UTC):%H%M%S}.00,{_degrees(latitude, 2, 'NS')},"
        f"{_degrees(longitude, 3, 'EW')},{quality},09,{hdop:.1f},12.0,M,16.0,M,,"
    )


def rmc(latitude: float, longitude: float, *, status: str = "A", mode: str = "A") -> bytes:
    """An RMC sentence of now."""
    return _sentence(
        f"GNRMC,{datetime.now(UTC):%H%M%S}.00,{status},{_degrees(latitude, 2, 'NS')},"
        f"{_degrees(longitude, 3, 'EW')},0.1,0.0,{datetime.now(UTC):%d%m%y},,,{mode}"
    )


def _degrees(value: float, digits: int, letters: str) -> str:
    whole, part = divmod(abs(value), 1)
    return f"{int(whole):0{digits}d}{part * 60:08.5f},{letters[value < 0]}"


def _sentence(body: str) -> bytes:
    found = 0
    for letter in body.encode("ascii"):
        found ^= letter
    return f"${body}*{found:02X}\r\n".encode("ascii")


class Gpsd:
    """A gpsd that says what it is told to."""

    def __init__(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self.watching = asyncio.Event()
        """Set once somebody asked for reports."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(_VERSION).encode() + b"\r\n")
        try:
            asked = await reader.readline()
            if not asked.startswith(b"?WATCH="):
                return
            wanted = json.loads(asked.removeprefix(b"?WATCH=").rstrip(b";\r\n"))
            writer.write(b'{"class":"DEVICES","devices":[{"path":"/dev/ttyS1"}]}\r\n')
            writer.write(json.dumps({"class": "WATCH", **wanted}).encode() + b"\r\n")
            self._writers.add(writer)
            self.watching.set()
            await reader.read()
        except OSError:
            return  # whoever listened has gone
        finally:
            self._writers.discard(writer)
            writer.close()

    def say(self, line: bytes) -> None:
        """To everybody who watches."""
        for writer in self._writers:
            writer.write(line)

    def hang_up(self) -> None:
        """Every connection breaks."""
        self.watching.clear()
        for writer in list(self._writers):
            writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Its port, on loopback, for as long as the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.hang_up()
            await server.wait_closed()
