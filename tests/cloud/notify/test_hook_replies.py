"""Web hooks: signed messages out, signed answers in, each of them once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_city import NOON, City, alarm
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.channels import BadChannel
from vigil_cloud.notify.hook_signatures import (
    REPLY_TOKEN,
    SIGNATURE,
    TIMESTAMP,
    SignatureStale,
    SignatureWrong,
    check,
    sign,
)
from vigil_cloud.notify.notification_sender import NotificationSender
from webhook import Hook, channel

SHARED = "what the city and its control room share"
PATH = "/api/v1/replies/hook/hook"


def told(city: City, hook: Hook, name: str = "hook", id: str = "alarm-0001") -> str:
    """The reply token of a fire that is told through the hook."""
    channel(city, hook.url, name, role=Role.DISPATCHER, hook_secret=SHARED)
    city.send(alarm(city.time, id=id), "alarm-1")
    NotificationSender(city.services).deliver_due()
    headers, _ = hook.raw[-1]
    return headers[REPLY_TOKEN.lower()]


def reply(city: City, token: str, path: str = PATH, **changes: Any) -> Any:
    said = {"id": "1", "token": token, "answer": "accepted"}
    said |= {key: value for key, value in changes.items() if key in said}
    body = json.dumps(said).encode()
    timestamp = changes.get("timestamp", str(int(city.time.timestamp())))
    signature = changes.get("signature", sign(SHARED, timestamp, body))
    headers = {TIMESTAMP: timestamp, SIGNATURE: signature, "Content-Type": "application/json"}
    return city.anonymous().post(path, content=changes.get("body", body), headers=headers)


def test_a_message_is_signed_over_its_time_and_body(city: City, hook: Hook) -> None:
    told(city, hook)
    headers, body = hook.raw[-1]
    timestamp, signature = headers[TIMESTAMP.lower()], headers[SIGNATURE.lower()]
    assert sign(SHARED, timestamp, body) == signature
    assert len(headers[REPLY_TOKEN.lower()]) == 43


def test_other_channels_are_not_signed(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    city.send(alarm(city.time), "alarm-1")
    NotificationSender(city.services).deliver_due()
    headers, _ = hook.raw[-1]
    assert not {TIMESTAMP.lower(), SIGNATURE.lower(), REPLY_TOKEN.lower()} & headers.keys()


def test_an_answer_counts_once_however_often_it_comes(city: City, hook: Hook) -> None:
    token = told(city, hook)
    first = reply(city, token).json()
    assert (first["answer"], first["repeated"]) == ("accepted", False)
    for changes in ({}, {"id": "2"}, {"answer": "declined"}):
        again = reply(city, token, **changes).json()
        assert (again["answer"], again["at"], again["repeated"]) == ("accepted", first["at"], True)

    (alert,) = city.alerts("dispatcher")
    assert alert["acknowledged_by"] == "channel hook"
    assert [(one["answer"], one["via"]) for one in alert["answers"]] == [("accepted", "webhook")]


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "v1=" + "0" * 64},
        {"signature": ""},
        {"timestamp": "0", "signature": sign(SHARED, "1", b"")},
        {"path": "/api/v1/replies/hook/nobody"},
        {"path": "/api/v1/replies/hook/plain"},
    ],
)
def test_what_is_not_signed_for_this_channel_is_refused_alike(
    city: City, hook: Hook, changes: dict[str, Any]
) -> None:
    token = told(city, hook)
    channel(city, hook.url, "plain", role=Role.DISPATCHER)
    refused = reply(city, token, **changes)
    assert (refused.status_code, refused.json()["code"]) == (401, "signature-wrong")
    (alert,) = city.alerts("dispatcher")
    assert alert["answers"] == []


def test_one_byte_of_the_body_changed_is_refused(city: City, hook: Hook) -> None:
    token = told(city, hook)
    said = json.dumps({"id": "1", "token": token, "answer": "declined"}).encode()
    timestamp = str(int(city.time.timestamp()))
    signature = sign(SHARED, timestamp, said.replace(b"declined", b"accepted"))
    assert reply(city, token, body=said, signature=signature).status_code == 401


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_request_is_not_played_again(city: City, hook: Hook, seconds: int) -> None:
    token = told(city, hook)
    timestamp = str(int(city.time.timestamp()) + seconds)
    refused = reply(city, token, timestamp=timestamp)
    assert (refused.status_code, refused.json()["code"]) == (401, "signature-stale")
    near = str(int(city.time.timestamp()) + seconds // 2)
    assert reply(city, token, timestamp=near).status_code == 200


def test_an_id_is_of_one_message(city: City, hook: Hook) -> None:
    first = told(city, hook)
    second = told(city, hook, id="alarm-0002")
    assert reply(city, first).status_code == 200
    refused = reply(city, second)
    assert (refused.status_code, refused.json()["code"]) == (409, "reply-id-used-again")
    assert reply(city, second, id="2").status_code == 200


def test_a_token_of_another_channel_is_unknown(city: City, hook: Hook) -> None:
    other = Hook()
    token = told(city, other, "other")
    told(city, hook, id="alarm-0002")
    other.close()
    refused = reply(city, token)
    assert (refused.status_code, refused.json()["code"]) == (404, "reply-unknown")


def test_after_its_time_a_token_answers_nothing(city: City, hook: Hook) -> None:
    token = told(city, hook)
    city.later(days=2)
    refused = reply(city, token)
    assert (refused.status_code, refused.json()["code"]) == (410, "reply-expired")


def test_what_is_not_offered_is_refused(city: City, hook: Hook) -> None:
    token = told(city, hook)
    refused = reply(city, token, answer="false-alarm")
    assert (refused.status_code, refused.json()["code"]) == (422, "reply-not-offered")


def test_guessing_signatures_is_limited(city: City, hook: Hook) -> None:
    token = told(city, hook)
    found = {reply(city, token, signature="v1=x").status_code for _ in range(65)}
    assert found == {401, 429}
    assert reply(city, token).status_code == 200, "who signs right is answered all the same"


@pytest.mark.parametrize(
    ("url", "secret"), [("json://127.0.0.1", "short"), ("mailto://a:b@example.org", SHARED)]
)
def test_a_secret_is_long_and_of_a_web_hook(city: City, url: str, secret: str) -> None:
    with pytest.raises(BadChannel):
        channel(city, url, role=Role.DISPATCHER, hook_secret=secret)


@given(body=st.binary(max_size=200), other=st.binary(max_size=200), late=st.integers(-900, 900))
def test_a_signature_fits_its_body_and_time_alone(body: bytes, other: bytes, late: int) -> None:
    timestamp = str(int(NOON.timestamp()) + late)
    signature = sign(SHARED, timestamp, body)
    if other != body:
        with pytest.raises(SignatureWrong):
            check(SHARED, timestamp, signature, other, NOON)
    if abs(late) > 300:
        with pytest.raises(SignatureStale):
            check(SHARED, timestamp, signature, body, NOON)
    else:
        check(SHARED, timestamp, signature, body, NOON)
    with pytest.raises(SignatureWrong):
        check("another secret", timestamp, signature, body, NOON)
