"""Commands and configurations: they wait, expire, are sent again, in the gateway's own version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_city import GATEWAY, City
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.sending import ASKED_FOR_THE_ANSWER, anything_waiting, send_waiting
from vigil_cloud.identity import districts
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_schemas.control import Command, CommandV1, Configuration, ConfigurationV1, Receipt
from vigil_schemas.envelope import decode
from vigil_schemas.gateway import (
    ChangedSetting,
    CommandResult,
    ConfigurationReport,
    GatewayDeath,
    RefusedConfiguration,
    SettingMistake,
)

NEW = [Receipt.TYPE, Command.TYPE, Configuration.TYPE]


class Broker:
    """Takes whatever is sent down, or refuses it."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.there = True
        self.sent: list[tuple[Any, bool]] = []

    def publish(self, _topic: str, payload: bytes, retain: bool) -> bool:
        if self.there:
            self.sent.append((decode(payload).data, retain))
        return self.there

    def run(self) -> list[Any]:
        """One turn of ingest's housekeeping; returns what it sent."""
        before = len(self.sent)
        now = self.city.time
        with self.city.services.sessions() as session:
            waiting = anything_waiting(session, now)
        with writing(self.city.services.sessions) as session:
            count = send_waiting(session, self.publish, now)
        assert waiting or not count
        return [data for data, _ in self.sent[before:]]


@pytest.fixture
def broker(city: City) -> Broker:
    return Broker(city)


def connect(city: City, session: int, accepts: list[str] | None = None, **keys: Any) -> None:
    city.birth(session=session, accepts=NEW if accepts is None else accepts, **keys)


def ask(city: City, action: str = "sample_now", **keys: Any) -> dict[str, Any]:
    body = {"action": action, **keys}
    answer = city.client("maintainer").post("/api/v1/devices/sonde-1/commands", json=body)
    assert answer.status_code == 202, answer.text
    entry: dict[str, Any] = answer.json()
    return entry


def shown(city: City) -> dict[str, Any]:
    path = f"/api/v1/gateways/{GATEWAY}/downlinks"
    newest: dict[str, Any] = city.client("maintainer").get(path).json()["downlinks"][0]
    return newest


def audited(city: City, action: str) -> list[tuple[str, str, Any]]:
    with city.services.sessions() as session:
        lines = session.query(AuditEntry).filter_by(action=action).order_by(AuditEntry.number)
        return [(line.account, line.subject, line.detail) for line in lines]


def test_a_command_waits_for_a_gateway_that_is_away(city: City, broker: Broker) -> None:
    connect(city, 2)
    city.send(GatewayDeath(session=2, clean=True), GATEWAY)
    sent = ask(city)

    assert broker.run() == []
    assert (shown(city)["sent"], shown(city)["answered"]) == (None, None)

    connect(city, 3)
    (command,) = broker.run()
    assert isinstance(command, Command)
    assert (command.command_id, command.action, command.device) == (
        sent["id"],
        "sample_now",
        "sonde-1",
    )
    assert not broker.sent[-1][1]  # commands are never retained


def test_an_unanswered_command_is_sent_again_and_the_answer_ends_that(
    city: City, broker: Broker
) -> None:
    connect(city, 2)
    sent = ask(city)
    assert len(broker.run()) == 1
    assert broker.run() == []
    city.time += timedelta(seconds=31)
    assert len(broker.run()) == 1
    connect(city, 3)  # it was away for a moment: what was on its way may be lost
    assert len(broker.run()) == 1

    city.send(CommandResult(command_id=sent["id"], accepted=True, message="sampled"), GATEWAY)
    city.time += timedelta(seconds=3000)
    assert broker.run() == []
    assert (shown(city)["accepted"], shown(city)["message"]) == (True, "sampled")
    assert audited(city, "command.sent") == [
        ("maintainer", "sonde-1", {"id": sent["id"], "what": "sample_now", "of": "device"})
    ]
    assert audited(city, "command.answered") == [
        (GATEWAY, "sonde-1", {"id": sent["id"], "accepted": True, "code": "ok", "of": "device"})
    ]


