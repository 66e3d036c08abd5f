"""What `vigil-edge enrol` makes of addresses and answers: one sentence each."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from vigil_edge.cli import main
from vigil_edge.enrolment import asking
from vigil_edge.enrolment.errors import ClockWrong, CloudUnreachable, EnrolmentFailed

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that gives one answer; its address."""
    servers: list[HTTPServer] = []

    def started(status: int, body: bytes, date: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response_only(status)
                self.send_header("Date", date)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(address: str) -> dict[str, object]:
    return asking.post(address, "/gateway-enrolment/offer", {}, trusted=ssl.create_default_context)


@pytest.mark.parametrize(
    "address",
    [
        "https://vigil:port",
        "https://[::1",
        "https://ＶＩＧＩＬ。example",
        "https://a\x00b",
        "ftp://a",
        "",
    ],
)
def test_an_address_that_is_none_is_one_sentence(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one that was typed with full-width letters."""
    assert main(["enrol", address, "CODE"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is no address" in line


def test_a_port_alone_and_a_bare_name_are_addresses() -> None:
    assert asking.address_of("vigil.example:8443") == "https://vigil.example:8443"
    assert asking.address_of("https://[::1]:8443/x") == "https://[::1]:8443"


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Foo 2026 99:00:00 GMT", "0" * 400])
def test_a_refusal_with_an_odd_date_is_the_refusal(serve: Serve, date: str) -> None:
    with pytest.raises(EnrolmentFailed, match="no such code"):
        ask(serve(404, b'{"detail": "no such code"}', date))


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0800"])
@pytest.mark.parametrize("year", [1999, 2099])
def test_a_clock_that_is_wrong_by_years_is_told_with_a_refusal(
    serve: Serve, year: int, zone: str
) -> None:
    """Either this box's or the cloud's."""
    date = f"{datetime(year, 3, 1, tzinfo=UTC):%a, %d %b %Y} 04:00:00 {zone}"
    with pytest.raises(ClockWrong, match=rf"and the cloud's {year}-0[23]-") as wrong:
        ask(serve(422, b'{"detail": "expired"}', date))
    assert ("ahead of it" if year == 1999 else "behind it") in str(wrong.value)


def test_an_answer_nested_without_end_is_none(serve: Serve) -> None:
    with pytest.raises(CloudUnreachable, match="no JSON"):
        ask(serve(200, b"[" * 100_000, "Sun, 01 Mar 2026 04:00:00 GMT"))
