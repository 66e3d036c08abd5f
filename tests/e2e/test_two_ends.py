"""Both ends of each contract, the real edge against the real cloud: a mismatch cannot hide."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import servers
from e2e.two_ends import Box, Cloud, switched_on, until
from gateways import new_name
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.epochs import accepted_types
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.seen import enrol
from vigil_cloud.evidence.models import EvidenceRow
from vigil_edge.clock import Clock
from vigil_schemas.control import Receipt
from vigil_schemas.evidence import EvidenceFile, EvidenceManifest


@pytest.fixture
def cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Cloud]:
    made = Cloud(tmp_path / "cloud", mosquitto.url, open_enrolment=True)
    yield made
    made.close()


@pytest.fixture
def box(tmp_path: Path, cloud: Cloud) -> Box:
    made = Box(new_name(), tmp_path / "box", cloud)
    cloud.admit(made.name)
    return made


def downlinks(cloud: Cloud, gateway: str) -> list[dict[str, Any]]:
    answer = cloud.maintainer().get(f"/api/v1/gateways/{gateway}/downlinks")
    found: list[dict[str, Any]] = answer.json()["downlinks"]
    return found


def shown(cloud: Cloud, gateway: str) -> dict[str, Any]:
    answer = cloud.maintainer().get("/api/v1/gateways").json()["gateways"]
    return next((one for one in answer if one["gateway"] == gateway), {})


async def test_birth_health_and_death(cloud: Cloud, box: Box) -> None:
    async with switched_on(box):
        await until(lambda: shown(cloud, box.name).get("health"), "health")
        row = cloud.gateway(box.name)
        assert row is not None
        assert (row.epoch, row.connected) == (box.agent.outbox.epoch, True)
        assert Receipt.TYPE in accepted(cloud, box.name)
        # The sonde is not there: its change of state travels on another lane than the report.
        await until(lambda: cloud.rows(Device, box.name)[0].state == "failed", "device health")
        (device,) = cloud.rows(Device, box.name)
        assert (device.device, device.name_zh, device.claimed) == ("sonde-e2e", "水圳", True)

    await until(lambda: shown(cloud, box.name)["state"] == "offline", "its death")
    assert cloud.letters(box.name) == []


@pytest.mark.parametrize(
    "body",
    [
        {"action": "report_health"},
        {"action": "resend_birth"},
        {"action": "restart_source", "device": "sonde-e2e"},
    ],
)
async def test_a_command_and_its_answer(cloud: Cloud, box: Box, body: dict[str, str]) -> None:
    async with switched_on(box):
        await until(lambda: shown(cloud, box.name), "birth")
        path = f"/api/v1/gateways/{box.name}/commands"
        assert cloud.maintainer().post(path, json=body).status_code == 202

        await until(lambda: downlinks(cloud, box.name)[0]["answered"], "the answer")

        (one,) = downlinks(cloud, box.name)
        assert (one["accepted"], one["code"]) == (True, "ok")


async def test_a_configuration_and_its_answer(cloud: Cloud, box: Box) -> None:
    async with switched_on(box):
        await until(lambda: shown(cloud, box.name), "birth")
        path = f"/api/v1/gateways/{box.name}/configurations"
        for interval, paused in ((5, ["nowhere"]), (7, ["sonde-e2e"])):
            body = {"health_interval_s": interval, "paused_devices": paused}
            assert cloud.maintainer().post(path, json=body).status_code == 202
            await until(
                partial(_answered, cloud, box.name, interval),
                "the answer",
            )

    second, first = downlinks(cloud, box.name)
    assert [one["payload"]["revision"] for one in (first, second)] == [1, 2]
    assert (first["accepted"], first["code"]) == (True, "unknown-device")
    assert (second["accepted"], second["code"]) == (True, "ok")
    assert box.agent.reporter.interval_s == 7


async def test_losses_of_both_kinds_are_told(cloud: Cloud, box: Box) -> None:
    box.file.write_text(box.file.read_text() + "[outbox]\nmax_rows = 100\nwindow = 4\n")
    await box.open()
    await box.accept(*range(95))  # 95 alarms leave no room for as many readings
    await box.off()

    async with switched_on(box):
        await box.empty()
        await until(lambda: shown(cloud, box.name).get("lost"), "the loss")

    assert shown(cloud, box.name)["lost"] >= 85
    assert len(cloud.alarms(box.name)) == 95
    assert cloud.letters(box.name) == []


async def test_evidence(cloud: Cloud, box: Box, tmp_path: Path) -> None:
    async with switched_on(box):
        reference = await box.agent.evidence.deposit(*sealed(box, tmp_path))

        await until(lambda: cloud.rows(EvidenceRow, box.name), "the upload")

    assert cloud.rows(EvidenceRow, box.name)[0].sha256 == reference.sha256


def sealed(box: Box, folder: Path) -> tuple[EvidenceManifest, dict[str, Path]]:
    now = datetime.now(UTC)
    (folder / "levels.json").write_bytes(b"[1]")
    digest = hashlib.sha256(b"[1]").hexdigest()
    entry = EvidenceFile(
        name="levels.json", role="levels", media_type="application/json", sha256=digest, size=3
    )
    manifest = EvidenceManifest(
        evidence_id="evidence-1",
        gateway=box.name,
        device="sonde-e2e",
        sealed=now,
        started=now,
        ended=now,
        files=[entry],
    )
    return manifest, {"levels.json": folder / "levels.json"}


async def test_evidence_of_before_a_new_key_is_taken(
    cloud: Cloud, box: Box, tmp_path: Path
) -> None:
    # Given evidence that was sealed with a key whose file then tore.
    cloud_url = f'url = "{cloud.url}"'
    box.file.write_text(box.file.read_text().replace(cloud_url, ""))
    async with switched_on(box):
        await until(lambda: shown(cloud, box.name), "birth")
        reference = await box.agent.evidence.deposit(*sealed(box, tmp_path))
    (box.folder / "data/evidence/evidence-key.pem").unlink(missing_ok=True)
    next((box.folder / "data").rglob("*.pem"), tmp_path / "none").unlink(missing_ok=True)
    box.file.write_text(box.file.read_text().replace("[cloud]\n", f"[cloud]\n{cloud_url}\n"))

    async with switched_on(box):
        await until(lambda: cloud.rows(EvidenceRow, box.name), "the upload")

    assert cloud.rows(EvidenceRow, box.name)[0].sha256 == reference.sha256


async def test_an_outbox_that_fell_back_in_time(cloud: Cloud, box: Box, tmp_path: Path) -> None:
    """Of 8 alarms and 8 readings accepted after the fall, 5 and 5 never arrived."""
    async with switched_on(box):
        await box.accept(0, 1, 2)
        await box.empty()
    box.copy(tmp_path / "snapshot")
    async with switched_on(box):
        await box.accept(*range(3, 8))
        await box.empty()
        await until(lambda: cloud.readings(box.name) == 8, "the readings")

    box.put_back(tmp_path / "snapshot")
    async with switched_on(box):
        await box.accept(*range(8, 16))
        await box.empty()
        await until(lambda: cloud.readings(box.name) >= 16, "the readings after the fall")

    assert cloud.alarms(box.name) == [f"home-{n:03d}" for n in range(16)]
    assert cloud.readings(box.name) == 16
    assert cloud.letters(box.name) == []
    assert len(cloud.epochs(box.name)) >= 3


async def test_rows_that_the_cloud_has_are_sent_again_and_taken_once(
    cloud: Cloud, box: Box, tmp_path: Path
) -> None:
    # Given a snapshot in the middle: accepted, and not yet confirmed.
    await box.open()
    await box.accept(*range(6))
    await box.off()
    box.copy(tmp_path / "snapshot")
    async with switched_on(box):
        await box.empty()
        await until(lambda: cloud.readings(box.name) == 6, "the readings")

    box.put_back(tmp_path / "snapshot")
    async with switched_on(box):
        await box.accept(6)
        await box.empty()
        await until(lambda: cloud.readings(box.name) >= 7, "the reading after the fall")

    assert cloud.alarms(box.name) == [f"home-{n:03d}" for n in range(7)]
    assert cloud.readings(box.name) == 7


async def test_two_boxes_with_one_name_lose_nothing_and_are_told(
    cloud: Cloud, box: Box, tmp_path: Path
) -> None:
    await box.open()
    await box.accept(0, 1)
    await box.off()
    twin = Box(box.name, tmp_path / "twin", cloud)
    twin.put_back(box.folder / "data")

    # The broker lets only one of them be connected: they throw each other out, and come again.
    async with switched_on(box), switched_on(twin):
        await box.accept(2, 3)
        await twin.accept(4, 5)
        await until(lambda: shown(cloud, box.name).get("second_box_seen"), "the second box")
        await box.empty()
        await twin.empty()

    assert cloud.alarms(box.name) == [f"home-{n:03d}" for n in range(6)]
    assert cloud.letters(box.name) == []


async def test_a_box_whose_clock_is_ahead_is_not_locked_out(cloud: Cloud, tmp_path: Path) -> None:
    ahead = timedelta(days=400).total_seconds()
    clock = [ahead]
    box = Box(new_name(), tmp_path / "ahead", cloud, Clock(wall=lambda: time.time() + clock[0]))
    cloud.admit(box.name)
    async with switched_on(box):
        await until(lambda: shown(cloud, box.name), "a birth of next year")

    clock[0] = 0.0  # its battery was changed
    async with switched_on(box):
        # Until its birth is dealt with: the state may still be that of its former life.
        await until(lambda: epoch(cloud, box.name) == box.agent.outbox.epoch, "its next birth")
        await until(lambda: shown(cloud, box.name)["state"] == "online", "as one that is here")
        await until(
            lambda: (
                (shown(cloud, box.name).get("health_time") or "") < "2100"
                and shown(cloud, box.name)["health"]
            ),
            "its health",
        )
        await box.agent.evidence.deposit(*sealed(box, tmp_path))
        await until(lambda: cloud.rows(EvidenceRow, box.name), "its evidence")


async def test_a_gateway_that_nobody_added_says_so_itself(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    cloud = Cloud(tmp_path / "strict", mosquitto.url)
    box = Box(new_name(), tmp_path / "stranger", cloud)
    try:
        async with switched_on(box):
            await box.accept(1, 2)
            await until(lambda: "unknown-gateway" in reasons(box), "why it is refused")
            assert cloud.alarms(box.name) == []

            with writing(cloud.city.services.sessions) as session:
                enrol(session, box.name, datetime.now(UTC))

            await box.empty()
            assert cloud.alarms(box.name) == ["home-001", "home-002"]
    finally:
        cloud.close()


@pytest.mark.parametrize("off_s", [3600.0, -1.0e9], ids=["an hour ahead", "in 1994"])
async def test_a_wrong_clock_is_told_on_the_box(cloud: Cloud, tmp_path: Path, off_s: float) -> None:
    box = Box(new_name(), tmp_path / "off", cloud, Clock(wall=lambda: time.time() + off_s))
    cloud.admit(box.name)
    async with switched_on(box):
        await until(lambda: Receipt.TYPE in accepted(cloud, box.name), "its birth")
        numbers = iter(range(1, 1000))
        while report(box).get("clock_offset_s") is None:
            await box.accept(next(numbers))
            await box.empty()
            await asyncio.sleep(0.2)

        assert report(box)["clock_offset_s"] == pytest.approx(off_s, abs=30)
        await until(
            lambda: (shown(cloud, box.name)["health"] or {}).get("clock_offset_s"), "on its page"
        )

    assert cloud.alarms(box.name) == [f"home-{n:03d}" for n in range(1, next(numbers))]


def accepted(cloud: Cloud, gateway: str) -> frozenset[str]:
    with cloud.city.services.sessions() as session:
        return accepted_types(session, [gateway]).get(gateway, frozenset())


def epoch(cloud: Cloud, gateway: str) -> str | None:
    row = cloud.gateway(gateway)
    return row.epoch if row else None


def reasons(box: Box) -> list[str]:
    return [each["reason"] for each in report(box).get("refusals", [])]


def report(box: Box) -> dict[str, Any]:
    """What ``vigil-edge status`` shows on the box."""
    file = box.folder / "data/health.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _answered(cloud: Cloud, gateway: str, interval: int) -> bool:
    return any(
        one["answered"] and one["payload"]["health_interval_s"] == interval
        for one in downlinks(cloud, gateway)
    )
