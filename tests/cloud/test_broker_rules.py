"""The shipped files of brokers are what the one source of the rules says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vigil_cloud import broker_rules
from vigil_schemas.topics import DOWN, UP

SHIPPED = Path(__file__).resolve().parents[2] / "docs" / "deployment"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mosquitto-cloud.acl", broker_rules.mosquitto_cloud_acl()),
        ("mosquitto-gateways.acl", broker_rules.mosquitto_gateways_acl()),
        ("emqx.acl", broker_rules.emqx_acl()),
    ],
)
def test_access_rules_are_generated(name: str, text: str) -> None:
    assert (SHIPPED / name).read_text("utf-8") == text


def test_listeners_are_generated() -> None:
    conf = (SHIPPED / "mosquitto-certificates.conf").read_text("utf-8")
    made = broker_rules.mosquitto_certificates(
        "8883", "/mosquitto/config/certificates", "/mosquitto/config/acl-gateways"
    )
    assert conf.endswith(made)
    emqx = (SHIPPED / "emqx.conf").read_text("utf-8")
    assert emqx.endswith(broker_rules.emqx_listener("/opt/emqx/etc/certs"))
    limits = (SHIPPED / "mosquitto.conf").read_text("utf-8")
    assert broker_rules.LIMITS in limits
    assert broker_rules.FORGETS in limits


def test_emqx_lets_nobody_in_but_the_cloud_on_loopback_and_gateways_with_certificates() -> None:
    conf = broker_rules.emqx_listener("certs")
    for kind in ("tcp", "ssl", "ws", "wss"):
        assert f"listeners.{kind}.default.enable = false\n" in conf
    bound = dict(re.findall(r'listeners\.(\w+\.\w+) \{\n  bind = "([^"]+)"', conf))
    assert bound == {"tcp.cloud": "127.0.0.1:1883", "ssl.gateways": "0.0.0.0:8883"}
    assert conf.count("enable_authn = true") == 1
    assert "backend = built_in_database" in conf
    allowed = [line for line in broker_rules.emqx_acl().splitlines() if line.startswith("{allow")]
    cloud = [line for line in allowed if broker_rules.CLOUD in line]
    assert len(cloud) == 2
    assert all('{ipaddr, "127.0.0.1"}' in line for line in cloud)


def test_every_channel_has_a_rule_in_each_direction() -> None:
    for text in (broker_rules.mosquitto_gateways_acl(), broker_rules.emqx_acl()):
        for channel in (*UP, *DOWN):
            assert f"/{channel}" in text
