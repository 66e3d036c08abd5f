"""Many accounts with e-mail channels, written straight into the tables."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from vigil_cloud.checkin.models import Tag
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.persons import add_person
from vigil_cloud.identity.whereabouts import EVERYTHING, write
from vigil_cloud.notify.channels import URL_COLUMN
from vigil_cloud.notify.models import Channel

RELATIVES = 4
"""Accounts that hold a consent of one person."""


def add_households(
    session: Session, cipher: Cipher, accounts: int, now: datetime, *, url: str = ""
) -> list[str]:
    """Relatives, four of each person; every fortieth account is a dispatcher's. ``url``: each
    has a channel with this address. Returns the tags of the persons."""
    roles = [["dispatcher"] if number % 40 == 0 else ["family"] for number in range(accounts)]
    session.execute(
        insert(Account),
        [
            {
                "username": f"relative-{number:05d}",
                "display_name": "",
                "email": f"relative-{number}@city.example",
                "language": "en",
                "roles": roles[number],
                "password_hash": "none",
                "active": True,
                "created": now,
            }
            for number in range(accounts)
        ],
    )
    ids = list(
        session.scalars(
            select(Account.id).where(Account.username.like("relative-%")).order_by(Account.username)
        )
    )
    if url:
        _add_channels(session, cipher.seal(URL_COLUMN, url), ids)
    tags = []
    for person in range(accounts // RELATIVES):
        key, tag = f"person-{person:05d}", f"ibeacon:{person:032x}:1:7"
        add_person(session, cipher, key=key, name=f"Person {person}", now=now)
        session.add(Tag(tag=tag, person_key=key))
        tags.append(tag)
        for account in ids[person * RELATIVES : (person + 1) * RELATIVES]:
            session.add(
                Consent(
                    person_key=key,
                    account_id=account,
                    granted_by="operator",
                    granted=now,
                    expires=now + timedelta(days=30),
                    scopes=write(EVERYTHING),
                )
            )
    return tags


def _add_channels(session: Session, sealed: bytes, accounts: list[int]) -> None:
    session.execute(
        insert(Channel),
        [
            {
                "name": f"relative {number:05d}",
                "url": sealed,
                "account_id": account,
                "domains": [],
                "minimum": "info",
                "escalate_after_s": 0.0,
                "language": "en",
                "enabled": True,
                "failures": 0,
                "devices": [],
            }
            for number, account in enumerate(accounts)
        ],
    )