@pytest.mark.parametrize(("reached", "code"), [(False, "not-reached"), (True, "no-answer")])
def test_a_command_expires(city: City, broker: Broker, reached: bool, code: str) -> None:
    connect(city, 2)
    if not reached:
        city.send(GatewayDeath(session=2, clean=True), GATEWAY)
    sent = ask(city, expires_in_s=60)
    assert len(broker.run()) == int(reached)
    city.time += timedelta(seconds=61)

    assert broker.run() == []
    assert (shown(city)["accepted"], shown(city)["code"]) == (False, code)
    connect(city, 3)
    assert broker.run() == []
    if reached:  # its answer waited in the gateway's outbox, and says what really happened
        city.send(CommandResult(command_id=sent["id"], accepted=True), GATEWAY)
        assert (shown(city)["accepted"], shown(city)["code"]) == (True, "ok")


def test_a_broker_that_is_away_costs_nothing(city: City, broker: Broker) -> None:
    connect(city, 2)
    broker.there = False
    ask(city)
    assert broker.run() == []
    assert shown(city)["sent"] is None
    broker.there = True
    assert len(broker.run()) == 1


def test_a_gateway_of_before_gets_what_it_knows(city: City, broker: Broker) -> None:
    connect(city, 2, accepts=[Receipt.TYPE])
    ask(city, "restart_source")
    (command,) = broker.run()
    assert isinstance(command, CommandV1)
    assert (command.action, command.device) == ("restart_source", "sonde-1")

    city.time += timedelta(seconds=1)
    ask(city)
    assert broker.run() == []
    assert (shown(city)["accepted"], shown(city)["code"]) == (False, "gateway-too-old")

    path = f"/api/v1/gateways/{GATEWAY}/configurations"
    body = {"health_interval_s": 30, "paused_devices": ["mic-1"]}
    assert city.client("maintainer").post(path, json=body).status_code == 202
    ((configuration, retained),) = [(each, broker.sent[-1][1]) for each in broker.run()]
    assert configuration == ConfigurationV1(
        revision=1, health_interval_s=30, paused_devices=["mic-1"]
    )
    assert retained


def test_a_gateway_that_learned_more_gets_the_configuration_again(
    city: City, broker: Broker
) -> None:
    connect(city, 2, accepts=[])
    path = f"/api/v1/gateways/{GATEWAY}/configurations"
    city.client("maintainer").post(path, json={"settings": {"sonde-1": {"name": "Weir"}}})
    assert broker.run() == []
    assert shown(city)["code"] == "gateway-too-old"

    connect(city, 3)
    (configuration,) = broker.run()
    assert configuration == Configuration(revision=1, settings={"sonde-1": {"name": "Weir"}})


def report(revision: int = 0, **keys: Any) -> ConfigurationReport:
    settings = {"sonde-1": {"name": "Weir", "interval_s": 60.0, "signal.pH.high": None}}
    fields = {"revision": revision, "in_force": revision > 0, "settings": settings, **keys}
    return ConfigurationReport.model_validate(fields)


def change(city: City, revision: int, **settings: Any) -> Any:
    return city.client("maintainer").patch(
        "/api/v1/devices/sonde-1/settings", json={"revision": revision, "settings": settings}
    )


def settings_of(city: City) -> dict[str, Any]:
    answer = city.client("maintainer").get("/api/v1/devices/sonde-1/settings")
    settings: dict[str, Any] = answer.json()
    return settings


def test_a_device_is_changed_from_the_cloud_and_says_what_is_in_force(
    city: City, broker: Broker
) -> None:
    connect(city, 2)
    city.send(report(), GATEWAY)
    assert {each["key"] for each in settings_of(city)["settings"]} == {
        "name",
        "interval_s",
        "signal.pH.high",
    }

    assert change(city, 0, **{"signal.pH.high": 8.5}).status_code == 202
    assert change(city, 0, name="Late").json()["code"] == "configuration-moved"
    assert change(city, 1, interval_s=30).status_code == 202
    assert change(city, 2, address="evil:502").json()["code"] == "setting-unknown"
    assert change(city, 2, **{"a b": 1}).status_code == 422
    (configuration,) = broker.run()  # the newest alone
    assert configuration == Configuration(
        revision=2, settings={"sonde-1": {"signal.pH.high": 8.5, "interval_s": 30}}
    )

    now = {"sonde-1": {"name": "Weir", "interval_s": 30, "signal.pH.high": 8.5}}
    changed = [
        ChangedSetting(device="sonde-1", key="interval_s", file=60.0),
        ChangedSetting(device="sonde-1", key="signal.pH.high"),
    ]
    city.send(CommandResult(command_id="config-2", accepted=True), GATEWAY)
    city.send(report(2, settings=now, cloud=changed, edited=changed[:1]), GATEWAY)
    said = settings_of(city)
    assert (said["revision"], said["reported_revision"], said["in_force"]) == (2, 2, True)
    by_key = {each["key"]: each for each in said["settings"]}
    assert by_key["interval_s"] == {
        "key": "interval_s",
        "value": 30,
        "wanted": 30,
        "file": 60.0,
        "by_cloud": True,
        "edited": True,
    }
    assert not by_key["name"]["by_cloud"]

    assert change(city, 2, interval_s=None).status_code == 202
    (configuration,) = broker.run()
    assert configuration.settings == {"sonde-1": {"signal.pH.high": 8.5}}
    assert [line[0] for line in audited(city, "config.sent")] == ["maintainer"] * 3


