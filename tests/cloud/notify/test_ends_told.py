"""Whoever a right's end shuts out is told before, through their own channels, and can renew it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from cloud_city import NOON, City, visit
from sql import statements
from vigil_cloud.app import jobs
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import cloud_domains
from vigil_cloud.identity import consents, households
from vigil_cloud.identity.ends_soon import Window
from vigil_cloud.identity.models import Account, Consent, HouseholdMember, PersonKey
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_active, set_roles
from vigil_cloud.identity.whereabouts import DEFAULT, EVERYTHING
from vigil_cloud.notify import ends_told
from vigil_cloud.notify.models import EndTold
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.rights_end import PLATFORM_ENDS
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel

PATH = "/api/v1/people/p1/consents"


@pytest.fixture
def other() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def tell(city: City) -> int:
    sources = [*PLATFORM_ENDS, *(end for one in cloud_domains() for end in one.ends_soon)]
    return ends_told.send_waiting(city.services, threading.Event(), sources)


def kept(city: City) -> list[tuple[str, str, str]]:
    with city.services.sessions() as session:
        rows = session.execute(
            select(EndTold, Account.username)
            .join(Account, Account.id == EndTold.account_id)
            .order_by(EndTold.id)
        ).all()
        return [(username, row.step, row.told) for row, username in rows]


def days_left(city: City, days: float, ends: float = 365) -> None:
    city.time = NOON + timedelta(days=ends - days)


def test_a_guardian_is_told_a_month_a_week_and_a_day_before(city: City, hook: Hook) -> None:
    city.guardian("family")
    city.consent("family", days=365)
    channel(city, hook.url, username="family")
    days_left(city, 31)
    assert (tell(city), hook.titles) == (0, [])
    for days, count in ((30, 1), (20, 1), (7, 2), (3, 2), (1, 3), (0.5, 3), (-0.5, 3), (-3, 3)):
        days_left(city, days)
        for _ in range(2):  # a second round says nothing more
            tell(city)
        assert len(hook.titles) == count, days
    assert set(hook.titles) == {
        "您可得知王秀英情況的同意將於 2027-03-01 12:00 到期 /"
        " The consent by which you know how 王秀英 is ends on 2027-03-01 12:00"
    }
    said = hook.received[0]["message"]
    assert "From then on you are not called. Open the family page and press Renew." in said
    assert kept(city) == [("family", "day", "sent")]
    days_left(city, -15)
    tell(city)
    assert kept(city) == []


def test_one_press_lets_it_go_on_and_nobody_is_told_any_more(city: City, hook: Hook) -> None:
    """The lost elder's alert reaches the guardian after the year that they once chose."""
    city.guardian("family")
    city.consent("family", days=365)
    channel(city, hook.url, username="family")
    days_left(city, 20)
    tell(city)
    client = city.client("family")
    (mine,) = client.get("/api/v1/people/mine").json()["people"]
    assert mine["ends_soon"] == mine["consent_expires"]
    (listed,) = client.get(PATH).json()["consents"]
    for _ in range(2):  # pressed twice
        renewed = client.post(f"{PATH}/{listed['id']}/renewal")
        assert renewed.status_code == 201, renewed.text
    assert renewed.json()["scopes"] == listed["scopes"]
    assert len(client.get(PATH).json()["consents"]) == 2
    (mine,) = client.get("/api/v1/people/mine").json()["people"]
    assert mine["ends_soon"] is None
    hook.received.clear()
    for days in (7, 1, -1):
        days_left(city, days)
        tell(city)
    assert hook.titles == []
    city.send(visit(city.time), "station-1")
    NotificationSender(city.services).deliver_due()
    assert len(hook.titles) == 1, "called, a day after the first year"


def test_who_gave_it_is_told_too_and_renews_it(city: City, hook: Hook, other: Hook) -> None:
    city.account("son", Role.FAMILY)
    city.guardian("family")
    body = {"account": "son", "expires": (NOON + timedelta(days=365)).isoformat()}
    city.client("family").post(PATH, json=body).raise_for_status()
    channel(city, hook.url, "son's", username="son")
    channel(city, other.url, "family's", username="family")
    days_left(city, 7)
    assert tell(city) == 2
    assert "Ask a guardian to renew it" in hook.received[0]["message"]
    assert "From then on you are shown nothing." in hook.received[0]["message"]
    assert "The consent by which son knows how 王秀英 is ends on" in other.titles[0]
    assert "You gave it" in other.received[0]["message"]
    city.sign_in_anew("family")
    (one,) = city.client("family").get(PATH).json()["consents"]
    assert city.client("son").post(f"{PATH}/{one['id']}/renewal").status_code == 403
    assert city.client("family").post(f"{PATH}/{one['id']}/renewal").status_code == 201


