"""``vigil-cloud guardian`` and ``consent``: who decides for a person, and who may know what."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vigil_cloud.identity.consents import Wanted

SCOPES: Final = ("last_place", "footprint", "live", "alerts")
_NONE: Final = "none"
_ALL: Final = "all"
_AHEAD_DAYS: Final = 30
_SCOPES: Final = (
    "what it opens, with commas between: last_place, footprint, live (open pages follow), alerts"
)
_OWN: Final = (
    "what the guardian sees and is told of, with commas between: last_place, footprint, live (open"
    f" pages follow), alerts; or {_ALL}, or {_NONE}. What is not named is not opened, as in files"
    " and requests: without alerts nobody calls them"
)


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add ``guardian list|add|remove`` and ``consent list|grant|narrow|revoke``."""
    guardian = add_subject(commands, "guardian", "who decides for a person")
    add_command(guardian, "list", _guardians, "user names", common).add_argument("person")
    make = add_command(guardian, "add", _add, "let an account decide for a person", common)
    remove = add_command(guardian, "remove", _remove, "the account decides no more", common)
    for action in (make, remove):
        action.add_argument("person")
        action.add_argument("account")
    make.add_argument("--scopes", type=_own_scopes, default=[], help=_OWN)
    make.add_argument("--days", type=finite, default=365.0, help="default: 365; at most 366")
    consent = add_subject(commands, "consent", "who may know where a person is")
    add_command(consent, "list", _consents, "of one person", common).add_argument("person")
    grant = add_command(consent, "grant", _grant, "let a relative know", common)
    grant.add_argument("person")
    grant.add_argument("account")
    grant.add_argument("--days", type=finite, default=30.0, help="default: 30; at most 366")
    default = ["last_place", "footprint"]
    grant.add_argument(
        "--scopes", type=_scopes, default=default, help=f"{_SCOPES}; default: {','.join(default)}"
    )
    narrow = add_command(consent, "narrow", _narrow, "open less from now on, at once", common)
    narrow.add_argument("person")
    narrow.add_argument("number", type=int, help="from `consent list`")
    narrow.add_argument("--scopes", type=_scopes, required=True, help=_SCOPES)
    for action in (make, grant, narrow):
        action.add_argument(
            "--footprint-from",
            type=_moment,
            help="a time (ISO 8601, with its offset) or now: the footprint opens nothing older",
        )
    revoke = add_command(consent, "revoke", _revoke, "take it back, at once", common)
    revoke.add_argument("person")
    revoke.add_argument("number", type=int, help="from `consent list`")


def _guardians(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.consents import guardians_of

    with opened(options) as services, services.sessions() as session:
        now = services.now()
        silent = _not_called(session, options.person, now)
        later = _not_called(session, options.person, now + timedelta(days=_AHEAD_DAYS))
        for username in guardians_of(session, options.person):
            said = {"person": options.person, "guardian": username}
            ahead = {f"called_in_{_AHEAD_DAYS}_days": username not in later}
            print(json.dumps({**said, "called": username not in silent, **ahead}))
    return 0


def _add(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import BadConsent, add_guardian, grant
    from vigil_cloud.identity.persons import require_enrolled
    from vigil_cloud.identity.service import account_named
    from vigil_schemas.types import isoformat_utc

    if options.footprint_from is not None and not options.scopes:
        raise BadConsent("A beginning is a footprint's: name that scope as well.")
    told: dict[str, Any] = {"person": options.person, "guardian": options.account}
    with opened(options) as services, writing(services.sessions) as session:
        require_enrolled(session, options.person)
        account = account_named(session, options.account)
        now = services.now()
        wanted = _wanted(options, now)
        add_guardian(session, person_key=options.person, account=account, by=OPERATOR, now=now)
        if wanted.scopes:  # what an operator names is opened, also what was taken back before
            grant(
                session,
                person_key=options.person,
                account=account,
                by=OPERATOR,
                expires=now + timedelta(days=options.days),
                now=now,
                wanted=wanted,
            )
            told |= {"until": isoformat_utc(now + timedelta(days=options.days))}
        told |= wanted.said()
        _tell_not_called(session, options, options.account, now)
    print(json.dumps(told))
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
    from vigil_cloud.identity.consents import consents_of, opens
    from vigil_schemas.types import isoformat_utc

    with opened(options) as services, services.sessions() as session:
        for consent, username in consents_of(session, options.person):
            told = {
                "number": consent.id,
                "account": username,
                "granted_by": consent.granted_by,
                "expires": isoformat_utc(consent.expires),
                "revoked": isoformat_utc(consent.revoked) if consent.revoked else None,
                **opens(consent).said(),
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
        wanted = _wanted(options, now)
        consent = grant(
            session,
            person_key=options.person,
            account=find_account(session, options.account),
            by=OPERATOR,
            expires=now + timedelta(days=options.days),
            now=now,
            wanted=wanted,
        )
        session.flush()
        number = consent.id
        _tell_not_called(session, options, options.account, now)
    given = {"person": options.person, "account": options.account, "number": number}
    print(json.dumps({**given, **wanted.said()}))
    return 0


def _narrow(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import narrow

    with opened(options) as services, writing(services.sessions) as session:
        now = services.now()
        wanted = _wanted(options, now)
        consent = narrow(
            session,
            person_key=options.person,
            consent_id=options.number,
            wanted=wanted,
            by=OPERATOR,
            now=now,
        )
        number = consent.id
        _tell_not_called(session, options, None, now)
    print(json.dumps({"person": options.person, "number": number, **wanted.said()}))
    return 0


def _wanted(options: argparse.Namespace, now: datetime) -> Wanted:
    from vigil_cloud.identity.consents import Wanted
    from vigil_cloud.identity.whereabouts import Scope

    return Wanted.of([Scope(one) for one in options.scopes], options.footprint_from, now)


def _own_scopes(text: str) -> list[str]:
    known = {_NONE: [], _ALL: list(SCOPES)}
    return known[text.strip()] if text.strip() in known else _scopes(text)


def _not_called(session: Session, person: str, now: datetime) -> set[str]:
    from vigil_cloud.identity.guardian_consents import not_called

    return {one.account for one in not_called(session, now, [person])}


def _tell_not_called(
    session: Session, options: argparse.Namespace, account: str | None, now: datetime
) -> None:
    """Say which guardians of the person (or whether this one) no alert reaches."""
    for username in sorted(_not_called(session, options.person, now)):
        if account in {None, username}:
            print(
                f"vigil-cloud: {username} guards {options.person} and will not be called: no"
                f" consent opens alerts (vigil-cloud consent grant {options.person} {username}"
                f" --scopes {','.join(SCOPES)})",
                file=sys.stderr,
            )


def _scopes(text: str) -> list[str]:
    words = [word.strip().replace("-", "_") for word in text.split(",")]
    unknown = [word for word in words if word not in SCOPES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(SCOPES)}")
    return words


def _moment(text: str) -> datetime | str:
    if text == "now":
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time (ISO 8601)") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset: 2026-05-01T00:00:00+08:00")
    return found.astimezone(UTC)


def _revoke(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.consents import revoke

    with opened(options) as services, writing(services.sessions) as session:
        now = services.now()
        revoke(session, person_key=options.person, consent_id=options.number, by=OPERATOR, now=now)
        _tell_not_called(session, options, None, now)
    print(json.dumps({"person": options.person, "revoked": options.number}))
    return 0