def test_a_refusal_is_shown_where_the_change_was_asked_for(city: City) -> None:
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=-1)
    mistake = SettingMistake(key="water[0].interval_s", message="should be greater than 0")
    said = "water[0].interval_s: should be greater than 0"
    city.send(
        CommandResult(
            command_id="config-1", accepted=False, code="bad-configuration", message=said
        ),
        GATEWAY,
    )
    refused = RefusedConfiguration(revision=1, mistakes=[mistake])
    city.send(report(1, in_force=False, refused=refused), GATEWAY)

    shown_now = settings_of(city)
    assert (shown_now["accepted"], shown_now["message"]) == (False, said)
    assert shown_now["mistakes"] == [mistake.model_dump()]
    whole = city.client("maintainer").get(f"/api/v1/gateways/{GATEWAY}/configuration").json()
    assert whole["wanted"]["code"] == "bad-configuration"
    assert whole["reported"]["refused"]["revision"] == 1


def test_a_change_of_descriptions_within_a_session_is_taken(city: City) -> None:
    client = city.client("administrator")
    connect(city, 2, description=1)
    client.post("/api/v1/devices/mic-1/release")
    described = {"device": "sonde-1", "domain": "water", "driver": "modbus-tcp", "name": "Weir"}
    other = {"device": "mic-1", "domain": "noise", "driver": "wav", "name": "Mine again"}
    connect(city, 2, description=2, devices=[{**described, "commands": ["sample_now"]}, other])

    device = client.get("/api/v1/devices/sonde-1").json()
    assert (device["name"], device["commands"]) == ("Weir", ["sample_now"])
    assert client.get("/api/v1/devices/mic-1").json()["name"] != "Mine again"  # released, and so
    connect(city, 2, description=1, devices=[described | {"name": "Of before"}])
    assert client.get("/api/v1/devices/sonde-1").json()["name"] == "Weir"


def test_a_gateway_that_knows_an_older_revision_gets_the_newest_again(
    city: City, broker: Broker
) -> None:
    """Given another box under its name, whose broker lost what it had retained."""
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    broker.run()
    city.send(CommandResult(command_id="config-1", accepted=True), GATEWAY)
    city.send(report(1), GATEWAY)
    assert broker.run() == []

    city.later(minutes=5)
    city.send(report(0), GATEWAY)
    (again,) = broker.run()
    assert (again.revision, again.settings) == (1, {"sonde-1": {"interval_s": 30}})
    assert settings_of(city)["accepted"] is None, "what the other box said counts no more"
    city.send(CommandResult(command_id="config-1", accepted=True), GATEWAY)
    city.send(report(1), GATEWAY)
    assert broker.run() == []
    assert settings_of(city)["accepted"] is True


def test_a_configuration_that_never_left_ingest_goes_again(city: City, broker: Broker) -> None:
    """Handed to the broker's client as ingest is killed."""
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    (lost,) = broker.run()
    assert broker.run() == []
    city.later(seconds=30)
    assert broker.run() == [lost]
    city.later(seconds=59)
    assert broker.run() == []
    city.later(seconds=1)
    assert broker.run() == [lost], "after pauses that grow"
    city.send(CommandResult(command_id="config-1", accepted=True), GATEWAY)
    city.later(hours=1)
    connect(city, 3)
    assert broker.run() == []


