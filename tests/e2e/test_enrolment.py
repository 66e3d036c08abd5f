"""From a code to a gateway that sends, its renewal and its end: real agent, broker and cloud."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.enrolled import EnrolledBox, OwnBrokerCloud, connects, enrol
from e2e.two_ends import switched_on, until
from gateways import new_name
from vigil_cloud.certificates.authority import Authority, new_authority
from vigil_cloud.ingest.models import Watermark
from vigil_edge import cli
from vigil_edge.enrolment import identity
from vigil_schemas.types import isoformat_utc


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[OwnBrokerCloud]:
    made = OwnBrokerCloud(tmp_path / "cloud")
    yield made
    made.close()


@pytest.fixture
def box(tmp_path: Path, cloud: OwnBrokerCloud) -> EnrolledBox:
    name = new_name()
    (tmp_path / "box").mkdir()
    return EnrolledBox(name, tmp_path / "box", cloud, cloud.code(name, name="Canal"))


async def connected(cloud: OwnBrokerCloud, name: str) -> None:
    def there() -> bool:
        row = cloud.gateway(name)
        return row is not None and row.connected

    await until(there, "the gateway is there")


async def test_a_box_with_a_code_sends_at_once(cloud: OwnBrokerCloud, box: EnrolledBox) -> None:
    identity = box.folder / "data" / "identity"
    assert {stat.S_IMODE(path.stat().st_mode) for path in identity.iterdir()} == {0o600}
    assert not (identity / "pending-key.pem").exists()
    assert cli.main(["check", "--config", str(box.file)]) == 0
    async with switched_on(box):
        await connected(cloud, box.name)
        await box.accept(1)
        await box.empty()
        await until(lambda: cloud.readings(box.name) == 1, "the reading")
        await until(lambda: told(cloud, box.name), "its health")
    assert cloud.letters(box.name) == []
    row, (signed,) = cloud.gateway(box.name), cloud.certificates(box.name)
    assert row is not None
    assert row.health is not None
    assert row.clock_mark is None, "an end that lies ahead is no wrong clock"
    assert row.health["certificate_not_after"] == isoformat_utc(signed.ends)


def told(cloud: OwnBrokerCloud, name: str) -> bool:
    row = cloud.gateway(name)
    return row is not None and row.health is not None


async def test_a_gateway_has_its_own_branch_only(cloud: OwnBrokerCloud, box: EnrolledBox) -> None:
    """Whoever calls itself by another's id is still who its certificate says."""
    identity = box.folder / "data" / "identity"
    async with switched_on(box):
        await connected(cloud, box.name)
        said = await asyncio.to_thread(connects, cloud.port, identity, "gw-another")
        assert said == "Success"
        # It took its own place and nobody else's.
        assert cloud.gateway("gw-another") is None


async def test_the_certificate_is_renewed_and_nothing_is_lost(
    cloud: OwnBrokerCloud, box: EnrolledBox
) -> None:
    async with switched_on(box):
        await connected(cloud, box.name)
        await box.accept(1)
        before = box.agent.uplink._session
        path = f"/api/v1/gateways/{box.name}/commands"
        asked = await asyncio.to_thread(
            lambda: cloud.maintainer().post(path, json={"action": "rotate_certificate"})
        )
        assert asked.status_code == 202, asked.text
        await box.accept(2)
        await until(lambda: len(cloud.certificates(box.name)) == 2, "another certificate")
        await until(lambda: box.agent.uplink._session > before, "a new connection")
        await connected(cloud, box.name)
        await box.accept(3)
        await box.empty()
        await until(lambda: cloud.readings(box.name) == 3, "every reading")
        assert len(cloud.alarms(box.name)) == 3
        number = asked.json()["id"]
        shown = await until(lambda: answered(cloud, box.name, number), "its answer")
        assert shown["accepted"] is True
        assert "certificate-renewal-failed" not in box.agent.counters
        for mark in cloud.rows(Watermark, box.name):
            assert not mark.beyond
    first, second = cloud.certificates(box.name)
    assert (first.revoked, second.revoked) == (None, None)
    kept = (box.folder / "data/identity/gateway.pem").read_text()
    assert second.certificate.strip() in kept
    assert not (box.folder / "data/identity/gateway.pem.former").exists(), "the new one serves"


async def test_a_new_certificate_that_is_refused_gives_way_to_the_one_before(
    cloud: OwnBrokerCloud, box: EnrolledBox
) -> None:
    file = box.folder / "data" / "identity" / "gateway.pem"
    good = file.read_bytes()
    key, now = identity.new_key(), datetime.now(UTC)
    stranger = Authority(*new_authority("Somebody else", now))
    request = identity.request_of(key, box.name)
    other = stranger.gateway(request, box.name, now, timedelta(days=90), "")
    identity.replace(file, key, other.pem)
    async with switched_on(box):
        await connected(cloud, box.name)
        assert box.agent.counters["certificate-taken-back"] == 1
        assert file.read_bytes() == good
        await until(lambda: not identity.former(file).exists(), "none is on trial any more")


