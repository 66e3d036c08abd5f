"""Excursions that belong together: one incident, one alert, one call; and when they do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import webhook
from cloud_city import NOON, City, excursion
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import shelves
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.water import incidents
from vigil_cloud.water.incidents import Rules, Span, belongs, explained
from vigil_schemas.water import WaterExcursion
from waterways import LOWER, UPPER, geojson

RULES = Rules()


def ph(city: City, phase: str = "onset", id: str = "excursion-ph", **more: Any) -> WaterExcursion:
    change = {"parameter": "pH", "unit": "pH", "kind": "below", "limit": 6.0, "value": 5.1, **more}
    return excursion(city.time, phase, id=id).model_copy(update=change)


def water(city: City) -> list[dict[str, Any]]:
    return city.alerts("inspector", domain="water")


def incident(city: City, alert: dict[str, Any]) -> dict[str, Any]:
    answer = city.client("inspector").get(f"/api/v1/water/incidents/{alert['detail']['incident']}")
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(city: City, hook: webhook.Hook) -> int:
    """How many messages its people have got."""
    NotificationSender(city.services).deliver_due()
    return len(hook.titles)


@pytest.fixture
def canal(city: City) -> City:
    """Two probes on one canal, about 700 m of water apart."""
    answer = city.client("inspector").post(
        "/api/v1/water/network/import", content=geojson().encode()
    )
    assert answer.is_success, answer.text
    return city


def test_all_parameters_and_neighbours_are_one_alert_and_one_call(
    canal: City, hook: webhook.Hook
) -> None:
    webhook.channel(canal, hook.url, role=Role.INSPECTOR)
    canal.send(excursion(canal.time), UPPER)
    canal.later(minutes=4)
    canal.send(ph(canal), UPPER)
    canal.later(minutes=30)
    canal.send(excursion(canal.time, id="excursion-low"), LOWER)

    (alert,) = water(canal)
    assert alert["title"] == "Conductivity above 2500 µS/cm, and 2 more at 2 probes"
    assert alert["title_zh"] == "導電度高於 2500 µS/cm等 3 項（2 個測站）"
    assert (alert["detail"]["excursions"], alert["detail"]["devices"]) == (3, [UPPER, LOWER])
    assert alert["detail"]["parameter"] == "specific_conductance"
    assert len(webhook.deliveries(canal, "inspector")) == 1

    found = incident(canal, alert)
    assert [one["parameter"] for one in found["excursions"]] == [
        "specific_conductance",
        "pH",
        "specific_conductance",
    ]
    assert [one["id"] for one in found["suspects"]] == ["o-plating", "o-yard"]
    near, far = found["suspects"]
    assert near["distance_m"] == pytest.approx(306, abs=3)
    assert far["distance_m"] == pytest.approx(816 + 556, abs=5)
    (gate,) = found["gates"]
    assert (gate["id"], gate["area_zh"]) == ("g1", "北側稻田")


def test_it_ends_when_all_are_over_and_opens_again(canal: City) -> None:
    canal.send(excursion(canal.time), UPPER)
    canal.later(minutes=2)
    canal.send(ph(canal), UPPER)
    canal.later(minutes=10)
    canal.send(excursion(NOON, "end"), UPPER)
    (alert,) = water(canal)
    assert alert["state"]["active"] is True, "the pH is still out of its bounds"
    assert alert["detail"]["value"] == 0.42, "and the first excursion's extreme is known"
    canal.later(minutes=10)
    canal.send(ph(canal, "end", started=NOON + timedelta(minutes=2), ended=canal.time), UPPER)
    (alert,) = water(canal)
    assert alert["state"]["active"] is False
    assert alert["cleared"] == "2026-03-01T04:22:00Z"

    canal.later(minutes=60)
    canal.send(excursion(canal.time, id="excursion-again"), UPPER)
    (alert,) = water(canal)
    assert alert["state"]["active"] is True
    canal.later(hours=1)
    canal.send(
        excursion(canal.time, "end", id="excursion-again").model_copy(
            update={"started": canal.time - timedelta(hours=1), "ended": canal.time}
        ),
        UPPER,
    )
    canal.later(hours=4)
    canal.send(excursion(canal.time, id="excursion-later"), UPPER)
    assert len(water(canal)) == 2, "long after its end it is another incident"


def test_the_order_and_the_number_of_messages_change_nothing(canal: City) -> None:
    late = ph(canal, "end", started=NOON, ended=NOON + timedelta(minutes=5))
    for message in (late, ph(canal), late, excursion(NOON), ph(canal), excursion(NOON, "end")):
        canal.send(message, UPPER)
    (alert,) = water(canal)
    assert alert["state"]["active"] is False
    assert len(incident(canal, alert)["excursions"]) == 2


def test_strangers_are_no_neighbours(canal: City) -> None:
    canal.send(excursion(canal.time), UPPER)
    canal.send(excursion(canal.time, id="excursion-far"), "sonde-far", gateway="gw-west")
    assert len(water(canal)) == 2


def test_what_is_put_aside_hides_nothing(canal: City) -> None:
    """A shelved pH sensor's excursion calls nobody; the conductivity does."""
    with writing(canal.services.sessions) as session:
        wanted = Wanted("shelved", "worn out", canal.time + timedelta(days=1), "pH")
        device = session.get_one(Device, UPPER)
        device.parameters = ["pH", "specific_conductance"]
        shelves.begin(session, device, wanted, by="inspector", now=canal.time)
    canal.send(ph(canal), UPPER)
    canal.later(minutes=1)
    canal.send(excursion(canal.time), UPPER)
    held = {one["detail"]["parameter"]: one["state"]["device_shelf"] for one in water(canal)}
    assert set(held) == {"pH", "specific_conductance"}
    assert held["specific_conductance"] is None