def test_whoever_knows_a_configuration_is_asked_for_its_answer_and_not_for_ever(
    city: City, broker: Broker
) -> None:
    """It may be lost with an outbox; the software of before answers no configuration twice."""
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    broker.run()
    city.send(report(1), GATEWAY)
    asked = 0
    for _ in range(300):
        city.later(minutes=1)
        asked += len(broker.run())
    assert asked == ASKED_FOR_THE_ANSWER

    connect(city, 3)
    assert len(broker.run()) == 1, "a new connection is asked again"
    city.send(CommandResult(command_id="config-1", accepted=True, message="read"), GATEWAY)
    assert (settings_of(city)["accepted"], settings_of(city)["message"]) == (True, "read")
    city.later(hours=2)
    assert broker.run() == []


def test_a_revision_that_was_never_answered_says_that_a_newer_one_took_its_place(
    city: City, broker: Broker
) -> None:
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    broker.run()
    change(city, 1, interval_s=40)
    path = f"/api/v1/gateways/{GATEWAY}/configurations"

    def codes() -> list[str | None]:
        found = city.client("maintainer").get(path).json()["revisions"]
        return [one["code"] for one in found]

    assert codes() == [None, "superseded"]
    city.send(CommandResult(command_id="config-1", accepted=True), GATEWAY)
    assert codes() == [None, "ok"], "it was on its way"
    (newest,) = broker.run()
    assert newest.revision == 2


def test_a_configuration_is_retained_for_a_gateway_that_is_away(city: City, broker: Broker) -> None:
    connect(city, 2)
    city.send(report(), GATEWAY)
    city.send(GatewayDeath(session=2, clean=True), GATEWAY)
    change(city, 0, interval_s=30)
    (wanted,) = broker.run()
    city.later(hours=1)
    assert broker.run() == [], "it hears of it from the broker"
    connect(city, 3)
    assert broker.run() == [wanted]


def test_what_somebody_dropped_at_the_gateway_stays_dropped(city: City, broker: Broker) -> None:
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    broker.run()
    city.send(report(1, in_force=False, dropped=True), GATEWAY)
    assert broker.run() == []


def test_the_answer_to_what_somebody_dropped_is_asked_for_as_well(
    city: City, broker: Broker
) -> None:
    """Given a lost answer, `vigil-edge config reset`, and a new connection, whose birth and report
    come together."""
    connect(city, 2)
    city.send(report(), GATEWAY)
    change(city, 0, interval_s=30)
    broker.run()
    connect(city, 3)
    city.send(report(1, in_force=False, dropped=True), GATEWAY)
    assert [one.revision for one in broker.run()] == [1]

    code = "configuration-dropped"
    city.send(CommandResult(command_id="config-1", accepted=False, code=code), GATEWAY)
    city.send(report(1, in_force=False, dropped=True), GATEWAY)
    assert settings_of(city)["accepted"] is False
    city.later(hours=2)
    assert broker.run() == []


def test_a_revision_is_above_all_that_the_gateway_knows(city: City, broker: Broker) -> None:
    """Given tables that were put back to a time before the gateway's newest revision."""
    connect(city, 2)
    city.send(report(7), GATEWAY)
    assert change(city, 0, interval_s=30).status_code == 202
    (configuration,) = broker.run()
    assert configuration.revision == 8


def test_nobody_works_on_a_device_of_another_district_through_its_gateway(city: City) -> None:
    """Given a gateway in the east with a sonde in the west, and somebody who keeps the east."""
    connect(city, 2)
    city.send(report(), GATEWAY)
    city.account("east", Role.MAINTAINER)
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="operator", now=city.time)
        districts.place(session, "gateway", GATEWAY, "east", by="operator", now=city.time)
        districts.place(session, "device", "sonde-1", "west", by="operator", now=city.time)
        account = account_named(session, "east")
        districts.limit(session, account, ["east"], by="operator", now=city.time)
    client = city.client("east")
    gateway = f"/api/v1/gateways/{GATEWAY}"

    command = {"action": "sample_now", "device": "sonde-1"}
    settings = {"settings": {"sonde-1": {"signal.pH.high": 14.0}}}
    for path, body in (
        ("commands", command),
        ("configurations", settings),
        ("configurations", {"paused_devices": ["sonde-1"]}),
    ):
        answer = client.post(f"{gateway}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-device"), path
    assert client.post(f"{gateway}/commands", json={"action": "report_health"}).is_success
