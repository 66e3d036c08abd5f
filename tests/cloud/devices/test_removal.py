"""Thrown out: gateways that were stolen or sold, and devices that are no more."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, City, exceedance, sealed
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.removal import GatewayExists, GatewayRevoked
from vigil_cloud.identity.audit import verify
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.sessions import gateway_of_token
from vigil_schemas.gateway import DeviceDescription, GatewayBirth


def test_adding_a_gateway_again_ends_no_token(either_city: City) -> None:
    city = either_city
    with writing(city.services.sessions) as session:
        token = removal.add(session, "gw-west", by="operator", now=city.time)

    with (
        pytest.raises(GatewayExists, match="rotate-token gw-west"),
        writing(city.services.sessions) as session,
    ):
        removal.add(session, "gw-west", by="operator", now=city.time)

    assert gateway_of_token(city.services, token) == "gw-west"


def test_a_rotated_token_ends_the_old_one(either_city: City) -> None:
    city = either_city
    with writing(city.services.sessions) as session:
        old = removal.add(session, "gw-west", by="operator", now=city.time)
        new = removal.rotate_token(session, "gw-west", by="operator", now=city.time)

    assert gateway_of_token(city.services, old) is None
    assert gateway_of_token(city.services, new) == "gw-west"


def test_a_revoked_gateway_has_no_token_no_key_and_no_devices(either_city: City) -> None:
    city = either_city
    city.birth()
    token = city.token(GATEWAY)
    with writing(city.services.sessions) as session:
        devices = removal.revoke(session, GATEWAY, by="operator", now=city.time)

    assert "mic-1" in devices
    assert gateway_of_token(city.services, token) is None
    sha256, body = sealed({"sound.wav": b"x"})
    refused = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {token}"},
    )
    assert refused.status_code == 403
    with city.services.sessions() as session:
        assert session.get_one(Gateway, GATEWAY).public_key is None
        assert not session.scalars(select(Device.device).where(Device.claimed)).all()
        verify(session)
    with pytest.raises(GatewayRevoked, match="readmit"), writing(city.services.sessions) as session:
        removal.add(session, GATEWAY, by="operator", now=city.time)


def test_the_gateway_that_replaces_a_revoked_one_has_its_devices(city: City) -> None:
    city.birth()
    with writing(city.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="operator", now=city.time)

    city.send(
        GatewayBirth(
            session=1,
            started=city.time,
            software="test",
            epoch="11111111",
            public_key="ab" * 32,
            devices=[DeviceDescription(device="mic-1", domain="noise", driver="t", name="M")],
        ),
        "gw-new",
        "gw-new",
    )

    with city.services.sessions() as session:
        assert session.get_one(Device, "mic-1").gateway == "gw-new"


def test_retired_devices_leave_the_list_and_their_alerts_stay(city: City) -> None:
    city.birth()
    city.send(exceedance(city.time), "mic-1")
    with writing(city.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="operator", now=city.time, retire=True)

    listed = city.client("inspector").get("/api/v1/devices").json()["devices"]
    assert "mic-1" not in {device["device"] for device in listed}
    assert [alert["device"] for alert in city.alerts("inspector")] == ["mic-1"]


def test_a_readmitted_gateway_gets_another_token(city: City) -> None:
    old = city.token(GATEWAY)
    city.birth()
    with writing(city.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="operator", now=city.time)
        new = removal.readmit(session, GATEWAY, by="operator", now=city.time)

    assert gateway_of_token(city.services, old) is None
    assert gateway_of_token(city.services, new) == GATEWAY


@pytest.mark.parametrize("role", list(Role))
def test_operators_alone_throw_out(city: City, role: Role) -> None:
    city.birth()
    client = city.client(role.value)
    allowed = role in {Role.ADMINISTRATOR, Role.MAINTAINER}

    answers = [
        client.post("/api/v1/gateways", json={"gateway": "gw-west"}),
        client.post("/api/v1/gateways/gw-west/token"),
        client.delete("/api/v1/devices/mic-1"),
        client.delete(f"/api/v1/gateways/{GATEWAY}"),
    ]

    assert [answer.status_code for answer in answers] == (
        [201, 201, 204, 200] if allowed else [403] * 4
    )
    with city.services.sessions() as session:
        done = session.scalars(
            select(AuditEntry.action).where(AuditEntry.account == role.value)
        ).all()
    for action in ("gateway.added", "gateway.token-rotated", "device.removed", "gateway.revoked"):
        assert (action in done) == allowed
