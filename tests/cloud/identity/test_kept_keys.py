"""Printed codes and links on walls outlive a change of the secret key; which do not is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from cloud.checkin.joining import AGREED, CODE, FREE, OLD, OTHER, stocked
from cloud_city import City
from vigil_cloud.checkin import amulets, hosts
from vigil_cloud.checkin.models import Amulet, StationHost
from vigil_cloud.database.base import KeptHash
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households, kept_keys, secret_key
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import KeptKey
from vigil_cloud.search import tips
from vigil_cloud.search.models import Search
from vigil_cloud.smoke import codes

__all__ = ["stocked"]
CHANGED = Cipher("another secret of more than thirty-two characters")
AGAIN = Cipher("a third secret, also of more than thirty-two characters")
PRINTED = "amulets.code_hash"


def rotate(city: City, old: Cipher, new: Cipher, **how: bool) -> secret_key.Rotation:
    with writing(city.services.sessions) as session:
        return secret_key.rotate(session, old, new, by="operator", now=city.time, **how)


def adopt(city: City, cipher: Cipher) -> secret_key.Adoption:
    with writing(city.services.sessions) as session:
        return secret_key.adopt(session, cipher, by="operator", now=city.time)


def fits(city: City, cipher: Cipher, code: str = CODE) -> bool:
    """Whether a family could register the amulet with this printed code."""
    with city.services.sessions() as session:
        try:
            return amulets.free(session, cipher, code) == FREE
        except amulets.AmuletRefused:
            return False


def void(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.tag for one in amulets.void(session)]


def test_a_printed_code_fits_after_the_secret_key_was_changed_and_changed_again(
    stocked: City,
) -> None:
    assert rotate(stocked, stocked.cipher, CHANGED).codes_ended == {}
    assert fits(stocked, CHANGED)
    rotate(stocked, CHANGED, AGAIN)
    assert fits(stocked, AGAIN)
    assert not fits(stocked, AGAIN, "ZZZZZ-ZZZZZ")
    assert void(stocked) == []


def test_what_is_kept_does_not_tell_the_key_before(stocked: City) -> None:
    rotate(stocked, stocked.cipher, CHANGED)
    with stocked.services.sessions() as session:
        row = session.get_one(KeptKey, "amulet code v1")
        assert stocked.cipher.hash_key("amulet code v1") not in row.key
        with pytest.raises(Undecipherable):
            stocked.cipher.open(kept_keys.KEY, row.key)


def test_codes_of_a_stolen_key_are_given_up_listed_and_printed_anew(stocked: City) -> None:
    ended = rotate(stocked, stocked.cipher, CHANGED, end_codes=True).codes_ended
    assert ended[PRINTED] == 2
    assert not fits(stocked, CHANGED)
    assert void(stocked) == [FREE, OTHER], "not the one that is registered by its id"
    with writing(stocked.services.sessions) as session:
        printed = amulets.reprint(session, CHANGED, by="registrar", now=stocked.time)
    assert set(printed) == {FREE, OTHER}
    assert fits(stocked, CHANGED, printed[FREE])
    assert void(stocked) == []


def test_whoever_can_mend_it_sees_how_many_and_prints_them(stocked: City) -> None:
    with writing(stocked.services.sessions) as session:
        kept_keys.give_up(session, stocked.cipher, stocked.time)
    desk = stocked.client("registrar")
    assert desk.get("/api/v1/amulets").json()["void"] == 2
    made = desk.post("/api/v1/amulets/reprint")
    assert made.status_code == 201, made.text
    code = {one["tag"]: one["code"] for one in made.json()["amulets"]}[FREE]
    assert desk.get("/api/v1/amulets").json()["void"] == 0
    assert desk.post("/api/v1/amulets/reprint").json() == {"amulets": []}
    stocked.guardian("family")
    family = stocked.client("family")
    answer = family.post("/api/v1/people/p1/amulets", json={**AGREED, "code": code})
    assert answer.status_code == 204, answer.text
    assert stocked.client("family").post("/api/v1/amulets/reprint").status_code == 403


def test_a_worn_amulet_needs_no_other_code(stocked: City) -> None:
    stocked.person("p2", "李大明", FREE)
    with writing(stocked.services.sessions) as session:
        kept_keys.give_up(session, stocked.cipher, stocked.time)
    assert void(stocked) == [OTHER]


def test_a_lost_secret_key_ends_the_codes_and_says_so(stocked: City) -> None:
    with writing(stocked.services.sessions) as session:
        secret_key._note(session, stocked.cipher, stocked.time)
    assert adopt(stocked, stocked.cipher).codes_ended == {}, "it is the same key"
    assert fits(stocked, stocked.cipher)
    assert adopt(stocked, CHANGED).codes_ended == {PRINTED: 2}
    assert void(stocked) == [FREE, OTHER]
    assert adopt(stocked, CHANGED).codes_ended == {}, "and not twice"


def test_a_lost_key_after_a_change_ends_what_was_kept(stocked: City) -> None:
    rotate(stocked, stocked.cipher, CHANGED)
    assert adopt(stocked, AGAIN).codes_ended == {PRINTED: 2}
    assert void(stocked) == [FREE, OTHER]


def test_a_link_at_a_station_and_a_notice_and_a_homes_code_outlive_it_too(city: City) -> None:
    city.guardian("family")
    case = city.client("family").post("/api/v1/search/reports", json={"person_key": "p1"}).json()
    made = city.client("family").post(f"/api/v1/search/cases/{case['case_id']}/link")
    assert made.is_success, made.text
    with writing(city.services.sessions) as session:
        hosts.make_links(session, city.cipher, "station-1", by="operator", now=city.time)
        before = links(session, city.cipher)
        home = codes.key_of(session, city.cipher)
        where = households.Described("Home", "")
        households.put(session, city.cipher, "h1", where, by="operator", now=city.time)
        hashed = codes.hashed(home, "h1", "4711")
        codes.put(session, "h1", hashed, by="operator", now=city.time)

    rotate(city, city.cipher, CHANGED)

    with city.services.sessions() as session:
        assert links(session, CHANGED) == before
        assert None not in before
        assert codes.key_of(session, CHANGED) == home


def links(session: Any, cipher: Cipher) -> list[str | None]:
    station = session.get_one(StationHost, "station-1")
    search = session.scalars(select(Search)).one()
    status = hosts.path_of(cipher, station, "status")
    host = hosts.path_of(cipher, station, "host")
    return [status, host, tips.path_of(cipher, search)]


def test_every_kind_of_printed_code_is_kept_by_its_columns_type() -> None:
    """As what is sealed: no column can be forgotten, and no purpose stands in two places."""
    found = {f"{table.name}.{column.name}": said for table, column, said in kept_keys.columns()}
    assert found == {
        "amulets.code_hash": "amulet code v1",
        "station_hosts.status_sha256": "station status v1",
        "station_hosts.host_sha256": "station host v1",
        "searches.link_sha256": "search tips v1",
        "home_safety.code_hash": "home safety code v1",
    }
    assert (
        *(found["amulets.code_hash"], found["searches.link_sha256"]),
        found["home_safety.code_hash"],
    ) == (amulets._CODE, tips._PURPOSE, codes._PURPOSE)
    assert dict(hosts._PURPOSES) == {"status": "station status v1", "host": "station host v1"}
    assert isinstance(Amulet.__table__.c.code_hash.type, KeptHash)


@pytest.mark.parametrize("how", [rotate, lambda city, old, new: adopt(city, old)])
def test_a_city_without_codes_keeps_none(city: City, how: Callable[..., Any]) -> None:
    how(city, city.cipher, CHANGED)
    with city.services.sessions() as session:
        assert session.scalars(select(KeptKey)).all() == []
        assert kept_keys.number_of(session, "amulet code v1") == kept_keys.FIRST
        assert OLD not in amulets.counts(session)
