"""What services do: they limit, answer late or never, fail, hang up, lead elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_city import City, alarm, exceedance
from servers import free_port
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.exchanges import retry_after
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.sending import Answer, send
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.smoke.models import AlarmCondition
from webhook import Hook, channel, deliveries

HELLO = NotificationText("Smoke alarm at Chen home", "Time: now")


class Endless:
    """It answers, and goes on sending for as long as somebody reads."""

    def __init__(self) -> None:
        self.status, self.chunked, self.headers_end = 200, False, True
        self.piece = b"data: x\n\n"
        self.sent = 0
        self.left = threading.Event()
        own = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(own.status)
                self.send_header("Connection", "close")
                if own.status == 307:
                    self.send_header("Location", "http://127.0.0.1:1/")
                if own.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                if own.headers_end:
                    self.end_headers()
                else:
                    self.flush_headers()
                try:
                    while not own.left.wait(0.02):
                        self.wfile.write(own.next_piece())
                        own.sent += len(own.piece)
                except OSError:
                    own.left.set()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_address[1]}/"

    def next_piece(self) -> bytes:
        if not self.headers_end:
            return b"X"
        return b"%x\r\n%s\r\n" % (len(self.piece), self.piece) if self.chunked else self.piece


@pytest.fixture
def endless() -> Iterator[Endless]:
    found = Endless()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.left.set()
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def endless_mail() -> Iterator[str]:
    """An address of mail whose server continues its greeting for as long as somebody reads."""
    left = threading.Event()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while not left.wait(0.02):
                    self.request.sendall(b"220-and so on\r\n")

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]
    yield f"mailto://127.0.0.1:{port}/?from=vigil@city.example&to=anna@city.example&mode=insecure"
    left.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_accepted_message_is_accepted(hook: Hook) -> None:
    assert send(hook.url, HELLO) == Answer("accepted")
    assert hook.titles == [HELLO.title]


def test_an_answer_after_six_seconds_is_an_answer(hook: Hook) -> None:
    hook.slow_s = 6.0

    assert send(hook.url, HELLO) == Answer("accepted")
    assert len(hook.received) == 1


def test_no_answer_means_that_it_may_have_arrived(hook: Hook) -> None:
    hook.open.clear()

    answer = send(hook.url, HELLO, answer_s=0.2)

    assert answer.verdict == "no-answer"
    assert answer.perhaps_told


@pytest.mark.parametrize(("status", "verdict"), [(200, "accepted"), (500, "unreachable")])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_without_end_is_an_answer(
    endless: Endless, status: int, verdict: str, chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.notify.exchanges.BODY_S", 0.3)
    endless.status, endless.chunked = status, chunked

    assert send(endless.url, HELLO).verdict == verdict
    assert endless.left.wait(60), "nobody holds the connection any more"


@pytest.mark.parametrize("status", [200, 307])
def test_a_long_body_is_read_so_far_and_no_further(endless: Endless, status: int) -> None:
    endless.status, endless.piece = status, b"x" * 100_000

    send(endless.url, HELLO)

    assert endless.left.wait(60)
    assert endless.sent < 100 * len(endless.piece)


def test_headers_without_end_are_no_answer(
    endless: Endless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.notify.exchanges.BODY_S", 0.1)
    endless.headers_end = False

    answer = send(endless.url, HELLO, connect_s=1.0, answer_s=1.0)

    assert (answer.verdict, answer.perhaps_told) == ("no-answer", True)
    assert endless.left.wait(60)


def test_a_mail_server_whose_reply_goes_on_is_left(endless_mail: str) -> None:
    answer = send(endless_mail, HELLO, answer_s=0.3, conversation_s=0.5)

    assert (answer.verdict, answer.perhaps_told) == ("no-answer", True)


def test_no_connection_means_that_it_did_not_arrive() -> None:
    answer = send(f"json://127.0.0.1:{free_port()}/", HELLO)

    assert answer.verdict == "unreachable"
    assert not answer.perhaps_told


def test_a_connection_that_ends_in_between_leaves_it_open(hook: Hook) -> None:
    hook.hangs_up = True

    answer = send(hook.url, HELLO)

    assert answer.verdict == "unreachable"
    assert answer.perhaps_told


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_says_for_how_long(hook: Hook, status: int) -> None:
    hook.status, hook.headers = status, {"Retry-After": "17"}

    answer = send(hook.url, HELLO)

    assert (answer.verdict, answer.retry_after) == ("limited", timedelta(seconds=17))
    assert not answer.perhaps_told


@pytest.mark.parametrize(
    ("status", "verdict", "perhaps"),
    [(500, "unreachable", True), (404, "refused", False), (413, "refused", False)],
)
def test_a_failure_of_the_service_is_not_one_of_the_message(
    hook: Hook, status: int, verdict: str, perhaps: bool
) -> None:
    hook.status = status

    answer = send(hook.url, HELLO)

    assert (answer.verdict, answer.perhaps_told) == (verdict, perhaps)


@pytest.fixture
def turning(hook: Hook) -> Iterator[str]:
    """An address that was moved to the hook's: HTTP makes a GET of it, which says 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{hook.port}/")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_redirection_that_drops_the_message_is_no_delivery(hook: Hook, turning: str) -> None:
    answer = send(turning, HELLO)

    assert (answer.verdict, answer.perhaps_told) == ("elsewhere", False)
    assert "redirection" in answer.error
    assert hook.received == []


NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 01 Mar 2026 04:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    pause = retry_after(value, NOW)

    assert pause == (None if seconds is None else timedelta(seconds=seconds))


def test_all_of_five_hundred_are_told_through_a_service_that_limits(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    hook.status, hook.headers = 429, {"Retry-After": "120"}
    sender = NotificationSender(city.services)
    for number in range(500):
        gateway = f"gw-{number % 5}"  # as many as are told singly
        city.send(alarm(city.time, id=f"alarm-{number:04}"), "alarm-1", gateway)
    sender.deliver_due()
    requests = hook.requests
    city.later(seconds=119)
    sender.deliver_due()
    assert hook.requests == requests <= 3, "it asked for a pause"

    hook.status = 200
    city.later(minutes=6)
    sender.deliver_due()

    (told,) = hook.received
    assert told["title"] == "500 alerts: Smoke alarm at Chen home"
    assert "… and 460 more" in told["message"]
    with city.services.sessions() as session:
        assert list(session.scalars(select(Delivery.state))) == ["sent"] * 500


def test_a_building_whose_alarms_all_ring_is_one_message_with_a_count(
    city: City, hook: Hook
) -> None:
    """The sender looks all the time, and the alarms come one after the other; more of them than are
    told singly."""
    hooks = [hook, Hook(), Hook()]
    for number, each in enumerate(hooks):
        channel(city, each.url, f"hook-{number}", role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(140):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), f"alarm-{number}")
        if number % 10 == 0:
            sender.deliver_due()
        city.later(seconds=0.01)
    for _ in range(12):
        city.later(seconds=1)
        sender.deliver_due()
    for each in hooks:
        assert len(each.titles) == 3, "the first two are told at once"
        counts = [title.split()[0] for title in each.titles]
        assert sum(int(count) if count.isdigit() else 1 for count in counts) == 140
        assert "alarms at once: " in each.titles[-1]
    with city.services.sessions() as session:
        assert set(session.scalars(select(Delivery.state))) == {"sent"}
        recorded = session.scalars(select(AlarmCondition.device)).all()
    assert sorted(recorded) == sorted(f"alarm-{number}" for number in range(140))
    for each in hooks[1:]:
        each.close()


def test_what_waited_goes_in_one_message_however_few(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(4):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), f"alarm-{number}")
        sender.deliver_due()
        city.later(seconds=1)
    assert len(hook.titles) == 2
    city.later(seconds=4)
    sender.deliver_due()
    assert [title.split()[0] for title in hook.titles[2:]] == ["2"]


