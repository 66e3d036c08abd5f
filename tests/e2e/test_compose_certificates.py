"""docker-compose.yml's own follower and broker: certificates of the cloud's authority get in at
port 8883, and a revoked one does not, without anybody's hand."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

import servers
from compose import Composition
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.issued import Term
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services

GATEWAY = "gw-canal"


@pytest.fixture
def city(composition: Composition) -> Composition:
    """Database, follower and broker, each by its own command."""
    servers.need("mosquitto", "apt-get install mosquitto")
    servers.need("postgres", "apt-get install postgresql")
    composition.up("postgres", "migrate", "broker-passwords", "broker-files", "mosquitto")
    return composition


@pytest.fixture
def services(city: Composition) -> Iterator[Services]:
    """The cloud's, with the settings of the service ``api``."""
    with mock.patch.dict(os.environ, city.environment("api"), clear=True):
        settings = load(None)
    with closing(build_services(settings)) as made:
        yield made


def enrolled(services: Services, folder: Path) -> Path:
    """A gateway's certificate and key in one file, as ``vigil-edge enrol`` leaves them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, GATEWAY)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    now = services.now()
    with writing(services.sessions) as session:
        signer = issued.authority(session, Cipher(services.settings.secret), now)
        term = Term(timedelta(days=90))
        made = issued.sign(session, signer, request, GATEWAY, by="test", now=now, term=term)
    file = folder / "gateway.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file.write_text(made.pem + private, "ascii")
    return file


def welcomed(city: Composition, certificate: Path) -> bool:
    """Whether the broker lets this certificate in; ``False`` once it has hung up."""
    folder = city.folder / "broker-config/certificates"
    context = ssl.create_default_context(cafile=folder / "gateways-ca.pem")
    context.load_cert_chain(certificate)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    said: list[Any] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: said.append(reason)
    try:
        client.connect("127.0.0.1", city.ports["certificates"])
        servers.eventually(partial(_decided, client, said), "the broker's decision")
    except (OSError, ssl.SSLError):
        return False
    finally:
        client.disconnect()
    return bool(said) and not said[0].is_failure


def _decided(client: mqtt.Client, said: list[Any]) -> bool:
    return client.loop(0.1) != mqtt.MQTT_ERR_SUCCESS or bool(said)


def test_a_certificate_gets_in_until_it_is_revoked(
    city: Composition, services: Services, tmp_path: Path
) -> None:
    certificate = enrolled(services, tmp_path)
    assert welcomed(city, certificate)

    with writing(services.sessions) as session:
        assert issued.revoke(session, GATEWAY, services.now(), "thrown-out")
    servers.eventually(lambda: not welcomed(city, certificate), "the revocation at the broker")

    another = enrolled(services, tmp_path)
    assert welcomed(city, another), "another one gets in: the list is one, no closed door"


def test_whoever_enrols_is_sent_to_the_published_port(city: Composition) -> None:
    assert city.environment("api")["VIGIL_GATEWAY_BROKER_URL"] == "mqtts://127.0.0.1:8883"
    assert "8883:8883" in city.services["mosquitto"]["ports"]
