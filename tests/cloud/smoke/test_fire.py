"""Fire: the home first, then 119. From an alarm to a closed case, without a broker."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aed_town import Line119
from cloud_city import GATEWAY, NOON, City, alarm, populated
from fire_town import ADDRESS, BEDROOM, CODE, HOME, PARTICULARS, Home, Seconds, kinds, ring
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency.cap import NAMESPACE
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.identity import households
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.smoke import codes
from vigil_cloud.smoke.live import Watch
from vigil_cloud.smoke.models import Fire, HomeSafety
from webhook import Hook, channel

CAP = f"{{{NAMESPACE}}}"


def actions(city: City) -> list[str]:
    with city.services.sessions() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


def test_the_home_is_asked_first_and_then_everybody_and_119(home: Home, line: Line119) -> None:
    hooks = {name: Hook() for name in ("resident", "neighbour", "guardian", "dispatcher")}
    for name, hook in hooks.items():
        channel(home.city, hook.url, name, username=name)
    home.say("resident", "PUT", f"/homes/{HOME}", {"window_s": 45, "particulars": PARTICULARS})

    ring(home)
    home.look()
    home.told()
    assert [name for name, hook in hooks.items() if hook.received] == ["resident"]
    (asked,) = home.fires("resident")
    assert (asked["phase"], asked["needs_code"]) == ("asking", True)
    home.later(44)
    assert line.received == []

    home.later(1)
    home.told()
    assert all(hook.received for hook in hooks.values())
    assert (
        "nobody at home has answered, 119 is called" in hooks["neighbour"].received[-1]["message"]
    )
    alert = ET.fromstring(line.received[0])
    assert alert.findtext(f"{CAP}msgType") == "Alert"
    info = alert.findall(f"{CAP}info")[1]
    description = info.findtext(f"{CAP}description") or ""
    for known in ("Floor: 3F", "陳奶奶 (cannot walk)", "0912-345-678", "with the guard"):
        assert known in description
    assert info.findtext(f"{CAP}area/{CAP}areaDesc") == ADDRESS
    card = home.card()
    assert (card["address"], card["floor"], card["station_m"]) == (ADDRESS, "3F", 832)
    assert card["calls"][0]["answered"] is not None
    for hook in hooks.values():
        hook.close()


def test_from_the_call_to_the_closed_case(home: Home, line: Line119) -> None:
    hooks = {name: Hook() for name in ("resident", "neighbour")}
    for name, hook in hooks.items():
        channel(home.city, hook.url, name, username=name)
    ring(home)
    home.later(60)
    home.told()
    for step in ("acknowledge", "arrived"):
        assert home.act("dispatcher", f"lead/{step}").status_code == 200
        home.city.later(seconds=100)
    early = home.act("dispatcher", "cause", {"cause": "cooking"})
    assert (early.status_code, early.json()["code"]) == (409, "fire-out-of-turn")
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.told()
    for hook in hooks.values():
        assert "ALL CLEAR" in hook.titles[-1]
        assert "The fire is over." in hook.received[-1]["message"]
    done = home.act("dispatcher", "cause", {"cause": "cooking", "note": "soup"})
    assert done.status_code == 200, done.text
    card = home.card()
    assert (card["phase"], card["cause"], card["address"]) == ("over", "cooking", "")
    case = home.city.client("dispatcher").get(f"/api/v1/cases/{card['case']}").json()
    assert (case["state"], case["outcome"]) == ("closed", "cooking")
    (alert,) = home.city.alerts("dispatcher", domain="smoke")
    assert alert["state"]["confirmed"]
    for hook in hooks.values():
        hook.close()


def test_the_home_takes_it_back_with_its_code(home: Home, line: Line119) -> None:
    ring(home)
    assert home.act("resident", "safe", {"code": CODE}).json()["phase"] == "false-alarm"
    home.later(600)
    assert line.received == []
    ring(home, active=False)
    home.look()
    assert home.fires()[0]["phase"] == "over"


def test_smoke_that_goes_on_rising_after_the_code_asks_again_and_then_calls_119(
    home: Home, line: Line119
) -> None:
    """A fire behind burnt toast, in a home with one alarm that feels no heat."""
    since = home.city.time
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    ring(home, since=since, smoke_density=0.2)
    home.later(5)
    ring(home, since=since, smoke_density=0.31, signs=["density"])
    home.later(10)
    assert home.act("resident", "safe", {"code": CODE}).json()["phase"] == "false-alarm"
    home.later(600)
    home.told()
    told = len(hook.received)

    ring(home, since=since, smoke_density=0.48, signs=["density"])
    home.look()
    home.told()
    assert home.fires()[0]["phase"] == "asking"
    assert len(hook.received) == told + 1, "the home hears that it is asked"
    assert "denser smoke (0.48)" in hook.received[-1]["message"]
    home.later(59)
    assert kinds(line) == []
    home.later(1)
    assert kinds(line) == ["Alert"]
    hook.close()


def test_smoke_that_falls_and_rises_again_after_the_code_asks_again_and_then_calls_119(
    home: Home, line: Line119
) -> None:
    """The toast is aired; what burns an hour later rises to where that had been, no further."""
    since = home.city.time
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    ring(home, since=since, smoke_density=0.3)
    home.later(5)
    ring(home, since=since, smoke_density=0.6, signs=["density"], rises=1)
    assert home.act("resident", "safe", {"code": CODE}).json()["phase"] == "false-alarm"
    home.later(3600)
    home.told()
    told = len(hook.received)

    for _ in range(2):  # the same again is nothing new
        ring(home, since=since, smoke_density=0.6, signs=["density"], rises=2)
        home.look()
        home.told()
        assert home.fires()[0]["phase"] == "asking"
        assert len(hook.received) == told + 1, "the home hears that it is asked"
    assert "denser smoke (0.6)" in hook.received[-1]["message"]
    home.later(59)
    assert kinds(line) == []
    home.later(1)
    assert kinds(line) == ["Alert"]
    hook.close()


def test_smoke_that_rises_after_the_all_clear_is_another_fire(home: Home, line: Line119) -> None:
    """The engine has left, and the alarm has never fallen silent."""
    since = home.city.time
    ring(home, since=since, smoke_density=0.31, signs=["density"])
    home.later(60)
    for step in ("acknowledge", "arrived", "all-clear"):
        assert home.act("dispatcher", f"lead/{step}").status_code == 200
    home.later(60)
    ring(home, since=since, smoke_density=0.31, signs=["density"])
    home.look()
    assert [fire["phase"] for fire in home.fires()] == ["over"], "nothing new"
    ring(home, since=since, smoke_density=0.6, signs=["density"])
    home.later(60)
    assert kinds(line) == ["Alert", "Alert"]


def test_a_code_after_119_was_called_cancels_the_call(home: Home, line: Line119) -> None:
    ring(home)
    assert home.act("resident", "burns").json()["phase"] == "called"
    home.look()
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    home.look()
    assert kinds(line) == ["Alert", "Cancel"]
    first, cancel = (ET.fromstring(one) for one in line.received)
    of = ",".join(first.findtext(f"{CAP}{name}") or "" for name in ("sender", "identifier", "sent"))
    assert cancel.findtext(f"{CAP}references") == of


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b""),
        ("application/cap+xml", b"<alert><msgType>Error</msgType><note>unknown</note></alert>"),
    ],
)
def test_an_answer_that_never_comes_is_retried_and_shown_and_taken_back(
    home: Home, line: Line119, media_type: str, body: bytes
) -> None:
    line.status = 503
    ring(home)
    home.later(60)
    for _ in range(8):
        home.later(30)
    (call,) = home.card()["calls"]
    assert call["tries"] == len(line.received) >= 3
    assert (call["answered"], call["error"]) == (None, "answered 503")
    assert call["again"] is not None
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    line.status = 404  # it has never heard of it
    line.media_type, line.body = media_type, body
    home.later(1)
    alert, cancel = home.card()["calls"]
    assert (alert["again"], alert["withdrawn"] is not None) == (None, True)
    assert (cancel["kind"], cancel["answered"] is not None) == ("cancel", True)
    tries = len(line.received)
    home.later(600)
    assert len(line.received) == tries


@pytest.mark.parametrize("silent", [False, True])
def test_a_second_alarm_of_the_home_calls_at_once_and_no_code_silences_it(
    home: Home, line: Line119, silent: bool
) -> None:
    ring(home)
    home.later(2)
    if silent:
        ring(home, active=False)
    ring(home, BEDROOM)
    home.look()
    assert kinds(line) == ["Alert"]
    refused = home.act("resident", "safe", {"code": CODE})
    assert (refused.status_code, refused.json()["code"]) == (409, "fire-code-takes-nothing-back")
    home.later(60)
    assert kinds(line) == ["Alert"]
    assert home.fires()[0]["phase"] == "called"


def test_a_link_without_an_account_takes_it_back_with_the_code_alone(
    tmp_path: Path, line: Line119
) -> None:
    city = populated(tmp_path / "linked", emergency_url=line.url, public_url="http://vigil.example")
    hook = Hook()
    home = Home(city)
    channel(city, hook.url, username="resident")
    ring(home)
    home.told()
    found = re.findall(r"example(/r/\S+/([a-z-]+))$", hook.received[-1]["message"], re.MULTILINE)
    paths = {answer: path for path, answer in found}
    assert set(paths) == {"accepted", "declined", "false-alarm", "burns"}
    phone = city.anonymous()
    page = phone.get(f"{paths['false-alarm']}?lang=en").text
    assert 'name="code"' in page
    for body, code in (({}, "Enter the code"), ({"code": "0000"}, "This is not the code")):
        refused = phone.post(f"{paths['false-alarm']}?lang=en", data=body)
        assert (refused.status_code, code in refused.text) == (403, True)
        assert home.fires()[0]["phase"] == "asking"
    done = phone.post(paths["false-alarm"], data={"code": CODE})
    assert done.status_code == 303
    assert home.fires()[0]["phase"] == "false-alarm"
    # And what was taken back may burn after all, by the same link.
    assert "burns" in phone.get(paths["false-alarm"]).text
    assert phone.post(paths["burns"]).status_code == 303
    home.look()
    assert kinds(line) == ["Alert"]
    hook.close()
    city.close()


@pytest.fixture
def linked(tmp_path: Path, line: Line119) -> Iterator[tuple[Home, dict[str, str]]]:
    """A home whose resident was told by a message with links; their paths by answer."""
    city = populated(tmp_path / "linked", emergency_url=line.url, public_url="http://vigil.example")
    hook, home = Hook(), Home(city)
    channel(city, hook.url, username="resident")
    ring(home)
    home.told()
    found = re.findall(r"example(/r/\S+/([a-z-]+))$", hook.received[-1]["message"], re.MULTILINE)
    yield home, {answer: path for path, answer in found}
    hook.close()
    city.close()


def test_who_said_i_take_it_takes_it_back_by_the_same_link_and_its_code(
    linked: tuple[Home, dict[str, str]], line: Line119
) -> None:
    home, paths = linked
    phone = home.city.anonymous()
    assert phone.post(paths["accepted"]).status_code == 303
    page = phone.get(f"{paths['accepted']}?lang=en").text
    assert "I take it." in page
    assert 'name="code"' in page
    assert "It burns" in page
    home.later(20)
    refused = phone.post(f"{paths['false-alarm']}?lang=en", data={"code": "0000"})
    assert (refused.status_code, "This is not the code" in refused.text) == (403, True)
    assert home.fires()[0]["phase"] == "asking"

    assert phone.post(paths["false-alarm"], data={"code": CODE}).status_code == 303

    assert home.fires()[0]["phase"] == "false-alarm"
    said = actions(home.city)
    for action in ("alert.acknowledged", "alert.false-alarm", "fire.code"):
        assert said.count(action) == 1, action
    for again in ("accepted", "declined", "false-alarm"):
        shown = phone.post(f"{paths[again]}?lang=en", data={"code": CODE}, follow_redirects=True)
        assert "False alarm, I am safe." in shown.text
    assert actions(home.city) == said, "each word counts once"
    home.later(600)
    assert line.received == []


def test_who_said_i_take_it_says_that_it_burns_and_no_link_takes_that_back(
    linked: tuple[Home, dict[str, str]], line: Line119
) -> None:
    home, paths = linked
    phone = home.city.anonymous()
    for word in ("declined", "burns"):
        assert phone.post(paths[word]).status_code == 303
    home.look()
    assert kinds(line) == ["Alert"]
    assert actions(home.city).count("alert.burns") == 1

    shown = phone.post(
        f"{paths['false-alarm']}?lang=en", data={"code": CODE}, follow_redirects=True
    )

    assert "It burns." in shown.text
    assert 'name="code"' not in shown.text
    home.look()
    assert (kinds(line), home.fires()[0]["phase"]) == (["Alert"], "called")


def test_a_link_that_ran_out_says_nothing_more_of_a_fire(
    linked: tuple[Home, dict[str, str]],
) -> None:
    home, paths = linked
    phone = home.city.anonymous()
    assert phone.post(paths["accepted"]).status_code == 303
    home.city.later(days=2)
    assert 'method="post"' not in phone.get(paths["accepted"]).text
    for word in ("false-alarm", "burns"):
        assert phone.post(paths[word], data={"code": CODE}).status_code == 410


def test_a_wrong_code_never_silences_and_is_locked_and_told_to_the_home(
    home: Home, line: Line119
) -> None:
    ring(home)
    for left in (4, 3, 2, 1):
        wrong = home.act("resident", "safe", {"code": "0000"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "fire-code-wrong")
        assert wrong.json()["data"]["left"] == left
    assert home.act("resident", "safe", {"code": "0000"}).status_code == 429
    right = home.act("resident", "safe", {"code": CODE})
    assert (right.status_code, right.json()["code"]) == (429, "fire-code-locked")
    home.later(60)
    assert kinds(line) == ["Alert"], "119 is called as if nobody had answered"
    locked = [one for one in home.city.alerts("resident") if one["kind"] == "code_locked"]
    assert [one["state"]["active"] for one in locked] == [True]
    assert actions(home.city).count("home.code-wrong") == 5
    home.later(codes.LOCKED_FOR.total_seconds())
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    home.look()
    (ended,) = [one for one in home.city.alerts("resident") if one["kind"] == "code_locked"]
    assert not ended["state"]["active"]


def test_no_code_no_false_alarm(home: Home, line: Line119) -> None:
    home.say("administrator", "DELETE", f"/homes/{HOME}/code")
    ring(home)
    late = home.act("resident", "safe", {"code": CODE})
    assert (late.status_code, late.json()["code"]) == (409, "fire-code-not-set")
    home.city.later(seconds=1)
    home.say("resident", "PUT", f"/homes/{HOME}/code", {"code": "8462"})
    again = home.act("resident", "safe", {"code": "8462"})
    assert again.json()["code"] == "fire-code-not-set", "it was set after the alarm rang"
    home.later(60)
    assert kinds(line) == ["Alert"]


def test_only_who_lives_there_takes_it_back_and_who_belongs_there_says_that_it_burns(
    home: Home,
) -> None:
    ring(home)
    for who in ("neighbour", "guardian", "dispatcher"):
        assert home.act(who, "safe", {"code": CODE}).status_code == 403
    assert home.act("family", "burns").status_code == 404, "of another home"
    assert home.act("maintainer", "lead/all-clear").status_code == 403
    assert home.act("neighbour", "burns").json()["reason"] == "burns"


def test_who_says_again_that_it_burns_has_said_it_once(home: Home) -> None:
    """The answer was lost, and the telephone sends the same again."""
    ring(home)
    answers = [home.act("neighbour", "burns").json() for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    steps = home.card()["steps"]
    assert [one["who"] for one in steps if one["what"] == "burns"] == ["neighbour"]


def test_the_window_holds_through_restarts_and_a_clock_that_is_set_back(
    home: Home, line: Line119
) -> None:
    ring(home)
    home.later(20)
    home.city.later(seconds=20)
    home.look(Watch(Seconds()))  # another process, which knows nothing of the first
    assert line.received == []
    # Set back by half a minute: the process that goes on knows how long the home has been asked.
    home.city.later(seconds=-30)
    home.seconds.now += 39
    home.look()
    assert line.received == []
    home.seconds.now += 1
    home.look()
    assert kinds(line) == ["Alert"]
    assert timedelta(seconds=30) > home.city.time - NOON


def test_a_round_that_is_cut_off_is_done_again_and_calls_once(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a process that dies behind the call, in the same transaction."""
    ring(home)
    home.city.later(seconds=60)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.smoke.live.widen", dies)
        with pytest.raises(KeyboardInterrupt):
            home.look()
    home.look(Watch(Seconds()))
    home.look()
    assert kinds(line) == ["Alert"]
    with home.city.services.sessions() as session:
        assert len(session.scalars(select(EmergencyCall)).all()) == 1


