"""A gpsd with one satellite receiver: the JSON protocol of gpsd_json(5), version 3, over TCP.

It greets with ``VERSION``, takes ``?WATCH``, ``?VERSION``, ``?DEVICES`` and ``?POLL``, and while it
is watched sends a ``SKY`` and a ``TPV`` object each period.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vigil_sim.supervised import cancel_and_wait, every, start_supervised
from vigil_sim.tcp import TcpServer

_DEVICE: Final = "/dev/ttyACM0"
_VERSION: Final = {
    "class": "VERSION",
    "release": "3.25",
    "rev": "3.25",
    "proto_major": 3,
    "proto_minor": 15,
}
_LONGEST_REQUEST: Final = 4096
_NORMAL: Final = 1
_DEAD_RECKONING: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where the receiver is, as it says. Degrees, metres, metres a second."""

    latitude: float
    longitude: float
    error_m: float | None = 4.0
    """Horizontal, ``eph``; ``None``: this receiver does not say."""
    speed_m_s: float = 0.0
    guessed: bool = False
    """By dead reckoning, in a tunnel."""


class GpsdServer:
    """``await start()``, then ``address`` is where a station asks. ``place`` is asked each period;
    ``None``: too few satellites."""

    def __init__(
        self,
        place: Callable[[], Place | None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        period_s: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._place = place
        self._server = TcpServer(host, port, self._converse)
        self._period_s = period_s
        self._now = now
        self._watchers: set[asyncio.StreamWriter] = set()
        self._sending: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return self._server.address

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    async def start(self) -> None:
        """Listen."""
        await self._server.start()
        self._sending = start_supervised(every(self._period_s, self.tell), "gpsd")

    async def stop(self) -> None:
        """Close every connection and the port."""
        sending, self._sending = self._sending, None
        await self._server.stop()
        await cancel_and_wait(sending)

    def hang_up(self) -> None:
        """As a restart of the service does it."""
        self._server.hang_up()

    def tell(self) -> None:
        """What the receiver says now, to whoever watches."""
        place = self._place()
        for writer in tuple(self._watchers):
            _send(writer, self._sky(place), self._tpv(place))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        for writer in tuple(self._watchers):
            if not writer.is_closing():
                writer.write(data)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _send(writer, _VERSION)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    request = await reader.readuntil(b";")
                    if len(request) > _LONGEST_REQUEST:
                        return
                    self._answer(writer, request.strip().removesuffix(b";").decode("ascii"))
        finally:
            self._watchers.discard(writer)

    def _answer(self, writer: asyncio.StreamWriter, request: str) -> None:
        word, _, rest = request.partition("=")
        match word:
            case "?WATCH":
                wanted: dict[str, Any] = json.loads(rest) if rest else {}
                enabled = bool(wanted.get("enable", True))
                (self._watchers.add if enabled else self._watchers.discard)(writer)
                watch = {"class": "WATCH", "enable": enabled, "json": True, "nmea": False}
                _send(writer, self._devices(), watch)
            case "?VERSION":
                _send(writer, _VERSION)
            case "?DEVICES":
                _send(writer, self._devices())
            case "?POLL":
                place = self._place()
                poll = {"class": "POLL", "time": self._time(), "active": 1}
                _send(writer, poll | {"tpv": [self._tpv(place)], "sky": [self._sky(place)]})
            case _:
                _send(writer, {"class": "ERROR", "message": f"Unrecognized request '{word}'"})

    def _devices(self) -> dict[str, Any]:
        device = {"class": "DEVICE", "path": _DEVICE, "driver": "u-blox", "activated": self._time()}
        return {"class": "DEVICES", "devices": [device | {"flags": 1, "native": 1, "cycle": 1.0}]}

    def _sky(self, place: Place | None) -> dict[str, Any]:
        used = 0 if place is None else 9
        return {"class": "SKY", "device": _DEVICE, "time": self._time(), "nSat": 14, "uSat": used}

    def _tpv(self, place: Place | None) -> dict[str, Any]:
        said: dict[str, Any] = {"class": "TPV", "device": _DEVICE, "time": self._time()}
        if place is None:
            return said | {"mode": 1}
        said |= {
            "mode": 3,
            "status": _DEAD_RECKONING if place.guessed else _NORMAL,
            "leapseconds": 18,
            "ept": 0.005,
            "lat": place.latitude,
            "lon": place.longitude,
            "speed": place.speed_m_s,
        }
        if place.error_m is not None:
            said |= {"epx": place.error_m * 0.7, "epy": place.error_m * 0.7, "eph": place.error_m}
        return said

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _send(writer: asyncio.StreamWriter, *objects: dict[str, Any]) -> None:
    if not writer.is_closing():
        lines = (json.dumps(one, separators=(",", ":")) + "\r\n" for one in objects)
        writer.write("".join(lines).encode("ascii"))
