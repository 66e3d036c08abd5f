"""The seed file: values from the environment, relative consents, and seeding again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from cloud_city import GATEWAY, TAG, City, alarm
from vigil_cloud import seed
from vigil_cloud.checkin.models import Tag
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.domain.seeding import BadSeed
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.models import Consent, GatewayToken, Guardian, Person
from vigil_cloud.identity.sessions import digest, gateway_of_token

FILE = Path(__file__).parents[2] / "docs/deployment/seed.toml"
PASSWORD = "four unrelated quiet words"
TOKEN = "a token that was made and not thought up"
ENVIRONMENT = {"VIGIL_CITY_PASSWORD": PASSWORD, "VIGIL_CITY_TOKEN": TOKEN}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    yield made
    made.close()


def consents(city: City) -> list[Consent]:
    with city.services.sessions() as session:
        return list(session.scalars(select(Consent).order_by(Consent.id)))


def test_the_seed_of_the_compose_file_can_be_applied_and_signed_in_with(empty: City) -> None:
    seed.apply(empty.services, seed.read(FILE, ENVIRONMENT))
    answer = empty.anonymous().post(
        "/api/v1/session", json={"username": "admin", "password": PASSWORD}
    )
    assert answer.status_code == 200
    with empty.services.sessions() as session:
        tokens = {row.gateway: row.token_sha256 for row in session.scalars(select(GatewayToken))}
    assert tokens == dict.fromkeys(
        ("gw-zhongshan", "gw-canal", "gw-market", "gw-home", "gw-shrine"), digest(TOKEN)
    )


HOMES = """
[[district]]
id = "east"
name = "East"
name_zh = "東區"
devices = ["mic-1"]
gateways = ["gw-east"]
[[account]]
username = "family"
password = "x"
roles = ["family"]
[[account]]
username = "inspector"
password = "x"
roles = ["inspector"]
districts = ["east"]
[[household]]
key = "chen"
name = "Chen"
address = "7 Zhongshan Road"
district = "east"
devices = ["alarm-1"]
[[member]]
household = "chen"
account = "family"
"""


def test_homes_and_districts_are_seeded_and_what_ended_stays_over(
    city: City, tmp_path: Path
) -> None:
    file = tmp_path / "homes.toml"
    file.write_text(HOMES, "utf-8")
    wanted = seed.read(file)
    for _ in range(2):
        seed.apply(city.services, wanted)
    city.send(alarm(city.time), "alarm-1")
    assert [one["device"] for one in city.listed("family")] == ["alarm-1"]
    shown = city.client("inspector").get("/api/v1/devices").json()["devices"]
    assert [one["device"] for one in shown] == ["mic-1"]

    gone = city.client("administrator").delete("/api/v1/households/chen/members/1")
    assert gone.status_code == 204
    seed.apply(city.services, wanted)
    assert city.listed("family") == [], "seeding again let somebody back into a home"

    assert city.client("administrator").delete("/api/v1/households/chen").status_code == 204
    seed.apply(city.services, wanted)
    assert city.client("administrator").get("/api/v1/households").json()["households"] == []


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_variable_that_is_not_set_is_named(name: str) -> None:
    others = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(BadSeed, match=f"{name} is not set"):
        seed.read(FILE, others)


def test_seeding_again_grants_nothing_twice_and_nothing_that_was_revoked(empty: City) -> None:
    wanted = seed.read(FILE, ENVIRONMENT)
    seed.apply(empty.services, wanted)
    first = consents(empty)
    assert [consent.expires for consent in first] == [empty.time + timedelta(days=365)] * 6
    with writing(empty.services.sessions) as session:
        session.get_one(Consent, first[0].id).revoked = empty.later(days=1)
    seed.apply(empty.services, wanted)
    assert len(consents(empty)) == 6
    empty.later(days=365)
    seed.apply(empty.services, wanted)
    renewed = consents(empty)[6:]
    assert len(renewed) == 5
    revoked = (first[0].person_key, first[0].account_id)
    assert revoked not in {(consent.person_key, consent.account_id) for consent in renewed}


@pytest.mark.parametrize("ends", ["", "expires = 2027-01-01T00:00:00Z\nexpires_days = 3"])
def test_a_consent_has_one_end(ends: str, tmp_path: Path) -> None:
    path = tmp_path / "seed.toml"
    path.write_text(f'[[consent]]\nperson = "p"\naccount = "family"\n{ends}\n', "utf-8")
    with pytest.raises(BadSeed, match="expires_days, one of them"):
        seed.read(path)


@pytest.mark.parametrize(
    ("said", "scopes", "begins"),
    [
        ("", "last_place,footprint", False),
        ('scopes = ["alerts", "last_place"]', "last_place,alerts", False),
        ('scopes = ["footprint"]\nfootprint_from = "now"', "footprint", True),
    ],
)
def test_a_consent_opens_what_the_file_names(
    city: City, tmp_path: Path, said: str, scopes: str, begins: bool
) -> None:
    file = tmp_path / "seed.toml"
    text = f'[[consent]]\nperson = "p1"\naccount = "family"\nexpires_days = 3\n{said}\n'
    file.write_text(text, "utf-8")
    with capture_logs() as told:
        seed.apply(city.services, seed.read(file))
    (given,) = consents(city)
    assert (given.scopes, given.footprint_from) == (scopes, city.time if begins else None)
    assert ("consent-without-scopes" in {one["event"] for one in told}) == (not said)


@pytest.mark.parametrize("scopes", ["", 'scopes = ["live"]', 'scopes = ["alerts"]', None])
def test_guardians_who_are_not_called_are_told_of(
    city: City, tmp_path: Path, scopes: str | None
) -> None:
    file = tmp_path / "seed.toml"
    text = '[[person]]\nkey = "p1"\nname = "Wang"\nguardians = ["family"]\n'
    if scopes is not None:
        text += f'[[consent]]\nperson = "p1"\naccount = "family"\nexpires_days = 3\n{scopes}\n'
    file.write_text(text, "utf-8")
    with capture_logs() as told:
        seed.apply(city.services, seed.read(file))
    lines = [one for one in told if one["event"] == "guardian-not-called"]
    right = [] if scopes and "alerts" in scopes else [("p1", "family")]
    assert [(one["person"], one["account"]) for one in lines] == right


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 100_000])
def test_numbers_and_lists_without_end_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "seed.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(BadSeed, match=r"seed\.toml"):
        seed.read(file)


@pytest.mark.parametrize("said", ['scopes = ["all"]', "scopes = []", 'footprint_from = "noon"'])
def test_scopes_that_are_none_are_refused(said: str, tmp_path: Path) -> None:
    file = tmp_path / "seed.toml"
    text = f'[[consent]]\nperson = "p"\naccount = "family"\nexpires_days = 3\n{said}\n'
    file.write_text(text, "utf-8")
    with pytest.raises(BadSeed):
        seed.read(file)


def test_a_short_token_is_refused_outside_the_demo(empty: City) -> None:
    wanted = seed.read(FILE, ENVIRONMENT | {"VIGIL_CITY_TOKEN": "changeme"})
    with pytest.raises(BadSeed, match="token of gateway gw-zhongshan"):
        seed.apply(empty.services, wanted)
    with empty.services.sessions() as session:
        assert session.scalars(select(GatewayToken)).all() == []


def test_a_revoked_gateway_and_an_erased_person_are_left_out(city: City, tmp_path: Path) -> None:
    file = tmp_path / "seed.toml"
    file.write_text(
        f'[[gateway]]\nid = "{GATEWAY}"\ntoken = "{"t" * 40}"\n'
        '[[person]]\nkey = "p1"\nname = "Wang"\nguardians = ["family"]\n'
        f'[[tag]]\ntag = "{TAG}"\nperson = "p1"\n'
        '[[consent]]\nperson = "p1"\naccount = "family"\nexpires_days = 3\n'
    )
    with writing(city.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="operator", now=city.time)
    erase(city.services, "p1", by="operator")

    seed.apply(city.services, seed.read(file))

    assert gateway_of_token(city.services, "t" * 40) is None
    with city.services.sessions() as session:
        for model in (Person, Tag, Consent, Guardian):
            assert session.scalars(select(model)).all() == []
