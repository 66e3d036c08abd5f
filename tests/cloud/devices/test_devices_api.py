"""Gateways, devices, series and dead letters as people with different roles see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from cloud_city import GATEWAY, City
from gateways import new_name
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.seen import record_seen, sweep
from vigil_cloud.devices.series import WINDOWS_S, window
from vigil_cloud.devices.service import release
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.control import Configuration
from vigil_schemas.gateway import (
    CommandResult,
    DeviceHealth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
)
from vigil_schemas.senml import microseconds

SERIES = Series("water", GATEWAY, "sonde-1", "pH")


def write(city: City, values: list[tuple[float | None, int]], step_s: int = 60) -> None:
    start = microseconds(city.time)
    city.services.timeseries.write(
        [
            Point(SERIES, start + n * step_s * 1_000_000, value, flag)
            for n, (value, flag) in enumerate(values)
        ]
    )


def states(city: City) -> dict[str, str]:
    answer = city.client("administrator").get("/api/v1/devices").json()
    return {device["device"]: device["state"] for device in answer["devices"]}


def test_devices_with_their_places_and_names(city: City) -> None:
    answer = city.client("inspector").get("/api/v1/devices/sonde-1")

    assert answer.status_code == 200
    assert answer.json() == {
        "device": "sonde-1",
        "gateway": GATEWAY,
        "domain": "water",
        "driver": "test",
        "name": "Canal",
        "name_zh": "道將圳",
        "latitude": 23.48,
        "longitude": 120.44,
        "state": "unknown",
        "code": None,
        "message": None,
        "since": None,
        "out_of_service_until": None,
        "shelves": [],
        "last_seen": None,
        "parameters": [],
        "commands": [],
    }


@pytest.mark.parametrize(
    ("role", "homes"),
    [
        ("dispatcher", True),
        ("maintainer", True),
        ("administrator", True),
        ("inspector", False),
        ("family", False),
    ],
)
def test_alarms_in_homes_are_shown_to_few(city: City, role: str, homes: bool) -> None:
    client = city.client(role)
    listed = {d["device"] for d in client.get("/api/v1/devices").json()["devices"]}

    assert ("alarm-1" in listed) is homes
    assert "mic-1" in listed
    for path in ("", "/series", "/series/battery"):
        status = client.get(f"/api/v1/devices/alarm-1{path}").status_code
        assert status == (200 if homes else 404)


def test_nobody_looks_without_signing_in(city: City) -> None:
    client = city.anonymous()

    for path in ("devices", "devices/sonde-1", "devices/sonde-1/series", "gateways"):
        assert client.get(f"/api/v1/{path}").status_code == 401


def test_series_with_unit_and_newest_reading(city: City) -> None:
    write(city, [(7.0, 1), (None, 9)])
    with writing(city.services.sessions) as session:
        session.execute(update(Device).values(units={"pH": "pH"}, parameters=["pH", "level"]))

    answer = city.client("inspector").get("/api/v1/devices/sonde-1/series").json()

    assert answer["series"] == [
        {"parameter": "level", "unit": None, "latest": None},
        {
            "parameter": "pH",
            "unit": "pH",
            "latest": {"t": city.time.timestamp() + 60, "v": None, "flag": 9},
        },
    ]


def test_readings_as_they_are_where_they_are_few(city: City) -> None:
    write(city, [(7.0, 1), (7.5, 3), (None, 9)])

    answer = city.client("inspector").get(
        "/api/v1/devices/sonde-1/series/pH",
        params={
            "start": city.time.isoformat(),
            "stop": (city.time + timedelta(hours=1)).isoformat(),
        },
    )

    start = city.time.timestamp()
    assert answer.json() == {
        "parameter": "pH",
        "unit": None,
        "window_s": None,
        "t": [start, start + 60, start + 120],
        "v": [7.0, 7.5, None],
        "flag": [1, 3, 9],
    }


def test_many_readings_become_means(city: City) -> None:
    write(city, [(float(n), 1) for n in range(1000)], step_s=1)

    body = (
        city.client("inspector")
        .get(
            "/api/v1/devices/sonde-1/series/pH",
            params={
                "start": city.time.isoformat(),
                "stop": (city.time + timedelta(seconds=1000)).isoformat(),
                "points": 100,
            },
        )
        .json()
    )

    assert body["window_s"] == 15
    assert len(body["t"]) == len(body["v"]) == len(body["flag"]) == 67
    assert body["v"][:2] == [7.0, 22.0]


def test_a_series_that_moved_with_its_device_stays_whole(city: City) -> None:
    write(city, [(1.0, 1)])
    moved = SERIES._replace(gateway="gw-other")
    later = microseconds(city.time) + 60_000_000
    city.services.timeseries.write([Point(moved, later, 2.0, 1)])

    body = (
        city.client("inspector")
        .get(
            "/api/v1/devices/sonde-1/series/pH",
            params={"stop": (city.time + timedelta(hours=1)).isoformat()},
        )
        .json()
    )
    assert body["v"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"start": "2026-03-02T00:00:00Z", "stop": "2026-03-01T00:00:00Z"}, "wrong-range"),
        ({"start": "yesterday"}, None),
        ({"points": "1"}, None),
        ({"start": "2026-03-02T00:00:00"}, None),
    ],
)
def test_a_range_that_is_none(city: City, query: dict[str, str], code: str | None) -> None:
    answer = city.client("inspector").get("/api/v1/devices/sonde-1/series/pH", params=query)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    if code:
        assert answer.json()["code"] == code


@pytest.mark.parametrize("span_s", [1, 90, 3600, 86_400, 31 * 86_400, 400 * 86_400])
@pytest.mark.parametrize("most", [2, 50, 1000])
def test_windows_never_give_more_points_than_asked_for(span_s: int, most: int) -> None:
    seconds = window(timedelta(seconds=span_s), most)

    assert span_s / seconds + 1 <= most or seconds >= span_s
    assert seconds in WINDOWS_S or seconds % 86_400 == 0


def health(city: City, state: str, code: str | None = None) -> DeviceHealth:
    return DeviceHealth.model_validate(
        {"device": "sonde-1", "state": state, "since": city.time, "code": code, "message": code}
    )


def test_a_device_is_as_its_gateway_says(city: City) -> None:
    city.send(health(city, "ok"), "sonde-1")
    assert states(city)["sonde-1"] == "ok"

    city.later(minutes=1)
    city.send(health(city, "failed", "modbus-timeout"), "sonde-1")
    shown = city.client("administrator").get("/api/v1/devices/sonde-1").json()
    assert (shown["state"], shown["code"]) == ("failed", "modbus-timeout")

    late = DeviceHealth.model_validate(
        {"device": "sonde-1", "state": "ok", "since": city.time - timedelta(hours=1)}
    )
    city.send(late, "sonde-1")
    assert states(city)["sonde-1"] == "failed"


def test_another_gateway_cannot_speak_for_a_device(city: City) -> None:
    city.send(health(city, "failed", "forged"), "sonde-1", gateway="gw-stranger")

    assert states(city)["sonde-1"] == "unknown"


def test_devices_are_offline_with_their_gateway(city: City) -> None:
    city.send(health(city, "ok"), "sonde-1")
    city.send(GatewayDeath(session=1, clean=False), GATEWAY)

    assert set(states(city).values()) == {"offline"}
    shown = city.client("administrator").get("/api/v1/devices/sonde-1").json()
    assert shown["code"] == "gateway-offline"


def test_a_silent_gateway_is_offline_until_it_speaks(city: City) -> None:
    sessions = city.services.sessions
    with writing(sessions) as session:
        record_seen(session, [GATEWAY], {}, city.time)
    city.later(minutes=2)
    with writing(sessions) as session:
        assert sweep(session, city.time, city.time - timedelta(minutes=3)) == []
    city.later(minutes=2)
    with writing(sessions) as session:
        assert sweep(session, city.time, city.time - timedelta(minutes=3)) == [GATEWAY]
        assert sweep(session, city.time, city.time - timedelta(minutes=3)) == []
    assert set(states(city).values()) == {"offline"}

    with writing(sessions) as session:
        record_seen(session, [GATEWAY], {}, city.time)
    assert "offline" not in states(city).values()


def test_a_device_left_out_of_a_birth_is_forgotten_but_kept(city: City) -> None:
    city.send(health(city, "ok"), "sonde-1")
    from gateways import birth

    city.send(birth(city.time, session=2, epoch="00000000"), GATEWAY)

    assert states(city)["sonde-1"] == "unknown"


def test_a_device_found_while_its_gateway_runs_is_described_in_the_same_session(
    city: City,
) -> None:
    with writing(city.services.sessions) as session:
        release(session, "sonde-1", "test", city.time)
    city.birth(also=("alarm-new",))

    with city.services.sessions() as session:
        found = session.get_one(Device, "alarm-new")
        assert (found.gateway, found.claimed, found.described) == (GATEWAY, True, True)
        # Whoever had a device released does not take it back by repeating itself.
        assert session.get_one(Device, "sonde-1").claimed is False


def test_gateways_with_health_and_losses(city: City) -> None:
    report = GatewayHealth.model_validate(
        {
            "uptime_s": 5,
            "resident_bytes": 1,
            "cpu_percent": 2.5,
            "disk_free_bytes": 9,
            "clock_quality": "synchronised",
            "outbox": [{"lane": "alarm", "rows": 0}],
            "sources": [{"device": "mic-1", "state": "degraded", "since": city.time}],
        }
    )
    city.send(report, GATEWAY)
    city.send(
        ObservationLoss(
            first_sequence=1, last_sequence=5, rows=5, oldest=city.time, newest=city.time
        ),
        GATEWAY,
    )

    (shown,) = city.client("maintainer").get("/api/v1/gateways").json()["gateways"]

    assert shown["state"] == "online"
    assert (shown["session"], shown["software"], shown["lost"]) == (1, "test", 5)
    assert shown["health"]["cpu_percent"] == 2.5
    assert states(city)["mic-1"] == "degraded"


@pytest.mark.parametrize("path", ["gateways", "dead-letters", f"gateways/{GATEWAY}/downlinks"])
def test_operations_are_for_operators(city: City, path: str) -> None:
    assert city.client("maintainer").get(f"/api/v1/{path}").status_code == 200
    assert city.client("inspector").get(f"/api/v1/{path}").status_code == 403


def test_a_command_waits_for_ingest_and_shows_its_answer(city: City) -> None:
    client = city.client("maintainer")

    sent = client.post(
        f"/api/v1/gateways/{GATEWAY}/commands",
        json={"action": "restart_source", "device": "mic-1"},
    )
    assert sent.status_code == 202
    command = sent.json()["id"]
    city.send(CommandResult(command_id=command, accepted=True), GATEWAY)

    (shown,) = client.get(f"/api/v1/gateways/{GATEWAY}/downlinks").json()["downlinks"]
    assert (shown["id"], shown["account"], shown["accepted"]) == (command, "maintainer", True)
    assert shown["payload"] == {
        "command_id": command,
        "action": "restart_source",
        "device": "mic-1",
        "arguments": {},
        "expires": shown["expires"],
    }


def test_commands_that_cannot_be(city: City) -> None:
    client = city.client("maintainer")
    path = f"/api/v1/gateways/{GATEWAY}/commands"

    assert client.post(path, json={"action": "explode"}).status_code == 422
    assert client.post(path, json={"action": "restart_source"}).json()["code"] == "wrong-command"
    unknown = client.post(
        f"/api/v1/gateways/{new_name()}/commands", json={"action": "resend_birth"}
    )
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-gateway")
    inspector = city.client("inspector").post(path, json={"action": "resend_birth"})
    assert inspector.status_code == 403


def test_configurations_count_their_revisions(city: City) -> None:
    client = city.client("administrator")
    for revision in (1, 2):
        answer = client.post(
            f"/api/v1/gateways/{GATEWAY}/configurations", json={"health_interval_s": 30}
        )
        configuration = Configuration.model_validate(answer.json()["payload"])
        assert (configuration.revision, configuration.health_interval_s) == (revision, 30)
