"""Values at and beyond the ends of what a column holds, in every field of every upward message:
taken, or refused by the contract. No handler stumbles over one, and of an alarm none is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from city_ingest import CityIngest
from cloud_city import GATEWAY, NOON, TAG, City, alarm, exceedance, excursion, visit
from gateways import EPOCH, birth, death, event
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.aed import AedCall, AedCondition, AedDoor, AedPrompt, AedRemoval
from vigil_schemas.checkin import (
    CheckinSighting,
    CheckinSightingV2,
    CheckinVisitV2,
    StationPosition,
)
from vigil_schemas.contract import DOWNWARD, PAYLOADS
from vigil_schemas.control import RefusalReason
from vigil_schemas.discovery import (
    Choice,
    DiscoveryReport,
    Fact,
    FoundDevice,
    LookReport,
    Option,
    RawReading,
    Searched,
)
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.gateway import (
    ChangedSetting,
    CommandResult,
    ConfigurationReport,
    DeviceDescription,
    DeviceHealth,
    GatewayHealth,
    LaneDepth,
    ObservationLoss,
    RefusedConfiguration,
    SettingMistake,
    SourceHealth,
)
from vigil_schemas.noise import LevelCurve, NoiseExceedanceV1
from vigil_schemas.smoke import SmokeAlarmV1
from vigil_schemas.types import ClockQuality, Lane, Model
from vigil_schemas.water import WaterExcursionV1

INTEGERS = [2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**40, -1, -(2**63) - 1]
NUMBERS = [1e308, -1e308, 5e-324]
TEXTS = ["", "x" * 5000, "a\0b", "\ud800", "𝄞" * 200]
TIMES = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
FIX = StationPosition(state="fixed", latitude=23.5, longitude=120.4, within_m=4.0, at=NOON)
SOURCE = SourceHealth(device="alarm-1", state="failed", since=NOON, code="c", message="m")


def examples() -> dict[str, tuple[str, str, Model]]:
    """Lane, subject and every field filled, by type."""
    noise = exceedance(NOON, evidence=EvidenceReference(sha256="ab" * 32, size=7)).model_copy(
        update={"level_curve": LevelCurve(start=NOON, interval_s=0.1, LAF=[60.0])}
    )
    water = excursion(NOON, "end")
    full_visit = visit(NOON).model_copy(
        update={"antenna": 1, "battery_mv": 3000, "temperature_c": 20.0, "position": FIX}
    )
    fire = alarm(NOON).model_copy(
        update={"battery_percent": 50.0, "link_quality": 100, "model": "m", "raw": "r"}
    )
    described = DeviceDescription(
        device="alarm-1", domain="smoke", driver="d", latitude=1.0, longitude=1.0,
        parameters=["p"], name="n", name_zh="n",
    )  # fmt: skip
    health = GatewayHealth(
        uptime_s=1.0, resident_bytes=1, cpu_percent=1.0, disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[LaneDepth(lane=Lane.EVENT, rows=1, oldest=NOON, lost=1)],
        evidence_waiting=1, sources=[SOURCE], counters={"c": 1}, clock_offset_s=1.0,
        refusals=[RefusalReason(reason="r", count=1, detail="d")], certificate_not_after=NOON,
    )  # fmt: skip
    loss = ObservationLoss(
        first_sequence=1, last_sequence=2, rows=1, oldest=NOON, newest=NOON, lane=Lane.EVENT
    )
    changed_key = ChangedSetting(device="alarm-1", key="name", file=1.5)
    refused = RefusedConfiguration(
        revision=1, mistakes=[SettingMistake(line=1, key="k", message="m")]
    )
    configured = ConfigurationReport(
        revision=1, in_force=True, settings={"alarm-1": {"name": "n", "high": 1.5}},
        cloud=[changed_key], edited=[changed_key], refused=refused, at_next_start=["cloud"],
    )  # fmt: skip
    option = Option(value="v", title="t", title_zh="t")
    found_one = FoundDevice(
        found="0" * 16, domain="smoke", driver="d", title="t", title_zh="t",
        facts=[Fact(name="n", value="v")], device="alarm-1",
        choices=[Choice(key="c", title="t", title_zh="t", options=[option])],
    )  # fmt: skip
    searched = DiscoveryReport(
        command_id="command-1", state="done", began=NOON, ended=NOON, untold=1, found=[found_one],
        searched=[Searched(domain="smoke", place="p", found=1, code="c", message="m")],
    )  # fmt: skip
    looked = LookReport(
        command_id="command-1", found="0" * 16, time=NOON, code="c", message="m",
        readings=[RawReading(name="n", raw="r", value=1.0, unit="V", doubt="d")],
    )  # fmt: skip
    old_water = WaterExcursionV1.model_validate(
        {k: v for k, v in water.model_dump().items() if k in WaterExcursionV1.model_fields}
    )
    old_fire = SmokeAlarmV1.model_validate(
        {k: v for k, v in fire.model_dump().items() if k in SmokeAlarmV1.model_fields}
    )
    seen = CheckinSighting(
        sighting_id="sighting-1",
        tag=TAG,
        carrier="uhf",
        seen=NOON,
        rssi_dbm=-60.0,
        antenna=1,
        position=FIX,
    )
    old_noise = NoiseExceedanceV1.model_validate(
        {k: v for k, v in noise.model_dump().items() if k in NoiseExceedanceV1.model_fields}
    )
    sent = {"tag": "eddystone-eid:00112233445566ff"}
    found: list[tuple[str, str, Model]] = [
        ("event", "mic-1", old_noise),
        ("event", "station-1", CheckinVisitV2.model_validate(full_visit.model_dump() | sent)),
        ("event", "station-1", CheckinSightingV2.model_validate(seen.model_dump() | sent)),
        ("event", "mic-1", noise),
        ("event", "sonde-1", water),
        ("event", "sonde-1", old_water),
        ("event", "station-1", full_visit),
        ("alarm", "alarm-1", fire),
        ("alarm", "alarm-1", old_fire),
        ("event", "station-1", seen),
        (
            "alarm",
            "cabinet-1",
            AedCall(
                call_id="call-0001",
                pressed=NOON,
                presses=2,
                last_pressed=NOON,
                door_open=True,
            ),
        ),
        (
            "alarm",
            "cabinet-1",
            AedRemoval(
                removal_id="removal-1",
                phase="returned",
                taken=NOON,
                returned=NOON,
                opened=False,
            ),
        ),
        (
            "event",
            "cabinet-1",
            AedDoor(
                opening_id="opening-1",
                phase="closed",
                opened=NOON,
                closed=NOON,
            ),
        ),
        (
            "event",
            "cabinet-1",
            AedCondition(
                condition_id="condition-1",
                condition="contact_stuck",
                active=True,
                since=NOON,
                message="m",
            ),
        ),
        (
            "event",
            "cabinet-1",
            AedPrompt(
                prompt="call_sent",
                languages=["en"],
                outcome="failed",
                message="m",
            ),
        ),
        ("status", GATEWAY, birth(NOON, [described], accepts=["x"])),
        ("status", GATEWAY, death()),
        ("observation", GATEWAY, health),
        ("event", "alarm-1", DeviceHealth.model_validate(SOURCE.model_dump())),
        ("event", GATEWAY, loss),
        ("event", GATEWAY, CommandResult(command_id="config-1", accepted=True)),
        ("event", GATEWAY, configured),
        ("event", GATEWAY, searched),
        ("event", GATEWAY, looked),
    ]
    return {type(data).TYPE: (lane, subject, data) for lane, subject, data in found}  # type: ignore[attr-defined]  # every event model has one


EXAMPLES = examples()


def changed(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each leaf's path with each extreme of its kind."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from changed(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:1]):
            yield from changed(inner, (*path, number))
    elif isinstance(value, str):
        yield from ((path, text) for text in [*TEXTS, *TIMES])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from ((path, number) for number in [*INTEGERS, *NUMBERS])


def with_change(message: dict[str, Any], path: tuple[Any, ...], value: Any) -> bytes:
    made = copy.deepcopy(message)
    at: Any = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(made).encode()


def test_every_upward_type_has_an_example() -> None:
    assert PAYLOADS.keys() - DOWNWARD == EXAMPLES.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_handler_stumbles_over_an_extreme(either_city: City, kind: str) -> None:
    lane, subject, data = EXAMPLES[kind]
    ingest = CityIngest(either_city, GATEWAY)
    plain = event(GATEWAY, None, data, subject=subject, time=NOON, lane=lane)
    message = json.loads(plain) | {"source": f"/{GATEWAY}/{lane}/{EPOCH}"}
    payloads = []
    parts = {key: message[key] for key in ("data", "id", "subject", "dataschema")}
    for number, (path, value) in enumerate(changed(parts), 1):
        one = message | {"id": f"event-{number:08}"}
        if lane != "status":
            one["sequence"] = f"{number:016}"
        payloads.append(with_change(one, path, value))

    for first in range(0, len(payloads), 100):
        ingest.store(f"vigil/v1/{GATEWAY}/{lane}", *payloads[first : first + 100])

    with either_city.services.sessions() as session:
        letters = session.execute(select(DeadLetter.reason, DeadLetter.detail)).all()
        alerts = len(session.scalars(select(AlertRow.id)).all())
    assert {tuple(one) for one in letters if one.reason in {"handler-failed", "internal"}} == set()
    if lane == "alarm":
        assert {reason for reason, _ in letters} <= {"shape-doubtful"}, "a copy of what was taken"
        assert alerts
