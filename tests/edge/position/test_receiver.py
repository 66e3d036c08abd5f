"""A receiver that is listened to: gpsd over TCP, NMEA over TCP and over a serial line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from servers import free_port
from vigil_edge.position.receiver import Position, Receiver
from vigil_edge.position.settings import PositionSettings
from vigil_sim.satellites import Gpsd, gga, tpv

HERE = (23.48231, 120.44107)
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


class Ticks:
    """A clock for durations that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def receiver(ticks: Ticks | None = None, **keys: Any) -> Receiver:
    return Receiver(PositionSettings.model_validate(keys), lambda: NOON, ticks or Ticks())


async def heard(one: Receiver) -> Position:
    async with asyncio.timeout(30):
        await one.heard.wait()
    one.heard.clear()
    return one.position()


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Gpsd, Receiver, Ticks]]:
    gpsd, ticks = Gpsd(), Ticks()
    async with gpsd.listening() as port:
        made = receiver(ticks, address=f"127.0.0.1:{port}")
        assert made.position() == Position("no-receiver")
        async with made.listening(), asyncio.timeout(30):
            await gpsd.watching.wait()
            yield gpsd, made, ticks


async def test_gpsd_says_where_it_is() -> None:
    async with watched() as (gpsd, made, _):
        gpsd.say(tpv(*HERE, eph=3.5))
        assert await heard(made) == Position("fixed", *HERE, 3.5, NOON)


async def test_a_fix_that_is_too_old_has_a_time_and_no_place() -> None:
    async with watched() as (gpsd, made, ticks):
        gpsd.say(tpv(*HERE))
        await heard(made)
        ticks.now += 10
        assert made.position().state == "fixed"
        ticks.now += 0.1
        assert made.position() == Position("too-old", at=NOON)


async def test_a_receiver_that_lost_its_satellites_says_so() -> None:
    async with watched() as (gpsd, made, ticks):
        gpsd.say(tpv(*HERE))
        await heard(made)
        gpsd.say(tpv(*HERE, mode=1))
        await heard(made)
        ticks.now += 11
        assert made.position() == Position("no-fix", at=NOON)


async def test_it_connects_anew_to_a_gpsd_that_hung_up() -> None:
    async with watched() as (gpsd, made, _):
        gpsd.say(tpv(*HERE))
        await heard(made)
        gpsd.hang_up()
        await gpsd.watching.wait()
        gpsd.say(tpv(1.0, 2.0))
        found = await heard(made)
        assert (found.latitude, found.longitude) == (1.0, 2.0)


async def test_nobody_there_is_a_state() -> None:
    made = receiver(address=f"127.0.0.1:{free_port()}")
    async with made.listening():
        await asyncio.sleep(0)
        assert made.position() == Position("no-receiver")


async def test_a_line_without_an_end_ends_the_connection() -> None:
    closed = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 100_000)
        await reader.read()  # until it hangs up
        writer.close()
        closed.set()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = receiver(source="nmea-tcp", address=f"127.0.0.1:{port}")
    async with made.listening(), asyncio.timeout(30):
        await closed.wait()
    server.close()
    assert made.position() == Position("no-receiver")


async def test_nmea_on_a_serial_line() -> None:
    ours, theirs = os.openpty()
    try:
        made = receiver(source="nmea-serial", address=os.ttyname(theirs), baudrate=4800)
        async with made.listening():
            os.write(ours, b"torn,in,the,middle*00\r\n" + gga(*HERE, hdop=2.0))
            found = await heard(made)
        assert found.state == "fixed"
        assert found.within_m == pytest.approx(10.0)
        assert found.latitude == pytest.approx(HERE[0], abs=1e-6)
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_file_is_no_serial_line(tmp_path: Any) -> None:
    path = tmp_path / "gps"
    path.write_bytes(gga(*HERE))
    made = receiver(source="nmea-serial", address=str(path))
    async with made.listening():
        for _ in range(20):
            await asyncio.sleep(0)
        assert made.position() == Position("no-receiver")


@pytest.mark.parametrize(
    "keys", [{"address": "two words"}, {"source": "nmea-serial", "baudrate": 1}, {"max_age_s": 0}]
)
def test_settings_that_cannot_be(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PositionSettings.model_validate(keys)
