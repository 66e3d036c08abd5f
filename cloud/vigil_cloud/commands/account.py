"""``vigil-cloud account``: accounts of people."""

from __future__ import annotations

import argparse
import getpass
import sys

from vigil_cloud import config
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, add, password, close, open, remove."""
    actions = add_subject(commands, "account", "accounts of people")
    add_command(actions, "list", _list, "one JSON object a line", common)
    remove = add_command(
        actions,
        "remove",
        _remove,
        "with its consents, guardianships and channels; what it did stays in the log",
        common,
    )
    remove.add_argument("username")
    make = add_command(actions, "add", _add, "make one; the password is asked for", common)
    make.add_argument("username")
    make.add_argument("--role", action="append", required=True, dest="roles")
    make.add_argument("--display-name", default="")
    make.add_argument("--email", default="")
    make.add_argument("--language", default="zh-TW", choices=["zh-TW", "en"])
    make.add_argument("--password-stdin", action="store_true", help="read it from standard input")
    password = add_command(
        actions,
        "password",
        _set_password,
        "give one a new password; its browsers are signed out",
        common,
    )
    password.add_argument("username")
    password.add_argument("--password-stdin", action="store_true", help="read it from there")
    for name, text in (
        ("close", "nobody signs in with it any more and it is told nothing"),
        ("open", "undo closing"),
    ):
        action = add_command(actions, name, _set_active, text, common)
        action.add_argument("username")
        action.set_defaults(active=name == "open")


def _add(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.roles import Role
    from vigil_cloud.identity.service import add_account

    try:
        roles = [Role(role) for role in options.roles]
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise config.ConfigurationError(f"--role: {error}; known are {known}") from error
    with opened(options) as services:
        password = _password(options)
        with writing(services.sessions) as session:
            add_account(
                session,
                username=options.username,
                password=password,
                roles=roles,
                now=services.now(),
                display_name=options.display_name,
                email=options.email,
                language=options.language,
                demo=services.settings.demo,
            )
    print(f"account {options.username}: added")
    return 0


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.schema import account_row
    from vigil_cloud.identity.service import accounts

    with opened(options) as services, services.sessions() as session:
        for account in accounts(session):
            print(account_row(account).model_dump_json())
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.service import remove_account

    with opened(options) as services, writing(services.sessions) as session:
        remove_account(session, options.username, by=OPERATOR, now=services.now())
    print(f"account {options.username}: removed")
    _tell_of_policies(options)
    return 0


def _tell_of_policies(options: argparse.Namespace) -> None:
    """One line for each escalation policy that names somebody who cannot be called any more; the
    platform raises an alert of each. In a transaction of its own: it waits for the feed."""
    from vigil_cloud.database.engine import writing
    from vigil_cloud.notify.escalation import policies

    with opened(options) as services, writing(services.sessions) as session:
        policies.check(session, services.now())
        for one in policies.stored(session):
            if one.gaps:
                print(f"escalation policy {one.policy.name}: {policies.worded(one)}")


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise config.ConfigurationError(
            "account: nobody is at a terminal to be asked: give the password with --password-stdin"
        )
    try:
        return getpass.getpass(f"Password of {options.username}: ")
    except EOFError as error:
        raise config.ConfigurationError("account: no password was typed") from error


def _set_password(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.service import set_password

    with opened(options) as services:
        password, demo = _password(options), services.settings.demo
        with writing(services.sessions) as session:
            now = services.now()
            set_password(session, options.username, password, by=OPERATOR, now=now, demo=demo)
    print(f"account {options.username}: password changed, signed out everywhere")
    return 0


def _set_active(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.service import set_active

    with opened(options) as services, writing(services.sessions) as session:
        set_active(session, options.username, options.active, by=OPERATOR, now=services.now())
    print(f"account {options.username}: {'open' if options.active else 'closed'}")
    _tell_of_policies(options)
    return 0
