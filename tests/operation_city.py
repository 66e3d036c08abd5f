"""A city in which each operation of `operation_rights` finds what it is about."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

import street_file
from cases_office import Office, picture
from cloud_city import DEVICES, GATEWAY, TAG, City, exceedance, visit
from operation_people import (
    AT_HOME,
    CONTACT,
    ELSEWHERE,
    EVIDENCE,
    GUARDIAN,
    KEEPS_ELSEWHERE,
    KEEPS_THERE,
    LEFT,
    POLICY,
    RELATIVE,
    RESIDENT,
    THERE,
)
from vigil_cloud.aed import patrol_photos, register
from vigil_cloud.alerts import shelving
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.checkin import amulets
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke.models import Fire
from vigil_cloud.smoke.programme import applications, home_rows, installations
from vigil_cloud.street_map import service as street_map
from vigil_schemas.evidence import EvidenceReference
from waterways import geojson


def certificate(city: City) -> CertificateRow:
    """Of the gateway, as far as a list shows it."""
    return CertificateRow(
        serial="abc",
        gateway=GATEWAY,
        key_sha256="0" * 64,
        certificate="",
        issued=city.time,
        ends=city.time + timedelta(days=90),
        account="administrator",
    )


def prepared(city: City) -> dict[str, str]:
    """One thing of each kind, and what stands for it in addresses."""
    for name in (RELATIVE, GUARDIAN):
        city.account(name, Role.FAMILY)
    city.guardian(GUARDIAN)
    consent = city.consent(RELATIVE)
    city.account("leaver", Role.VOLUNTEER)
    place(city)
    with writing(city.services.sessions) as session:
        put_channel(session, city.cipher, name="hook", url="json://127.0.0.1", role=Role.POLICE)
        policies.put(session, parse(POLICY), by="operator", now=city.time)
        session.add(certificate(city))
    city.one_of_each()
    gates = close_a_gate(city)
    sha256, body = EVIDENCE
    reference = EvidenceReference(sha256=sha256, size=len(body))
    city.send(exceedance(city.time, "exceedance-2", evidence=reference), "mic-1")
    stored = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {city.token()}"},
    )
    assert stored.status_code == 201, stored.text
    refuse_a_check_in(city)
    told = city.client(GUARDIAN).post("/api/v1/search/reports", json={"person_key": "p1"})
    assert told.status_code == 201, told.text
    invited = city.client(GUARDIAN).post("/api/v1/people/p1/invitations", json={}).json()
    looked = city.client(Role.ADMINISTRATOR).post(
        f"/api/v1/gateways/{GATEWAY}/commands",
        json={"action": "look", "arguments": {"found": "0" * 16}},
    )
    assert looked.status_code == 202, looked.text
    with city.services.sessions() as session:
        alerts = {row.domain: row.id for row in session.scalars(select(AlertRow))}
        (burning,) = session.scalars(select(Fire.id))
        of_package = select(AlertRow.id).where(AlertRow.evidence_sha256 == sha256)
        (pictured,) = session.scalars(of_package)
    return {
        **alerts,
        **gates,
        **put_aside(city),
        **open_cases(city),
        **two_things(city),
        "invitation": invited["id"],
        "amulet": amulets.handle_of(city.cipher, TAG),
        "search-case": told.json()["case_id"],
        **applied_for(city),
        **patrolled(city),
        "fire": burning,
        "sha256": sha256,
        "pictured": pictured,
        "map": draw_streets(city),
        "file": "plate.png",
        "key": "p1",
        "consent": str(consent),
        "device": "mic-1",
        "gateway": GATEWAY,
        "command": looked.json()["id"],
        "revision": "0",
        "register": "districts",
        "parameter": "level",
        "number": "1",
        "serial": "abc",
        "tag": TAG,
        "name": "hook",
        "username": "leaver",
        "household": "h1",
        "site": "aed-hall",
        "district": "east",
        "guardian": GUARDIAN,
    }


def draw_streets(city: City) -> str:
    """The digest of the map."""
    path = street_file.written(city.settings.data_dir)
    return street_map.put(city.services, path, by="operator").row.sha256


def two_things(city: City) -> dict[str, str]:
    """One that is at its owner's, and one that was stolen."""
    made = []
    for number, code in enumerate(("A7K3M-92MDT", "B7K3M-92MDT")):
        with writing(city.services.sessions) as session:
            tag = f"epc:{number:024x}"
            amulets.add(session, city.cipher, tag, by="operator", now=city.time, code=code)
        body = {"kind": "bicycle", "name": "the red one", "code": code}
        answer = city.client(GUARDIAN).post("/api/v1/people/p1/things", json=body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    told = city.client(GUARDIAN).post(f"/api/v1/things/{made[1]}/theft", json={})
    assert told.status_code == 201, told.text
    return {"thing": made[0], "theft-case": told.json()["case_id"]}


def applied_for(city: City) -> dict[str, str]:
    """The home in the east, in the programme of smoke alarms, with a photograph."""
    said = home_rows.Resident(name="Chen", address="7 Zhongshan Road")
    wanted = applications.Application(said, ("elder-alone",), "online", "east", "", "h1")
    with writing(city.services.sessions) as session:
        row = applications.apply(session, city.cipher, wanted, by=RESIDENT, now=city.time)
        photo = installations.add_photo(
            session, city.cipher, row, b"picture", None, by="operator", now=city.time
        )
        return {"home": row.id, "photo": str(photo.id)}


def patrolled(city: City) -> dict[str, str]:
    """An AED of the register, with a photograph of a patrol."""
    with writing(city.services.sessions) as session:
        fields = register.SiteFields("City hall", 23.48, 120.44)
        register.put(session, "aed-hall", fields, "operator", city.time)
        photo = patrol_photos.add(
            session, city.cipher, "aed-hall", b"picture", by="operator", now=city.time
        )
        return {"aed-photo": str(photo.id)}


def close_a_gate(city: City) -> dict[str, str]:
    """An incident, and an association that is told of it."""
    client = city.client("inspector")
    brought = client.post("/api/v1/water/network/import", content=geojson().encode())
    assert brought.is_success, brought.text
    (alert,) = city.alerts("inspector", domain="water")
    incident = alert["detail"]["incident"]
    asked = client.post(f"/api/v1/water/incidents/{incident}/gates/close", json={"gate": "g1"})
    assert asked.is_success, asked.text
    (order,) = client.get("/api/v1/irrigation/orders").json()["orders"]
    return {"incident": incident, "order": order["id"]}


def put_aside(city: City) -> dict[str, str]:
    """One shelf of each device that the table ends one of."""
    wanted = Wanted("shelved", "painting", city.time + timedelta(hours=1))
    with writing(city.services.sessions) as session:
        return {
            f"{device}-shelf": str(
                shelving.begin(session, device, wanted, by="operator", now=city.time).id
            )
            for device in ("alarm-1", "mic-1", "station-1")
        }


def open_cases(city: City) -> dict[str, str]:
    """One of each kind, with a deadline and a photograph."""
    office = Office(city)
    names: dict[str, str] = {}
    for kind, case in (("noise-case", office.noise()), ("water-case", office.water())):
        case = office.photograph("inspector", case["id"], picture())
        names |= {
            kind: case["id"],
            f"{kind}-deadline": str(case["deadlines"][0]["id"]),
            f"{kind}-photograph": case["photographs"][0]["id"],
        }
    return names


def place(city: City) -> None:
    """Everything stands in the east; the smoke alarm in a home there."""
    city.account(LEFT, Role.FAMILY)
    for name in AT_HOME:
        city.account(name, Role.FAMILY)
    limited = {THERE: "east", ELSEWHERE: "west", KEEPS_THERE: "east", KEEPS_ELSEWHERE: "west"}
    for name in limited:
        city.account(name, Role.INSPECTOR if name.startswith("inspector") else Role.MAINTAINER)
    by, now = "operator", city.time
    with writing(city.services.sessions) as session:
        for district in ("east", "west"):
            districts.put(session, district, district, district, by=by, now=now)
        for name, district in limited.items():
            districts.limit(session, account_named(session, name), [district], by=by, now=now)
        for device in DEVICES:
            districts.place(session, "device", device, "east", by=by, now=now)
        districts.place(session, "gateway", GATEWAY, "east", by=by, now=now)
        home = households.Described("Chen", "7 Zhongshan Road", "east")
        households.put(session, city.cipher, "h1", home, by=by, now=now)
        households.give_device(session, "h1", "alarm-1", by=by, now=now)
        for name in (RESIDENT, CONTACT, LEFT):
            number = households.add_member(
                session,
                "h1",
                account=account_named(session, name),
                relation=Relation(name) if name != LEFT else Relation.RESIDENT,
                by=by,
                now=now,
            )
        households.remove_member(session, "h1", number, by=by, now=now)


def refuse_a_check_in(city: City) -> None:
    payload = visit(city.time).model_dump_json().encode()
    with writing(city.services.sessions) as session:
        session.add(
            DeadLetter(
                gateway=GATEWAY,
                topic=f"vigil/v1/{GATEWAY}/event",
                reason="stale",
                detail=f"the visit of {TAG} lies too far back",
                payload=payload,
                size=len(payload),
                digest="0" * 64,
                first_received=city.time,
                last_received=city.time,
            )
        )
