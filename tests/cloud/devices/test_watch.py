"""What is wrong with a gateway is told, ends by itself, and is not asked of the silent."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud_city import GATEWAY, City
from vigil_cloud.certificates.end import certificate_end
from vigil_cloud.certificates.models import CertificateRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.rows import new_gateway
from vigil_cloud.ingest.times import Limits as TimeLimits
from vigil_cloud.ingest.times import judged
from vigil_cloud.jobs.gateway_watch import TOGETHER, Limits, of_gateway, watch
from vigil_cloud.jobs.watched import Hanging, WatchedGateway
from vigil_edge.configuration.tls import certificate_end as edge_certificate_end
from vigil_schemas.envelope import Envelope
from vigil_schemas.gateway import DeviceDescription, GatewayHealth

LIMITS = Limits(offline_after=timedelta(seconds=180), source_failed_after=timedelta(minutes=10))
WELL: dict[str, Any] = {
    "uptime_s": 86_400.0,
    "resident_bytes": 50_000_000,
    "cpu_percent": 3.0,
    "disk_free_bytes": 8_000_000_000,
    "clock_quality": "synchronised",
    "outbox": [],
    "sources": [],
}


def heard(city: City, gateway: str = GATEWAY, mark: str | None = None, **health: Any) -> None:
    """The gateway's minute report, as ingest judges its times and keeps it."""
    said = Envelope(
        id="health-1",
        source=f"/{gateway}/observation/0123456789abcdef",
        type=GatewayHealth.TYPE,
        time=city.time,
        sequence="0000000000000001",
        subject=gateway,
        dataschema=GatewayHealth.TYPE,
        data={},
    )
    told = GatewayHealth.model_validate_json(json.dumps(WELL | health))
    _, kept, marks = judged(said, told, city.time, TimeLimits(), alarm=False)
    with writing(city.services.sessions) as session:
        row = session.get_one(Gateway, gateway)
        row.last_seen = row.health_time = city.time
        row.health, row.offline = kept.model_dump(mode="json"), False
        row.clock_mark = mark or marks.get("time_quality")


def device(city: City, name: str, **values: Any) -> None:
    with writing(city.services.sessions) as session:
        row = session.get_one(Device, name)
        for key, value in values.items():
            setattr(row, key, value)


def look(city: City, ends: datetime | None = None) -> bool:
    return watch(city.services.sessions, LIMITS, city.time, ends)


def standing(city: City) -> list[tuple[str, str]]:
    return sorted(
        (alert["kind"], alert["severity"])
        for alert in city.alerts("maintainer")
        if alert["domain"] == "platform" and alert["state"]["active"]
    )


@pytest.fixture
def well(city: City) -> City:
    heard(city)
    look(city)
    assert standing(city) == []
    return city


def test_a_silent_gateway_is_told_and_speaks_again(well: City) -> None:
    city = well
    city.later(seconds=181)
    assert look(city)
    assert not look(city), "once"
    assert standing(city) == [("gateway-silent", "major")]
    (alert,) = city.alerts("maintainer")
    assert alert["title_zh"].startswith("閘道器 gw-east 失聯")
    assert alert["event_time"] == "2026-03-01T04:00:00Z", "since it was heard last"

    heard(city)
    look(city)
    assert standing(city) == []


def test_a_blink_raises_nothing(well: City) -> None:
    well.later(seconds=170)
    look(well)

    assert standing(well) == []


def test_what_hangs_on_it_decides_how_severe_it_is(well: City) -> None:
    device(well, "alarm-1", described=False)
    well.later(minutes=4)
    look(well)

    assert standing(well) == [("gateway-silent", "minor")]


def test_planned_work_raises_nothing(well: City) -> None:
    city = well
    until = (city.time + timedelta(hours=2)).isoformat()
    for name in ("dispatcher", "inspector"):
        refused = city.client(name).post(
            f"/api/v1/gateways/{GATEWAY}/service", json={"until": until}
        )
        assert refused.status_code == 403
    answer = city.client("maintainer").post(
        f"/api/v1/gateways/{GATEWAY}/service", json={"until": until}
    )
    assert answer.status_code == 204
    city.later(hours=1)
    look(city)
    assert standing(city) == []

    city.later(hours=1)
    look(city)
    assert standing(city) == [("gateway-silent", "major")], "the work ought to be over"


@pytest.mark.parametrize("hours", [-1, 0, 24 * 31])
def test_planned_work_has_an_end(city: City, hours: float) -> None:
    until = (city.time + timedelta(hours=hours)).isoformat()
    answer = city.client("maintainer").post("/api/v1/devices/mic-1/service", json={"until": until})

    assert answer.status_code == 422


@pytest.mark.parametrize(("name", "severity"), [("mic-1", "minor"), ("alarm-1", "major")])
def test_a_source_that_stays_failed_is_told(well: City, name: str, severity: str) -> None:
    city = well
    device(city, name, state="failed", code="no-signal", since=city.time, updated=city.time)
    city.later(minutes=9)
    heard(city)
    look(city)
    assert standing(city) == []
    city.later(minutes=1)
    heard(city)
    look(city)
    assert standing(city) == [("source-failed", severity)]

    device(city, name, state="ok", since=city.time, updated=city.time)
    look(city)
    assert standing(city) == []


