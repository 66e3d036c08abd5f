"""What Mosquitto itself does with what we give it: real child, real TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import servers
from cloud_city import City
from e2e.enrolled import OwnBrokerCloud, connects, enrol
from e2e.two_ends import PresentCity
from vigil_cloud.broker import BrokerFailed
from vigil_cloud.broker_takeover import Address, SessionNotEnded, Takeovers
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.jobs.gateway_watch import Limits, watch
from vigil_cloud.mosquitto_broker import MosquittoBroker

LIMITS = Limits(timedelta(minutes=3), timedelta(minutes=10))


def test_two_revocations_of_one_second_are_both_heeded(tmp_path: Path) -> None:
    """In the broker, and not on paper alone."""
    cloud = OwnBrokerCloud(tmp_path / "cloud")
    try:
        now = cloud.city.time
        names = ("gw-one", "gw-two")
        for name in names:
            assert enrol(tmp_path / name, cloud.url, cloud.code(name)) == 0

        def let_in(name: str) -> bool:
            identity = tmp_path / name / "data" / "identity"
            return connects(cloud.port, identity, name) == "Success"

        assert [let_in(name) for name in names] == [True, True]
        for name in names:
            with writing(cloud.city.services.sessions) as session:
                removal.revoke(session, name, by="maintainer", now=now)
            servers.eventually(lambda gone=name: not let_in(gone), f"{name} is refused")  # type: ignore[misc]
        assert [let_in(name) for name in names] == [False, False]
    finally:
        cloud.close()


class Session:
    """A connection with a certificate, which comes back by itself for as long as it may."""

    def __init__(self, port: int, identity: Path, gateway: str) -> None:
        context = ssl.create_default_context(cafile=identity / "ca.pem")
        context.load_cert_chain(identity / "gateway.pem")
        self.welcomed = 0
        self.refused = 0
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=gateway, protocol=mqtt.MQTTv5
        )
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.tls_set_context(context)
        self.client.on_connect = self._connected
        self.client.on_connect_fail = self._failed
        self.client.on_disconnect = self._failed
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _connected(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self.welcomed += not reason.is_failure

    def _failed(self, *_: Any) -> None:
        self.refused += 1

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _certificate_revoked(cloud: OwnBrokerCloud, _folder: Path) -> None:
    (mine,) = cloud.certificates("gw-one")
    answer = cloud.city.client("maintainer").delete(
        f"/api/v1/gateways/gw-one/certificates/{mine.serial}"
    )
    assert answer.status_code == 204


def _thrown_out(cloud: OwnBrokerCloud, _folder: Path) -> None:
    assert cloud.city.client("maintainer").delete("/api/v1/gateways/gw-one").status_code == 200


def _replaced(cloud: OwnBrokerCloud, folder: Path) -> None:
    assert enrol(folder, cloud.url, cloud.code("gw-one", replaces=True)) == 0


@pytest.mark.parametrize("ended", [_certificate_revoked, _thrown_out, _replaced])
def test_a_revoked_certificate_keeps_no_open_session(
    tmp_path: Path, ended: Callable[[OwnBrokerCloud, Path], None]
) -> None:
    """However it was revoked: whoever is connected with it is out, also where the box that comes
    in its place was never switched on."""
    cloud = OwnBrokerCloud(tmp_path / "cloud")
    sessions: list[Session] = []
    try:
        for name in ("gw-one", "gw-two"):
            assert enrol(tmp_path / name, cloud.url, cloud.code(name)) == 0
        stolen, other = (tmp_path / name / "data/identity" for name in ("gw-one", "gw-two"))
        for identity, name in ((stolen, "gw-one"), (other, "gw-two")):
            sessions.append(Session(cloud.port, identity, name))
            servers.eventually(lambda: sessions[-1].welcomed == 1, f"{name} is connected")
        thief, bystander = sessions
        (tmp_path / "another").mkdir()
        ended(cloud, tmp_path / "another")

        servers.eventually(lambda: thief.refused >= 2, "the session ends, and none is given again")
        assert thief.welcomed == 1
        assert not thief.client.is_connected()
        assert (bystander.welcomed, bystander.refused) == (1, 0)
    finally:
        for session in sessions:
            session.close()
        cloud.close()


def test_who_has_another_certificate_of_the_gateway_comes_back(tmp_path: Path) -> None:
    cloud = OwnBrokerCloud(tmp_path / "cloud")
    now = cloud.city.time
    try:
        assert enrol(tmp_path / "gw-one", cloud.url, cloud.code("gw-one")) == 0
        identity = tmp_path / "gw-one/data/identity"
        own = Session(cloud.port, identity, "gw-one")
        servers.eventually(lambda: own.welcomed == 1, "it is connected")
        with writing(cloud.city.services.sessions) as session:
            session.add(
                CertificateRow(
                    serial="ab",
                    gateway="gw-one",
                    key_sha256="0" * 64,
                    certificate="",
                    issued=now,
                    ends=now + timedelta(days=9),
                    account="admin",
                )
            )
            session.flush()
            issued.revoke(session, "gw-one", now, "by-hand", only={"ab"})
            issued.session_stays(session, {"ab"}, now)  # as if another process had failed
        servers.eventually(lambda: own.welcomed == 2, "it was thrown out and is back")
        own.close()

        def told() -> bool:
            with cloud.city.services.sessions() as session:
                return bool(issued.open_sessions(session, now))

        servers.eventually(lambda: not told(), "what was said of it is over")
    finally:
        cloud.close()


def test_a_follower_that_starts_again_throws_nobody_out_twice(tmp_path: Path) -> None:
    """Another box has the place: the session of the one before it is over."""
    cloud = OwnBrokerCloud(tmp_path / "cloud")
    services = cloud.city.services
    own: Session | None = None

    def to_be_ended() -> list[str]:
        with services.sessions() as session:
            return [row.gateway for row in issued.to_be_ended(session)]

    try:
        for folder, replaces in (("before", False), ("after", True)):
            (tmp_path / folder).mkdir()
            code = cloud.code("gw-one", replaces=replaces)
            assert enrol(tmp_path / folder, cloud.url, code) == 0
        servers.eventually(lambda: not to_be_ended(), "the session of the former box is over")
        own = Session(cloud.port, tmp_path / "after/data/identity", "gw-one")
        servers.eventually(lambda: own is not None and own.welcomed == 1, "it is connected")

        started_again = Takeovers(services, Address("127.0.0.1", cloud.port))
        started_again.end_sessions()
        with writing(services.sessions) as session:
            (former, _) = sorted(issued.of_gateway(session, "gw-one"), key=lambda one: one.issued)
            former.session_over = False  # nobody followed as it was revoked
        assert (own.welcomed, own.refused) == (1, 0)

        started_again.end_sessions()
        servers.eventually(lambda: own is not None and own.welcomed == 2, "out once, and back")
        assert to_be_ended() == []
    finally:
        if own is not None:
            own.close()
        cloud.close()


def test_a_broker_that_cannot_start_takes_no_session_for_ended(tmp_path: Path) -> None:
    """Whoever has its port may be the broker of before, with the session still open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        city = PresentCity(
            tmp_path,
            broker_url="mosquitto",
            broker_listen=f"127.0.0.1:{servers.free_port()}",
            gateways_listen=f"{host}:{port}",
        )
        try:
            with writing(city.services.sessions) as session:
                session.add(
                    CertificateRow(
                        serial="ab",
                        gateway="gw-one",
                        key_sha256="0" * 64,
                        certificate="",
                        issued=city.time,
                        ends=city.time + timedelta(days=9),
                        account="admin",
                    )
                )
                session.flush()
                issued.revoke(session, "gw-one", city.time, "by-hand", only={"ab"})
            with pytest.raises(BrokerFailed, match="cannot listen"):
                MosquittoBroker(city.services, ["localhost"]).start()
            with city.services.sessions() as session:
                assert [row.serial for row in issued.to_be_ended(session)] == ["ab"]
        finally:
            city.close()