def test_who_believed_it_done_is_told_again(canal: City) -> None:
    canal.send(excursion(canal.time), UPPER)
    (alert,) = water(canal)
    client = canal.client("inspector")
    for act in ("acknowledge", "confirm"):
        done = client.post(f"/api/v1/alerts/{alert['id']}/{act}", json={"comment": "Rain."})
        assert done.is_success, done.text
    canal.later(minutes=5)
    canal.send(ph(canal), UPPER)
    (alert,) = water(canal)
    assert (alert["state"]["acknowledged"], alert["state"]["confirmed"]) == (False, False)


def test_an_incident_in_hand_tells_each_further_excursion_once(
    canal: City, hook: webhook.Hook
) -> None:
    webhook.channel(canal, hook.url, role=Role.INSPECTOR)
    canal.send(excursion(canal.time), UPPER)
    (alert,) = water(canal)
    acknowledge = f"/api/v1/alerts/{alert['id']}/acknowledge"
    assert canal.client("inspector").post(acknowledge, json={}).is_success
    assert told(canal, hook) == 1
    canal.later(minutes=5)
    for _ in range(2):
        canal.send(ph(canal), UPPER)
    assert told(canal, hook) == 2
    canal.later(minutes=5)
    canal.send(excursion(canal.time, id="excursion-low"), LOWER)  # nobody has it in hand yet
    assert len(water(canal)) == 1
    assert told(canal, hook) == 2


def test_an_acknowledged_incident_does_not_open_again_in_silence(
    canal: City, hook: webhook.Hook
) -> None:
    webhook.channel(canal, hook.url, role=Role.INSPECTOR)
    canal.send(excursion(canal.time), UPPER)
    assert told(canal, hook) == 1
    (alert,) = water(canal)
    acknowledge = f"/api/v1/alerts/{alert['id']}/acknowledge"
    assert canal.client("inspector").post(acknowledge, json={}).is_success
    canal.later(minutes=5)
    canal.send(excursion(NOON, "end"), UPPER)
    canal.later(minutes=50)
    canal.send(excursion(canal.time, id="excursion-again"), UPPER)
    (alert,) = water(canal)
    assert (alert["state"]["active"], alert["state"]["acknowledged"]) == (True, False)
    assert told(canal, hook) == 2


