"""A cloud with its own Mosquitto, and boxes that become gateways by a code, as people do it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select

import servers
from e2e.two_ends import Box, Cloud, PresentCity
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.enrolment.service import broker_names
from vigil_cloud.identity.roles import Role
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.mosquitto_broker import MosquittoBroker
from vigil_edge import cli
from vigil_edge.clock import Clock


class OwnBrokerCloud(Cloud):
    """As `vigil-cloud serve` with ``broker_url = "mosquitto"`` puts it together."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        if shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        self.port = servers.free_port()
        self.city = PresentCity(
            folder,
            broker_url="mosquitto",
            broker_listen=f"127.0.0.1:{servers.free_port()}",
            gateways_listen=f"127.0.0.1:{self.port}",
            **settings,
        )
        for role in (Role.MAINTAINER, Role.ADMINISTRATOR):
            self.city.account(role.value, role)
        services = self.city.services
        self.mosquitto = MosquittoBroker(services, broker_names(services.settings))
        self.mosquitto.start()
        self.broker = self.mosquitto.url
        self.ingest = self._started()
        self.url = self.city.serve()

    def _started(self) -> Ingest:
        ours = self.mosquitto
        address = BrokerAddress.parse(ours.url, username=ours.username, password=ours.password)
        ingest = Ingest(self.city.services, self.city.handlers, address)
        ingest.start()
        return ingest

    def code(self, gateway: str, **wanted: Any) -> str:
        administrator = self.city.client("administrator")
        answer = administrator.post(f"/api/v1/gateways/{gateway}/enrolment", json=wanted)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    def certificates(self, gateway: str) -> list[CertificateRow]:
        with self.city.services.sessions() as session:
            mine = select(CertificateRow).where(CertificateRow.gateway == gateway)
            return list(session.scalars(mine.order_by(CertificateRow.issued)))

    def close(self) -> None:
        self.ingest.stop()
        self.mosquitto.stop()
        self.city.close()


class EnrolledBox(Box):
    """A box on which somebody typed ``vigil-edge enrol``."""

    def __init__(self, name: str, folder: Path, cloud: OwnBrokerCloud, code: str) -> None:
        self.name = name
        self.folder = folder
        self.clock = Clock()
        self.cloud = cloud
        self.file = folder / "gateway.toml"
        self._stop = asyncio.Event()
        self._task = None
        assert enrol(folder, cloud.url, code) == 0
        with self.file.open("a", encoding="utf-8") as file:
            file.write(
                "[health]\ninterval_s = 1\n"
                '[[water]]\ndevice = "sonde-e2e"\n'
                f'driver = "modbus-tcp"\naddress = "127.0.0.1:{servers.free_port()}"\n'
                '[[water.signal]]\nname = "pH"\nunit = "pH"\n'
            )

    def copy_identity(self, to: Path) -> None:
        shutil.copytree(self.folder / "data" / "identity", to)


def enrol(folder: Path, cloud: str, code: str, *more: str) -> int:
    """The command itself; its exit status."""
    return cli.main(
        ["enrol", cloud, code, "--dir", str(folder), "--data-dir", str(folder / "data"), *more]
    )


def connects(port: int, identity: Path, gateway: str) -> str:
    """What the broker says to somebody with these files: ``Success``, or why not."""
    context = ssl.create_default_context(cafile=identity / "ca.pem")
    context.load_cert_chain(identity / "gateway.pem")
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=gateway,
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
    )
    client.tls_set_context(context)
    told: list[str] = []
    heard = threading.Event()

    def say(what: str) -> None:
        told.append(what)
        heard.set()

    client.on_connect = lambda _c, _u, _f, reason, _p: say(str(reason))
    client.on_disconnect = lambda _c, _u, _f, reason, _p: say(f"ended: {reason}")
    try:
        client.connect("127.0.0.1", port)
    except ssl.SSLError as error:
        return f"refused: {error.reason}"
    client.loop_start()
    try:
        assert heard.wait(30)
    finally:
        client.disconnect()
        client.loop_stop()
    return told[0]
