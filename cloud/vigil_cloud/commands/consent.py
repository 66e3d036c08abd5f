"""``vigil-cloud guardian`` and ``consent``: who decides for a person, and who may know."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add ``guardian list|add|remove`` and ``consent list|grant|revoke``."""
    guardian = add_subject(commands, "guardian", "who decides for a person")
    add_command(guardian, "list", _guardians, "user names", common).add_argument("person")
    for name, run, text in (
        ("add", _add, "let an account decide for a person"),
        ("remove", _remove, "the account decides no more"),
    ):
        action = add_command(guardian, name, run, text, common)
        action.add_argument("person")
        action.add_argument("account")
    consent = add_subject(commands, "consent", "who may know where a person is")
    add_command(consent, "list", _consents, "of one person", common).add_argument("person")
    grant = add_command(consent, "grant", _grant, "let a relative know", common)
    grant.add_argument("person")
    grant.add_argument("account")
    grant.add_argument("--days", type=float, default=30.0, help="default: 30; at most 366")
    revoke = add_command(consent, "revoke", _revoke, "take it back, at once", common)
    revoke.add_argument("person")
    revoke.add_argument("number", type=int, help="from `consent list`")


def _guardians(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.consents import guardians_of

    with opened(options) as services, services.sessions() as session:
        for username in guardians_of(session, options.person):
            print(json.dumps({"person": options.person, "guardian": username}))
    return 0


def _add(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import add_guardian
    from vigil_cloud.identity.persons import require_enrolled
    from vigil_cloud.identity.service import account_named

    with opened(options) as services, writing(services.sessions) as session:
        require_enrolled(session, options.person)
        account = account_named(session, options.account)
        now = services.now()
        add_guardian(session, person_key=options.person, account=account, by=OPERATOR, now=now)
    print(json.dumps({"person": options.person, "guardian": options.account}))
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import remove_guardian
    from vigil_cloud.identity.service import account_named

    with opened(options) as services, writing(services.sessions) as session:
        account = account_named(session, options.account)
        now = services.now()
        remove_guardian(session, person_key=options.person, account=account, by=OPERATOR, now=now)
    print(json.dumps({"person": options.person, "removed": options.account}))
    return 0


def _consents(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.consents import consents_of
    from vigil_schemas.types import isoformat_utc

    with opened(options) as services, services.sessions() as session:
        for consent, username in consents_of(session, options.person):
            told = {
                "number": consent.id,
                "account": username,
                "granted_by": consent.granted_by,
                "expires": isoformat_utc(consent.expires),
                "revoked": isoformat_utc(consent.revoked) if consent.revoked else None,
            }
            print(json.dumps(told))
    return 0


def _grant(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import grant
    from vigil_cloud.identity.persons import require_enrolled
    from vigil_cloud.identity.service import find_account

    with opened(options) as services, writing(services.sessions) as session:
        require_enrolled(session, options.person)
        now = services.now()
        consent = grant(
            session,
            person_key=options.person,
            account=find_account(session, options.account),
            by=OPERATOR,
            expires=now + timedelta(days=options.days),
            now=now,
        )
        session.flush()
        number = consent.id
    print(json.dumps({"person": options.person, "account": options.account, "number": number}))
    return 0


def _revoke(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import revoke

    with opened(options) as services, writing(services.sessions) as session:
        now = services.now()
        revoke(session, person_key=options.person, consent_id=options.number, by=OPERATOR, now=now)
    print(json.dumps({"person": options.person, "revoked": options.number}))
    return 0
