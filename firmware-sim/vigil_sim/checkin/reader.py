"""A UHF reader that speaks LLRP 1.0.1 and 1.1 over TCP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger


class TagInField(NamedTuple):
    """A tag that an antenna can read now."""

    epc: str
    """Hex; 96 bits or another whole number of 16-bit words."""
    antenna: int = 1
    rssi_dbm: float = -55.0


class LlrpReader:
    """One reader. ``await start()``, then ``address`` is where the gateway connects.

    ``field(t)`` gives the tags in front of the antennas at second ``t`` of the timetable;
    it is asked once per inventory round while a ROSpec runs. Corrupt-frame styles:
    ``truncated``, ``wrong-length``, ``garbage``; drop silences reports.
    """

    def __init__(
        self,
        field: Callable[[float], Iterable[TagInField]],
        *,
        device: str,
        gateway: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        antennas: int = 4,
        round_s: float = 0.1,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def address(self) -> str:
        """``host:port``."""
        raise NotImplementedError

    def section(self, **keys: Any) -> dict[str, Any]:
        """This reader's ``[[checkin]]`` table for a gateway.toml; ``keys`` are added on top."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Close every connection and the port."""
