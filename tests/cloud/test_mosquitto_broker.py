"""What Mosquitto itself does with what we give it: real child, real TLS."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import servers
from e2e.enrolled import OwnBrokerCloud, connects, enrol
from e2e.two_ends import PresentCity
from vigil_cloud.broker import BrokerFailed
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.mosquitto_broker import MosquittoBroker


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