def test_a_source_whose_clock_is_wrong_is_judged_by_ours(well: City) -> None:
    since = well.time - timedelta(days=20_000)
    device(well, "mic-1", state="failed", since=since, updated=well.time)
    heard(well)
    look(well)

    assert standing(well) == []


@pytest.mark.parametrize(
    ("health", "kind", "severity"),
    [
        ({"disk_free_bytes": 200_000_000}, "gateway-disk", "minor"),
        ({"disk_free_bytes": 20_000_000}, "gateway-disk", "major"),
        ({"clock_quality": "unsynchronised"}, "clock-wrong", "minor"),
        ({"clock_offset_s": -3600.0}, "clock-wrong", "minor"),
        ({"certificate_not_after": "2026-03-20T00:00:00Z"}, "certificate-ends", "major"),
        (
            {"outbox": [{"lane": "alarm", "rows": 3, "oldest": "2026-03-01T03:44:00Z"}]},
            "outbox-filling",
            "major",
        ),
        (
            {"outbox": [{"lane": "observation", "rows": 9000, "oldest": "2026-03-01T02:00:00Z"}]},
            "outbox-filling",
            "minor",
        ),
    ],
)
def test_what_a_gateway_says_of_itself_is_told_and_taken_back(
    well: City, health: dict[str, Any], kind: str, severity: str
) -> None:
    city = well
    heard(city, **health)
    look(city)
    assert standing(city) == [(kind, severity)]

    heard(city)
    look(city)
    assert standing(city) == []


@pytest.mark.parametrize(
    "health",
    [
        {"clock_quality": "unsynchronised", "uptime_s": 60.0},
        {"clock_quality": "holdover"},
        {"clock_offset_s": 2.0},
        {"certificate_not_after": "2026-06-01T00:00:00Z"},
        {"certificate_not_after": None},
        {"outbox": [{"lane": "alarm", "rows": 1, "oldest": "2026-03-01T03:59:58Z"}]},
        {"outbox": [{"lane": "observation", "rows": 90, "oldest": "2026-03-01T03:30:00Z"}]},
        {"outbox": [{"lane": "alarm", "rows": 0, "oldest": None}]},
    ],
)
def test_what_is_as_it_should_be_raises_nothing(well: City, health: dict[str, Any]) -> None:
    heard(well, **health)
    look(well)

    assert standing(well) == []


def test_a_clock_that_ingest_found_wrong_is_told(well: City) -> None:
    heard(well, mark="ahead")
    look(well)

    assert standing(well) == [("clock-wrong", "minor")]


def test_the_silent_take_nothing_back(well: City) -> None:
    city = well
    heard(city, disk_free_bytes=200_000_000)
    look(city)
    city.later(minutes=4)
    look(city)

    assert standing(city) == [("gateway-disk", "minor"), ("gateway-silent", "major")]


def test_what_gets_worse_is_told_again(well: City) -> None:
    city = well
    heard(city, disk_free_bytes=200_000_000)
    look(city)
    heard(city, disk_free_bytes=20_000_000)
    look(city)
    look(city)

    (alert,) = city.alerts("maintainer")
    assert alert["severity"] == "major"
    assert [line["action"] for line in alert["history"]] == ["raised", "worsened", "told-again"]


def test_two_gateways_with_one_device_or_one_name_are_told(well: City) -> None:
    city = well
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).conflicts = ["mic-7"]
    look(city)
    assert standing(city) == [("device-conflict", "major")]
    with writing(city.services.sessions) as session:
        gateway = session.get_one(Gateway, GATEWAY)
        gateway.conflicts, gateway.second_box_seen = [], city.time
    look(city)
    assert standing(city) == [("device-conflict", "major")]
    city.later(hours=25)
    heard(city)
    look(city)
    city.sign_in_anew("maintainer")
    assert standing(city) == []


def test_a_gateway_that_was_removed_leaves_no_alert_behind(well: City) -> None:
    city = well
    city.later(minutes=4)
    look(city)
    with writing(city.services.sessions) as session:
        session.delete(session.get_one(Gateway, GATEWAY))
    look(city)

    assert standing(city) == []


def test_the_gateways_page_names_what_stands(well: City) -> None:
    well.later(minutes=4)
    look(well)

    (gateway,) = well.client("maintainer").get("/api/v1/gateways").json()["gateways"]
    assert [alert["kind"] for alert in gateway["alerts"]] == ["gateway-silent"]


def test_the_clouds_own_certificate_is_watched(well: City, tmp_path: Path) -> None:
    city = well
    file = tmp_path / "cloud.pem"
    end = city.time + timedelta(days=3)
    file.write_bytes(_certificate(city.time - timedelta(days=1), end))
    assert certificate_end(file) == edge_certificate_end(file) == end
    look(city, certificate_end(file))
    assert standing(city) == [("certificate-ends", "major")]

    look(city, city.time + timedelta(days=300))
    assert standing(city) == []


