"""The shipped files of brokers are what the one source of the rules says."""

from __future__ import annotations

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


def test_every_channel_has_a_rule_in_each_direction() -> None:
    for text in (broker_rules.mosquitto_gateways_acl(), broker_rules.emqx_acl()):
        for channel in (*UP, *DOWN):
            assert f"/{channel}" in text
