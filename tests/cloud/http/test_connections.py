"""Connections that keep us waiting, over real sockets: who is ended, who makes room, who stays."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

import servers
from crowd import Crowd
from vigil_cloud.capacity.connections import (
    HttpLimits,
    most_connections,
    most_per_client,
)
from vigil_cloud.http.acceptor import GuardedServer
from vigil_cloud.http.guard import Guard

SHORT = HttpLimits(head_s=1, keep_alive_s=1, body_s=1, stall_s=2, least_bytes_per_s=2_000)
LONG = HttpLimits()
PIECE = b"x" * 65_536
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with how long the body was; ``/endless`` never ends; ``/waiting`` says nothing."""
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain")]
    if scope["path"] == "/waiting":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await asyncio.sleep(0)
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Served:
    """The application behind a guard, in a thread."""

    def __init__(self, limits: HttpLimits, most: int, per_client: int, *trusted: str) -> None:
        self.ended: Counter[str] = Counter()
        self.guard = Guard(
            limits,
            most,
            per_client,
            trusted=trusted,
            ended=lambda reason: self.ended.update([reason]),
        )
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            timeout_keep_alive=int(limits.keep_alive_s),
            timeout_graceful_shutdown=1,
        )
        ready = threading.Event()
        self._server = GuardedServer(config, listener, self.guard, ready.set)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        assert ready.wait(servers.DEADLINE_S)

    def get(self, source: str = "127.0.0.1") -> int:
        """A plain request from this address; raises where it was not taken."""
        transport = httpx.HTTPTransport(local_address=source)
        with httpx.Client(transport=transport, timeout=60) as client:
            return client.get(f"http://127.0.0.1:{self.port}/").status_code

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def build(
        limits: HttpLimits = SHORT, most: int = 100, per_client: int = 100, *trusted: str
    ) -> Served:
        running.append(Served(limits, most, per_client, *trusted))
        return running[-1]

    yield build
    for served in running:
        served.stop()


def speak(port: int, first: bytes, source: str = "127.0.0.1", **options: int) -> socket.socket:
    one = socket.socket()
    for name, value in options.items():
        one.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    one.bind((source, 0))
    one.settimeout(servers.DEADLINE_S)
    one.connect(("127.0.0.1", port))
    one.sendall(first)
    return one


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"", "head"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", "head"),
        (HALF_A_BODY, "body"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "body"),
        (b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", "stalled"),
    ],
    ids=[
        "silent",
        "half a header",
        "half a body",
        "half a chunk",
        "does not read",
    ],
)
def test_who_keeps_us_waiting_is_let_go(
    serve: Callable[..., Served], first: bytes, reason: str
) -> None:
    served = serve()
    with Crowd(served.port, 5, first, receive_buffer=4096) as crowd:
        servers.eventually(lambda: crowd.closed() == 5, "all of them were ended")
    servers.eventually(lambda: not served.guard.connections, "nobody is left")
    assert served.ended == {reason: 5}
    assert served.get() == 200


def test_a_byte_now_and_then_buys_no_time(serve: Callable[..., Served]) -> None:
    served = serve()
    first = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    with Crowd(served.port, 3, first) as heads, Crowd(served.port, 3, HALF_A_BODY) as bodies:

        def over() -> bool:
            heads.drip(b"a")
            bodies.drip(b"a")
            return heads.closed() + bodies.closed() == 6

        servers.eventually(over, "the dripping ones were ended")
    assert served.ended == {"head": 3, "body": 3}