def test_where_who_gave_it_guards_no_more_the_other_guardians_are_told(
    city: City, hook: Hook
) -> None:
    city.account("son", Role.FAMILY)
    city.guardian("son")
    city.consent("family", days=365)  # by an account that is gone
    channel(city, hook.url, username="son")
    days_left(city, 7)
    tell(city)
    assert "The consent by which family knows how" in hook.titles[0]
    assert "press Renew" in hook.received[0]["message"]


def test_where_who_gave_it_has_no_open_account_the_other_guardians_are_told(
    city: City, hook: Hook, other: Hook
) -> None:
    """A guardian by the register still, and nobody who signs in."""
    for name in ("son", "aunt"):
        city.account(name, Role.FAMILY)
    for name in ("family", "son"):
        city.guardian(name)
    body = {"account": "aunt", "expires": (NOON + timedelta(days=365)).isoformat()}
    city.client("family").post(PATH, json=body).raise_for_status()
    channel(city, hook.url, "son's", username="son")
    channel(city, other.url, "family's", username="family")
    with writing(city.services.sessions) as session:
        set_active(session, "family", active=False, by="operator", now=city.time)
    days_left(city, 7)
    tell(city)
    assert "The consent by which aunt knows how" in hook.titles[0]
    assert other.titles == []


@pytest.mark.parametrize("how", ["guards no more", "another of that name"])
def test_who_guards_no_more_hears_nothing_of_other_peoples_consents(
    city: City, hook: Hook, how: str
) -> None:
    city.account("son", Role.FAMILY)
    city.guardian("family")
    body = {"account": "son", "expires": (NOON + timedelta(days=365)).isoformat()}
    city.client("family").post(PATH, json=body).raise_for_status()
    days_left(city, 8)
    with writing(city.services.sessions) as session:
        if how == "guards no more":
            account = account_named(session, "family")
            consents.remove_guardian(
                session, person_key="p1", account=account, by="operator", now=city.time
            )
        else:
            remove_account(session, "family", by="operator", now=city.time)
    if how == "another of that name":
        city.account("family", Role.FAMILY, Role.ADMINISTRATOR)
    channel(city, hook.url, username="family")
    days_left(city, 7)
    tell(city)
    assert hook.titles == []


def test_a_name_that_cannot_be_opened_keeps_nobody_from_being_told(city: City, hook: Hook) -> None:
    """The secret key was adopted without that person's own."""
    city.person("p2", "李春生", "epc:00112233445566778899aabb")
    for person in ("p1", "p2"):
        city.guardian("family", person)
        city.consent("family", person, days=365)
    with writing(city.services.sessions) as session:
        session.execute(
            update(PersonKey).where(PersonKey.person_key == "p2").values(sealed=b"another's")
        )
    channel(city, hook.url, username="family")
    days_left(city, 7)
    assert tell(city) == 1
    assert "王秀英" in hook.received[0]["message"]
    assert "you know how p2 is" in hook.received[0]["message"]


def test_what_a_round_asks_does_not_grow_with_what_ends(city: City) -> None:
    city.account("son", Role.FAMILY)
    for name in ("family", "son"):
        city.guardian(name)
    cost = []
    for first, last in ((0, 2), (2, 20)):
        with writing(city.services.sessions) as session:
            for number in range(first, last):
                home = households.Described(f"home {number}")
                households.put(session, city.cipher, f"h{number}", home, by="op", now=NOON)
                until = NOON + timedelta(days=30)
                account = account_named(session, "family")
                households.add_member(
                    session, f"h{number}", account=account, by="op", now=NOON, until=until
                )
                households.give_device(
                    session, f"h{number}", f"alarm-{number}", by="op", now=NOON, until=until
                )
        for number in range(first, last):
            city.person(f"q{number}", f"name {number}", f"epc:{number:024}")
            city.consent("family", f"q{number}")
        city.time = NOON + timedelta(days=23)
        window = Window.at(city.time)
        with statements(city.services.engine) as asked, city.services.sessions() as session:
            found = [
                one
                for source in PLATFORM_ENDS
                for one in source(session, city.cipher, window, city.time)
            ]
        assert len(found) == 2 * last + last, "members, devices and consents"
        cost.append(len(asked))
        city.time = NOON
    assert cost[0] == cost[1]


