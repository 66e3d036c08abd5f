"""The shipped Mosquitto configuration on a real Mosquitto: who gets in, as whom, and how far."""

from __future__ import annotations

import contextlib
import re
import shutil
import ssl
import threading
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

import servers
from compose import ROOT, Composition
from crowd import Crowd
from edge.authority import Authority

STATUS = "vigil/v1/gw-canal/status"


class Client:
    """One connection to the broker, and what arrived on it."""

    def __init__(
        self,
        port: int,
        username: str = "",
        password: str = "",
        *,
        client_id: str = "",
        will: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self.reason: Any = None
        self.ended = threading.Event()
        self._heard = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        if username:
            self.client.username_pw_set(username, password)
        if will:
            self.client.will_set(will, b"death", qos=1, retain=True)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.on_connect = self._connected
        self.client.on_disconnect = lambda *_: self.ended.set()
        self.client.on_message = lambda _c, _u, message: self.got.append(
            (message.topic, bytes(message.payload), message.retain)
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._heard.wait(60)

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _p: Any) -> None:
        self.reason = reason
        self._heard.set()
        if reason.is_failure:
            self.client.disconnect()

    def subscribe(self, *filters: str) -> None:
        done = threading.Event()
        self.client.on_subscribe = lambda *_: done.set()
        self.client.subscribe([(name, SubscribeOptions(qos=1)) for name in filters])
        assert done.wait(60)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(60)

    def vanish(self) -> None:
        """As when the power fails: no DISCONNECT."""
        self.client.loop_stop()
        connection = self.client.socket()
        assert connection is not None
        connection.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker(composition: Composition) -> Composition:
    composition.up("broker-passwords", "mosquitto")
    return composition


def signed_in(broker: Composition, username: str, *, client_id: str = "", will: str = "") -> Client:
    cloud = username == "vigil-cloud"
    client = Client(
        broker.ports["mosquitto" if cloud else "gateways"],
        username,
        broker.values["BROKER_PASSWORD" if cloud else "VIGIL_CITY_BROKER_PASSWORD"],
        client_id=client_id,
        will=will,
    )
    assert not client.reason.is_failure, client.reason
    return client


def cloud_that_watches(broker: Composition) -> Client:
    cloud = signed_in(broker, "vigil-cloud")
    cloud.subscribe("vigil/v1/+/status", "vigil/v1/+/alarm")
    return cloud


@pytest.mark.parametrize(
    ("listener", "username", "password"),
    [
        ("gateways", "", ""),
        ("mosquitto", "", ""),
        ("gateways", "gw-canal", "wrong"),
        ("gateways", "gw-stranger", "VIGIL_CITY_BROKER_PASSWORD"),
        ("mosquitto", "vigil-cloud", "VIGIL_CITY_BROKER_PASSWORD"),
        ("mosquitto", "gw-canal", "VIGIL_CITY_BROKER_PASSWORD"),
        ("gateways", "vigil-cloud", "BROKER_PASSWORD"),
    ],
)
def test_the_broker_lets_in_nobody_else(
    broker: Composition, listener: str, username: str, password: str
) -> None:
    client = Client(broker.ports[listener], username, broker.values.get(password, password))
    client.close()
    assert client.reason.is_failure


def test_a_gateway_writes_and_hears_its_own_branch_only(broker: Composition) -> None:
    cloud = signed_in(broker, "vigil-cloud")
    cloud.subscribe("vigil/v1/+/alarm", "vigil/v1/+/event", "$share/g/vigil/v1/+/observation")
    cloud.subscribe("vigil/v1/+/status")
    canal, home = signed_in(broker, "gw-canal"), signed_in(broker, "gw-home")
    home.subscribe("#", "vigil/v1/+/receipt", "vigil/v1/gw-canal/receipt", "vigil/v1/gw-home/+")
    for lane in ("alarm", "event", "observation", "status", "receipt", "command"):
        home.publish(f"vigil/v1/gw-canal/{lane}", b"forged")
        canal.publish(f"vigil/v1/gw-canal/{lane}", b"own")
    for channel in ("receipt", "command", "config"):
        cloud.publish(f"vigil/v1/gw-canal/{channel}", b"for canal")
        cloud.publish(f"vigil/v1/gw-home/{channel}", b"for home")
    servers.eventually(lambda: len(cloud.got) >= 4, "the cloud's messages")
    servers.eventually(lambda: len({topic for topic, *_ in home.got}) >= 3, "home's messages")
    # Whatever was forged came before this on the same connections.
    home.publish("vigil/v1/gw-home/alarm", b"last")
    servers.eventually(lambda: cloud.got[-1][1] == b"last", "the last message")
    for client in (cloud, canal, home):
        client.close()
    assert {topic for topic, payload, _ in cloud.got if payload == b"own"} == {
        f"vigil/v1/gw-canal/{lane}" for lane in ("alarm", "event", "observation", "status")
    }
    assert {payload for _, payload, _ in cloud.got} == {b"own", b"last"}
    assert {payload for _, payload, _ in home.got} == {b"for home"}


def test_a_retained_birth_and_the_last_will_reach_the_cloud(broker: Composition) -> None:
    status = "vigil/v1/gw-market/status"
    gateway = signed_in(broker, "gw-market", will=status)
    gateway.publish(status, b"birth", retain=True)
    cloud = signed_in(broker, "vigil-cloud")
    cloud.subscribe("vigil/v1/+/status")
    servers.eventually(lambda: cloud.got, "the retained birth")
    assert cloud.got == [(status, b"birth", True)]
    gateway.vanish()
    servers.eventually(lambda: len(cloud.got) > 1, "the last will")
    cloud.close()
    assert cloud.got[1][:2] == (status, b"death")


@pytest.mark.parametrize("client_id", ["gw-canal", ""])
def test_nobody_takes_the_place_of_another(broker: Composition, client_id: str) -> None:
    """Given a connected gateway, another that calls itself by its name ends nothing of it."""
    cloud = cloud_that_watches(broker)
    canal = signed_in(broker, "gw-canal", client_id="gw-canal", will=STATUS)
    canal.publish(STATUS, b"birth", retain=True)
    servers.eventually(lambda: (STATUS, b"birth", False) in cloud.got, "the birth")

    thief = signed_in(broker, "gw-home", client_id=client_id)
    thief.subscribe("vigil/v1/gw-canal/command", "vigil/v1/gw-home/command")
    thief.publish("vigil/v1/gw-canal/alarm", b"forged")
    cloud.publish("vigil/v1/gw-canal/command", b"for canal")
    cloud.publish("vigil/v1/gw-home/command", b"for home")
    servers.eventually(lambda: thief.got, "home's own command")
    canal.publish("vigil/v1/gw-canal/alarm", b"fire")
    servers.eventually(lambda: ("vigil/v1/gw-canal/alarm", b"fire", False) in cloud.got, "the fire")

    assert not canal.ended.is_set()
    assert thief.got == [("vigil/v1/gw-home/command", b"for home", False)]
    assert {payload for _, payload, _ in cloud.got} == {b"birth", b"fire"}
    for client in (cloud, canal, thief):
        client.close()


def test_a_last_will_on_anothers_branch_is_never_heard(broker: Composition) -> None:
    cloud = cloud_that_watches(broker)
    port, password = broker.ports["gateways"], broker.values["VIGIL_CITY_BROKER_PASSWORD"]
    thief = Client(port, "gw-home", password, will=STATUS)
    if not thief.reason.is_failure:
        thief.vanish()
    home = signed_in(broker, "gw-home", will="vigil/v1/gw-home/status")
    home.vanish()
    servers.eventually(lambda: cloud.got, "home's own death")
    cloud.close()
    assert {topic for topic, *_ in cloud.got} == {"vigil/v1/gw-home/status"}


def test_a_gateway_signed_in_twice_is_one(broker: Composition) -> None:
    """Its own new connection takes the old one's place: otherwise its old will would come late."""
    first = signed_in(broker, "gw-canal", client_id="a")
    second = signed_in(broker, "gw-canal", client_id="b")
    assert first.ended.wait(servers.DEADLINE_S)
    assert not second.ended.is_set()
    for client in (first, second):
        client.close()


def test_a_message_beyond_all_measure_ends_its_own_sender_only(broker: Composition) -> None:
    cloud = cloud_that_watches(broker)
    canal, home = signed_in(broker, "gw-canal"), signed_in(broker, "gw-home")
    home.client.publish("vigil/v1/gw-home/alarm", b"x" * 400_000, qos=1)
    canal.publish("vigil/v1/gw-canal/alarm", b"fire")
    servers.eventually(lambda: cloud.got, "the fire")
    assert cloud.got == [("vigil/v1/gw-canal/alarm", b"fire", False)]
    for client in (cloud, canal, home):
        client.close()


def test_a_silent_crowd_stops_nobody(broker: Composition) -> None:
    """Mosquitto counts only who has said CONNECT against ``max_connections``, and lets the silent
    go after 90 s: its file handles have to be more than these (``ulimits`` in the file)."""
    canal = signed_in(broker, "gw-canal")
    with Crowd(broker.ports["gateways"], 500):
        cloud = cloud_that_watches(broker)
        canal.publish("vigil/v1/gw-canal/alarm", b"fire")
        servers.eventually(lambda: cloud.got, "the fire")
    for client in (cloud, canal):
        client.close()
    handles = broker.services["mosquitto"]["ulimits"]["nofile"]
    text = (ROOT / "docs/deployment/mosquitto.conf").read_text("utf-8")
    assert handles >= 2 * sum(int(most) for most in re.findall(r"max_connections (\d+)", text))


# --- with certificates -----------------------------------------------------------------------


class Certificates:
    """What README.md says to put beside mosquitto-certificates.conf."""

    def __init__(self, composition: Composition, folder: Path) -> None:
        self.authority = Authority(folder)
        self.port = composition.ports["certificates"]
        config = composition.folder / "broker-config"
        target = config / "certificates"
        target.mkdir(exist_ok=True)
        certificate, key = self.authority.issue("broker")
        for source, name in (
            (self.authority.file, "gateways-ca.pem"),
            (certificate, "broker.pem"),
            (key, "broker-key.pem"),
        ):
            shutil.copy(source, target / name)
            (target / name).chmod(0o644)
        (target / "revoked.pem").write_bytes(self.authority.revocation_list())

    def connect(self, name: str, **more: Any) -> Client:
        context = ssl.create_default_context(cafile=self.authority.file)
        context.load_cert_chain(*self.authority.issue(name))
        return Client(self.port, tls=context, **more)


@pytest.fixture
def certified(composition: Composition, tmp_path: Path) -> Certificates:
    composition.up("broker-passwords")
    made = Certificates(composition, tmp_path)
    composition.up("mosquitto")
    return made


def test_a_certificate_is_who_one_is(composition: Composition, certified: Certificates) -> None:
    cloud = cloud_that_watches(composition)
    canal = certified.connect("gw-canal", client_id="gw-canal", will=STATUS)
    canal.publish(STATUS, b"birth", retain=True)
    servers.eventually(lambda: (STATUS, b"birth", False) in cloud.got, "the birth")

    heard = []
    for name, more in (
        ("gw-home", {}),
        ("gw-home", {"username": "gw-canal", "password": "x"}),
        ("vigil-cloud", {}),
    ):
        thief = certified.connect(name, client_id="gw-canal", **more)
        assert not thief.reason.is_failure
        thief.publish("vigil/v1/gw-canal/alarm", b"forged")
        thief.publish("vigil/v1/gw-canal/command", b"forged")
        thief.subscribe("vigil/v1/gw-canal/command", "vigil/v1/+/alarm")
        cloud.publish("vigil/v1/gw-canal/command", b"before")
        thief.publish(f"vigil/v1/{name}/event", b"own")
        heard += thief.got
        thief.close()
    canal.subscribe("vigil/v1/gw-canal/command")
    cloud.publish("vigil/v1/gw-canal/command", b"for canal")
    servers.eventually(lambda: canal.got, "its command")
    canal.publish("vigil/v1/gw-canal/alarm", b"fire")
    servers.eventually(lambda: ("vigil/v1/gw-canal/alarm", b"fire", False) in cloud.got, "the fire")

    assert not canal.ended.is_set()
    assert canal.got == [("vigil/v1/gw-canal/command", b"for canal", False)]
    assert not heard
    assert {payload for _, payload, _ in cloud.got} == {b"birth", b"fire"}
    for client in (cloud, canal):
        client.close()


def test_without_a_certificate_of_ours_there_is_no_way_in(
    certified: Certificates, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=certified.authority.file)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    forged = ssl.create_default_context(cafile=certified.authority.file)
    forged.load_cert_chain(*Authority(stranger).issue("gw-canal"))
    for tls in (context, forged):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.tls_set_context(tls)
        welcomed: list[Any] = []
        client.on_connect = lambda _c, _u, _f, reason, _p, w=welcomed: w.append(reason)
        with contextlib.suppress(OSError):  # TLS 1.3 says so only at the first reading
            client.connect("127.0.0.1", certified.port)
        servers.eventually(partial(_hung_up, client), "the end")
        assert not welcomed


def _hung_up(client: mqtt.Client) -> bool:
    return client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS
