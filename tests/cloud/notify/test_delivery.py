"""Notifications over a real web hook and a real mail server: once, again, and to whom."""

from __future__ import annotations

import logging
import threading

import pytest
import structlog
from sqlalchemy import event, select

from cloud_city import NAME, City, alarm, exceedance, visit
from escalation_stage import fire
from servers import eventually, free_port
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.roles import Role
from vigil_cloud.log import set_up_logging
from vigil_cloud.notify.channels import BadChannel, put_channel, sync
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.progress import FEWEST_TRIES, pause_after
from vigil_cloud.notify.sending import without_secrets
from webhook import Hook, channel, deliveries


def test_a_fire_is_told_once_with_place_time_and_link(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    city.send(alarm(city.time), "alarm-1")  # the gateway sends it again
    assert deliveries(city, "dispatcher") == [("hook", "waiting", 0)]

    assert sender.deliver_due() == 1
    assert sender.deliver_due() == 0

    (told,) = hook.received
    assert told["title"] == "Smoke alarm at Chen home"
    assert "2026-03-01 12:00:00" in told["message"], "times are Taipei's"
    assert deliveries(city, "dispatcher") == [("hook", "sent", 1)]


def test_a_hook_that_fails_is_tried_again_ever_later_and_its_address_stays_secret(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    hook.status = 503
    city.send(alarm(city.time), "alarm-1")

    sender.deliver_due()
    (alert,) = city.alerts("dispatcher")
    (delivery,) = alert["deliveries"]
    assert delivery["state"] == "waiting"
    assert delivery["error"]
    assert "secret-path" not in delivery["error"]
    assert sender.deliver_due() == 0, "not before its pause is over"

    hook.status = 200
    city.time += pause_after(1)
    assert sender.deliver_due() == 1
    assert deliveries(city, "dispatcher") == [("hook", "sent", 2)]


def test_a_dead_hook_is_given_up_and_others_are_not_held_up(city: City, hook: Hook) -> None:
    channel(city, f"json://127.0.0.1:{free_port()}/", "dead", role=Role.INSPECTOR)
    channel(city, hook.url, role=Role.INSPECTOR)
    sender = NotificationSender(city.services)
    city.send(exceedance(city.time), "mic-1")

    for _ in range(FEWEST_TRIES):
        assert sender.deliver_due() >= 1
        assert len(hook.received) == 1
        city.later(minutes=10)
    city.later(hours=11)
    sender.deliver_due()

    assert sender.deliver_due() == 0
    assert deliveries(city, "inspector") == [
        ("dead", "failed", FEWEST_TRIES + 1),
        ("hook", "sent", 1),
    ]


def test_a_hook_that_hangs_holds_up_nobody_but_itself(city: City, hook: Hook) -> None:
    hanging = Hook()
    hanging.open.clear()
    channel(city, f"{hanging.url}?rto=60", "hanging", role=Role.DISPATCHER)
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    for number in range(3):
        city.send(alarm(city.time, id=f"alarm-000{number}"), "alarm-1")
    sender.plan_all()

    def told(which: Hook) -> bool:
        sender.start_due()
        return len(which.received) == 3

    eventually(lambda: told(hook), "all three told while the other hangs")
    assert hanging.received == []
    hanging.open.set()
    eventually(lambda: told(hanging), "the other's three")
    sender.wait()
    hanging.close()
    assert len(hanging.received) == 3, "each once"


def test_a_fire_is_told_before_what_is_less_urgent(either_city: City, hook: Hook) -> None:
    city = either_city
    channel(city, hook.url, role=Role.ADMINISTRATOR)
    for number in range(3):
        city.send(exceedance(city.time, f"exceedance-{number}"), "mic-1")
    city.later(seconds=1)
    city.send(alarm(city.time), "alarm-1")

    assert NotificationSender(city.services).deliver_due() == 4

    assert hook.received[0]["title"] == "Smoke alarm at Chen home"


def test_a_channel_that_cannot_be_opened_fails_alone(city: City, hook: Hook) -> None:
    with writing(city.services.sessions) as session:
        put_channel(
            session, Cipher("another secret"), name="old", url=hook.url, role=Role.DISPATCHER
        )
    channel(city, hook.url, role=Role.DISPATCHER)
    city.send(alarm(city.time), "alarm-1")
    sender = NotificationSender(city.services)
    sender.sync()

    sender.deliver_due()
    assert deliveries(city, "dispatcher") == [("old", "waiting", 1), ("hook", "sent", 1)]
    (alert,) = city.alerts("dispatcher")
    assert alert["deliveries"][0]["error"] == "undecipherable"


def test_channels_of_the_settings_are_sealed_again_with_a_new_secret_key(
    city: City, hook: Hook
) -> None:
    settings = city.settings.model_copy(update={"notify_urls": [hook.url]})
    assert sync(city.services.sessions, Cipher("another secret"), settings) == 1
    assert sync(city.services.sessions, city.cipher, settings) == 1
    assert sync(city.services.sessions, city.cipher, settings) == 0, "nothing is written again"
    city.send(alarm(city.time), "alarm-1")

    assert NotificationSender(city.services).deliver_due() == 1
    assert deliveries(city, "dispatcher") == [("settings 1", "sent", 1)]


@pytest.mark.parametrize("name", ["settings 1", "e-mail gate"])
def test_names_that_the_service_gives_are_refused(city: City, name: str) -> None:
    with pytest.raises(BadChannel):
        channel(city, "json://localhost/", name, role=Role.POLICE)


def test_nothing_of_a_message_or_an_address_is_logged(
    city: City, hook: Hook, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("debug")
    try:
        channel(city, hook.url, "mine", username="family")
        city.consent("family")
        hook.status = 503
        city.send(visit(city.time), "station-1")
        NotificationSender(city.services).deliver_due()
        with pytest.raises(BadChannel):
            channel(city, "mailto://user:hidden-password@", role=Role.POLICE)
    finally:
        logging.getLogger().handlers[:] = []
        logging.getLogger().setLevel(logging.WARNING)
        structlog.reset_defaults()

    logged = capfd.readouterr().err
    assert "not-delivered" in logged
    for secret in (NAME, "Temple gate", "secret-path", "hidden-password"):
        assert secret not in logged


@pytest.mark.parametrize(
    ("complaint", "told"),
    [
        ("cannot reach mailto://u:pw@host/x now", "cannot reach mailto://… now"),
        ("Max retries exceeded with url: /secret-path (x)", "Max retries exceeded with url: … (x)"),
        ("550 <fire@city.example> unknown", "550 <…@…> unknown"),
    ],
)
def test_complaints_are_told_without_secrets(complaint: str, told: str) -> None:
    assert without_secrets(complaint) == told


def test_a_sender_that_dies_with_a_delivery_leaves_it_to_the_next(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    city.send(alarm(city.time), "alarm-1")
    with city.services.sessions() as session:
        channel_id = session.scalars(select(Channel.id)).one()
    dying = NotificationSender(city.services)
    dying.plan_all()
    leased, _ = dying._lease(channel_id)  # and never sends it
    assert leased is not None

    other = NotificationSender(city.services)
    assert other.deliver_due() == 0, "still in the first one's hands"
    city.later(minutes=2)
    assert other.deliver_due() == 1
    assert hook.titles == ["REPEAT: Smoke alarm at Chen home"], "the first may have told it"


def test_two_senders_tell_each_fire_once(either_city: City, hook: Hook) -> None:
    city = either_city
    for number in range(4):
        channel(city, hook.url, f"hook {number}", role=Role.DISPATCHER)
    for number in range(12):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), "alarm-1")
    senders = [NotificationSender(city.services) for _ in range(2)]

    threads = [threading.Thread(target=sender.deliver_due) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert hook.titles == 4 * ["12 alerts: Smoke alarm at Chen home"]


def test_statements_do_not_grow_with_the_channels(city: City, hook: Hook) -> None:
    def statements(id: str) -> int:
        asked: list[str] = []
        event.listen(
            city.services.engine,
            "before_cursor_execute",
            heard := lambda _c, _u, statement, *_: asked.append(statement),
        )
        city.send(alarm(city.time, id=id), "alarm-1")
        event.remove(city.services.engine, "before_cursor_execute", heard)
        return len(asked)

    channel(city, hook.url, "first", role=Role.DISPATCHER)
    channel(city, hook.url, "second", username="dispatcher")
    few = statements("alarm-0001")
    for number in range(30):
        channel(city, hook.url, f"hook {number}", username="maintainer")

    assert statements("alarm-0002") <= few


def test_what_nobody_acknowledges_goes_to_the_next_channel(city: City, hook: Hook) -> None:
    channel(city, hook.url, "second line", role=Role.MAINTAINER, escalate_after_s=60)
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")

    assert sender.deliver_due() == 0
    city.later(seconds=60)
    assert sender.deliver_due() == 1

    assert "Nobody has acknowledged" in hook.received[0]["message"]
    (alert,) = city.alerts("dispatcher")
    assert [line["action"] for line in alert["history"]] == ["raised", "escalated"]


@pytest.mark.parametrize("taken_on", ["acknowledged", "over"])
def test_what_is_taken_on_is_not_escalated(city: City, hook: Hook, taken_on: str) -> None:
    channel(city, hook.url, "second line", role=Role.MAINTAINER, escalate_after_s=60)
    sender = NotificationSender(city.services)
    fire(city)  # its alert alone: what a fire calls for, its alarm does not end
    (alert,) = city.alerts("dispatcher")
    client = city.client("dispatcher")
    if taken_on == "acknowledged":
        client.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={})
    else:
        fire(city, active=False)

    city.later(seconds=60)
    sender.deliver_due()

    assert hook.received == []
    assert deliveries(city, "dispatcher") == [("second line", "skipped", 0)]


def test_only_critical_alerts_escalate(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR, escalate_after_s=60)
    city.send(exceedance(city.time), "mic-1")

    assert deliveries(city, "inspector") == []


@pytest.mark.parametrize("role", list(Role))
def test_no_role_channel_is_told_where_a_person_is(city: City, hook: Hook, role: Role) -> None:
    channel(city, hook.url, role=role)
    city.consent("family")
    city.send(visit(city.time), "station-1")

    NotificationSender(city.services).deliver_due()

    assert hook.received == []


def test_whereabouts_go_to_the_consented_relatives_own_channel_alone(
    city: City, hook: Hook
) -> None:
    other = Hook()
    city.account("stranger", Role.FAMILY)
    channel(city, hook.url, "mine", username="family")
    channel(city, other.url, "theirs", username="stranger")
    city.consent("family")
    city.send(visit(city.time), "station-1")
    sender = NotificationSender(city.services)

    sender.deliver_due()
    other.close()

    assert [told["title"] for told in hook.received] == [f"{NAME} is at Temple gate"]
    assert other.received == []
    assert deliveries(city, "family") == [("mine", "sent", 1)]


def test_a_consent_revoked_before_sending_stops_the_message(city: City, hook: Hook) -> None:
    channel(city, hook.url, username="family")
    city.guardian("family")
    consent = city.consent("family")
    city.send(visit(city.time), "station-1")

    city.client("family").delete(f"/api/v1/people/p1/consents/{consent}")
    NotificationSender(city.services).deliver_due()

    assert hook.received == []


def test_the_worker_sends_by_itself_while_the_application_serves(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    city.serve(lifespan=True)

    city.send(alarm(city.time), "alarm-1")

    eventually(lambda: hook.received, "the web hook's message")


def test_channels_must_have_an_owner_and_an_address(city: City) -> None:
    with pytest.raises(BadChannel):
        channel(city, "json://localhost/")
    with pytest.raises(BadChannel):
        channel(city, "no-such-service://x", role=Role.POLICE)