def test_staff_who_gave_many_are_told_once_and_by_pseudonym(city: City, hook: Hook) -> None:
    for number in range(60):
        city.account(f"son{number}", Role.FAMILY)
    with writing(city.services.sessions) as session:
        for number in range(60):
            consents.grant(
                session,
                person_key="p1",
                account=account_named(session, f"son{number}"),
                by="administrator",
                expires=NOON + timedelta(days=365),
                now=NOON,
            )
    channel(city, hook.url, username="administrator")
    days_left(city, 7)
    tell(city)
    (message,) = hook.received
    assert message["title"].endswith("60 rights end soon, or have ended")
    assert "The consent of son0 for p1 ends on" in message["message"]
    assert "… and 20 more" in message["message"]
    assert "王秀英" not in str(message)


def test_what_fails_is_tried_again_after_growing_pauses_and_once_more_when_it_is_over(
    city: City, hook: Hook
) -> None:
    city.consent("family", days=365)
    channel(city, hook.url, username="family")
    hook.status = 503
    days_left(city, 1)
    for minutes in (0, 5, 5, 10, 10, 10):
        city.later(minutes=minutes)
        tell(city)
    assert hook.requests == 3, "at once, after 10 minutes, after 20 more"
    days_left(city, -0.5)
    city.time += timedelta(hours=12)
    hook.status = 200
    tell(city)
    assert ["ended on" in title for title in hook.titles] == [True]
    assert kept(city) == [("family", "over", "sent")]


def test_who_has_no_channel_is_written_down_and_not_tried_for_ever(city: City) -> None:
    city.consent("family", days=365)
    days_left(city, 30)
    assert (tell(city), tell(city)) == (1, 0)
    assert kept(city) == [("family", "month", "no channel of their own: the page alone")]


@pytest.mark.parametrize(
    "how", ["taken back", "covered", "no longer family", "closed", "at night", "of a week"]
)
def test_who_is_not_told(city: City, hook: Hook, how: str) -> None:
    number = city.consent("family", days=7 if how == "of a week" else 365)
    channel(city, hook.url, username="family")
    days_left(city, 6.9 if how == "of a week" else 20, 7 if how == "of a week" else 365)
    with writing(city.services.sessions) as session:
        account = account_named(session, "family")
        if how == "taken back":
            consents.revoke(session, person_key="p1", consent_id=number, by="son", now=city.time)
        elif how == "no longer family":
            set_roles(session, account, [Role.HOST], by="operator", now=city.time)
        elif how == "closed":
            set_active(session, "family", active=False, by="operator", now=city.time)
    if how == "covered":
        city.consent("family", days=300)
    if how == "at night":
        city.later(hours=10)
    assert (tell(city), hook.titles) == (0, [])
    if how == "at night":
        city.later(hours=10)
        assert tell(city) == 1


def test_a_scope_that_nobody_goes_on_opening_is_told(city: City, hook: Hook) -> None:
    city.guardian("family")
    city.consent("family", days=365, scopes=EVERYTHING)
    city.consent("family", days=366, scopes=DEFAULT)
    channel(city, hook.url, username="family")
    days_left(city, 20)
    tell(city)
    assert "you are not called" in hook.received[0]["message"]
    (mine,) = city.client("family").get("/api/v1/people/mine").json()["people"]
    assert mine["ends_soon"] == isoformat_utc(NOON + timedelta(days=365))


def test_an_account_that_is_removed_takes_along_what_it_was_told(city: City) -> None:
    city.consent("family", days=365)
    days_left(city, 30)
    tell(city)
    with writing(city.services.sessions) as session:
        remove_account(session, "family", by="operator", now=city.time)
    assert kept(city) == []


def test_a_renewal_is_refused_as_a_consent_is(city: City) -> None:
    city.account("son", Role.FAMILY)
    for guardian in ("family", "son"):
        city.guardian(guardian)
    number = city.consent("family", days=300)
    family, son = city.client("family"), city.client("son")
    assert city.client("family").post(f"{PATH}/999/renewal").status_code == 404
    city.later(minutes=1)
    assert son.delete(f"{PATH}/{number}").status_code == 204
    for who in (family, son):
        refused = who.post(f"{PATH}/{number}/renewal")
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-consent")
    # A second one that stands: their own was taken back, so somebody else renews it.
    with writing(city.services.sessions) as session:
        session.execute(update(Consent).where(Consent.id == number).values(revoked=city.time))
        second = Consent(
            person_key="p1",
            account_id=account_named(session, "family").id,
            granted_by="family",
            granted=NOON - timedelta(days=1),
            expires=NOON + timedelta(days=9),
            revoked=None,
            scopes="last_place",
        )
        session.add(second)
        session.flush()
        standing = second.id
    refused = family.post(f"{PATH}/{standing}/renewal")
    assert (refused.status_code, refused.json()["code"]) == (403, "second-guardian-needed")
    newest = son.get("/api/v1/people/p1/audit").json()["entries"][0]
    assert (newest["account"], newest["action"]) == ("family", "consent.refused")
    renewed = son.post(f"{PATH}/{standing}/renewal").json()
    assert renewed["granted_by"] == "son"
    ends = city.time + timedelta(days=10)
    assert renewed["expires"] == isoformat_utc(ends), "as long as it was"


