"""An administrator takes a device from its gateway."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, City
from gateways import birth
from vigil_cloud.identity.audit import verify
from vigil_cloud.identity.models import AuditEntry
from vigil_schemas.gateway import DeviceDescription

PATH = "/api/v1/devices/sonde-1/release"
OTHER = "gw-west"


def born(city: City, gateway: str, session: int = 1) -> None:
    device = DeviceDescription(device="sonde-1", domain="water", driver="test")
    city.send(birth(city.time, [device], session=session), gateway, gateway)


def lines(city: City) -> list[tuple[str, str, dict[str, object]]]:
    with city.services.sessions() as session:
        verify(session)
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "device.released"))
        return [(row.account, row.subject, row.detail) for row in rows]


def test_a_device_moves_to_another_gateway(either_city: City) -> None:
    city = either_city
    client = city.client("administrator")
    born(city, OTHER)
    listed = {
        g["gateway"]: g["conflicts"] for g in client.get("/api/v1/gateways").json()["gateways"]
    }
    assert listed == {GATEWAY: [], OTHER: ["sonde-1"]}

    answer = client.post(PATH)

    assert answer.status_code == 200
    assert answer.json()["gateway"] == GATEWAY
    assert lines(city) == [("administrator", "sonde-1", {"gateway": GATEWAY})]
    (asked,) = client.get(f"/api/v1/gateways/{OTHER}/downlinks").json()["downlinks"]
    assert asked["payload"]["action"] == "resend_birth"
    born(city, OTHER)
    assert client.get("/api/v1/devices/sonde-1").json()["gateway"] == OTHER


def test_releasing_twice_is_noted_once(city: City) -> None:
    client = city.client("administrator")

    assert [client.post(PATH).status_code for _ in range(2)] == [200, 200]
    assert len(lines(city)) == 1


@pytest.mark.parametrize("role", ["maintainer", "inspector", "family"])
def test_only_administrators_release(city: City, role: str) -> None:
    assert city.client(role).post(PATH).status_code == 403
    assert city.anonymous().post(PATH).status_code == 401
    assert lines(city) == []


def test_release_needs_the_csrf_header(city: City) -> None:
    client = city.client("administrator")
    answer = client.post(PATH, headers={"X-CSRF-Token": "forged"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "wrong-csrf-token"
    assert lines(city) == []


def test_a_device_that_is_not_there(city: City) -> None:
    answer = city.client("administrator").post("/api/v1/devices/nobody/release")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-device")