def test_a_probe_that_is_stuck_hides_no_neighbour(canal: City, hook: webhook.Hook) -> None:
    webhook.channel(canal, hook.url, role=Role.INSPECTOR)
    canal.send(ph(canal), LOWER)  # and it never ends
    assert told(canal, hook) == 1
    canal.later(hours=3)
    canal.send(excursion(canal.time, id="excursion-new"), UPPER)
    assert len(water(canal)) == 2, "hours later, above it: another discharge"
    assert told(canal, hook) == 2
    canal.later(hours=3)
    canal.send(excursion(canal.time, id="excursion-same"), LOWER)
    assert len(water(canal)) == 2, "the stuck probe's own"
    assert told(canal, hook) == 3, "which is told all the same"


def test_against_the_water_nothing_is_explained(canal: City) -> None:
    canal.send(excursion(canal.time), LOWER)
    canal.later(minutes=40)
    canal.send(excursion(canal.time, id="excursion-up"), UPPER)
    assert len(water(canal)) == 2


@pytest.mark.parametrize("broken", ["find", "settle"])
def test_what_belongs_together_loses_no_alarm(
    canal: City, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Where the code of incidents fails, an excursion calls by itself."""
    canal.send(excursion(canal.time), UPPER)

    def fails(*_: object) -> None:
        raise ValueError("a mistake of ours")

    with monkeypatch.context() as patched:
        patched.setattr(incidents, broken, fails)
        canal.send(ph(canal), UPPER)
    found = water(canal)
    assert {one["detail"]["parameter"] for one in found} == {"specific_conductance", "pH"}
    assert all(one["state"]["active"] for one in found)
    canal.send(ph(canal, "end", started=NOON, ended=NOON + timedelta(minutes=5)), UPPER)
    (ended,) = [one for one in water(canal) if not one["state"]["active"]]
    assert ended["detail"]["parameter"] == "pH"


def test_a_case_that_is_decided_is_another_matter(canal: City) -> None:
    canal.send(excursion(canal.time), UPPER)
    (alert,) = water(canal)
    client = canal.client("inspector")
    case = client.post(
        "/api/v1/cases", json={"kind": "water-inspection", "alerts": [alert["id"]]}
    ).json()
    body = {"version": case["version"], "outcome": "not-found", "reason": "Nobody there."}
    assert client.post(f"/api/v1/cases/{case['id']}/decisions", json=body).is_success
    canal.send(ph(canal), UPPER)
    assert len(water(canal)) == 2


@given(delay=st.integers(-3000, 3000), travel=st.integers(0, 600), join=st.integers(0, 1440))
def test_the_water_explains_what_comes_with_it(delay: int, travel: int, join: int) -> None:
    rules = Rules(join=timedelta(minutes=join))
    found = explained(NOON, NOON + timedelta(minutes=delay), timedelta(minutes=travel), rules)
    assert found == (-min(15, join) <= delay <= 2 * travel + join)


@given(
    starts=st.lists(st.integers(-2000, 2000), min_size=2, max_size=2),
    lengths=st.lists(st.one_of(st.none(), st.integers(0, 2000)), min_size=2, max_size=2),
    travel=st.integers(0, 120),
)
def test_what_overlaps_belongs_together_and_what_is_far_apart_does_not(
    starts: list[int], lengths: list[int | None], travel: int
) -> None:
    one, other = (
        Span(
            NOON + timedelta(minutes=start),
            None if length is None else NOON + timedelta(minutes=start + length),
        )
        for start, length in zip(starts, lengths, strict=True)
    )
    together = belongs(one, other, timedelta(minutes=travel), RULES)
    apart = abs(one.started - other.started)
    if apart > RULES.longest:
        assert not together
    elif (one.ended is None or one.ended >= other.started) and (
        other.ended is None or other.ended >= one.started
    ):
        assert together
    else:
        gap = max(
            other.started - (one.ended or other.started),
            one.started - (other.ended or one.started),
        )
        assert together <= (gap <= RULES.reopen + timedelta(minutes=travel))
