"""Web Push against a service that decrypts and verifies: who is told what, and until when."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud_city import NAME, City, alarm, visit
from fire_town import Home
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import secret_key
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import remove_account
from vigil_cloud.notify import subscriptions
from vigil_cloud.notify.channels import BadChannel, put_channel
from vigil_cloud.notify.models import Channel, PushKey, PushSubscription, ReplyLink
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.web_push import addresses, vapid
from vigil_cloud.notify.web_push.addresses import is_allowed
from vigil_cloud.notify.web_push.encryption import LONGEST, encrypt
from vigil_cloud.notify.web_push.note import Note
from vigil_sim.push.service import CURVE, Browser, PushService, decoded, decrypt
from webhook import deliveries

SUBSCRIPTION = "/api/v1/push/subscription"


@pytest.fixture
def service() -> Iterator[PushService]:
    made = PushService()
    yield made
    made.close()


@pytest.fixture
def pushing(populated_folder: Path, tmp_path: Path, service: PushService) -> Iterator[City]:
    """A city whose browsers subscribe at the service."""
    folder = Path(shutil.copytree(populated_folder, tmp_path / "pushing"))
    made = City(folder, push_services=[service.origin])
    yield made
    made.close()


def subscribed(
    city: City, service: PushService, who: str = "dispatcher", name: str = ""
) -> Browser:
    browser = Browser(service, name or who)
    answer = city.client(who).put(SUBSCRIPTION, json=browser.subscription)
    assert answer.status_code == 204, answer.text
    return browser


def count(city: City, model: type) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def send(city: City) -> int:
    return NotificationSender(city.services).deliver_due()


# --- RFC 8291, 5 ---

VECTOR = {
    "plaintext": "V2hlbiBJIGdyb3cgdXAsIEkgd2FudCB0byBiZSBhIHdhdGVybWVsb24",
    "sender": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
    "receiver": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "public": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6S"
    "RpkNtoIAiw4",
    "salt": "DGv6ra1nlYgDCS1FRnbzlw",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "body": "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
}


def private(number: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decoded(number), "big"), CURVE)


def test_the_example_of_the_rfc_is_encrypted_to_the_last_byte() -> None:
    body = encrypt(
        decoded(VECTOR["plaintext"]),
        decoded(VECTOR["public"]),
        decoded(VECTOR["auth"]),
        salt=decoded(VECTOR["salt"]),
        private=private(VECTOR["sender"]),
    )
    assert body == decoded(VECTOR["body"])
    assert decrypt(body, private(VECTOR["receiver"]), decoded(VECTOR["auth"])) == (
        b"When I grow up, I want to be a watermelon"
    )


@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=LONGEST))
def test_what_is_encrypted_is_decrypted_and_fits_into_one_record(content: bytes) -> None:
    body = encrypt(content, decoded(VECTOR["public"]), decoded(VECTOR["auth"]))
    assert decrypt(body, private(VECTOR["receiver"]), decoded(VECTOR["auth"])) == content


def test_what_is_too_long_is_refused_and_a_notes_text_is_cut() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        encrypt(bytes(LONGEST + 1), decoded(VECTOR["public"]), decoded(VECTOR["auth"]))
    content = Note("火警" * 100, "廚房" * 5000, "/alerts", "zh-TW").content()
    assert len(content) <= LONGEST
    assert json.loads(content)["body"].startswith("廚房")


# --- where the cloud may be made to post to ---

NAMED = ("https://fcm.googleapis.com", "https://*.push.example", "http://10.0.0.5:8080")


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc:def-_", True),
        ("https://FCM.googleapis.com:443/x", True),
        ("https://a.push.example/x", True),
        ("https://a.b.push.example/x?token=1", True),
        ("http://10.0.0.5:8080/push/1", True),
        ("http://10.0.0.5/push/1", False),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evil.example/fcm.googleapis.com", False),
        ("https://fcm.googleapis.com@evil.example/x", False),
        ("https://evil.example#@fcm.googleapis.com/x", False),
        ("https://evil.example\\@fcm.googleapis.com/x", False),
        ("https://push.example/x", False),
        ("https://.push.example/x", False),
        ("https://evilpush.example/x", False),
        ("https://127.0.0.1/x", False),
        ("https://[::1]/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("gopher://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com:99999/x", False),
        ("https://[fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com/\r\nX: y", False),
        ("https://fcm.googleapis.com/" + "x" * 2000, False),
        ("", False),
    ],
)
def test_only_services_that_the_operator_names_are_posted_to(endpoint: str, allowed: bool) -> None:
    assert is_allowed(endpoint, NAMED) is allowed


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_text_leads_elsewhere(text: str) -> None:
    if is_allowed(text, NAMED):
        assert text.lower().startswith(("https://", "http://10.0.0.5:8080"))


def test_a_browser_of_another_service_is_refused_and_so_are_bad_keys(
    pushing: City, service: PushService
) -> None:
    browser = Browser(service, "one").subscription
    client = pushing.client("dispatcher")
    elsewhere = {**browser, "endpoint": "http://127.0.0.1:1/x"}
    off_curve = {**browser, "keys": {**browser["keys"], "p256dh": "BA" + "A" * 85}}
    short = {**browser, "keys": {**browser["keys"], "auth": "AAAA"}}
    for body in (elsewhere, off_curve, short):
        answer = client.put(SUBSCRIPTION, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-subscription")
    assert count(pushing, PushSubscription) == 0


def test_no_channel_of_a_seed_is_a_browsers(pushing: City, service: PushService) -> None:
    address = addresses.Subscription(f"{service.origin}/x", "a", "b").address()
    for name, url in (("hook", address), ("push dispatcher 0", "json://127.0.0.1/")):
        with writing(pushing.services.sessions) as session, pytest.raises(BadChannel):
            put_channel(session, pushing.cipher, name=name, url=url, role=Role.DISPATCHER)


# --- what is told ---


def test_a_fire_is_told_to_a_browser_with_place_time_and_buttons(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    pushing.send(alarm(pushing.time), "alarm-1")

    assert send(pushing) == 1
    assert send(pushing) == 0

    (told,) = browser.told
    assert service.refused == []
    assert (told.headers["urgency"], told.headers["ttl"]) == ("high", str(4 * 3600))
    assert told.note["title"] == "Smoke alarm at Chen home"
    assert "2026-03-01 12:00:00" in told.note["body"], "times are Taipei's"
    assert told.note["tag"] == told.headers["topic"]
    assert [one["action"] for one in told.note["actions"]] == ["accepted", "open"]
    assert not any(one["act"] for one in told.note["actions"])
    assert told.note["url"].startswith("/r/")
    page = pushing.anonymous().get(told.note["url"])
    assert (page.status_code, "Smoke alarm at Chen home" in page.text) == (200, True)
    ((name, state, attempts),) = deliveries(pushing, "dispatcher")
    assert (name[:16], state, attempts) == ("push dispatcher ", "sent", 1)


def test_a_home_says_from_the_locked_screen_that_it_burns(
    pushing: City, service: PushService
) -> None:
    Home(pushing)
    browser = subscribed(pushing, service, "resident")
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)

    (told,) = browser.told
    burns, safe = told.note["actions"]
    assert (burns["action"], burns["act"]) == ("burns", True)
    assert (safe["action"], safe["act"]) == ("false-alarm", False), "the page asks for the code"
    pressed = pushing.anonymous().post(burns["url"])
    assert pressed.status_code == 303
    with pushing.services.sessions() as session:
        assert session.scalars(select(ReplyLink.answer)).one() == "burns"


def test_whereabouts_stand_on_no_locked_screen(pushing: City, service: PushService) -> None:
    pushing.account("relative", Role.FAMILY)
    pushing.consent("relative")
    browser = subscribed(pushing, service, "relative")
    pushing.send(visit(pushing.time), "station-1")

    assert send(pushing) == 1

    (told,) = browser.told
    shown = json.dumps(told.note, ensure_ascii=False)
    assert NAME not in shown
    assert "Temple" not in shown
    assert "廟口" not in shown
    assert told.note["title"].endswith("Check-in: there is news")


def test_the_all_clear_takes_the_place_of_the_alarm(pushing: City, service: PushService) -> None:
    browser = subscribed(pushing, service)
    for active in (True, False):
        weak = alarm(pushing.time, active=active, condition="battery_alert")
        pushing.send(weak, "alarm-1")
        send(pushing)
        pushing.later(minutes=3)

    first, second = browser.told
    assert second.note["title"].startswith("ALL CLEAR")
    assert first.headers["topic"] == second.headers["topic"]


def test_a_service_that_asks_for_a_pause_is_given_it(pushing: City, service: PushService) -> None:
    browser = subscribed(pushing, service)
    service.status, service.headers = 429, {"Retry-After": "40"}
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert [state for _, state, _ in deliveries(pushing, "dispatcher")] == ["waiting"]

    service.status, service.headers = 201, {}
    pushing.later(seconds=39)
    assert send(pushing) == 0
    pushing.later(seconds=2)
    assert send(pushing) == 1
    assert len(browser.told) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_has_left_is_forgotten_and_its_alert_says_so(
    pushing: City, service: PushService, status: int
) -> None:
    subscribed(pushing, service)
    service.status = status
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)

    assert count(pushing, PushSubscription) == 0
    (alert,) = pushing.alerts("dispatcher")
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("failed", "gone")
    with pushing.services.sessions() as session:
        channel = session.scalars(select(Channel)).one()
        assert not channel.enabled
        assert pushing.cipher.open("channel.url", channel.url) == "", "and its address with it"
        subscriptions.prune(session, pushing.time)
        assert session.scalar(select(func.count()).select_from(Channel)) == 1, "an alert names it"


def test_a_service_that_leads_elsewhere_is_not_followed(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    service.status, service.headers = 307, {"Location": f"{service.origin}{browser.path}"}
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    (alert,) = pushing.alerts("dispatcher")
    assert [one["reason"] for one in alert["deliveries"]] == ["refused"]
    assert browser.told == []


def test_a_service_that_is_named_no_longer_is_not_asked(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    pushing.settings.push_services.clear()
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert browser.told == []
    assert count(pushing, PushSubscription) == 0


# --- for how long ---


def test_the_same_browser_is_subscribed_once_and_belongs_to_one_account(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    for _ in range(2):
        assert (
            pushing.client("dispatcher").put(SUBSCRIPTION, json=browser.subscription).status_code
            == 204
        )
    assert count(pushing, PushSubscription) == 1
    assert pushing.client("dispatcher").get("/api/v1/push").json()["on"] is True

    pushing.client("administrator").put(SUBSCRIPTION, json=browser.subscription)
    assert count(pushing, PushSubscription) == 1
    assert pushing.client("dispatcher").get("/api/v1/push").json()["on"] is False


def test_signing_out_ends_what_this_browser_is_told_and_no_other(
    pushing: City, service: PushService
) -> None:
    left = subscribed(pushing, service, name="left")
    leaving = pushing.client("dispatcher")
    pushing._clients["elsewhere"] = pushing._clients.pop("dispatcher")
    stays = subscribed(pushing, service, name="stays")
    assert leaving.delete("/api/v1/session").status_code == 204
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert (len(left.told), len(stays.told)) == (0, 1)

    assert pushing.client("dispatcher").delete("/api/v1/sessions").status_code == 204
    assert count(pushing, PushSubscription) == 0


def test_a_session_that_runs_out_leaves_a_home_its_alarms(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    pushing.later(days=8)
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert len(browser.told) == 1


def test_a_link_of_a_browser_that_signed_out_answers_nothing(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    pushing.client("dispatcher").delete("/api/v1/session")
    (told,) = browser.told
    assert pushing.anonymous().post(f"{told.note['url']}/accepted").status_code == 404
    assert count(pushing, ReplyLink) == 0


def test_an_account_that_is_removed_or_changes_its_password_is_told_no_more(
    pushing: City, service: PushService
) -> None:
    pushing.account("leaver", Role.DISPATCHER)
    gone = subscribed(pushing, service, "leaver")
    with writing(pushing.services.sessions) as session:
        remove_account(session, "leaver", by="administrator", now=pushing.time)
    assert count(pushing, PushSubscription) == 0
    assert count(pushing, Channel) == 0
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert gone.told == []


def test_an_account_has_a_bounded_number_of_browsers(
    pushing: City, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST", 2)
    browsers = [subscribed(pushing, service, name=f"browser-{number}") for number in range(3)]
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert [len(one.told) for one in browsers] == [0, 1, 1]
    with pushing.services.sessions() as session:
        actions = session.scalars(
            select(AuditEntry.action).where(AuditEntry.action.startswith("push."))
        ).all()
    assert actions == ["push.begun"] * 3 + ["push.ended"]


def test_a_browser_that_comes_back_is_the_newest_whatever_its_channel(
    pushing: City, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its channel's row was kept, as an alert says that it was told: its number is the lowest."""
    monkeypatch.setattr(subscriptions, "MOST", 2)
    browsers = []
    for number in range(3):
        browsers.append(subscribed(pushing, service, name=f"browser-{number}"))
        pushing.send(alarm(pushing.time, id=f"alarm-000{number}"), "alarm-1", f"gw-{number}")
        send(pushing)
        pushing.later(minutes=1)
    back = pushing.client("dispatcher").put(SUBSCRIPTION, json=browsers[0].subscription)
    assert back.status_code == 204
    before = [len(one.told) for one in browsers]

    pushing.send(alarm(pushing.time, id="alarm-0009"), "alarm-1", "gw-9")
    send(pushing)

    assert [len(one.told) for one in browsers] == [before[0] + 1, before[1], before[2] + 1]


