"""Whose an invitation is, until when, and what of it is kept."""

from __future__ import annotations

from sqlalchemy import select

from cloud.checkin.joining import FREE, code_of, enrolment, invited, new_account, stocked, token_of
from cloud_city import City
from vigil_cloud.checkin import invitations
from vigil_cloud.checkin.models import Amulet, Invitation, PurposeConsent
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named

__all__ = ["stocked"]


def test_one_invitation_makes_one_account_and_goes_on_with_it(city: City) -> None:
    token = token_of(invited(city))
    _, taken = new_account(city, token, "family")
    assert code_of(taken) == "account-exists"
    _, first = new_account(city, token)
    _, second = new_account(city, token, "daughter2")
    assert (first.status_code, code_of(second)) == (201, "invitation-not-valid")

    client = city.client("daughter")  # signs in with it later
    assert client.post("/api/v1/join/look", json={"token": token}).status_code == 200
    joined = client.post("/api/v1/join", json={"token": token, "enrol": enrolment("")})

    assert joined.status_code == 200, joined.text


def test_who_guards_no_more_has_invited_nobody(city: City) -> None:
    city.guardian("family")
    made = city.client("family").post("/api/v1/people/p1/invitations", json={}).json()
    with writing(city.services.sessions) as session:
        consents.remove_guardian(
            session,
            person_key="p1",
            account=account_named(session, "family"),
            by="operator",
            now=city.time,
        )

    answer = city.client("police").post("/api/v1/join", json={"token": token_of(made)})

    assert code_of(answer) == "invitation-not-valid"


def test_nobody_else_shows_or_withdraws_an_invitation(city: City) -> None:
    city.guardian("family")
    city.account("cousin", Role.FAMILY)
    city.account("registrar2", Role.REGISTRAR)
    of_person = city.client("family").post("/api/v1/people/p1/invitations", json={}).json()
    of_staff = invited(city)

    for username in ("cousin", "registrar2", "police", "administrator"):
        client = city.client(username)
        for made in (of_person, of_staff):
            mine = username == "administrator" and made is of_staff
            address = f"/api/v1/invitations/{made['id']}"
            assert client.get(f"{address}/code.svg").status_code == (200 if mine else 404)
            if not mine:
                assert client.delete(address).status_code == 404
    assert city.client("registrar2").get("/api/v1/invitations").json()["invitations"] == []


def test_an_invitation_that_was_somebodys_opens_to_nobody_else(city: City) -> None:
    """An account was made with it, and removed before it was used."""
    token = token_of(invited(city))
    new_account(city, token)
    with writing(city.services.sessions) as session:
        session.delete(account_named(session, "daughter"))
    with city.services.sessions() as session:
        (row,) = session.scalars(select(Invitation)).all()
        assert (row.account_id, row.used) == (None, None)
        assert invitations.state_of(row, city.time) == "over"
    _, again = new_account(city, token, "somebody-else")
    assert code_of(again) == "invitation-not-valid"


def test_notes_are_not_in_the_database_file(city: City) -> None:
    city.guardian("family")
    words = "for my brother in Tainan"
    city.client("family").post("/api/v1/people/p1/invitations", json={"note": words})

    folder = city.settings.data_dir
    content = b"".join(path.read_bytes() for path in folder.glob("vigil.sqlite3*"))

    assert words.encode() not in content


def test_erasing_a_person_forgets_how_they_were_enrolled(stocked: City) -> None:
    city = stocked
    token = token_of(invited(city))
    client, _ = new_account(city, token)
    key = client.post("/api/v1/join", json={"token": token, "enrol": enrolment()}).json()[
        "person_key"
    ]

    done = erase(city.services, key, by="operator")

    assert done.removed["invitations"] == 1
    with city.services.sessions() as session:
        assert session.get(Amulet, FREE) is None
        assert session.scalars(select(PurposeConsent)).all() == []
        assert session.scalars(select(Invitation)).all() == []
