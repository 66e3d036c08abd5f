"""When one-time links end, and what is answered on pages without one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, update

from cloud_city import GATEWAY, City, alarm, excursion
from reply_paths import PUBLIC, fire, told
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.http.reply_text import refusing
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.channels import sync
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.removal import remove_channel
from vigil_cloud.notify.reply_links import offer
from webhook import Hook, channel


def test_a_channel_that_is_given_to_somebody_else_leaves_its_links_to_nobody(
    linked: City, hook: Hook
) -> None:
    """Whoever has the old message would answer in the new owner's name."""
    linked.account("li", Role.DISPATCHER)
    paths = told(linked, hook, username="li")
    channel(linked, hook.url, username="li")
    assert linked.anonymous().get(paths["accepted"]).status_code == 200, "nothing changed"

    channel(linked, hook.url, username="dispatcher")

    assert linked.anonymous().post(paths["accepted"]).status_code == 404
    assert fire(linked)["answers"] == []


@pytest.mark.parametrize("change", ["address", "removed and added again", "secret", "switched off"])
def test_links_die_with_the_address_that_they_were_sent_to(
    linked: City, hook: Hook, change: str
) -> None:
    """Whoever has the old mailbox, or a copy of the hook, answers nothing in the owner's name."""
    secret = {"hook_secret": "s" * 32}
    paths = told(linked, hook, username="dispatcher", **secret)
    match change:
        case "address":
            channel(linked, f"{hook.url}/new", username="dispatcher", **secret)
        case "removed and added again":
            with writing(linked.services.sessions) as session:
                remove_channel(session, "hook", by="operator", now=linked.time)
            channel(linked, hook.url, username="dispatcher", **secret)
        case "secret":
            channel(linked, hook.url, username="dispatcher", hook_secret="t" * 32)
        case "switched off":
            with writing(linked.services.sessions) as session:
                session.execute(update(Channel).values(enabled=False))
            channel(linked, hook.url, username="dispatcher", **secret)

    assert linked.anonymous().post(paths["accepted"]).status_code == 404
    assert fire(linked)["answers"] == []


def test_an_account_that_has_no_mail_any_more_is_answered_for_by_no_old_mail(
    tmp_path: Path,
) -> None:
    """Channels that follow accounts' e-mail end with it."""
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none", "sender": "vigil@city.example"}
    city = City(tmp_path, public_url=PUBLIC, smtp=smtp)
    with closing(city):
        city.birth(GATEWAY)
        city.account("li", Role.DISPATCHER, email="li@city.example")
        sync(city.services.sessions, city.cipher, city.services.settings)
        city.send(alarm(city.time), "alarm-1")
        with writing(city.services.sessions) as session:
            mail = session.scalars(select(Channel).where(Channel.name == "e-mail li")).one()
            alert = session.scalars(select(AlertRow)).one()
            offered = offer(session, city.cipher, mail, alert, city.time, public_url=PUBLIC)
        assert offered is not None
        path = offered.link("accepted").removeprefix(PUBLIC)
        assert city.anonymous().get(path).status_code == 200

        with writing(city.services.sessions) as session:
            account_named(session, "li").email = ""
        sync(city.services.sessions, city.cipher, city.services.settings)

        assert city.anonymous().post(path).status_code == 404


@pytest.mark.parametrize("answer", ["accepted", "declined"])
def test_the_buttons_of_the_page_answer_under_ones_name(city: City, answer: str) -> None:
    city.send(alarm(city.time), "alarm-1")
    alert = fire(city)
    assert alert["may_answer"] is True
    client = city.client("dispatcher")
    for _ in range(2):  # idempotent
        done = client.post(f"/api/v1/alerts/{alert['id']}/answers", json={"answer": answer})
        assert done.status_code == 200, done.text
    said = [(one["who"], one["answer"], one["via"]) for one in done.json()["answers"]]
    assert said == [("dispatcher", answer, "page")]
    assert done.json()["state"]["acknowledged"] is (answer == "accepted")


def test_a_false_alarm_of_the_page_is_for_who_decides(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    (alert,) = city.alerts("inspector")
    assert alert["may_call_false"] is False
    path = f"/api/v1/alerts/{alert['id']}/answers"
    refused = city.client("inspector").post(path, json={"answer": "false-alarm"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_false_alarm_that_is_said_twice_is_one(city: City) -> None:
    city.send(alarm(city.time), "alarm-1")
    path = f"/api/v1/alerts/{fire(city)['id']}/answers"
    client = city.client("dispatcher")

    def said(word: str) -> list[str]:
        told = client.post(path, json={"answer": word}).raise_for_status().json()
        return [line["action"] for line in told["history"] if line["action"] == word]

    assert said("false-alarm") == said("false-alarm") == ["false-alarm"]
    said("declined")
    assert said("false-alarm") == ["false-alarm"] * 2, "another word in between: said anew"


def test_a_refusal_that_the_page_has_no_words_for_is_a_page() -> None:
    for language in ("en", "zh-TW"):
        page = refusing("a-code-of-tomorrow", language)
        assert "119" in page
        assert f'lang="{language}"' in page