# --- the key ---


def test_the_key_is_made_once_sealed_and_survives_a_change_of_the_secret_key(
    pushing: City, service: PushService
) -> None:
    browser = subscribed(pushing, service)
    public = pushing.client("dispatcher").get("/api/v1/push").json()["public_key"]
    assert pushing.client("administrator").get("/api/v1/push").json()["public_key"] == public
    assert (len(decoded(public)), decoded(public)[0]) == (65, 4)
    pushing.send(alarm(pushing.time), "alarm-1")
    send(pushing)
    assert (service.key, len(browser.told)) == (public, 1)

    new = Cipher("another secret of more than thirty-two characters")
    with writing(pushing.services.sessions) as session:
        stored = session.scalars(select(PushKey.private)).one()
        kept = subscriptions.private_key(session, pushing.cipher, pushing.time)
        assert kept not in stored
        secret_key.rotate(session, pushing.cipher, new, by="administrator", now=pushing.time)
        assert subscriptions.private_key(session, new, pushing.time) == kept
    assert vapid.public_key(kept) == public


def test_a_token_names_one_service_and_ends_within_a_day() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    header = vapid.headers(vapid.new_key(), "https://push.example/x", "", now)["Authorization"]
    claims = json.loads(decoded(header.partition("t=")[2].split(".")[1]))
    assert claims["aud"] == "https://push.example"
    assert now.timestamp() < claims["exp"] <= (now + timedelta(days=1)).timestamp()


def test_without_services_there_is_no_web_push(city: City) -> None:
    city.settings.push_services.clear()
    said = city.client("dispatcher").get("/api/v1/push").json()
    assert said == {"public_key": None, "on": False, "browsers": 0}
    assert count(city, PushKey) == 0
    assert count(city, AlertRow) == 0