def test_a_late_report_asks_the_home_for_its_whole_window(home: Home, line: Line119) -> None:
    ring(home, since=home.city.time - timedelta(hours=1))
    home.later(59)
    assert line.received == []
    home.later(1)
    assert kinds(line) == ["Alert"]


def test_what_was_over_an_hour_before_it_was_told_is_told_to_everybody_and_not_to_119(
    home: Home, line: Line119
) -> None:
    began = home.city.time - timedelta(hours=1)
    ring(home, since=began)
    ring(home, active=False, since=began + timedelta(minutes=3))
    home.later(60)
    card = home.card()
    assert (card["phase"], card["case"] is not None, line.received) == ("past", True, [])
    (alert,) = home.city.alerts("dispatcher", domain="smoke")
    assert [one["comment"] for one in alert["history"] if one["action"] == "told-again"]


@pytest.mark.parametrize("fields", [{"condition": "test"}, {"during_test": True}])
def test_a_test_calls_nobody_outside_the_home(
    home: Home, line: Line119, fields: dict[str, Any]
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="dispatcher")
    ring(home, **fields)
    home.later(60)
    home.told()
    assert (home.fires(), line.received, hook.received) == ([], [], [])
    hook.close()


def test_an_alarm_of_no_home_tells_everybody_at_once_and_119_after_the_window(
    home: Home, line: Line119
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "control", username="dispatcher")
    home.city.send(alarm(home.city.time), "alarm-9")
    home.look()
    home.told()
    assert hook.received
    home.later(60)
    assert kinds(line) == ["Alert"]
    hook.close()