def test_a_guardian_who_narrowed_their_own_consent_renews_what_is_left(city: City) -> None:
    """What is left was never taken: the one guardian of an elder would lose it with its end."""
    city.guardian("family")
    number = city.consent("family", days=300)
    city.later(minutes=1)
    client = city.client("family")
    less = {"scopes": ["last_place", "alerts"]}
    left = client.put(f"{PATH}/{number}/scopes", json=less).raise_for_status().json()
    city.later(minutes=1)
    assert client.post(f"{PATH}/{left['id']}/renewal").json()["scopes"] == less["scopes"]
    body = {"account": "family", "expires": isoformat_utc(city.time + timedelta(days=9))}
    more = client.post(PATH, json={**body, "scopes": ["live"]})
    assert more.json()["code"] == "second-guardian-needed", "that was taken"


def test_a_consent_that_was_narrowed_lasts_as_long_as_it_was_given_for(
    city: City, hook: Hook
) -> None:
    """In its last days it was renewed for days, and its end was told to nobody."""
    city.guardian("family")
    channel(city, hook.url, username="family")
    number = city.consent("family", days=365)
    days_left(city, 0.8)
    client = city.client("family")
    for scopes in (["last_place", "alerts", "live"], ["last_place", "alerts"]):
        body = {"scopes": scopes}
        left = client.put(f"{PATH}/{number}/scopes", json=body).raise_for_status().json()
        number = left["id"]
        city.later(minutes=1)
    (mine,) = client.get("/api/v1/people/mine").json()["people"]
    assert mine["ends_soon"] == left["expires"]
    assert tell(city) == 1
    assert "ends on 2027-03-01 12:00" in hook.titles[0]
    renewed = client.post(f"{PATH}/{number}/renewal").raise_for_status().json()
    assert renewed["expires"] == isoformat_utc(city.time + timedelta(days=365))
    assert renewed["scopes"] == ["last_place", "alerts"]


def test_what_has_ended_is_renewed_as_well(city: City) -> None:
    city.guardian("family")
    number = city.consent("family", days=300)
    city.later(days=320)
    client = city.client("family")
    assert client.post(f"{PATH}/{number}/renewal").status_code == 201
    assert client.get("/api/v1/people/p1/footprints").status_code == 200


@pytest.fixture
def home(city: City) -> City:
    with writing(city.services.sessions) as session:
        put = households.Described("Chen home")
        households.put(session, city.cipher, "h1", put, by="op", now=city.time)
        households.add_member(
            session,
            "h1",
            account=account_named(session, "family"),
            by="op",
            now=city.time,
            until=city.time + timedelta(days=90),
        )
    return city


def test_a_member_and_a_device_that_leave_a_home_on_a_day_are_told(home: City, hook: Hook) -> None:
    channel(home, hook.url, username="family")
    until = home.time + timedelta(days=80)
    with writing(home.services.sessions) as session:
        households.give_device(session, "h1", "alarm-1", by="op", now=home.time, until=until)
    home.later(days=73)
    tell(home)
    (message,) = hook.received
    assert message["title"].endswith("2 rights end soon, or have ended")
    assert "Device alarm-1 in Chen home ends on" in message["message"]
    assert "What you are to the home Chen home ends on" in message["message"]


def test_who_is_taken_out_of_a_home_by_hand_is_not_told_of_an_end(home: City, hook: Hook) -> None:
    channel(home, hook.url, username="family")
    home.later(days=61)
    with writing(home.services.sessions) as session:
        number = session.scalars(select(HouseholdMember.id)).one()
        households.remove_member(session, "h1", number, by="op", now=home.time)
    home.later(hours=1)
    assert (tell(home), hook.titles) == (0, [])


def test_the_job_is_one_of_the_platforms(city: City) -> None:
    (job,) = [one for one in jobs(city.services, ingest=False) if one.name == "ends-told"]
    assert job.every <= timedelta(hours=1)