def answered(cloud: OwnBrokerCloud, gateway: str, number: str) -> dict[str, object] | None:
    answer = cloud.maintainer().get(f"/api/v1/gateways/{gateway}/downlinks").json()
    (found,) = [one for one in answer["downlinks"] if one["id"] == number]
    return found if found["answered"] else None


async def test_who_is_thrown_out_is_not_heard_over_an_open_session(
    cloud: OwnBrokerCloud, box: EnrolledBox
) -> None:
    """Where a broker's list is somebody else's: nobody ends the session."""
    async with switched_on(box):
        await connected(cloud, box.name)
        await box.accept(1)
        await box.empty()
        await asyncio.to_thread(cloud.mosquitto._follower.stop)
        gone = await asyncio.to_thread(
            lambda: cloud.maintainer().delete(f"/api/v1/gateways/{box.name}")
        )
        assert gone.status_code == 200
        await box.accept(2)  # over the session that is still open
        await until(lambda: "revoked-gateway" in cloud.letters(box.name), "it is refused")
        assert cloud.readings(box.name) == 1
        assert len(cloud.alarms(box.name)) == 1


async def test_who_is_thrown_out_is_not_let_in(cloud: OwnBrokerCloud, box: EnrolledBox) -> None:
    identity = box.folder / "data" / "identity"
    async with switched_on(box):
        await connected(cloud, box.name)
        await asyncio.to_thread(lambda: cloud.maintainer().delete(f"/api/v1/gateways/{box.name}"))
        await until(lambda: not box.agent.uplink.connected, "its session ends")

    def refused() -> bool:  # once the broker has read the list
        return connects(cloud.port, identity, box.name) != "Success"

    await until(refused, "the broker refuses it")


async def test_another_box_takes_the_place(
    cloud: OwnBrokerCloud, box: EnrolledBox, tmp_path: Path
) -> None:
    async with switched_on(box):
        await connected(cloud, box.name)
        await box.accept(1)
        await box.empty()
    (tmp_path / "second").mkdir()
    code = await asyncio.to_thread(lambda: cloud.code(box.name, replaces=True))
    second = await asyncio.to_thread(EnrolledBox, box.name, tmp_path / "second", cloud, code)
    async with switched_on(second):
        await connected(cloud, box.name)
        await second.accept(2)
        await second.empty()
        await until(lambda: cloud.readings(box.name) == 2, "history goes on")
    former = box.folder / "data" / "identity"
    await until(lambda: connects(cloud.port, former, box.name) != "Success", "the former is out")
    assert cloud.letters(box.name) == []


def test_a_configuration_that_reads_its_identity_elsewhere_is_not_cut_off(
    cloud: OwnBrokerCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, folder = new_name(), tmp_path / "box"
    folder.mkdir()
    assert enrol(folder, cloud.url, cloud.code(name)) == 0
    file, token = folder / "gateway.toml", folder / "data" / "identity" / "token"
    before, right = token.read_text(), file.read_text()
    (folder / "old-token").write_text(before)
    file.write_text(right.replace(str(token), str(folder / "old-token")))
    code = cloud.code(name, replaces=True)
    capsys.readouterr()

    assert enrol(folder, cloud.url, code) == 2
    said = capsys.readouterr().err
    assert f'token_file = "{token}"' in said
    assert token.read_text() == before
    assert len(cloud.certificates(name)) == 1, "the code was not used"
    file.write_text(right)
    assert enrol(folder, cloud.url, code) == 0
    assert token.read_text() != before


def test_what_does_not_go_leaves_the_box_as_it_was(
    cloud: OwnBrokerCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, folder = new_name(), tmp_path / "box"
    folder.mkdir()

    def said(address: str, code: str) -> str:
        assert enrol(folder, address, code) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert not (folder / "gateway.toml").exists()
        return lines[0]

    assert "no such enrolment code" in said(cloud.url, "AAAA-BBBB-CCCC")
    assert "is not encrypted" in said("http://vigil.example", "AAAA-BBBB-CCCC")
    assert "does not answer" in said("http://127.0.0.1:9", "AAAA-BBBB-CCCC")
    stranger = f"https://127.0.0.1:{cloud.port}"
    assert "does not prove to be the cloud" in said(stranger, "AAAA-BBBB-CCCC")
    code = cloud.code(name)
    assert enrol(folder, cloud.url, code) == 0
    other = tmp_path / "other"
    other.mkdir()
    capsys.readouterr()
    assert enrol(other, cloud.url, code) == 2
    assert "another box" in capsys.readouterr().err
    assert not (other / "gateway.toml").exists()
    # A box that is one gateway becomes no other by mistake.
    assert enrol(folder, cloud.url, cloud.code(new_name())) == 2
    assert "box-has-another-name" in capsys.readouterr().err