def test_a_fire_waits_behind_no_news(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(2):
        told = alarm(city.time, condition="battery_alert", id=f"battery-{number:04}")
        city.send(told, f"alarm-{number}")
        sender.deliver_due()
        city.later(seconds=1)
    assert len(hook.titles) == 2
    city.send(alarm(city.time), "alarm-3")
    sender.deliver_due()
    assert len(hook.titles) == 3


def test_alerts_of_no_gateway_are_no_building(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(3):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), f"alarm-{number}")
        with writing(city.services.sessions) as session:
            session.execute(update(AlertRow).values(gateway=""))
        sender.deliver_due()
        city.later(seconds=1)
    assert len(hook.titles) == 3


def test_many_at_once_do_not_flood_a_channel(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(60):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), "alarm-1")
        sender.deliver_due()
        city.later(seconds=1)
    city.later(minutes=1)
    sender.deliver_due()

    assert len(hook.received) <= 10 + 60 // 6 + 1
    counts = [title.split()[0] for title in hook.titles]
    assert sum(int(count) if count.isdigit() else 1 for count in counts) == 60


def test_a_fire_is_tried_until_the_service_takes_it(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    hook.status = 500
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    for _ in range(200):  # a day and more
        sender.deliver_due()
        city.later(minutes=10)
    ((_, state, attempts),) = deliveries(city, "dispatcher")
    assert state == "waiting"
    assert attempts > 100

    hook.status = 200
    sender.deliver_due()

    assert hook.titles == ["REPEAT: Smoke alarm at Chen home"]


def test_a_service_that_never_answers_is_told_again_minutes_later_and_marked(
    city: City, hook: Hook
) -> None:
    channel(city, f"{hook.url}?rto=1.0", role=Role.DISPATCHER)
    hook.never_answers = True
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    for _ in range(60):
        sender.deliver_due()
        city.later(seconds=5)

    assert hook.titles == ["Smoke alarm at Chen home"], "once in five minutes"
    hook.never_answers = False
    sender.deliver_due()
    assert hook.titles[1:] == ["REPEAT: Smoke alarm at Chen home"]
    assert [state for _, state, _ in deliveries(city, "dispatcher")] == ["sent"]


def test_what_is_not_urgent_is_not_repeated_for_ever_to_who_never_answers(
    city: City, hook: Hook
) -> None:
    channel(city, f"{hook.url}?rto=1.0", role=Role.INSPECTOR)
    hook.never_answers = True
    sender = NotificationSender(city.services)
    city.send(exceedance(city.time), "mic-1")
    for _ in range(20):
        sender.deliver_due()
        city.later(minutes=10)

    assert len(hook.received) == 3
    (alert,) = city.alerts("inspector")
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("sent", "unconfirmed")


def test_a_channel_that_keeps_failing_is_told_to_who_maintains_it(city: City, hook: Hook) -> None:
    dead = Hook()
    dead.status = 500
    channel(city, dead.url, "pager", role=Role.DISPATCHER)
    channel(city, hook.url, "upkeep", role=Role.MAINTAINER, domains=["platform"])
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    for _ in range(10):
        sender.deliver_due()
        city.later(minutes=1)
    sender.deliver_due()

    assert hook.titles == ["Notifications through pager do not arrive"]
    (about, _) = city.alerts("maintainer")
    assert about["kind"] == "channel-failing"
    dead.status = 200
    city.later(minutes=10)
    sender.deliver_due()
    dead.close()
    (about, _) = city.alerts("maintainer")
    assert not about["state"]["active"], "it works again"


def test_a_channel_that_is_removed_fails_no_longer(city: City) -> None:
    channel(city, f"json://127.0.0.1:{free_port()}/", "pager", role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    for _ in range(10):
        sender.deliver_due()
        city.later(minutes=1)
    (about, _) = city.alerts("maintainer")
    assert about["state"]["active"]

    with writing(city.services.sessions) as session:
        session.delete(session.scalars(select(Channel)).one())
    sender.sync()

    (about, _) = city.alerts("maintainer")
    assert not about["state"]["active"]
