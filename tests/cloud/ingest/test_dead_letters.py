"""Dead letters: those of an alarm alarm by themselves, and all can be looked at and replayed."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode, urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest

from city_ingest import CityIngest
from cloud_city import GATEWAY, NOON, SECRET, City, alarm
from gateways import birth, event, observation
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cli import main
from vigil_cloud.devices import removal
from vigil_cloud.devices.models import Downlink
from vigil_cloud.devices.seen import enrol
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.timeseries.port import Series
from vigil_schemas.control import Receipt
from vigil_schemas.gateway import DeviceHealth

STRANGER = "gw-stranger"


def fire(city: City, gateway: str, sequence: int = 1, **more: Any) -> tuple[str, bytes]:
    data = alarm(city.time)
    payload = event(
        gateway, sequence, data, subject="alarm-9", time=city.time, lane="alarm", **more
    )
    return f"vigil/v1/{gateway}/alarm", payload


def letters(city: City, **params: Any) -> list[dict[str, Any]]:
    answer = city.client("maintainer").get("/api/v1/dead-letters", params=params)
    return list(answer.json()["dead_letters"])


def replay(city: City, number: int, who: str = "maintainer") -> Any:
    return city.client(who).post(f"/api/v1/dead-letters/{number}/replay")


def platform_alerts(city: City) -> list[tuple[str, str, bool]]:
    with city.services.sessions() as session:
        rows = session.query(AlertRow).filter(AlertRow.kind == "alarm-refused")
        return [(row.gateway, row.severity, row.active) for row in rows]


def test_a_strangers_fire_alarms_and_is_taken_once_it_was_added(city: City) -> None:
    """Given a gateway that nobody added, what it says is neither believed nor lost."""
    ingest = CityIngest(city)
    ingest.store(*fire(city, STRANGER))

    assert city.alerts("dispatcher", domain="smoke") == []
    ((told, data),) = ingest.told(STRANGER)
    assert told == f"/{STRANGER}/alarm/abcdef01"
    assert isinstance(data, Receipt)
    assert [one.reason for one in data.reasons] == ["unknown-gateway"]
    assert (data.stored, data.beyond, data.refused) == (0, [], 0), "it must not be deleted there"
    assert platform_alerts(city) == [(STRANGER, "critical", True)]
    (letter,) = letters(city, waiting=True)
    assert (letter["reason"], letter["alarm"], letter["whole"]) == ("unknown-gateway", True, True)
    refused = replay(city, letter["id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "still-refused")

    with city.services.sessions() as session:
        enrol(session, STRANGER, city.time)
        session.commit()
        asked = session.query(Downlink).filter_by(gateway=STRANGER).one()
        assert asked.payload["action"] == "resend_birth"
    answer = replay(city, letter["id"])
    assert (answer.status_code, answer.json()["settlement"]) == (200, "replayed")
    assert answer.json()["settled_by"] == "maintainer"
    (found,) = city.alerts("dispatcher", domain="smoke")
    assert found["severity"] == "critical"
    assert platform_alerts(city) == [(STRANGER, "critical", False)]
    assert letters(city, waiting=True) == []

    assert replay(city, letter["id"]).status_code == 200, "again does no harm"
    assert len(city.alerts("dispatcher", domain="smoke")) == 1


def test_what_is_no_alarm_of_a_stranger_is_kept_once_in_a_while(city: City) -> None:
    ingest = CityIngest(city)
    topic = f"vigil/v1/{STRANGER}/observation"
    for n in range(1, 6):
        ingest.store(topic, observation(STRANGER, n, device="s", time=city.time))

    assert len(letters(city)) == 1
    assert len(ingest.told(STRANGER)) == 1
    assert platform_alerts(city) == []


def test_readings_that_were_refused_are_replayed(city: City) -> None:
    """Given a device of another gateway that was meanwhile released."""
    ingest = CityIngest(city, GATEWAY, "gw-new")
    city.birth()
    topic = "vigil/v1/gw-new/observation"
    ingest.store(topic, observation("gw-new", 1, device="sonde-1", time=city.time))
    (letter,) = letters(city)
    assert letter["reason"] == "device-of-another"
    assert replay(city, letter["id"]).status_code == 409

    city.client("administrator").post("/api/v1/devices/sonde-1/release")
    assert replay(city, letter["id"], "administrator").status_code == 200

    series = Series("water", "gw-new", "sonde-1", "pH")
    assert city.services.timeseries.count(series, NOON, NOON + timedelta(hours=1)) == 1


def test_readings_from_the_future_stay_refused_when_that_time_has_come(city: City) -> None:
    """They would be stored as readings of another hour than that at which they were made."""
    ingest = CityIngest(city, GATEWAY)
    ahead = city.time + timedelta(hours=1)
    ingest.store(
        f"vigil/v1/{GATEWAY}/observation", observation(GATEWAY, 1, device="s-9", time=ahead)
    )
    city.later(hours=2)

    (letter,) = letters(city)
    answer = replay(city, letter["id"])
    assert (letter["reason"], answer.json()["code"]) == ("future-dated", "still-refused")
    assert "future-dated" in answer.json()["detail"]


def test_what_was_understood_in_part_is_replayed_when_it_can_be_read(city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    topic, payload = fire(city, GATEWAY)
    ingest.store(topic, payload.replace(b'"active":true', b'"active":true,"colour":"red"'))

    (found,) = city.alerts("dispatcher", domain="smoke")
    assert any("colour" in one for one in found["detail"]["shape_doubtful"])
    assert platform_alerts(city) == [], "its own alert stands"
    (letter,) = letters(city)
    assert letter["reason"] == "shape-doubtful"
    answer = replay(city, letter["id"])
    assert (answer.status_code, "colour" in answer.json()["detail"]) == (409, True)


def test_only_the_beginning_of_a_large_message_cannot_be_replayed(city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    ingest.store(f"vigil/v1/{GATEWAY}/event", b"x" * 100_000)

    (letter,) = letters(city)
    answer = replay(city, letter["id"])
    assert letter["whole"] is False
    assert (answer.status_code, answer.json()["code"]) == (409, "not-replayable")


def test_somebody_looked_and_nothing_follows(city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    ingest.store(f"vigil/v1/{GATEWAY}/alarm", b"\xff\x00rubbish")
    (letter,) = letters(city)
    assert platform_alerts(city) == [(GATEWAY, "critical", True)]

    answer = city.client("maintainer").post(f"/api/v1/dead-letters/{letter['id']}/dismiss")

    assert answer.json()["settlement"] == "dismissed"
    assert platform_alerts(city) == [(GATEWAY, "critical", False)]
    city.later(minutes=1)
    ingest.store(f"vigil/v1/{GATEWAY}/alarm", b"\xff\x00rubbish")
    (letter,) = letters(city, waiting=True)
    assert letter["count"] == 2
    assert platform_alerts(city) == [(GATEWAY, "critical", True)], "it waits again"


def test_an_alert_of_letters_that_were_removed_for_their_age_ends(city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    ingest.store(f"vigil/v1/{GATEWAY}/alarm", b"\xff\x00rubbish")
    city.later(days=city.settings.dead_letter_days + 1)

    ingest.forget()

    assert platform_alerts(city) == [(GATEWAY, "critical", False)]
    assert letters(city) == []


def test_refusals_are_told_to_a_gateway_that_understands(city: City) -> None:
    ingest = CityIngest(city, GATEWAY, "gw-old")
    for name, accepts in ((GATEWAY, [Receipt.TYPE]), ("gw-old", [])):
        born = birth(city.time, session=1, accepts=accepts)
        payload = event(name, None, born, subject=name, time=city.time, lane="status")
        ingest.store(f"vigil/v1/{name}/status", payload)
        topic = f"vigil/v1/{name}/event"
        ingest.store(topic, b'{"rubbish":')
        data = DeviceHealth(device="d", state="ok", since=city.time)
        for n in (1, 2, 3):
            payload = event(name, n, data, subject="d", time=city.time)
            ingest.store(topic, payload if n == 3 else payload.replace(b'"ok"', b'"odd"'))

    (_, new), (_, old) = ingest.told(GATEWAY)[-1], ingest.told("gw-old")[-1]
    assert isinstance(new, Receipt)
    assert (new.stored, new.refused, new.time) == (3, 2, city.time)
    assert [(one.reason, one.count) for one in new.reasons] == [
        ("malformed-json", 1),
        ("wrong-schema", 2),
    ]
    assert "state" in new.reasons[-1].detail
    assert not isinstance(old, Receipt)
    assert (old.stored, old.refused) == (3, 2)


def test_the_command_line_lists_shows_and_replays(
    city: City, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = CityIngest(city)
    ingest.store(*fire(city, STRANGER))
    for name, value in {
        "VIGIL_DATA_DIR": str(city.settings.data_dir),
        "VIGIL_SECRET_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)

    def ran(*arguments: str) -> tuple[int, str]:
        code = main(["dead-letters", *arguments])
        return code, capsys.readouterr().out

    code, listed = ran("list")
    letter = json.loads(listed)
    assert (code, letter["reason"]) == (0, "unknown-gateway")
    assert "alarm-9" in json.loads(ran("show", str(letter["id"]))[1])["payload"]
    assert ran("replay", str(letter["id"]))[0] == 2
    assert ran("replay", "999")[0] == 2

    with city.services.sessions() as session:
        enrol(session, STRANGER, city.time)
        session.commit()
    assert ran("replay", str(letter["id"]))[0] == 0
    assert ran("list") == (0, "")
    assert json.loads(ran("list", "--all")[1])["settled_by"] == "vigil-cloud"
    with city.services.sessions() as session:
        assert session.query(DeadLetter).count() == 1


def test_another_refused_alarm_is_told_to_whoever_acknowledged_the_first(city: City) -> None:
    """The acknowledgement was of what had been refused by then."""
    ingest = CityIngest(city, GATEWAY)
    topic = f"vigil/v1/{GATEWAY}/alarm"
    ingest.store(topic, b"\xff\x00rubbish")
    client = city.client("maintainer")

    def acknowledged() -> bool:
        (alert,) = (a for a in city.alerts("maintainer") if a["kind"] == "alarm-refused")
        return bool(alert["state"]["acknowledged"])

    def acknowledge() -> None:
        (alert,) = (a for a in city.alerts("maintainer") if a["kind"] == "alarm-refused")
        assert client.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={}).is_success

    acknowledge()
    ingest.store(topic, b"\xff\x00rubbish")
    assert acknowledged(), "the same message is no news"
    ingest.store(topic, b"\xff\x00other rubbish", b"\xff\x00rubbish")
    assert not acknowledged()
    acknowledge()
    city.later(seconds=5)
    ingest.store(topic, b"\xff\x00a third")
    assert not acknowledged()


@pytest.mark.parametrize("enrolment", ["", "source"])
def test_what_a_stolen_gateway_sends_calls_nobody(city: City, enrolment: str) -> None:
    ingest = CityIngest(city, GATEWAY)
    city.birth()
    with city.services.sessions() as session, session.begin():
        removal.revoke(session, GATEWAY, by="operator", now=city.time)
    topic, payload = fire(city, GATEWAY)
    if enrolment == "":  # nothing of it can be read
        payload = b"\xff\x00rubbish"

    ingest.store(topic, payload)

    assert platform_alerts(city) == []
    (letter,) = letters(city)
    assert letter["reason"] == "revoked-gateway"
    answer = replay(city, letter["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "still-refused")


CHECKIN = b'{"type":"city.vigil.checkin.visit.v1","subject":"door-7","data":{"tag":"epc:3034257B"}}'


@pytest.mark.parametrize(
    "payload",
    [
        CHECKIN,
        CHECKIN.decode().encode("utf-16"),
        CHECKIN.decode().encode("utf-16-be"),
        CHECKIN.decode().encode("utf-32"),
        CHECKIN.replace(b"checkin", b"\\u0063heck\\u0069n").replace(b"epc:", b"\\u0065pc:"),
        b'{"subject":"door-7","data_base64":"' + b64encode(CHECKIN) + b'"}',
        b'{"subject":"door-7","data_base64":"' + urlsafe_b64encode(CHECKIN).rstrip(b"=") + b'"}',
        zlib.compress(CHECKIN + bytes(range(256))),
    ],
    ids=["plain", "utf-16", "utf-16-be", "utf-32", "escaped", "base64", "base64url", "packed"],
)
def test_where_somebody_was_is_withheld_however_it_is_written(city: City, payload: bytes) -> None:
    CityIngest(city, GATEWAY).store(f"vigil/v1/{GATEWAY}/event", payload)
    (letter,) = letters(city)
    assert letter["payload"].startswith("(withheld")