def test_a_certificate_that_was_signed_after_the_backup_is_told(well: City) -> None:
    """The restored city has no record of it; without any record it may be another authority's."""
    city, end = well, well.time + timedelta(days=80)
    heard(city, certificate_not_after=end.isoformat())
    look(city)
    assert standing(city) == []
    with writing(city.services.sessions) as session:
        session.add(
            CertificateRow(
                serial="ab",
                gateway=GATEWAY,
                key_sha256="0" * 64,
                certificate="",
                issued=city.time,
                ends=end - timedelta(days=9),
                account="admin",
            )
        )
    look(city)
    assert standing(city) == [("certificate-unknown", "minor")]
    (alert,) = [one for one in city.alerts("maintainer") if one["state"]["active"]]
    assert alert["title_zh"] == "閘道器 gw-east 使用的憑證不在本雲端的紀錄中"

    known = end - timedelta(days=9)
    heard(city, certificate_not_after=known.isoformat())
    look(city)
    assert standing(city) == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_is_no_certificate_has_no_end(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.pem"
    if content is not None:
        file.write_bytes(content)

    assert certificate_end(file) is edge_certificate_end(file) is None


def _certificate(begin: datetime, end: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vigil")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_one_gateways_nonsense_hides_nobody_elses_trouble(well: City) -> None:
    city = well
    with writing(city.services.sessions) as session:
        session.get_one(Gateway, GATEWAY).health = WELL | {"disk_free_bytes": "all of it"}
        session.add(Gateway(**new_gateway("gw-west", city.time)))
    heard(city, "gw-west", disk_free_bytes=1)

    look(city)

    assert standing(city) == [("gateway-disk", "major")]


def test_many_at_once_are_told_in_small_transactions(well: City) -> None:
    """Given a broker that was away, alarms go on being stored while every gateway is raised."""
    city = well
    names = [f"gw-{number:03}" for number in range(TOGETHER * 2 + 1)]
    with writing(city.services.sessions) as session:
        for name in names:
            row = Gateway(**new_gateway(name, city.time))
            row.last_seen = city.time
            session.add(row)
    city.later(minutes=10)
    heard(city)
    raised: list[int] = []

    @sqlalchemy.event.listens_for(city.services.engine, "commit")
    def _committed(_connection: Any) -> None:
        raised.append(1)

    look(city)

    sqlalchemy.event.remove(city.services.engine, "commit", _committed)
    assert len(raised) == 3
    assert [kind for kind, _ in standing(city)] == ["gateway-silent"] * len(names)


def test_devices_of_a_kind_that_nobody_described_are_told_of(well: City) -> None:
    """All that such a device sends is refused, its alarms too: somebody has to know before."""
    city = well
    city.birth(devices=[lantern("lantern-1"), lantern("lantern-2")], description=1)
    heard(city)
    assert look(city)
    assert ("domain-unknown", "major") in standing(city)
    (alert,) = [one for one in city.alerts("maintainer") if one["kind"] == "domain-unknown"]
    assert alert["title"] == (
        f"Gateway {GATEWAY} has devices of an unknown kind:"
        " lantern-1 (paperlantern), lantern-2 (paperlantern)"
    )
    assert alert["detail"]["devices"] == ["lantern-1", "lantern-2"]

    city.later(minutes=5)
    city.birth(description=2)
    heard(city)
    look(city)
    assert "domain-unknown" not in dict(standing(city))


def lantern(name: str) -> DeviceDescription:
    return DeviceDescription(device=name, domain="paperlantern", driver="switch")


def test_of_many_devices_only_those_are_read_of_which_something_is_said(well: City) -> None:
    """A city has tens of thousands of smoke alarms, and this is asked each 15 seconds."""
    names = [f"home-{number}" for number in range(300)]
    well.birth(also=names)
    heard(well)
    device(well, names[123], state="failed", updated=well.time - timedelta(minutes=11))
    read: list[str] = []

    def note(row: Device, _context: object) -> None:
        read.append(row.device)

    sqlalchemy.event.listen(Device, "load", note)
    try:
        assert look(well)
    finally:
        sqlalchemy.event.remove(Device, "load", note)

    assert ("source-failed", "major") in standing(well)
    assert names[123] in read
    assert len(set(read)) < 10


def test_a_short_certificate_is_told_in_its_last_third(city: City) -> None:
    """One of six days is renewed at its third day; a month's warning would never end."""
    asked = replace(LIMITS, certificate_ends=timedelta(days=2))
    gateway = new_gateway(GATEWAY, city.time)
    row = Gateway(**gateway)
    row.last_seen = city.time

    def kinds(**left: float) -> list[str]:
        row.health = {"certificate_not_after": (city.time + timedelta(**left)).isoformat()}
        judged = WatchedGateway(
            **{one.name: getattr(row, one.name) for one in fields(WatchedGateway)}
        )
        return [one.kind for one in of_gateway(judged, Hanging(), asked, city.time)]

    assert kinds(days=3) == []
    assert kinds(hours=47) == ["certificate-ends"]
