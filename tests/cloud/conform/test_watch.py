"""``vigil-cloud conform`` over real brokers: what it hears, prints and answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import servers
from cloud.conform.messages import alarm, born, changed, died, health, readings
from cloud.conform.watching import Watching
from gateways import EPOCH, Gateway, new_name, now
from vigil_cloud import cli
from vigil_cloud.conform.watch import Watch
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.subscriber import BrokerAddress, receipt_message


@pytest.fixture(scope="module", params=["mosquitto", "iotcore"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("broker")
    server = servers.mosquitto(folder) if request.param == "mosquitto" else servers.iotcore(folder)
    yield server.url
    server.stop()


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_every_class_of_fault_is_heard_on_a_broker(broker: str) -> None:
    name = new_name()
    gateway = Gateway(port(broker), name, will=died(name))
    gateway.publish("event", health(1, name), retain=True)  # is kept from before the watch
    gateway.publish("status", born(name, at=now()), retain=True)
    watching = Watching(broker, name)
    try:
        watching.wait_for("watching")
        time = now()
        for session in (2, 3):
            gateway.publish("status", born(name, at=now(), session=session), retain=True)
        right = health(2, name)
        gateway.publish("event", right)
        gateway.publish("event", changed(right, data__state="failed"))
        gateway.publish("event", health(3, name)[:-5])
        gateway.publish("event", health(4, name).replace(b'"ok"', b'"\xe9"'))
        gateway.publish("event", changed(health(5, name), data__since="2026-05-01T08:00:00"))
        gateway.publish("event", health(6, name)[:-1] + b" " * 270_000 + b"}")
        gateway.publish("alarm", alarm(1, name, at=time + timedelta(hours=1)))
        gateway.publish("observation", changed(readings(1, name, at=time), data__0__u="C"))
        gateway.publish("alarms", alarm(2, name))
        gateway.publish("command", health(1, name))
        gateway.publish(
            "event", changed(health(7, name), subject="probe-9", data__device="probe-9")
        )
        watching.wait_for("fault", code="device-undescribed")
        code, summary = watching.end()
    finally:
        watching.close()
        gateway.publish("status", b"", retain=True)
        gateway.publish("event", b"", retain=True)
        gateway.close()

    assert code == 1
    assert summary["kind"] == "summary"
    assert set(summary["faults"]) == {
        "retained",
        "repeat-differs",
        "not-json",
        "not-utf8",
        "time-without-zone",
        "too-large",
        "time-ahead",
        "unit",
        "wrong-topic",
        "speaks-as-cloud",
        "death-missing",
        "device-undescribed",
    }
    told = watching.wait_for("fault", code="unit")
    assert told["place"] == "data.0.u"
    assert told["verdict"] == "refused"


def test_a_gateway_that_keeps_the_contract_passes(broker: str) -> None:
    name = new_name()
    watching = Watching(broker, name, "--receipts")
    try:
        watching.wait_for("watching")
        gateway = Gateway(port(broker), name, will=died(name))
        gateway.publish("status", born(name, at=now()), retain=True)
        gateway.publish("event", health(1, name))
        # The receipts are those of a stand-in, and what it asks is answered.
        gateway.wait_stored("event", 1)
        servers.eventually(lambda: gateway.down_of("command"), "a command")
        gateway.publish("event", gateway.answer(2))
        gateway.wait_stored("event", 2)
        code, summary = watching.end()
        gateway.publish("status", b"", retain=True)
        gateway.close()
    finally:
        watching.close()
    assert (code, summary["ok"]) == (0, True)
    assert summary["not_seen"] == ["alarm", "observation"]


def test_no_receipt_is_sent_beside_a_cloud(mosquitto: servers.Mosquitto) -> None:
    name = new_name()
    watching = Watching(mosquitto.url, name, "--receipts")
    gateway = Gateway(mosquitto.port, name)
    try:
        watching.wait_for("watching")
        source = f"/{name}/event/{EPOCH}"
        gateway.publish("event", health(1, name))
        gateway.publish("receipt", receipt_message(name, source, Progress(1), now()))
        assert watching.process.wait(servers.DEADLINE_S) == 2
        assert "cloud-present" in watching.said()
    finally:
        watching.close()
        gateway.close()


def test_in_words(mosquitto: servers.Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    name = new_name()
    gateway = Gateway(mosquitto.port, name)
    gateway.publish("alarm", alarm(1, name), retain=True)
    servers.eventually(lambda: not gateway.client.want_write(), "it was sent")

    try:
        code = cli.main(["conform", name, "--broker", mosquitto.url, "--for", "0.5"])
    finally:
        gateway.publish("alarm", b"", retain=True)
        gateway.close()

    said = capsys.readouterr().out
    assert code == 1
    assert said.splitlines()[0] == f"conform: watching {name}"
    assert "nothing-heard" in said or "FAULT retained: " in said
    assert "docs/firmware.md#topics" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GW-1"], "an id has 2 to 63"),
        (["gw-1", "--broker", "http://127.0.0.1"], "is not mqtts://host or mqtt://host"),
        (["gw-1", "--broker", "mqtt://127.0.0.1:1"], "watch-failed"),
        (["gw-1", "--for", "-3"], "number of seconds"),
        (["gw-1", "--lane", "status"], "invalid choice"),
    ],
)
def test_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["conform", *arguments])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    assert said in capsys.readouterr().err


def test_a_refused_user_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = tmp_path / "users"
    users.write_text("")
    users.chmod(0o644)
    server = servers.mosquitto(
        tmp_path / "broker", extra=f"allow_anonymous false\npassword_file {users}"
    )
    try:
        assert cli.main(["conform", "gw-1", "--broker", server.url]) == 2
    finally:
        server.stop()
    assert "the broker refuses the connection" in capsys.readouterr().err


class SlowBroker:
    """Acknowledges a subscription for what is kept when it is told to."""

    def unsubscribe(self, _filters: object) -> None:
        """Nothing is kept of it."""

    def subscribe(self, _filters: object) -> tuple[int, int]:
        return 0, 7


def test_silence_before_the_broker_has_answered_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over a slow line nothing comes for a while, whatever is kept."""
    watched = Watch(BrokerAddress("127.0.0.1", 1), "gw-1", now)
    watched._stock = SlowBroker()  # type: ignore[assignment]
    moments = [100.0]
    asleep: list[float] = []

    def sleep(seconds: float) -> None:
        asleep.append(moments[0])
        moments[0] += seconds
        if len(asleep) == 100:  # two seconds
            watched._subscribed("stock", 7, [SimpleNamespace(is_failure=False)])  # type: ignore[list-item]

    monkeypatch.setattr(
        "vigil_cloud.conform.watch.time", SimpleNamespace(monotonic=lambda: moments[0], sleep=sleep)
    )
    watched.look_again()
    assert moments[0] == pytest.approx(102.5, abs=0.05)
