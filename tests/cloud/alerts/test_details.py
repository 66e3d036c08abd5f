"""Alert details: typed by their domain, never lost, never a 500, and sealed where personal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import select, text, update

from cloud.lantern import LANTERN
from cloud_city import GATEWAY, City, alarm, exceedance, excursion, visit
from cloud_routes import document
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.details import every_model, models_of, read, to_keep
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.alerts.sealing_old import seal_what_lies_open
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.database.engine import build_sessions, writing
from vigil_cloud.domain.detail import AlertDetail, Personal, PlainDetail
from vigil_cloud.domain.registry import BadDomain, domains, registered
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.persons import rotate_key
from vigil_cloud.noise.domain import DOMAIN as NOISE
from vigil_schemas.contract import DomainContract

PLATE = "ABC-1234"


@pytest.fixture
def loud(city: City) -> str:
    """The id of an alert that stands."""
    city.send(exceedance(city.time), "mic-1")
    with city.services.sessions() as session:
        return session.scalars(select(AlertRow.id)).one()


def amended(city: City, alert: str, account: str | None = None, **detail: Any) -> None:
    with writing(city.services.sessions) as session:
        amend(session, alert, Amendment(detail=detail, reason="seen"), city.time, account=account)


def shown(city: City, username: str = "inspector") -> dict[str, Any]:
    (alert,) = city.alerts(username)
    found: dict[str, Any] = alert["detail"]
    return found


def stored(city: City) -> str:
    """Whatever the tables of alerts hold in the open."""
    with city.services.engine.connect() as connection:
        return "".join(
            str(connection.execute(text(f"SELECT * FROM {table}")).all())
            for table in ("alerts", "alert_history", "alert_outbox")
        )


# Described.


def test_every_shipped_domain_describes_its_details() -> None:
    for domain in domains():
        assert domain.details, domain.name


def test_the_api_describes_each_as_one_of_the_union() -> None:
    schemas = document()["components"]["schemas"]
    union = schemas["Alert"]["properties"]["detail"]
    assert union["discriminator"]["propertyName"] == "type"
    for model in every_model():
        name = union["discriminator"]["mapping"][model.type_word()].removeprefix(
            "#/components/schemas/"
        )
        assert schemas[name]["properties"]["type"]["const"] == model.type_word()
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), (
            "readers may count on every field"
        )


def test_what_is_said_of_each_domain_s_alerts_has_the_type_of_the_domain(city: City) -> None:
    city.consent("family")
    city.one_of_each()
    found = {
        alert["domain"]: alert["detail"]
        for user in ("inspector", "dispatcher", "family")
        for alert in city.alerts(user)
    }
    assert {domain: detail["type"] for domain, detail in found.items()} == {
        "noise": "noise-exceedance",
        "water": "water-excursion",
        "smoke": "smoke-condition",
        "checkin": "checkin-visit",
    }
    for detail in found.values():
        assert (detail["unread"], detail["withheld"], detail["shape_doubtful"]) == ({}, False, [])


def test_an_end_before_its_onset_is_no_doubt(city: City) -> None:
    city.send(alarm(city.time, active=False), "smoke-1")
    city.send(excursion(city.time, "end"), "sonde-1")
    for user in ("dispatcher", "inspector"):
        detail = shown(city, user)
        assert detail["type"] != "plain"
        assert detail["shape_doubtful"] == []


class OtherDetail(AlertDetail):
    type: Literal["smoke-other"] = "smoke-other"


class NeedsAName(AlertDetail):
    type: Literal["kite-name"] = "kite-name"
    name: Annotated[str, Personal]


@pytest.mark.parametrize("details", [(OtherDetail,), (NeedsAName,), (NeedsAName, NeedsAName)])
def test_a_description_of_details_that_readers_could_not_tell_apart_is_refused(
    details: tuple[type[AlertDetail], ...],
) -> None:
    kite = replace(
        LANTERN, contract=DomainContract(name="kite"), details=details, handlers=(), routers=()
    )
    with pytest.raises(BadDomain), registered(kite):
        pass


# Read.


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
KEYS = sorted({name for model in every_model() for name in model.model_fields} | {"odd", "x y"})


@given(
    domain=st.sampled_from(["noise", "water", "smoke", "checkin", "platform", "nobodys"]),
    kept=st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=12),
)
def test_whatever_is_kept_is_shown_and_nothing_of_it_is_hidden(
    domain: str, kept: dict[str, Any]
) -> None:
    detail = read(domain, kept)

    said = TypeAdapter(AlertDetail).dump_python(detail, mode="json", serialize_as_any=True)
    json.dumps(said)
    given_by_reader = {"type", "unread", "withheld"}
    everything = {*said, *said["unread"], *(said.get("values") or {})}
    assert kept.keys() - given_by_reader <= everything
    again = to_keep(domain, kept)
    assert to_keep(domain, {**again.open, **again.personal}) == again, "idempotent"


@pytest.mark.parametrize("user", ["inspector"])
def test_rows_of_other_versions_are_shown(city: City, loud: str, user: str) -> None:
    with city.services.sessions() as session:
        whole = session.scalars(select(AlertRow.detail)).one()
    without = {key: value for key, value in whole.items() if key not in {"type", "LAFmax"}}
    for kept, kind in (
        ({**whole, "wind_speed": 3.5, "overload": "perhaps"}, "noise-exceedance"),
        ({key: value for key, value in whole.items() if key != "type"}, "noise-exceedance"),
        (without, "plain"),
        ({}, "plain"),
    ):
        with city.services.sessions.begin() as session:
            session.execute(update(AlertRow).values(detail=kept))
        detail = shown(city, user)
        assert detail["type"] == kind, kept.keys()
        if "wind_speed" in kept:
            assert detail["unread"] == {"wind_speed": 3.5, "overload": "perhaps"}
            assert detail["overload"] is False
        if kind == "plain":
            assert detail["values"] == {k: v for k, v in kept.items() if k != "type"}
        assert city.listed(user), "a list shows it as well"


# Written.


def occurrence(city: City, **detail: Any) -> Occurrence:
    return Occurrence(
        domain="noise",
        reference="odd-1",
        kind="exceedance",
        gateway=GATEWAY,
        device="mic-1",
        title="Loud vehicle",
        title_zh="高噪音車輛",
        severity="major",
        event_time=city.time,
        active=True,
        detail=detail,
    )


def test_an_invalid_detail_loses_no_alarm(city: City) -> None:
    with writing(city.services.sessions) as session:
        record(session, occurrence(city, LAFmax="loud", spoken="by 王小明"), city.time)

    detail = shown(city)
    assert detail["type"] == "plain"
    assert detail["values"] == {"LAFmax": "loud", "spoken": "by 王小明"}
    assert detail["shape_doubtful"] == ["detail.detail: fits no model of its domain"]
    (listed,) = city.listed("inspector")
    assert listed["doubts"] == ["shape_doubtful"]
    assert "王小明" not in stored(city), "what nobody declared may be personal"


def test_what_does_not_fit_is_marked_once_however_often_it_is_said(city: City, loud: str) -> None:
    for _ in range(3):
        amended(city, loud, overload="perhaps", weather="rain")
    detail = shown(city)
    assert detail["LAFmax"] > 90
    assert len(detail["shape_doubtful"]) == 2
    assert detail["unread"] == {"overload": "perhaps", "weather": "rain"}


# Sealed.


def test_a_plate_is_sealed_and_shown_to_those_whom_the_domain_names(city: City, loud: str) -> None:
    amended(city, loud, plate=PLATE)

    for user, plate in (
        ("inspector", PLATE),
        ("reviewer", PLATE),
        ("police", PLATE),
        ("administrator", None),
    ):
        detail = shown(city, user)
        assert (detail["plate"], detail["withheld"]) == (plate, plate is None), user
    assert PLATE not in stored(city)
    history = city.alerts("inspector")[0]["history"]
    assert sum(line["action"] == "amended" for line in history) == 1
    amended(city, loud, plate=PLATE)
    assert city.alerts("inspector")[0]["history"] == history, "the same again changes nothing"


def test_what_comes_later_keeps_what_is_sealed(city: City, loud: str) -> None:
    amended(city, loud, plate=PLATE)
    city.send(exceedance(city.time), "mic-1")
    assert shown(city)["plate"] == PLATE


def test_what_cannot_be_sealed_is_left_out_and_the_alarm_stands(city: City) -> None:
    bare = build_sessions(city.services.engine)
    with writing(bare) as session:
        assert CIPHER not in session.info
        event = exceedance(city.time).model_dump(mode="json", exclude_none=True)
        record(session, occurrence(city, **event, plate=PLATE), city.time)

    detail = shown(city)
    assert (detail["plate"], detail["LAFmax"] > 90) == (None, True)
    assert any("plate" in fault for fault in detail["shape_doubtful"])
    assert PLATE not in stored(city)


def test_what_people_write_of_an_alert_is_sealed(city: City, loud: str) -> None:
    said = "王小明 0912-345-678 called"
    answer = city.client("inspector").post(
        f"/api/v1/alerts/{loud}/acknowledge", json={"comment": said}
    )

    assert answer.json()["history"][-1]["comment"] == said
    assert "0912" not in stored(city)


def test_another_secret_key_opens_nothing_and_breaks_no_page(city: City, loud: str) -> None:
    amended(city, loud, plate=PLATE)
    with city.services.sessions.begin() as session:
        row = session.scalars(select(AlertRow)).one()
        row.private = Cipher("another " * 8).seal("alert.detail", '{"plate": "ABC"}')
    detail = shown(city)
    assert (detail["plate"], detail["withheld"]) == (None, True)
    amended(city, loud, overload=True)
    with city.services.sessions() as session:
        assert session.scalars(select(AlertRow.private)).one() is not None, "it may be opened yet"


# Older databases, erasure, keys.


def test_what_earlier_versions_wrote_in_the_open_is_sealed(either_city: City) -> None:
    city = either_city
    city.send(exceedance(city.time), "mic-1")
    with city.services.sessions.begin() as session:
        row = session.scalars(select(AlertRow)).one()
        kept = {key: value for key, value in row.detail.items() if key != "type"}
        session.add(
            AlertHistory(
                alert_id=row.id,
                at=city.time,
                account="inspector",
                action="confirmed",
                comment="王小明 paid",
            )
        )
        session.execute(
            update(AlertRow).values(
                detail={**kept, "plate": PLATE, "driver": "王小明"}, private=None, typed=False
            )
        )
        version = row.version
    (before,) = city.alerts("inspector")
    assert before["detail"]["plate"] == PLATE, "shown as it was until then"

    assert seal_what_lies_open(city.services) == 2
    assert seal_what_lies_open(city.services) == 0

    (after,) = city.alerts("inspector")
    assert (after["detail"]["plate"], after["detail"]["unread"]) == (PLATE, {"driver": "王小明"})
    assert after["detail"]["shape_doubtful"] == []
    assert after["history"] == before["history"]
    assert after["version"] == before["version"] == version
    assert PLATE not in stored(city)
    assert "王小明" not in stored(city)


def test_an_erased_person_is_named_in_no_alert(either_city: City) -> None:
    city = either_city
    city.person("p2", "李春生", "epc:00112233445566778899aabb")
    city.send(exceedance(city.time), "mic-1")
    (alert,) = city.alerts("inspector")
    amended(city, alert["id"], plate=PLATE, driver="李春生")
    client = city.client("inspector")
    path = f"/api/v1/alerts/{alert['id']}"
    client.post(f"{path}/acknowledge", json={"comment": "李春生 called"}).raise_for_status()
    client.post(f"{path}/confirm", json={"comment": "done"}).raise_for_status()

    done = erase(city.services, "p2", by="operator")

    assert done.removed["alert_texts"] == 2
    (alert,) = city.alerts("inspector")
    assert "李春生" not in json.dumps(alert, ensure_ascii=False)
    assert alert["history"][-1]["comment"] == "done"


def test_another_key_of_a_person_opens_what_was_sealed_under_the_first(city: City) -> None:
    city.consent("family")
    city.send(visit(city.time), "station-1")
    (alert,) = city.alerts("family")
    amended(city, alert["id"], account="family", seen_with="a dog")
    before = city.alerts("family")[0]["detail"]
    assert before["unread"] == {"seen_with": "a dog"}

    with writing(city.services.sessions) as session:
        rotate_key(session, city.cipher, "p1", by="operator", now=city.time)

    (alert,) = city.alerts("family")
    assert alert["detail"] == before
    assert alert["history"][-1]["comment"] == "detail: seen"


def test_a_domain_that_describes_no_details_shows_them_as_they_are(city: City) -> None:
    del city
    assert read("nobodys", {"a": 1}) == PlainDetail(values={"a": 1})
    assert models_of("noise")[0] is NOISE.details[0]
