"""What is older than its time is removed, counted, and nothing else with it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_city import GATEWAY, NOON, City, exceedance, sealed, visit
from vigil_cloud.aed.models import AedCallRow
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.checkin.models import Visit
from vigil_cloud.database.engine import writing
from vigil_cloud.database.registry import metadata
from vigil_cloud.devices.models import DeviceShelf
from vigil_cloud.domain.registry import domains
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity.audit import append, verify
from vigil_cloud.identity.errors import AuditBroken
from vigil_cloud.identity.models import AuditEntry, Look
from vigil_cloud.irrigation.models import GateOrder
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.objects.port import ObjectMissing
from vigil_cloud.retention import BATCH, Retention
from vigil_cloud.smoke.models import AlarmCondition, Fire, FireStep
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water.models import Excursion, Incident
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.senml import microseconds

DAYS = {"visits": 90, "alerts": 1825, "evidence": 1825, "audit": 3650}


def count(city: City, model: Any) -> int:
    with city.services.sessions() as session:
        return len(session.scalars(select(model)).all())


def said(city: City) -> dict[str, int]:
    """What the audit log says was removed, by class."""
    told: dict[str, int] = {}
    with city.services.sessions() as session:
        verify(session)
        lines = session.scalars(select(AuditEntry).where(AuditEntry.account == "retention"))
        for line in lines:
            if line.action == "retention.removed":
                told[line.subject] = told.get(line.subject, 0) + line.detail["removed"]
    return told


def test_visits_and_their_alerts_go_after_their_time(either_city: City) -> None:
    city = either_city
    for number in range(3):
        city.send(visit(NOON, id=f"visit-old-{number}"), "station-1")
        city.send(visit(NOON, "departed", f"visit-old-{number}"), "station-1")
    city.later(days=89)
    city.send(visit(city.time, id="visit-new"), "station-1")
    keeper = Retention(city.services)

    keeper.keep()
    assert (count(city, Visit), count(city, AlertRow)) == (4, 4)

    city.later(days=2)
    keeper.keep()
    keeper.keep()
    assert (count(city, Visit), count(city, AlertRow)) == (1, 1)
    assert said(city) == {"visits": 3, "alerts": 3}


def test_an_alert_that_waits_for_somebody_is_never_removed(city: City) -> None:
    city.send(exceedance(NOON, "exceedance-1"), "mic-1")
    city.send(exceedance(NOON, "exceedance-2"), "mic-1")
    with writing(city.services.sessions) as session:
        done = select(AlertRow.id).order_by(AlertRow.id).limit(1).scalar_subquery()
        session.execute(
            update(AlertRow)
            .where(AlertRow.id == done)
            .values(active=False, acknowledged=True, confirmed=True)
        )
    city.later(days=DAYS["alerts"] + 1)

    Retention(city.services).keep()

    with city.services.sessions() as session:
        (left,) = session.scalars(select(AlertRow))
        assert left.active


def test_an_alert_that_fell_silent_and_calls_on_is_never_removed(city: City) -> None:
    city.send(exceedance(NOON, "exceedance-1"), "mic-1")
    calls_on = {"active": False, "acknowledged": True, "confirmed": True, "called_on": True}
    with writing(city.services.sessions) as session:
        session.execute(update(AlertRow).values(calls_on))
    city.later(days=DAYS["alerts"] + 1)
    Retention(city.services).keep()
    assert count(city, AlertRow) == 1
    with writing(city.services.sessions) as session:
        session.execute(update(AlertRow).values(called_on=False))
    Retention(city.services).keep()
    assert count(city, AlertRow) == 0


def stored(city: City, name: str, *, announced: bool) -> str:
    sha256, body = sealed({"sound.wav": name.encode()}, evidence_id=name)
    if announced:
        reference = EvidenceReference(sha256=sha256, size=len(body))
        city.send(exceedance(city.time, name, evidence=reference), "mic-1")
    answer = city.anonymous().put(
        f"/api/v1/gateways/{GATEWAY}/evidence/{sha256}",
        content=body,
        headers={"Authorization": f"Bearer {city.token()}"},
    )
    assert answer.status_code == 201, answer.text
    return sha256


def test_packages_go_with_their_objects_and_those_of_open_alerts_stay(city: City) -> None:
    stray = stored(city, "stray-package", announced=False)
    needed = stored(city, "open-package", announced=True)
    done = stored(city, "done-package", announced=True)
    with writing(city.services.sessions) as session:
        session.execute(
            update(AlertRow)
            .where(AlertRow.evidence_sha256 == done)
            .values(active=False, acknowledged=True)
        )
    city.later(days=181)
    keeper = Retention(city.services)
    keeper.keep()
    assert evidence(city) == {needed, done}

    city.later(days=DAYS["evidence"])
    keeper.keep()

    assert evidence(city) == {needed}
    for gone in (stray, done):
        with pytest.raises(ObjectMissing):
            city.services.objects.size(f"evidence/{GATEWAY}/{gone}.zip")


def evidence(city: City) -> set[str]:
    with city.services.sessions() as session:
        return set(session.scalars(select(EvidenceRow.sha256)))


def test_a_row_whose_object_was_removed_before_a_crash_goes_in_the_next_round(city: City) -> None:
    stray = stored(city, "stray-package", announced=False)
    city.services.objects.delete(f"evidence/{GATEWAY}/{stray}.zip")
    city.later(days=181)

    Retention(city.services).keep()

    assert evidence(city) == set()


def test_old_audit_lines_go_and_the_rest_of_the_chain_verifies(either_city: City) -> None:
    city = either_city
    with writing(city.services.sessions) as session:
        for number in range(BATCH + 50):
            append(session, at=NOON, account="li", action="old", subject=str(number))
    city.later(days=DAYS["audit"] + 1)
    with writing(city.services.sessions) as session:
        append(session, at=city.time, account="li", action="new", subject="")

    Retention(city.services).keep()

    with city.services.sessions() as session:
        actions = set(session.scalars(select(AuditEntry.action)))
        verify(session)
    assert "old" not in actions
    assert {"new", "audit.pruned"} <= actions
    assert count(city, Look) == 0


def test_lines_that_somebody_took_from_the_beginning_are_missed(city: City) -> None:
    with writing(city.services.sessions) as session:
        for number in range(5):
            append(session, at=NOON, account="li", action="act", subject=str(number))
    with writing(city.services.sessions) as session:
        first = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).first()
        session.delete(first)

    with city.services.sessions() as session, pytest.raises(AuditBroken, match="missing"):
        verify(session)


def test_readings_of_a_domain_go_after_their_time(city: City) -> None:
    checkin = Series("checkin", GATEWAY, "station-1", "tags_seen")
    water = Series("water", GATEWAY, "sonde-1", "pH")
    city.services.timeseries.write(
        [Point(one, microseconds(NOON) + n, 1.0, 1) for one in (checkin, water) for n in range(9)]
    )
    city.later(days=401)

    removed = Retention(city.services).keep()

    assert removed["readings of checkin"] == 9
    span = (NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert city.services.timeseries.count(checkin, *span) == 0
    assert city.services.timeseries.count(water, *span) == 9
    assert said(city) == {"readings of checkin": 9}


def test_what_shall_be_kept_for_good_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    city = City(tmp_path_factory.mktemp("kept"), retention={"visits_days": 0, "audit_days": 0})
    names = {rule.name for rule in Retention(city.services).rules()}
    city.close()

    assert not names & {"visits", "whereabouts", "audit"}
    assert "alerts" in names


def test_more_than_one_batch_goes_in_one_round(city: City) -> None:
    digests = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(BATCH * 2 + 1)]
    with writing(city.services.sessions) as session:
        for digest in digests:
            session.add(
                Visit(
                    id=f"{GATEWAY}:{digest[:40]}",
                    tag="epc:0011223344556677",
                    gateway=GATEWAY,
                    device="station-1",
                    carrier="uhf",
                    arrived=NOON,
                    last_seen=NOON,
                    sightings=1,
                )
            )
    city.later(days=91)

    assert Retention(city.services).keep()["visits"] == BATCH * 2 + 1


def test_what_was_put_aside_goes_years_after_it_ended(city: City) -> None:
    begun = city.time

    def shelf(device: str, ended: datetime | None, *, settled: bool) -> DeviceShelf:
        return DeviceShelf(
            device=device,
            kind="shelved",
            reason="a nuisance",
            account="maintainer",
            begun=begun,
            until=None,
            ended=ended,
            settled=settled,
        )

    with writing(city.services.sessions) as session:
        session.add_all(
            [
                shelf("old", begun, settled=True),
                shelf("untold", begun, settled=False),
                shelf("running", None, settled=False),
            ]
        )
    Retention(city.services).keep()
    city.later(days=1826)
    assert Retention(city.services).keep()["shelves"] == 1
    with city.services.sessions() as session:
        left = session.scalars(select(DeviceShelf.device).order_by(DeviceShelf.id)).all()
    assert left == ["untold", "running"]


def test_what_belongs_to_alerts_goes_after_them(either_city: City) -> None:
    city = either_city

    def alert(name: str) -> AlertRow:
        return AlertRow(
            id=name,
            key=f"water:gw-east:{name}",
            domain="water",
            kind="above",
            gateway=GATEWAY,
            device="sonde-1",
            title="",
            title_zh="",
            severity="major",
            momentary=False,
            audience="all",
            active=False,
            acknowledged=name == "seen",
            confirmed=False,
            out_of_service=False,
            raised=NOON,
            event_time=NOON,
            detail={},
        )

    with writing(city.services.sessions) as session:
        for name in ("seen", "waits"):
            session.add(alert(name))
            session.add(Incident(id=name, alert_id=name, founder=name, started=NOON, ended=NOON))
            session.add(
                Exceedance(
                    id=name,
                    gateway=GATEWAY,
                    device="mic-1",
                    started=NOON,
                    ended=NOON,
                    threshold_db=86.0,
                    LAFmax=92.0,
                    LAE=95.0,
                    overload=False,
                    calibrated=True,
                    alert_id=name,
                )
            )
            session.add(
                Excursion(
                    id=name,
                    gateway=GATEWAY,
                    device="sonde-1",
                    parameter="pH",
                    kind="below",
                    started=NOON,
                    ended=NOON,
                    alert_id=name,
                    incident=name,
                )
            )
            session.add(
                AlarmCondition(
                    id=name,
                    gateway=GATEWAY,
                    device="alarm-1",
                    condition="smoke",
                    activated=NOON,
                    cleared=NOON,
                    alert_id=name,
                )
            )
            session.add(
                Fire(
                    id=name,
                    home="gateway:gw-east",
                    gateway=GATEWAY,
                    device="alarm-1",
                    alert_id=name,
                    place="",
                    place_zh="",
                    opened=NOON,
                    phase="over",
                    to_do=False,
                    state={},
                    done={},
                )
            )
            session.add(FireStep(fire=name, at=NOON, what="opened", who="resident"))
            session.add(
                AedCallRow(
                    id=name,
                    alert_id=name,
                    gateway=GATEWAY,
                    device="cabinet-1",
                    place="",
                    place_zh="",
                    pressed=NOON,
                    received=NOON,
                    state="over",
                )
            )
            session.add(
                GateOrder(
                    id=name,
                    cause=name,
                    gate="g1",
                    name="",
                    name_zh="",
                    area="",
                    area_zh="",
                    latitude=23.47,
                    longitude=120.44,
                    asked=NOON,
                    asked_by="inspector",
                    released=NOON,
                    alert_id=name,
                )
            )
    keeper = Retention(city.services)
    city.later(days=DAYS["alerts"] - 1)
    keeper.keep()
    models = (Incident, GateOrder, Exceedance, AlarmCondition, Fire, FireStep, AedCallRow)
    assert {count(city, model) for model in (*models, Excursion)} == {2}

    city.later(days=2)
    for _ in range(3):  # the alert in one round, what was of it in the next
        keeper.keep()
    with city.services.sessions() as session:
        for model in (*models, Excursion):
            key = FireStep.fire if model is FireStep else model.id
            assert session.scalars(select(key)).all() == ["waits"], model
    assert said(city) == {
        "alerts": 1,
        "water_incidents": 1,
        "irrigation_orders": 1,
        "noise_exceedances": 1,
        "water_excursions": 1,
        "smoke_conditions": 1,
        "fires": 1,
        "aed_calls": 1,
    }


REMOVED = {
    "alerts": "retention",
    "audit_log": "retention",
    "cases": "retention, by their kind",
    "device_shelves": "retention",
    "downlinks": "retention",
    "evidence": "retention",
    "looks": "retention",
    "newest_readings": "with the readings",
    "account_sessions": "job: ends of sessions",
    "answered_requests": "job answered-requests-forgotten",
    "case_requests": "job case-requests-forgotten",
    "dead_letters": "job old-messages-forgotten",
    "dropped": "job old-messages-forgotten",
    "feed": "job feed-pruned",
    "gateway_epochs": "job outbox-marks-folded",
    "watermarks": "job outbox-marks-folded",
    "jobs": "supervision",
    "ends_told": "job ends-told, two weeks after the end",
    "enrolment_codes": "with the next code, a week after its end",
    "login_attempts": "with each attempt",
    "reply_links": "job reply-links-forgotten",
    "push_subscriptions": "with the sign-out, the account, or by the push service",
    "phone_reports": "job phone-reports, within seconds",
    "late_visits": "job late-rotating-ids, within minutes",
    "taken_events": "job old-messages-forgotten",
    "water_probe_hours": "with each hour",
    "work": "when done, or given up for long",
    "escalation_policies": "by hand",
}
"""By what, beside what descriptors say (``expiring``)."""
KEPT = {
    **dict.fromkeys(
        [
            *("audit_head", "change_head", "feed_head", "watch_list_head", "secret_key"),
            *("clock_mark", "push_keys", "city_streets", "certificate_authority", "setup_code"),
        ],
        "one row",
    ),
    "street_maps": "the drawn one and the one before it",
    "hydrants": "those of the latest file",
    **dict.fromkeys(["case_counters", "write_probe", "work_dropped"], "a few rows that only count"),
    "kept_keys": "one row for each kind of printed code",
    **dict.fromkeys(
        (
            *("devices", "gateways", "gateway_keys", "gateway_tokens", "gateway_revocations"),
            "gateway_certificates",
            *("reading_states", "changes", "locations", "watch_stations", "station_silences"),
            "water_detectors",
        ),
        "one row for each thing, for as long as it is known",
    ),
    **dict.fromkeys(["accounts", "households", "districts"], "until somebody removes it"),
    **dict.fromkeys(
        ["persons", "person_keys", "purpose_consents", "amulets", "rotating_beacons"],
        "until the person is erased",
    ),
    **dict.fromkeys(
        (
            *("aed_sites", "aed_cohorts", "water_areas", "water_reaches", "water_incident_rules"),
            *(
                "programme_villages",
                "noise_certificates",
                "noise_complaints",
                "noise_instruments",
                "noise_register_versions",
                "station_hosts",
            ),
            *("noise_intersections", "noise_placements", "noise_roads", "noise_rules"),
            "water_visits",
        ),
        "a register: what it said on a day is what a decision of that day rests on",
    ),
}


def test_every_table_is_removed_from_or_says_why_not() -> None:
    tables = metadata().tables
    expiring = {one.model.__tablename__ for domain in domains() for one in domain.expiring}
    settled = REMOVED.keys() | KEPT.keys() | expiring
    assert settled <= tables.keys()
    assert not REMOVED.keys() & KEPT.keys()
    for table in metadata().sorted_tables:  # what goes with something goes with it
        keys = [key for key in table.foreign_keys if (key.ondelete or "").upper() == "CASCADE"]
        if any(key.column.table.name in settled for key in keys):
            settled = settled | {table.name}
    unsaid = tables.keys() - settled
    assert not unsaid, "give these tables a class in retention or a descriptor, or a reason here"