def test_the_second_request_has_a_deadline_too(serve: Callable[..., Served]) -> None:
    """uvicorn stops counting the pause at its first byte."""
    served = serve()
    with speak(served.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as one:
        assert one.recv(1_000).startswith(b"HTTP/1.1 200")
        one.sendall(b"G")
        servers.eventually(lambda: served.ended["head"] == 1, "it was ended")


def test_a_slow_honest_sender_and_a_slow_honest_reader_stay(serve: Callable[..., Served]) -> None:
    """Twice the least rate, for several times the deadline."""
    served = serve(
        HttpLimits(head_s=1, keep_alive_s=1, body_s=1, stall_s=1, least_bytes_per_s=2_000)
    )
    pause = threading.Event()
    with (
        speak(served.port, HALF_A_BODY) as sender,
        speak(served.port, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", SO_RCVBUF=4096) as reader,
    ):
        sent, read = 1, 0
        while sent < 60_000:
            sent += sender.send(b"x" * min(1_500, 60_000 - sent))
            read += len(reader.recv(8_000))
            pause.wait(0.1)
        assert b"60000" in sender.recv(1_000)
        assert read
    assert not served.ended


def test_a_stream_with_nothing_to_say_stays(serve: Callable[..., Served]) -> None:
    served = serve()
    with (
        speak(served.port, b"GET /waiting HTTP/1.1\r\nHost: x\r\n\r\n") as reader,
        Crowd(served.port, 3) as crowd,
    ):
        servers.eventually(lambda: crowd.closed() == 3, "the silent ones were ended")
        reader.setblocking(False)
        with pytest.raises(BlockingIOError):
            reader.recv(1)


def test_a_full_house_makes_room_for_who_asks(serve: Callable[..., Served]) -> None:
    served = serve(LONG, 20)
    with Crowd(served.port, 60) as idle, Crowd(served.port, 60, HALF_A_BODY) as bodies:
        assert served.get() == 200
        assert len(served.guard.connections) <= 20
        servers.eventually(lambda: idle.closed() == 60, "the silent ones went first")
        assert bodies.closed() < 60
    assert served.ended["full"] >= 100


def test_who_is_answered_makes_no_room(serve: Callable[..., Served]) -> None:
    served = serve(LONG, 10)
    with Crowd(served.port, 10, b"GET /waiting HTTP/1.1\r\nHost: x\r\n\r\n") as busy:
        servers.eventually(
            lambda: sum(one.phase == 2 for one in list(served.guard.connections)) == 10, "all ask"
        )
        with pytest.raises(httpx.TransportError):
            served.get()
        assert busy.closed() == 0
    assert served.ended == {"refused-full": 1}
    servers.eventually(lambda: not served.guard.connections, "they have gone")
    assert served.get() == 200


def test_one_address_takes_nothing_from_another(serve: Callable[..., Served]) -> None:
    served = serve(LONG, 50, 10)
    with speak(served.port, b"GET / HT", "127.0.0.5") as slow, Crowd(served.port, 200):
        assert served.get("127.0.0.6") == 200
        slow.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    assert served.ended == {"client-full": 190}


def test_a_flood_from_many_addresses_makes_room_of_its_fullest(
    serve: Callable[..., Served],
) -> None:
    served = serve(LONG, 50, 40)
    with speak(served.port, b"GET / HT", "127.0.0.5") as slow, Crowd(served.port, 200):
        slow.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        assert served.get("127.0.0.7") == 200


def test_a_proxy_may_bring_many(serve: Callable[..., Served]) -> None:
    served = serve(LONG, 50, 5, "127.0.0.0/8")
    with Crowd(served.port, 30) as crowd:
        servers.eventually(lambda: len(served.guard.connections) == 30, "all are in")
        assert crowd.closed() == 0
    assert not served.ended


@given(
    wanted=st.integers(0, 100_000),
    handles=st.integers(64, 1_000_000),
    in_use=st.integers(10, 60),
)
def test_connections_leave_a_reserve(wanted: int, handles: int, in_use: int) -> None:
    most = most_connections(wanted, handles, in_use)
    assert most >= 8
    assert most <= (wanted or 512) or most == 8
    if most > 8:
        assert handles - in_use - most >= min(256, handles // 4)
    assert 1 <= most_per_client(0, most) <= most
    assert most_per_client(3, most) == 3
