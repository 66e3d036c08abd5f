"""A simulated device's TCP server leaves no connection behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from vigil_sim.tcp import TcpServer


async def read_for_ever(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(100):
        pass


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_is_connecting_at_the_end_is_hung_up_on(turns: int) -> None:
    """At the first turns the loop knows nothing of it yet, then its task has not begun."""
    server = TcpServer("127.0.0.1", 0, read_for_ever)
    await server.start()
    with socket.create_connection((server.host, server.port), timeout=60) as peer:
        for _ in range(turns):
            await asyncio.sleep(0)

        await server.stop()

        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(peer.recv, 1) == b""
    assert not server.listening


async def test_a_conversation_that_is_over_is_a_closed_connection() -> None:
    async def echo_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())

    server = TcpServer("127.0.0.1", 0, echo_once)
    await server.start()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"here\n")
    assert await reader.read() == b"here\n"
    writer.close()
    await server.stop()


async def test_it_starts_again_where_it_was() -> None:
    server = TcpServer("127.0.0.1", 0, read_for_ever)
    await server.start()
    before = server.address
    await server.stop()
    await server.start()
    assert server.address == before
    await server.stop()