class HangsUp:
    """A server that lets nobody in, and counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.came = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


def test_a_broker_that_lets_nobody_take_over_is_told_and_left_in_peace(city: City) -> None:
    """Each gateway by itself, after growing pauses; the maintainer hears of it."""
    foreign, clock = HangsUp(), [0.0]
    sessions = city.services.sessions
    takeovers = Takeovers(
        city.services,
        Address("127.0.0.1", foreign.port),
        lambda _: None,
        monotonic=lambda: clock[0],
    )
    try:
        with writing(sessions) as session:
            for name in ("gw-one", "gw-two"):
                session.add(
                    CertificateRow(
                        serial=name,
                        gateway=name,
                        key_sha256="0" * 64,
                        certificate="",
                        issued=city.time,
                        ends=city.time + timedelta(days=9),
                        account="admin",
                    )
                )
            session.flush()
            for name in ("gw-one", "gw-two"):
                issued.revoke(session, name, city.time, "by-hand")
        for _ in range(1200):  # ten minutes of the follower's looks
            with pytest.raises(SessionNotEnded, match="gw-one"):
                takeovers.end_sessions()
            clock[0] += 0.5
        # 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5 s, and each minute then: 16 for each gateway.
        assert 28 <= foreign.came <= 34

        watch(sessions, LIMITS, city.time)
        found = {
            (one["gateway"], one["severity"])
            for one in city.alerts("maintainer")
            if one["kind"] == "revoked-session-open" and one["state"]["active"]
        }
        assert found == {("gw-one", "major"), ("gw-two", "major")}

        with writing(sessions) as session:
            issued.session_ended(session, {"gw-one", "gw-two"})
        watch(sessions, LIMITS, city.time)
        kinds = [one["kind"] for one in city.alerts("maintainer") if one["state"]["active"]]
        assert "revoked-session-open" not in kinds
    finally:
        foreign.close()


@pytest.mark.parametrize("which", ["broker_listen", "gateways_listen"])
def test_a_broker_that_is_not_ours_is_not_taken_for_ours(tmp_path: Path, which: str) -> None:
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        listens = {
            "broker_listen": f"127.0.0.1:{servers.free_port()}",
            "gateways_listen": f"127.0.0.1:{servers.free_port()}",
            which: f"127.0.0.1:{foreign.getsockname()[1]}",
        }
        city = PresentCity(tmp_path, broker_url="mosquitto", **listens)
        broker = MosquittoBroker(city.services, ["127.0.0.1"])
        try:
            with pytest.raises(BrokerFailed, match=f"VIGIL_{which.upper()}"):
                broker.start()
            assert broker.pid is None
        finally:
            broker.stop()
            city.close()


def test_it_starts_whatever_a_power_failure_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros in its store; and in the shell of somebody who became root and kept their name."""
    monkeypatch.setenv("LOGNAME", "nobody")
    listens = {
        name: f"127.0.0.1:{servers.free_port()}" for name in ("broker_listen", "gateways_listen")
    }
    city = PresentCity(tmp_path, broker_url="mosquitto", **listens)
    broker = MosquittoBroker(city.services, ["127.0.0.1"])
    broker.folder.mkdir(parents=True)
    (broker.folder / "mosquitto.db").write_bytes(bytes(4096))
    try:
        broker.start()
        assert broker.pid is not None
    finally:
        broker.stop()
        city.close()
