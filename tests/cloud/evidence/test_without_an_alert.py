"""A package that no alert names: whom the domain of its device names opens it, nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cloud.evidence.test_evidence import FILES, announced, put
from cloud_city import City, exceedance, sealed
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts
from vigil_cloud.identity.models import Account, AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.noise import NoiseExceedance

ADDRESSES = ("levels.json", "manifest.json")


def kept(city: City, device: str = "mic-1") -> str:
    """A package in the store that no event has named."""
    sha256, body = sealed(FILES, change=lambda manifest: manifest.update(device=device))
    assert put(city, sha256, body).status_code == 201
    return sha256


def vetoed(city: City, sha256: str) -> NoiseExceedance:
    said = exceedance(city.time, evidence=EvidenceReference(sha256=sha256, size=1))
    classification = {"kind": "siren", "score": 0.9, "vehicle": 0.01, "vetoed": True, "model": "m"}
    return NoiseExceedance.model_validate(said.model_dump() | {"classification": classification})


def opens(city: City, who: str, sha256: str) -> bool:
    client = city.client(who)
    addresses = [*(f"{sha256}/{name}" for name in ADDRESSES), f"{sha256}.zip"]
    answers = {client.get(f"/api/v1/evidence/{address}").status_code for address in addresses}
    answers.add(client.get(f"/api/v1/evidence/{sha256}.verification").status_code)
    assert answers in ({200}, {404}), answers
    return answers == {200}


@pytest.mark.parametrize("role", list(Role))
def test_a_vetoed_passage_is_opened_by_inspectors_and_reviewers(city: City, role: Role) -> None:
    sha256 = kept(city)
    city.send(vetoed(city, sha256), "mic-1")
    (row,) = city.client("inspector").get("/api/v1/noise/exceedances").json()["exceedances"]
    assert (row["alert_id"], row["evidence_sha256"]) == (None, sha256)

    assert opens(city, role.value, sha256) == (role in {Role.INSPECTOR, Role.REVIEWER})


def test_each_look_is_written_down(city: City) -> None:
    sha256 = kept(city)
    assert opens(city, "inspector", sha256)
    with city.services.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.action == "evidence.read")
        lines = session.scalars(query).all()
    assert {line.account for line in lines} == {"inspector"}
    assert f"{sha256}/levels.json" in {line.subject for line in lines}


def test_where_an_alert_names_it_the_alert_decides(city: City) -> None:
    sha256 = kept(city)
    assert not opens(city, "police", sha256)
    announced(city, sha256)
    assert opens(city, "police", sha256)


def test_an_inspector_of_another_district_opens_nothing(city: City) -> None:
    sha256 = kept(city)
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="test", now=city.time)
        districts.place(session, "device", "mic-1", "east", by="test", now=city.time)
        accounts = {one.username: one for one in session.scalars(select(Account))}
        for who, district in (("inspector", "west"), ("reviewer", "east")):
            districts.limit(session, accounts[who], [district], by="test", now=city.time)

    assert not opens(city, "inspector", sha256)
    assert opens(city, "reviewer", sha256)


@pytest.mark.parametrize("device", ["probe-1", "alarm-1", "nobody-knows"])
def test_another_domain_or_an_unknown_device_stays_closed(city: City, device: str) -> None:
    sha256 = kept(city, device)
    assert not opens(city, "inspector", sha256)
    assert not opens(city, "administrator", sha256)


def test_a_device_that_another_gateway_has_by_now_stays_closed(city: City) -> None:
    """Its place, and so whose it is, is no longer that of the package."""
    sha256 = kept(city)
    assert opens(city, "inspector", sha256)
    with writing(city.services.sessions) as session:
        from vigil_cloud.devices.models import Device

        device = session.get(Device, "mic-1")
        assert device is not None
        device.gateway = "gw-west"
    assert not opens(city, "inspector", sha256)
