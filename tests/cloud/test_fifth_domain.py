"""A fifth domain is added without editing a file, and is seen by nobody whom it does not name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from city_ingest import CityIngest
from city_stream import stream
from cloud.lantern import LANTERN, NAME, SEES_ALERTS, SEES_DEVICES, LanternFallen, LanternLit
from cloud_city import City, exceedance
from gateways import Gateway, birth, event
from granting import consented
from servers.mqtt import iotcore
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.alerts.visibility import visible
from vigil_cloud.app import openapi_document
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.devices.seen import enrol
from vigil_cloud.domain.registry import BadDomain, registered
from vigil_cloud.domain.rights import may, may_see_device
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation, Subject
from vigil_cloud.identity.roles import Role
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.noise.service import NoiseHandler
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.text import Telling, compose
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.contract import BadContract, DomainContract, observation_type
from vigil_schemas.envelope import encode
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import QartodFlag

GATEWAY, DEVICE = "gw-temple", "lantern-1"


@pytest.fixture
def fifth() -> Iterator[None]:
    with registered(LANTERN):
        yield


@pytest.fixture
def lit_city(fifth: None, tmp_path: Path, populated_folder: Path) -> Iterator[City]:
    """With a gateway that has told of a lantern over MQTT: its birth, a reading, an event."""
    city = City(Path(shutil.copytree(populated_folder, tmp_path / "cloud")))
    broker = iotcore(tmp_path)
    with writing(city.services.sessions) as session:
        enrol(session, GATEWAY, city.time)
    ingest = Ingest(city.services, city.handlers, BrokerAddress.parse(broker.url))
    ingest.start()
    try:
        tell(city, broker.port)
        yield city
    finally:
        ingest.stop()
        broker.stop()
        city.close()


def tell(city: City, port: int) -> None:
    gateway = Gateway(port, GATEWAY)
    described = DeviceDescription(device=DEVICE, domain=NAME, driver="switch", name="Gate")
    born = event(
        GATEWAY, None, birth(city.time, [described]), subject=GATEWAY, time=city.time, lane="status"
    )
    gateway.publish("status", born, retain=True)
    brightness = Reading("brightness", "/", city.time, 0.5, QartodFlag.GOOD)
    reading = encode(
        id="reading-1",
        source=f"/{GATEWAY}/observation/abcdef01",
        type=observation_type(NAME),
        subject=DEVICE,
        time=city.time,
        data=pack(DEVICE, [brightness]),
        sequence=1,
    )
    gateway.deliver("observation", [(1, reading)])
    was_lit = event(GATEWAY, 1, LanternLit(lit=True), subject=DEVICE, time=city.time)
    gateway.deliver("event", [(1, was_lit)])
    gateway.client.disconnect()
    gateway.client.loop_stop()


def test_an_event_over_mqtt_is_an_alert_on_the_page_of_those_whom_the_domain_names(
    lit_city: City,
) -> None:
    for role in Role:
        client = lit_city.client(role.value)
        listed = [one for one in lit_city.listed(role.value) if one["domain"] == NAME]
        assert bool(listed) is (role in SEES_ALERTS), role
        page = client.get("/api/v1/lantern/lit")
        assert page.status_code == (200 if role in SEES_ALERTS else 403), role
        devices = client.get("/api/v1/devices").json()["devices"]
        assert any(one["device"] == DEVICE for one in devices) is (role in SEES_DEVICES), role
        series = client.get(f"/api/v1/devices/{DEVICE}/series")
        assert series.status_code == (200 if role in SEES_DEVICES else 404), role
        told = {one["name"]: one for one in client.get("/api/v1/screen").json()["domains"]}
        assert (NAME in told) is (role in SEES_DEVICES), role
        if NAME in told:
            assert told[NAME]["title_zh"] == "燈籠"
            assert told[NAME]["look"]["colour"] == "#8a4b00"

    (alert,) = lit_city.alerts("reviewer", domain=NAME)
    assert (alert["title"], alert["title_zh"]) == ("Lantern lit", "燈籠亮了")
    assert (alert["detail"]["type"], alert["detail"]["lit"]) == ("lantern-lit", True)
    assert lit_city.client("reviewer").get("/api/v1/lantern/lit").json() == 1
    for role in set(Role) - SEES_ALERTS:
        answer = lit_city.client(role.value).get(f"/api/v1/alerts/{alert['id']}")
        assert answer.status_code == 404, role


def test_what_its_alerts_say_is_described_and_typed(lit_city: City) -> None:
    described = openapi_document()["components"]["schemas"]
    union = described["Alert"]["properties"]["detail"]
    assert union["discriminator"]["mapping"]["lantern-lit"] == "#/components/schemas/LanternDetail"
    assert set(described["LanternDetail"]["properties"]) > {"lit", "lit_by", "time_quality"}

    lit_city.send(LanternLit(lit=True, lit_by="陳大文"), "lantern-2", GATEWAY)
    shown = {}
    for role in SEES_ALERTS:
        found = lit_city.alerts(role.value, domain=NAME)
        (alert,) = [one for one in found if one["device"] == "lantern-2"]
        shown[role] = alert["detail"]["lit_by"], alert["detail"]["withheld"]
    assert shown == {Role.POLICE: ("陳大文", False), Role.REVIEWER: (None, True)}
    with lit_city.services.sessions() as session:
        rows = session.execute(select(AlertRow.detail, AlertRow.title, AlertRow.private)).all()
    assert "陳大文" not in str(rows)


def test_without_the_domain_its_details_are_described_nowhere() -> None:
    assert "LanternDetail" not in openapi_document()["components"]["schemas"]


def test_open_pages_are_told_as_far_as_the_domain_says(lit_city: City) -> None:
    with stream(lit_city, "reviewer") as told, stream(lit_city, "administrator") as untold:
        lit_city.send(LanternLit(lit=False), DEVICE, GATEWAY)
        lit_city.send(exceedance(lit_city.time), "mic-1")

        first = told.next("alert")
        assert first is not None
        assert first.data["domain"] == NAME
        other = untold.next("alert")
        assert other is not None
        assert other.data["domain"] == "noise"


def test_without_its_description_a_domain_is_closed_to_everybody(city: City) -> None:
    with writing(city.services.sessions) as session:
        enrol(session, GATEWAY, city.time)
    described = DeviceDescription(device=DEVICE, domain=NAME, driver="switch")
    city.send(birth(city.time, [described]), GATEWAY, GATEWAY)
    with writing(city.services.sessions) as session:
        feed.lock(session)
        row = record(
            session,
            Occurrence(
                domain=NAME,
                reference="1",
                kind="lit",
                gateway=GATEWAY,
                device=DEVICE,
                title="Lantern lit",
                title_zh="燈籠亮了",
                severity="critical",
                event_time=city.time,
                active=True,
            ),
            city.time,
        )
        session.flush()
        alert_id = row.id
        for name, owner in (("of the role", Role.ADMINISTRATOR), ("of the home", Role.FAMILY)):
            put_channel(
                session,
                city.cipher,
                name=name,
                url="json://127.0.0.1:1/",
                role=owner,
                devices=[DEVICE] if owner is Role.FAMILY else [],
            )
        session.flush()
        channels = session.scalars(select(Channel).where(Channel.name.startswith("of the"))).all()
        assert [
            one.name
            for one in channels
            if Directory(session, city.time, channel_id=one.id).may_hear(row)
        ] == []
        everything = Reader(1, "all", frozenset(Role), consented("p1"))
        assert session.scalars(select(AlertRow.id).where(visible(everything))).all() == []

    for subject in (Subject(NAME), Subject(NAME, person="p1"), Subject(NAME, household="h")):
        assert not any(may(everything, operation, subject) for operation in Operation)
    assert not may_see_device(everything, NAME, DEVICE, None)
    for role in Role:
        client = city.client(role.value)
        assert client.get(f"/api/v1/alerts/{alert_id}").status_code == 404, role
        assert client.get(f"/api/v1/devices/{DEVICE}/series").status_code == 404, role
        assert city.listed(role.value) == []
        devices = client.get("/api/v1/devices").json()["devices"]
        assert all(one["device"] != DEVICE for one in devices), role


@pytest.mark.parametrize("name", [observation_type(NAME), LanternLit.TYPE])
def test_what_a_domain_sends_that_nobody_described_is_kept_as_refused(
    city: City, name: str
) -> None:
    ingest = CityIngest(city, GATEWAY)
    lane = "event" if name == LanternLit.TYPE else "observation"
    brightness = Reading("brightness", "/", city.time, 0.5, QartodFlag.GOOD)
    payload = encode(
        id="one",
        source=f"/{GATEWAY}/{lane}/abcdef01",
        type=name,
        subject=DEVICE,
        time=city.time,
        data=LanternLit(lit=True) if lane == "event" else pack(DEVICE, [brightness]),
        sequence=1,
    )

    ingest.store(f"vigil/v1/{GATEWAY}/{lane}", payload)

    with city.services.sessions() as session:
        (letter,) = session.scalars(select(DeadLetter))
    assert letter.reason == "unknown-type"
    assert list(city.services.timeseries.series(DEVICE)) == []


MALFORMED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a field that nobody knows": lambda said: said | {"data": said["data"] | {"colour": "red"}},
    "a height out of range": lambda said: said | {"data": said["data"] | {"metres": 900}},
    "no name": lambda said: said | {"data": {"burning": True}},
    "nothing that says whether it burns": lambda said: said | {"data": {"fall": "fall-0001"}},
    "no data": lambda said: {key: one for key, one in said.items() if key != "data"},
    "a later version": lambda said: said | {"type": "city.vigil.lantern.fallen.v7", "data": {}},
    "another type with its keys": lambda said: said | {"type": "com.lamp.fell"},
    "no envelope at all": lambda said: {**said["data"], "subject": DEVICE},
    "in a list, in a string": lambda said: json.dumps([said]),
    "cut off": lambda said: json.dumps(said).partition('"burning')[0].encode(),
    "no JSON": lambda said: b"{'subject': 'lantern-1', 'burning': True, 'of': 'lantern'}",
}


@pytest.mark.parametrize("damage", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_alarm_of_it_is_an_alert_as_well(
    fifth: None, city: City, damage: Callable[[dict[str, Any]], Any]
) -> None:
    """Given an alarm of the fifth domain that does not keep the contract, read by that domain."""
    ingest = CityIngest(city, GATEWAY)
    good = event(
        GATEWAY,
        1,
        LanternFallen(fall="fall-0001", burning=True),
        subject=DEVICE,
        time=city.time,
        lane="alarm",
    )
    damaged = damage(json.loads(good))
    payload = damaged if isinstance(damaged, bytes) else json.dumps(damaged).encode()

    ingest.store(f"vigil/v1/{GATEWAY}/alarm", payload)

    (alert,) = city.alerts("reviewer", domain=NAME)
    assert (alert["kind"], alert["severity"], alert["device"]) == ("fallen", "critical", DEVICE)
    assert alert["detail"]["shape_doubtful"]
    assert city.alerts("dispatcher") == [], "and it is no fire"


def test_an_alarm_that_is_told_twice_under_one_id_is_two_where_it_says_something_else(
    fifth: None, city: City
) -> None:
    ingest = CityIngest(city, GATEWAY)
    for number, fall in enumerate(("fall-0001", "fall-0002"), start=1):
        said = LanternFallen(fall=fall, burning=True, metres=number)
        ingest.store(
            f"vigil/v1/{GATEWAY}/alarm",
            event(
                GATEWAY, number, said, subject=DEVICE, time=city.time, lane="alarm", event_id="1"
            ),
        )
    assert len(city.alerts("reviewer", domain=NAME)) == 2


def test_what_shows_no_sign_of_it_is_the_most_dangerous_of_all(fifth: None, city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    odd = {"type": "com.lamp.fell", "subject": DEVICE, "data": {"depth": 3}}
    ingest.store(f"vigil/v1/{GATEWAY}/alarm", json.dumps(odd).encode())
    assert [one["kind"] for one in city.alerts("dispatcher")] == ["unreadable"]


def test_why_it_is_told_again_is_said_in_its_words(fifth: None, city: City) -> None:
    row = AlertRow(
        domain=NAME, kind="fallen", device=DEVICE, gateway=GATEWAY, severity="critical",
        title="Lantern fell", title_zh="燈籠掉落", event_time=city.time, detail={},
    )  # fmt: skip
    told = [Telling(row, purpose="again", step="oil spilt 3, 2 devices, unheard of")]
    said = {
        language: compose(city.cipher, told, language=language, public_url="").body
        for language in ("en", "zh-TW")
    }
    assert "litres of oil were spilt (3), 2 devices, unheard of." in said["en"]
    assert "燈油外溢（公升） (3)、2 個裝置、unheard of。" in said["zh-TW"]


def bare(contract: DomainContract) -> CloudDomain:
    return replace(LANTERN, contract=contract, handlers=(), details=())


def test_a_description_that_takes_what_is_anothers_is_refused() -> None:
    with pytest.raises(BadDomain), registered(replace(LANTERN, handlers=(NoiseHandler(),))):
        pass
    with registered(LANTERN), pytest.raises(BadDomain), registered(LANTERN):
        pass
    assert LANTERN.look is not None
    for look in (
        replace(LANTERN.look, icon='M0 0"/><script>'),
        replace(LANTERN.look, colour="url(x)"),
        replace(LANTERN.look, colour_dark="red"),
    ):
        with pytest.raises(BadDomain), registered(replace(LANTERN, look=look)):
            pass
    deaf = replace(LANTERN, alarm_reading=None)
    assert LANTERN.alarm_reading is not None
    greedy = replace(LANTERN, alarm_reading=replace(LANTERN.alarm_reading, anything=True))
    strange = replace(LANTERN, alarm_reading=replace(LANTERN.alarm_reading, says=("colour",)))
    for wrong in (deaf, greedy, strange):
        with pytest.raises(BadDomain), registered(wrong):
            pass
    for contract in (
        DomainContract(name="platform"),
        DomainContract(name="../up"),
        DomainContract(name="kite", events=(LanternLit,)),
        DomainContract(name=NAME, alarms=(LanternLit,)),
    ):
        with pytest.raises(BadContract), registered(bare(contract)):
            pass
