"""Gateways of earlier versions go on working: their own messages, byte for byte, are taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from city_ingest import CityIngest
from cloud_city import City
from vigil_cloud.checkin.models import Visit
from vigil_cloud.identity.roles import Role
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.control import Receipt, ReceiptV1
from vigil_schemas.envelope import decode

NIGHTS = Path(__file__).with_name("gateways")
GATEWAYS = ("gw-canal", "gw-home", "gw-market", "gw-zhongshan")


class Sent(NamedTuple):
    topic: str
    payload: bytes


def night(name: str) -> list[Sent]:
    lines = (NIGHTS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [Sent(one["topic"], one["payload"].encode()) for one in map(json.loads, lines)]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    made.account("administrator", Role.ADMINISTRATOR)
    made.account("inspector", Role.INSPECTOR)
    made.account("dispatcher", Role.DISPATCHER)
    yield made
    made.close()


def played(city: City, name: str) -> CityIngest:
    """Each message at the moment at which it was sent, each twice: gateways repeat themselves."""
    sent = night(name)
    city.time = min(decode(one.payload).envelope.time for one in sent)
    ingest = CityIngest(city, *GATEWAYS)
    for one in sent:
        city.time = max(city.time, decode(one.payload).envelope.time + timedelta(seconds=1))
        ingest.store(one.topic, one.payload)
        ingest.store(one.topic, one.payload)
    return ingest


@pytest.mark.parametrize(
    ("name", "receipt", "exceedances"),
    [
        pytest.param("november-23", ReceiptV1, 0, id="every event in version 1"),
        pytest.param("november-26", Receipt, 1, id="the version after it"),
    ],
)
def test_a_night_of_earlier_gateways(
    city: City, name: str, receipt: type[ReceiptV1], exceedances: int
) -> None:
    ingest = played(city, name)

    with city.services.sessions() as session:
        assert session.scalars(select(DeadLetter.detail)).all() == []
        visits = session.scalar(select(func.count()).select_from(Visit))
    alerts = {
        domain: city.listed(who, domain=domain)
        for domain, who in (("smoke", "dispatcher"), ("water", "inspector"), ("noise", "inspector"))
    }
    assert {domain: len(found) for domain, found in alerts.items()} == {
        "smoke": 1,
        "water": 1,  # one discharge, of two parameters
        "noise": exceedances,
    }
    assert alerts["water"][0]["title"].endswith("and 1 more")
    assert visits == 3
    # What has ended has ended, by the gateways' own word.
    assert all(alert["cleared"] for alert in (*alerts["smoke"], *alerts["water"]))

    for gateway in GATEWAYS:
        told = ingest.told(gateway)
        assert {type(one) for _, one in told} == {receipt}
        assert {one.refused for _, one in told} == {0}
        # Each sequence was confirmed: those that the file leaves out are gaps.
        kept = dict(told)
        for topic, payload in night(name):
            envelope = decode(payload).envelope
            if topic.split("/")[2] == gateway and envelope.sequence is not None:
                one = kept[envelope.source]
                spans = [(1, one.stored), *one.beyond]
                assert any(first <= int(envelope.sequence) <= last for first, last in spans)
