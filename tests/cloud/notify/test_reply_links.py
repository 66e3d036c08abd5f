"""One-time links: opening changes nothing, a press answers once, nothing else does."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud_city import NAME, City, alarm, excursion, visit
from reply_paths import PUBLIC, fire, links, told
from sql import statements
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.database.registry import metadata
from vigil_cloud.identity import households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account, AuditEntry, HouseholdMember, LoginAttempt
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify import replies, reply_links
from vigil_cloud.notify.models import Channel, ReplyLink
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.smoke.live import Watch
from webhook import Hook, channel


def everything(city: City) -> dict[str, int]:
    """How many rows each table has, and what each says."""
    with city.services.sessions() as session:
        return {
            table.name: hash(str(session.execute(select(table)).all()))
            for table in metadata().sorted_tables
        }


def test_a_message_offers_its_answers_and_the_page_is_headed_by_the_alert(
    linked: City, hook: Hook
) -> None:
    paths = told(linked, hook)
    assert set(paths) == {"accepted", "declined"}

    page = linked.anonymous().get(paths["accepted"])

    assert page.status_code == 200
    assert "<h1>Smoke alarm at Chen home</h1>" in page.text
    assert "call 119" in page.text
    assert 'method="post"' in page.text
    assert "<script" not in page.text
    chinese = linked.anonymous().get(paths["accepted"], params={"lang": "zh-TW"}).text
    assert '<html lang="zh-TW">' in chinese
    assert "<h1>陳宅 火災警報</h1>" in chinese
    assert "我來處理" in chinese


def test_its_page_is_kept_out_of_caches_frames_searches_and_referrers(
    linked: City, hook: Hook
) -> None:
    page = linked.anonymous().get(told(linked, hook)["accepted"])
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "set-cookie" not in page.headers


def test_a_hundred_previews_change_nothing(linked: City, hook: Hook) -> None:
    paths = told(linked, hook)
    browser, before = linked.anonymous(), everything(linked)

    for number in range(100):
        method = "HEAD" if number % 3 == 0 else "GET"
        for path in (paths["accepted"], paths["declined"], paths["accepted"].rpartition("/")[0]):
            assert browser.request(method, path).status_code == 200
    with statements(linked.services.engine) as asked:
        browser.get(paths["accepted"])

    assert everything(linked) == before
    assert {sql.lstrip().split()[0].upper() for sql, *_ in asked} <= {"SELECT", "BEGIN"}


def test_a_press_answers_once_and_a_second_one_is_told_what_was_answered(
    linked: City, hook: Hook
) -> None:
    paths = told(linked, hook)
    browser = linked.anonymous()
    linked.later(minutes=1)

    pressed = browser.post(paths["accepted"], follow_redirects=True)

    assert (pressed.status_code, pressed.request.method) == (200, "GET")
    said = "Answered as channel hook at 2026-03-01 12:01:00: I take it."
    assert said in pressed.text
    alert = fire(linked)
    assert alert["acknowledged_by"] == "channel hook"
    assert [(one["who"], one["answer"], one["via"]) for one in alert["answers"]] == [
        ("channel hook", "accepted", "link")
    ]
    before = everything(linked)
    linked.later(minutes=5)
    for path in (paths["accepted"], paths["declined"]):
        assert said in browser.post(path, follow_redirects=True).text
    assert everything(linked) == before


def test_who_cannot_is_shown_and_acknowledges_nothing(linked: City, hook: Hook) -> None:
    linked.anonymous().post(told(linked, hook)["declined"])
    alert = fire(linked)
    assert alert["state"]["acknowledged"] is False
    assert [(one["who"], one["answer"]) for one in alert["answers"]] == [
        ("channel hook", "declined")
    ]


def test_after_its_time_it_answers_nothing_and_says_so(linked: City, hook: Hook) -> None:
    paths = told(linked, hook)
    linked.later(days=2)
    for answer in (linked.anonymous().get, linked.anonymous().post):
        page = answer(paths["accepted"])
        assert page.status_code == 410
        assert "This link has expired" in page.text or "此連結已過期" in page.text
    assert fire(linked)["answers"] == []


def test_a_message_that_is_sent_again_has_the_same_link_and_a_new_round_another(
    linked: City, hook: Hook
) -> None:
    hook.status = 500
    channel(linked, hook.url, role=Role.DISPATCHER)
    linked.send(alarm(linked.time), "alarm-1")
    sender = NotificationSender(linked.services)
    sender.deliver_due()
    hook.status = 200
    linked.later(minutes=1)
    sender.deliver_due()
    bodies = [body.decode() for _, body in hook.raw]
    first, second = (set(re.findall(r"/r/([A-Za-z0-9_-]{43})/", body)) for body in bodies)
    assert first == second
    assert len(first) == 1
    linked.anonymous().post(links(hook.received[-1]["message"])["declined"])

    linked.later(minutes=30)
    sender.remind()
    sender.deliver_due()

    assert set(re.findall(r"/r/([A-Za-z0-9_-]{43})/", hook.received[-1]["message"])) != first


def test_a_whole_tampered_address_is_nobodys(linked: City, hook: Hook) -> None:
    paths = told(linked, hook)
    token = paths["accepted"].split("/")[2]
    cipher, now = Cipher(linked.settings.secret), linked.time
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    @settings(deadline=None, max_examples=150)
    @given(place=st.integers(0, 42), letter=st.sampled_from(alphabet))
    def tamper(place: int, letter: str) -> None:
        changed = token[:place] + letter + token[place + 1 :]
        with linked.services.sessions() as session:
            found = reply_links.find(session, cipher, changed)
        assert (found is not None) == (changed == token)

    @settings(deadline=None, max_examples=50)
    @given(other=st.text(max_size=80))
    def guess(other: str) -> None:
        with writing(linked.services.sessions) as session, pytest.raises(replies.ReplyUnknown):
            replies.answer(session, cipher, other.replace("\ud800", ""), "accepted", now)

    tamper()
    guess()
    assert fire(linked)["answers"] == []


def test_a_token_is_of_one_alert_and_one_channel(linked: City, hook: Hook) -> None:
    other = Hook()
    channel(linked, hook.url, role=Role.DISPATCHER)
    channel(linked, other.url, "other", role=Role.MAINTAINER)
    linked.send(alarm(linked.time), "alarm-1")
    linked.send(alarm(linked.time, id="alarm-0002", condition="heat"), "alarm-1")
    NotificationSender(linked.services).deliver_due()
    other.close()
    tokens = {
        path.split("/")[2]
        for one in (hook, other)
        for told in one.received
        for path in links(told["message"]).values()
    }
    assert len(tokens) == 4

    linked.anonymous().post(links(other.received[0]["message"])["accepted"])

    answered = [one for one in linked.alerts("dispatcher") if one["answers"]]
    assert [one["answers"][0]["who"] for one in answered] == ["channel other"]


def test_who_may_not_hear_of_it_any_more_may_not_answer(linked: City, hook: Hook) -> None:
    linked.account("li", Role.DISPATCHER)
    paths = told(linked, hook, username="li")
    with writing(linked.services.sessions) as session:
        session.scalars(select(Account).where(Account.username == "li")).one().active = False

    page = linked.anonymous().post(paths["accepted"])

    assert page.status_code == 403
    assert fire(linked)["answers"] == []


def test_who_moved_out_calls_no_false_alarm_any_more(linked: City, hook: Hook) -> None:
    linked.account("li", Role.FAMILY)
    by, home = "operator", households.Described("Chen", "7 Zhongshan Road")
    with writing(linked.services.sessions) as session:
        households.put(session, linked.cipher, "h1", home, by=by, now=linked.time)
        households.give_device(session, "h1", "alarm-1", by=by, now=linked.time)
    belongs(linked, Relation.RESIDENT)
    paths = told(linked, hook, username="li")
    linked.later(minutes=5)
    with writing(linked.services.sessions) as session:
        (member,) = session.scalars(select(HouseholdMember))
        households.remove_member(session, "h1", member.id, by=by, now=linked.time)
    belongs(linked, Relation.CONTACT)

    assert linked.anonymous().post(paths["false-alarm"]).status_code == 422
    assert fire(linked)["answers"] == []
    assert linked.anonymous().post(paths["accepted"]).status_code == 303


def belongs(city: City, relation: Relation) -> None:
    with writing(city.services.sessions) as session:
        account, now = account_named(session, "li"), city.time
        households.add_member(
            session, "h1", account=account, relation=relation, by="operator", now=now
        )


def test_only_who_lives_there_calls_a_false_alarm(linked: City, hook: Hook) -> None:
    at_home = Hook()
    for name, relation in (("resident", Relation.RESIDENT), ("contact", Relation.CONTACT)):
        linked.account(name, Role.FAMILY)
        with writing(linked.services.sessions) as session:
            by, now = "operator", linked.time
            home = households.Described("Chen", "7 Zhongshan Road")
            households.put(session, linked.cipher, "h1", home, by=by, now=now)
            households.give_device(session, "h1", "alarm-1", by=by, now=now)
            account = account_named(session, name)
            households.add_member(session, "h1", account=account, relation=relation, by=by, now=now)
    channel(linked, hook.url, "contact", username="contact")
    channel(linked, at_home.url, "resident", username="resident")
    linked.send(alarm(linked.time), "alarm-1")
    NotificationSender(linked.services).deliver_due()
    assert hook.received == [], "those who live there are asked first"
    linked.later(seconds=60)
    Watch().look(linked.services)
    NotificationSender(linked.services).deliver_due()
    at_home.close()
    assert set(links(hook.received[0]["message"])) == {"accepted", "declined", "burns"}
    token = links(hook.received[0]["message"])["accepted"].rpartition("/")[0]
    assert linked.anonymous().post(f"{token}/false-alarm").status_code == 422
    linked.anonymous().post(links(at_home.received[0]["message"])["accepted"])
    assert offered(linked, "resident") == ("false-alarm", "burns"), "what only a home knows"
    assert offered(linked, "contact") == ("burns",)

    linked.anonymous().post(links(at_home.received[0]["message"])["false-alarm"])

    alert = fire(linked)
    assert alert["acknowledged_by"] == "resident"
    assert alert["state"]["active"] is True, "it stays shown until the alarm itself is silent"
    assert [line["action"] for line in alert["history"]][-2:] == ["acknowledged", "false-alarm"]


def offered(city: City, name: str) -> tuple[str, ...]:
    """What the next message of the fire to this channel offers."""
    with writing(city.services.sessions) as session:
        whose = session.scalars(select(Channel).where(Channel.name == name)).one()
        alert = session.scalars(select(AlertRow)).one()
        found = reply_links.offer(session, city.cipher, whose, alert, city.time, public_url=PUBLIC)
    return () if found is None else found.answers


def test_nothing_is_offered_where_nothing_is_asked_or_nobody_said_the_address(
    linked: City, city: City, hook: Hook
) -> None:
    linked.account("li", Role.FAMILY)
    linked.consent("li")
    channel(linked, hook.url, username="li")
    linked.send(visit(linked.time), "station-1")
    NotificationSender(linked.services).deliver_due()
    assert "/r/" not in hook.received[-1]["message"]
    channel(city, hook.url, role=Role.DISPATCHER)
    city.send(alarm(city.time), "alarm-1")
    NotificationSender(city.services).deliver_due()
    assert "/r/" not in hook.received[-1]["message"]
    with city.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(ReplyLink)) == 0


def test_the_page_names_nobody(linked: City, hook: Hook) -> None:
    linked.account("li", Role.FAMILY)
    linked.consent("li")
    channel(linked, hook.url, username="li")
    linked.send(visit(linked.time), "station-1")
    (alert,) = linked.alerts("li")
    with writing(linked.services.sessions) as session:
        row = session.get_one(AlertRow, alert["id"])
        row.severity = "major"  # of what only informs nothing is asked
        li = session.scalars(select(Channel).where(Channel.name == "hook")).one()
        now = linked.time
        offered = reply_links.offer(session, linked.cipher, li, row, now, public_url=PUBLIC)
    assert offered is not None

    page = linked.anonymous().get(offered.link("accepted").removeprefix(PUBLIC))

    assert page.status_code == 200
    assert NAME in alert["title"]
    assert NAME not in page.text


def test_guessing_is_limited_and_keeps_nobody_from_answering(linked: City, hook: Hook) -> None:
    paths, browser = told(linked, hook), linked.anonymous()
    found = {browser.get(f"/r/{number:043d}").status_code for number in range(70)}
    assert found == {404, 429}
    assert browser.post(f"/r/{'x' * 43}/accepted").status_code == 429

    assert browser.get(paths["accepted"]).status_code == 200
    assert browser.post(paths["accepted"]).status_code == 303
    with linked.services.sessions() as session:
        failures = session.scalar(select(func.max(LoginAttempt.failures)))
        assert failures is not None
        assert failures <= 61


def test_the_token_is_nowhere_in_the_database(linked: City, hook: Hook) -> None:
    paths = told(linked, hook)
    token = paths["accepted"].split("/")[2]
    linked.anonymous().post(paths["accepted"])
    with linked.services.sessions() as session:
        for table in metadata().sorted_tables:
            assert token not in str(session.execute(select(table)).all()), table.name
        lines = session.execute(select(AuditEntry.action, AuditEntry.account)).all()
        assert ("alert.acknowledged", "channel hook") in lines
        assert session.scalars(select(AlertHistory.id)).first() is not None


def test_old_links_are_forgotten(linked: City, hook: Hook) -> None:
    told(linked, hook)
    for days, left in ((31, 1), (2, 0)):
        linked.later(days=days)
        with writing(linked.services.sessions) as session:
            reply_links.prune(session, linked.time)
        with linked.services.sessions() as session:
            assert session.scalar(select(func.count()).select_from(ReplyLink)) == left


def test_two_presses_at_once_are_one_answer(linked: City, hook: Hook) -> None:
    paths = told(linked, hook)
    linked.serve()

    def press(answer: str) -> int:
        with httpx.Client(base_url=linked.serve(), timeout=60, trust_env=False) as browser:
            return browser.post(paths[answer]).status_code

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(press, ["accepted", "declined"] * 8))

    assert set(found) == {303}
    assert len(fire(linked)["answers"]) == 1


def test_of_a_water_incident_a_false_alarm_is_not_offered(linked: City, hook: Hook) -> None:
    channel(linked, hook.url, role=Role.INSPECTOR)
    linked.send(excursion(linked.time), "sonde-1")
    NotificationSender(linked.services).deliver_due()
    assert set(links(hook.received[0]["message"])) == {"accepted", "declined"}
