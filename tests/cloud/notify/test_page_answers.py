"""A web page that says 200: the service's own, or of something in front of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_city import City, alarm
from reply_paths import fire
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify import page_answers, sending
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.page_answers import LEADS_AWAY, OTHER_HOST, SIGN_IN
from vigil_cloud.notify.sending import send
from vigil_cloud.notify.text import NotificationText
from webhook import Hook, channel, deliveries

HELLO = NotificationText("Smoke alarm at Chen home", "Time: now")
ASKED = "https://hooks.example/vigil"
PORTAL = b"""<!DOCTYPE html><html><head><title>Guest Wi-Fi</title></head><body>
<form action="/login" method="post"><input name="user"><input name=pw type='password'>
<button>Sign in</button></form></body></html>"""
SAML = b"""<html><body onload="document.forms[0].submit()"><form method="post"
action="https://sso.example/saml"><input type="hidden" name="SAMLRequest" value="PHNhbWw+"/>
<noscript><button>Continue</button></noscript></form></body></html>"""
WISPR = b"""<HTML><BODY>Please wait<!--<?xml version="1.0"?><WISPAccessGatewayParam>
<Redirect><MessageType>100</MessageType></Redirect></WISPAccessGatewayParam>--></BODY></HTML>"""
REFRESH = b"""<HTML><HEAD><TITLE>Web Authentication Redirect</TITLE>
<META http-equiv="refresh" content="1; URL=https://192.0.2.1/login.html?redirect=hooks.example/">
</HEAD><BODY>Please wait.</BODY></HTML>"""
SCRIPTED = b"""<html><body><script language="JavaScript">
window.location="http://192.0.2.1:1000/fgtauth?0204a1b2c3";</script></body></html>"""
THANKS = b"""<!doctype html><html><head><meta http-equiv="refresh" content="5; url=/done">
<script>if (top != self) { top.location = "/"; }</script></head>
<body><h1>Congratulations!</h1><p>You have fired the smoke event.</p></body></html>"""
SHORT = b"<html><body>OK</body></html>"


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (PORTAL, SIGN_IN),
        (PORTAL.decode().encode("utf-16"), SIGN_IN),
        (SAML, SIGN_IN),
        (WISPR, SIGN_IN),
        (REFRESH, LEADS_AWAY),
        (SCRIPTED, LEADS_AWAY),
        (THANKS, ""),
        (SHORT, ""),
        (b"", ""),
    ],
)
def test_what_a_page_says_of_itself(page: bytes, why: str) -> None:
    assert page_answers.not_of_the_service(ASKED, ASKED, page) == why


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        ("https://www.hooks.example/thanks", ""),
        ("http://hooks.example:8080/", ""),
        ("https://login.example/hooks.example", OTHER_HOST),
        ("https://login.hooks.example/", OTHER_HOST),
    ],
)
def test_a_page_of_another_host_is_not_the_services(answered: str, why: str) -> None:
    assert page_answers.not_of_the_service(ASKED, answered, THANKS) == why


@pytest.mark.parametrize(
    ("content_type", "body", "page"),
    [
        ("text/html; charset=utf-8", b"", True),
        ("APPLICATION/XHTML+XML", b"<html/>", True),
        ("", b"\n <!DOCTYPE HTML>", True),
        ("text/plain", b"<html>", True),
        ("application/json", b'{"html": "<html>"}', False),
        ("text/plain", b"ok", False),
        ("", b"", False),
    ],
)
def test_what_a_page_is(content_type: str, body: bytes, page: bool) -> None:
    assert page_answers.is_page(content_type, body) is page


@given(st.binary(max_size=400), st.sampled_from([b"<input ", b"<", b"<meta ", b"<script", b"<!--"]))
def test_any_bytes_are_looked_at(some: bytes, often: bytes) -> None:
    for body in (some, often * 20 + some, some + often * 20):
        page_answers.is_page("", body)
        page_answers.not_of_the_service(ASKED, ASKED, body)


def test_a_sign_in_page_in_front_of_a_hook_has_taken_nothing(hook: Hook) -> None:
    hook.headers, hook.body = {"Content-Type": "text/html"}, PORTAL

    answer = send(hook.url, HELLO)

    assert (answer.verdict, answer.error, answer.perhaps_told) == ("elsewhere", SIGN_IN, True)


def test_a_service_that_answers_with_a_page_of_its_own_is_told_once(city: City, hook: Hook) -> None:
    hook.headers, hook.body = {"Content-Type": "text/html"}, THANKS
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    for _ in range(5):
        sender.deliver_due()
        city.later(minutes=10)

    assert deliveries(city, "dispatcher") == [("hook", "sent", 1)]
    (delivery,) = fire(city)["deliveries"]
    told = (delivery["reason"], delivery["error"])
    assert told == ("web-page", sending.PAGE), "and what is not known of it is shown"


def test_a_sign_in_page_is_told_at_once_to_the_channels_owner_and_who_maintains_it(
    city: City, hook: Hook
) -> None:
    portal, upkeep = Hook(), Hook()
    portal.headers, portal.body = {"Content-Type": "text/html"}, PORTAL
    channel(city, portal.url, "pager", username="dispatcher")
    channel(city, hook.url, "mailbox", username="dispatcher", domains=["platform"])
    channel(city, upkeep.url, "upkeep", role=Role.MAINTAINER, domains=["platform"])
    sender = NotificationSender(city.services)
    city.send(alarm(city.time), "alarm-1")
    sender.deliver_due()
    city.later(seconds=90)
    sender.deliver_due()

    for told in (hook, upkeep):
        assert told.titles == ["Notifications through pager do not arrive"]
    assert "/alerts/" not in hook.received[0]["message"], "no page that its owner may not open"
    found = {one["channel"]: one for one in fire(city)["deliveries"]}
    assert (found["pager"]["state"], found["pager"]["reason"]) == ("waiting", "elsewhere")
    assert found["pager"]["error"] == SIGN_IN

    portal.headers, portal.body = {}, b""
    city.later(minutes=6)
    sender.deliver_due()

    assert portal.titles[-1] == "REPEAT: Smoke alarm at Chen home"
    assert {one["state"] for one in fire(city)["deliveries"]} == {"sent"}
    (about,) = [one for one in city.alerts("maintainer") if one["kind"] == "channel-failing"]
    assert not about["state"]["active"], "it works again"
    portal.close()
    upkeep.close()