def test_the_same_message_again_opens_no_second_fire(home: Home, line: Line119) -> None:
    since = home.city.time
    for _ in range(3):
        ring(home, since=since)
    home.later(60)
    ring(home, since=since)
    ring(home, active=False)
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    ring(home, since=since)
    home.look()
    assert (len(home.fires()), kinds(line)) == (1, ["Alert"])


def test_an_erased_home_leaves_no_word_of_it(home: Home) -> None:
    home.say("resident", "PUT", f"/homes/{HOME}", {"window_s": 60, "particulars": PARTICULARS})
    ring(home)
    home.later(60)
    with writing(home.city.services.sessions) as session:
        households.erase(session, HOME, by="test", now=home.city.time)
    with home.city.services.sessions() as session:
        assert session.scalars(select(HomeSafety)).all() == []
        (fire,) = session.scalars(select(Fire)).all()
        assert fire.household is None
    card = home.card()
    assert (card["address"], card["floor"], card["residents"]) == ("", "", [])


def test_a_weak_code_and_a_replaced_one(home: Home) -> None:
    client = home.city.client("resident")
    path = f"/api/v1/smoke/homes/{HOME}/code"
    for weak in ("1234", "0000", "12", "abcd"):
        refused = client.put(path, json={"code": weak, "current": CODE})
        assert (refused.status_code, refused.json()["code"]) == (422, "fire-code-weak")
    assert client.put(path, json={"code": "8462"}).json()["code"] == "fire-code-wrong"
    assert client.put(path, json={"code": "8462", "current": CODE}).status_code == 204
    with home.city.services.sessions() as session:
        row = session.get_one(HomeSafety, HOME)
        assert row.code_hash is not None
        assert "8462" not in row.code_hash


def test_the_alert_itself_stays_until_its_device_takes_it_back(home: Home) -> None:
    ring(home)
    home.act("resident", "safe", {"code": CODE})
    with home.city.services.sessions() as session:
        (alert,) = session.scalars(select(AlertRow)).all()
        assert alert.active
        assert alert.gateway == GATEWAY
