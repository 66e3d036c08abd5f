"""What a consent opens, in parts: scope × page × stream × message, and nothing beside."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city_stream import Stream, stream
from cloud_city import NAME, NOON, City, exceedance, visit
from vigil_cloud.identity.audit import lines_about
from vigil_cloud.identity.models import Consent
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import (
    EVERYTHING,
    Scope,
    granted,
    opened_to,
    read,
    together,
    write,
)
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel

CONSENTS = "/api/v1/people/p1/consents"
SUBSETS = [frozenset(some) for n in range(1, 5) for some in combinations(Scope, n)]
PLACE = "Temple gate"


def name_of(scopes: frozenset[Scope]) -> str:
    return "r-" + "-".join(scope for scope in Scope if scope in scopes).replace("_", ".")


def get(city: City, who: str, path: str) -> Any:
    return city.client(who).get(f"/api/v1/{path}")


def told(reader: Stream) -> set[str]:
    """What an open page is told of the person until it is told of the street."""
    kinds: set[str] = set()
    while True:
        event = reader.next("alert", "visit")
        assert event is not None
        if event.data.get("domain") == "noise":
            return kinds
        assert event.data.get("person_key", "p1") == "p1"
        kinds.add(event.kind)


def looked(city: City) -> dict[str, set[str]]:
    """Who was shown what of the person, as the guardian is told."""
    found: dict[str, set[str]] = {}
    with city.services.sessions() as session:
        for line in lines_about(session, "p1", limit=500):
            if line.action == "location.read":
                found.setdefault(line.account, set()).add(line.subject)
    return found


def test_every_set_of_scopes_opens_its_own_and_nothing_else(city: City) -> None:
    """On each page, in the open stream, and in the log of who looked."""
    for scopes in SUBSETS:
        city.account(name_of(scopes), Role.FAMILY, Role.INSPECTOR)
        city.consent(name_of(scopes), scopes=scopes)
    with ExitStack() as open_streams:
        streams = {one: open_streams.enter_context(stream(city, name_of(one))) for one in SUBSETS}
        city.send(visit(city.time), "station-1")
        city.send(exceedance(city.time), "mic-1")
        for scopes, reader in streams.items():
            right = {"visit"} if Scope.LIVE in scopes else set()
            if {Scope.LIVE, Scope.ALERTS} <= scopes:
                right.add("alert")
            assert told(reader) == right, scopes

    city.later(minutes=1)
    alert_id = next(one["id"] for one in city.listed(name_of(EVERYTHING), domain="checkin"))
    for scopes in SUBSETS:
        who = name_of(scopes)
        (mine,) = get(city, who, "people/mine").json()["people"]
        assert {one["scope"] for one in mine["scopes"]} == scopes

        footprint = get(city, who, "people/p1/footprints")
        assert footprint.status_code == (200 if Scope.FOOTPRINT in scopes else 403), who
        last = get(city, who, "people/p1/last-place")
        assert last.status_code == (200 if Scope.LAST_PLACE in scopes else 403), who
        page = get(city, who, f"alerts/{alert_id}")
        assert page.status_code == (200 if Scope.ALERTS in scopes else 404), who
        listed = get(city, who, "alerts?domain=checkin")
        for answer, scope in (
            (footprint, Scope.FOOTPRINT),
            (last, Scope.LAST_PLACE),
            (page, Scope.ALERTS),
            (listed, Scope.ALERTS),
        ):
            assert (PLACE in answer.text) == (scope in scopes), (who, answer.url)
        if Scope.ALERTS not in scopes:
            assert NAME not in listed.text + page.text

    seen = looked(city)
    for scopes in SUBSETS:
        right = set()
        if Scope.LIVE in scopes:
            right.add("stream visits")
        if {Scope.LIVE, Scope.ALERTS} <= scopes:
            right.add("stream")
        if Scope.ALERTS in scopes:
            right |= {"alerts", f"alert {alert_id}"}
        if Scope.FOOTPRINT in scopes:
            right.add("footprints")
        elif Scope.LAST_PLACE in scopes:
            right.add("last place")
        assert seen.get(name_of(scopes), set()) == right, scopes


def test_messages_go_to_those_whose_consent_opens_alerts(city: City) -> None:
    hooks = {}
    for scopes in SUBSETS:
        who, hooks[scopes] = name_of(scopes), Hook()
        city.account(who, Role.FAMILY)
        city.consent(who, scopes=scopes)
        channel(city, hooks[scopes].url, who, username=who)
    city.send(visit(city.time), "station-1")

    NotificationSender(city.services).deliver_due()

    for scopes, hook in hooks.items():
        hook.close()
        assert len(hook.received) == (Scope.ALERTS in scopes), scopes


def test_a_message_that_waits_is_not_sent_once_the_consent_opens_less(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, username="family")
    city.account("guard", Role.FAMILY)
    city.guardian("guard")
    consent = city.consent("family")
    city.send(visit(city.time), "station-1")

    less = {"scopes": ["last_place", "footprint", "live"]}
    narrowed = city.client("guard").put(f"{CONSENTS}/{consent}/scopes", json=less)
    assert narrowed.status_code == 200, narrowed.text
    NotificationSender(city.services).deliver_due()

    assert hook.received == []


def test_an_open_stream_follows_a_consent_that_opens_less(city: City) -> None:
    city.account("relative", Role.FAMILY, Role.INSPECTOR)
    city.guardian("family")
    consent = city.consent("relative")
    with stream(city, "relative") as reader:
        city.send(visit(city.time), "station-1")
        first, second = reader.next("alert", "visit"), reader.next("alert", "visit")
        assert {event.kind for event in (first, second) if event} == {"alert", "visit"}

        less = {"scopes": ["last_place", "footprint"]}
        narrowed = city.client("family").put(f"{CONSENTS}/{consent}/scopes", json=less)
        assert narrowed.status_code == 200, narrowed.text
        forget = reader.next("resync", "alert", "visit")
        assert forget is not None
        assert (forget.kind, "rights" in forget.data) == ("resync", True)

        city.send(visit(city.time, id="visit-0002"), "station-2")
        city.send(exceedance(city.time), "mic-1")
        assert told(reader) == set(), "told of what is not open any more"
    assert get(city, "relative", "people/p1/footprints").status_code == 200
    assert city.listed("relative", domain="checkin") == []


def test_where_a_footprint_begins_nothing_older_is_shown(city: City) -> None:
    """Neither a stay that was over, nor how one began that went on, nor habits, nor alerts of
    then, nor what comes late. The last place is one sign, and is shown whole."""
    city.account("aunt", Role.FAMILY, Role.INSPECTOR)
    begin = NOON + timedelta(hours=3)
    for number, device in ((1, "station-1"), (2, "station-1")):
        began = NOON - timedelta(days=3 - number)
        city.send(visit(began, id=f"visit-old-{number}"), device)
        city.send(visit(began, "departed", id=f"visit-old-{number}"), device)
    city.send(visit(NOON, id="visit-before"), "station-1")
    city.send(visit(NOON, "departed", id="visit-before"), "station-1")
    city.later(hours=2)
    city.send(visit(city.time, id="visit-across"), "station-2")
    city.later(hours=1)  # the consent is given, from now on
    consent = city.consent("aunt", footprint_from=begin)
    whole = city.client("family")
    city.consent("family")
    going_on = visit(NOON + timedelta(hours=2), id="visit-across").model_copy(
        update={"last_seen": begin + timedelta(minutes=5), "still_since": NOON + timedelta(hours=2)}
    )
    city.later(minutes=5)
    city.send(going_on, "station-2")

    month = {"start": isoformat_utc(NOON - timedelta(days=20))}
    shown = city.client("aunt").get("/api/v1/people/p1/footprints", params=month).json()
    (stay,) = shown["visits"]
    assert shown["since"] == stay["arrived"] == stay["still_since"] == isoformat_utc(begin)
    assert (stay["name"], stay["began_before"]) == ("Market", True)
    everything = whole.get("/api/v1/people/p1/footprints", params=month).json()
    assert len(everything["visits"]) == 4
    assert not any(one["began_before"] for one in everything["visits"])
    assert everything["since"] is None

    before = {**month, "stop": isoformat_utc(begin - timedelta(minutes=1))}
    answer = city.client("aunt").get("/api/v1/people/p1/footprints", params=before)
    assert answer.json()["visits"] == []

    last = city.client("aunt").get("/api/v1/people/p1/last-place").json()
    assert (last["last"]["name"], last["usual_places"]) == ("Market", [])
    assert whole.get("/api/v1/people/p1/last-place").json()["usual_places"] != []

    # Alerts: what goes on, and nothing that was over before.
    assert [one["device"] for one in city.listed("aunt", domain="checkin")] == ["station-2"]
    for alert in city.listed("family", domain="checkin"):
        page = get(city, "aunt", f"alerts/{alert['id']}")
        assert page.status_code == (200 if alert["device"] == "station-2" else 404)
    assert len(city.listed("family", domain="checkin")) == 4

    # What is told late of before is no news; what goes on is told from the beginning on.
    with stream(city, "aunt") as reader, stream(city, "family") as relative:
        late = visit(NOON + timedelta(hours=1), "departed", id="visit-late")
        city.send(late, "station-1")
        city.later(minutes=4)
        city.send(
            going_on.model_copy(update={"last_seen": begin + timedelta(minutes=9)}), "station-2"
        )
        event = reader.next("visit")
        assert event is not None
        assert (event.data["device"], event.data["arrived"]) == ("station-2", isoformat_utc(begin))
        other = relative.next("visit")
        assert other is not None
        assert other.data["device"] == "station-1"
    assert consent


def test_live_without_a_footprint_is_where_they_are_now(city: City) -> None:
    city.account("aunt", Role.FAMILY, Role.INSPECTOR)
    city.consent("aunt", scopes={Scope.LIVE})
    city.later(hours=3)
    city.send(visit(city.time, id="visit-now"), "station-2")
    with stream(city, "aunt") as reader:
        city.send(visit(NOON, "departed", id="visit-late"), "station-1")
        city.send(exceedance(city.time), "mic-1")
        assert told(reader) == set(), "where they were is footprint"


def test_alerts_without_a_footprint_begin_with_the_consent(city: City) -> None:
    city.send(visit(city.time, id="visit-before"), "station-1")
    city.send(visit(city.time, "departed", id="visit-before"), "station-1")
    city.later(hours=1)
    city.consent("family", scopes={Scope.ALERTS})
    assert city.listed("family") == []
    city.send(visit(city.time, id="visit-after"), "station-2")
    city.send(visit(city.time, "departed", id="visit-after"), "station-2")
    city.later(hours=1)

    assert [one["device"] for one in city.listed("family")] == ["station-2"]


def consent_body(**more: Any) -> dict[str, Any]:
    return {"account": "aunt", "expires": isoformat_utc(NOON + timedelta(days=30)), **more}


@pytest.fixture
def guarded(city: City) -> City:
    """``family`` guards p1; ``aunt`` and ``uncle`` hold nothing yet."""
    city.guardian("family")
    for name in ("aunt", "uncle"):
        city.account(name, Role.FAMILY)
    return city


def test_a_consent_without_scopes_is_last_place_and_footprint(guarded: City) -> None:
    given_ = guarded.client("family").post(CONSENTS, json=consent_body())
    assert given_.status_code == 201
    assert given_.json()["scopes"] == ["last_place", "footprint"]
    assert given_.json()["footprint_from"] is None


def test_from_now_on_is_the_servers_now(guarded: City) -> None:
    guarded.later(hours=5)
    body = consent_body(scopes=["footprint"], footprint_from="now")
    answer = guarded.client("family").post(CONSENTS, json=body).json()
    assert answer["footprint_from"] == isoformat_utc(guarded.time)
    (mine,) = get(guarded, "aunt", "people/mine").json()["people"]
    assert mine["scopes"] == [
        {
            "scope": "footprint",
            "until": answer["expires"],
            "since": isoformat_utc(guarded.time),
        }
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scopes": []}, 422),
        ({"scopes": ["everything"]}, 422),
        ({"scopes": ["last_place"], "footprint_from": "now"}, 422),
        ({"scopes": ["footprint"], "footprint_from": "yesterday"}, 422),
        ({"scopes": ["footprint"], "footprint_from": "2027-01-01T00:00:00Z"}, 422),
        ({"scopes": ["footprint", "footprint"]}, 201),
    ],
)
def test_what_cannot_be_meant_is_refused(guarded: City, body: dict[str, Any], status: int) -> None:
    answer = guarded.client("family").post(CONSENTS, json=consent_body(**body))
    assert answer.status_code == status, answer.text


def test_a_consent_is_only_narrowed_and_its_history_says_so(guarded: City) -> None:
    family = guarded.client("family")
    body = consent_body(scopes=["last_place", "footprint", "alerts"], footprint_from="now")
    first = family.post(CONSENTS, json=body).json()
    for more in (
        {"scopes": ["last_place", "live"]},
        {"scopes": ["footprint"]},
        {"scopes": ["footprint"], "footprint_from": isoformat_utc(NOON - timedelta(days=1))},
    ):
        refused = family.put(f"{CONSENTS}/{first['id']}/scopes", json=more)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-consent"), more
    guarded.later(hours=1)

    less = family.put(f"{CONSENTS}/{first['id']}/scopes", json={"scopes": ["last_place"]}).json()
    again = family.put(f"{CONSENTS}/{less['id']}/scopes", json={"scopes": ["last_place"]}).json()
    assert again == less, "as it is already"
    assert (less["scopes"], less["expires"]) == (["last_place"], first["expires"])
    assert get(guarded, "aunt", "people/p1/footprints").status_code == 403
    assert get(guarded, "aunt", "people/p1/last-place").status_code == 200

    listed = family.get(CONSENTS).json()["consents"]
    assert [(one["id"], one["revoked"] is None) for one in listed] == [
        (less["id"], True),
        (first["id"], False),
    ]
    over = family.put(f"{CONSENTS}/{first['id']}/scopes", json={"scopes": ["last_place"]})
    assert over.json()["code"] == "bad-consent"
    lines = family.get("/api/v1/people/p1/audit").json()["entries"]
    said = {
        line["action"]: (line["subject"], line["scopes"], line["footprint_from"])
        for line in lines
        if line["action"].startswith("consent.")
    }
    assert said == {
        "consent.granted": (
            "aunt",
            ["last_place", "footprint", "alerts"],
            isoformat_utc(NOON),
        ),
        "consent.narrowed": ("aunt", ["last_place"], None),
    }


def test_whoever_takes_back_what_was_narrowed_meanwhile_takes_back_what_is_left(
    guarded: City,
) -> None:
    """Their page is from before that; it must not say that it is over while it is not."""
    guarded.guardian("uncle")
    first = guarded.consent("aunt")
    kept = guarded.consent("aunt", "p2")
    name, number = "uncle", first
    for scopes in (["last_place", "footprint"], ["last_place"]):
        guarded.later(minutes=1)
        less = guarded.client(name).put(f"{CONSENTS}/{number}/scopes", json={"scopes": scopes})
        assert less.status_code == 200, less.text
        name, number = "family", less.json()["id"]
    assert get(guarded, "aunt", "people/p1/last-place").status_code == 200
    guarded.later(minutes=1)

    for _ in range(2):
        assert guarded.client("family").delete(f"{CONSENTS}/{first}").status_code == 204
    assert get(guarded, "aunt", "people/p1/last-place").status_code == 403
    assert get(guarded, "aunt", "people/p2/last-place").status_code == 200, kept
    listed = guarded.client("family").get(CONSENTS).json()["consents"]
    assert [one["revoked"] is None for one in listed] == [False] * 3
    lines = guarded.client("family").get("/api/v1/people/p1/audit").json()["entries"]
    taken_back = [line["subject"] for line in lines if line["action"] == "consent.revoked"]
    assert taken_back == ["aunt"], "once"


def test_only_the_guardian_narrows_and_of_this_person(guarded: City) -> None:
    consent = guarded.consent("aunt")
    other = guarded.consent("aunt", "p2")
    less = {"scopes": ["last_place"]}
    for who in ("aunt", "uncle", "administrator", "police"):
        answer = guarded.client(who).put(f"{CONSENTS}/{consent}/scopes", json=less)
        assert (answer.status_code, answer.json()["code"]) == (403, "no-consent"), who
    family = guarded.client("family")
    for unknown in (other, 4711):
        answers = [
            family.put(f"{CONSENTS}/{unknown}/scopes", json=less),
            family.delete(f"{CONSENTS}/{unknown}"),
        ]
        assert {(one.status_code, one.json()["detail"]) for one in answers} == {
            (404, "This person has no such consent.")
        }
    with guarded.services.sessions() as session:
        assert session.get_one(Consent, other).revoked is None


def test_what_was_narrowed_nobody_gives_to_themselves_again(guarded: City) -> None:
    guarded.guardian("uncle")
    family, uncle = guarded.client("family"), guarded.client("uncle")
    own = {"account": "family", "expires": isoformat_utc(NOON + timedelta(days=9))}
    given_ = family.post(CONSENTS, json={**own, "scopes": list(EVERYTHING)}).json()
    less = {"scopes": ["last_place", "footprint"], "footprint_from": isoformat_utc(NOON)}
    assert uncle.put(f"{CONSENTS}/{given_['id']}/scopes", json=less).status_code == 200
    guarded.later(minutes=1)

    for more in ({"scopes": ["alerts"]}, {"scopes": ["footprint"]}, {}):
        refused = family.post(CONSENTS, json={**own, **more})
        assert (refused.status_code, refused.json()["code"]) == (403, "second-guardian-needed")
    same = {"scopes": ["last_place", "footprint"], "footprint_from": "now"}
    assert family.post(CONSENTS, json={**own, **same}).status_code == 201, "as much as is left"
    assert uncle.post(CONSENTS, json={**own, "scopes": ["alerts"]}).status_code == 201
    assert family.post(CONSENTS, json={**own, "scopes": ["alerts"]}).status_code == 201


def test_each_of_several_consents_opens_its_own_until_it_ends(guarded: City) -> None:
    guarded.consent("aunt", days=1, scopes={Scope.FOOTPRINT})
    guarded.consent("aunt", days=3, scopes={Scope.LAST_PLACE})
    (mine,) = get(guarded, "aunt", "people/mine").json()["people"]
    until = {one["scope"]: one["until"] for one in mine["scopes"]}
    assert until == {
        "last_place": isoformat_utc(NOON + timedelta(days=3)),
        "footprint": isoformat_utc(NOON + timedelta(days=1)),
    }
    assert mine["consent_expires"] == until["last_place"]
    guarded.later(hours=25)
    guarded.sign_in_anew("aunt")
    assert get(guarded, "aunt", "people/p1/footprints").status_code == 403
    assert get(guarded, "aunt", "people/p1/last-place").status_code == 200


moments = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - given its zone below
    datetime(2027, 1, 1),  # noqa: DTZ001
).map(lambda at: at.replace(tzinfo=UTC))
consents_ = st.builds(
    granted,
    st.sampled_from(["p1", "p2"]),
    st.frozensets(st.sampled_from(list(Scope))),
    st.none() | moments,
    moments,
)


@given(st.lists(consents_, max_size=5), moments)
def test_several_consents_open_what_any_of_them_opens(held: list[Any], at: datetime) -> None:
    reader = Reader(1, "reader", frozenset({Role.FAMILY}), together(held))
    for person in ("p1", "p2", "p3"):
        for scope in Scope:
            single = [one.of(scope) for one in held if one.person == person]
            right = any(opening is not None and opening.reaches(at) for opening in single)
            found = opened_to(reader, person, scope)
            assert (found is not None and found.reaches(at)) == right
        both = opened_to(reader, person, Scope.LIVE, Scope.ALERTS)
        each = [opened_to(reader, person, one) for one in (Scope.LIVE, Scope.ALERTS)]
        assert (both is not None) == (None not in each)


@given(st.frozensets(st.sampled_from(list(Scope))))
def test_scopes_are_written_and_read(scopes: frozenset[Scope]) -> None:
    assert read(write(scopes)) == scopes


@pytest.mark.parametrize("written", ["", "all", "LIVE", "live ,x", "last_place|footprint"])
def test_words_that_are_no_scope_open_nothing(written: str) -> None:
    assert read(written) == frozenset()
