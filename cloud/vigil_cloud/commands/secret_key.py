"""``vigil-cloud secret-key``: the key that names and addresses are sealed with."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, stores
from vigil_cloud.config import SECRET_CHARACTERS, ConfigurationError, weak

if TYPE_CHECKING:
    from vigil_cloud.services import Services

NEW_KEY: Final = "VIGIL_NEW_SECRET_KEY"


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """rotate, adopt."""
    actions = add_subject(
        commands, "secret-key", "the key that names and addresses are sealed with"
    )
    rotate = add_command(
        actions,
        "rotate",
        _rotate,
        "seal everything anew: settings hold the old key, "
        f"{NEW_KEY} or --new-key-file the new one; stop the services before",
        common,
    )
    rotate.add_argument(
        "--new-key-file", type=Path, metavar="FILE", help="'-': standard input; one line"
    )
    rotate.add_argument(
        "--end-codes",
        action="store_true",
        help="the old key was stolen: printed codes of amulets, links on stations and notices and"
        " the codes of homes fit no more and have to be made anew (they go on fitting otherwise)",
    )
    add_command(
        actions,
        "adopt",
        _adopt,
        "take the settings' key though not everything opens with it: the last way out of a"
        " database that was used with several keys, or whose key is lost",
        common,
    )


@contextmanager
def _tables(options: argparse.Namespace) -> Iterator[Services]:
    from vigil_cloud.preparation import prepare_tables

    with stores(options) as services:
        prepare_tables(services, always=False)
        yield services


def _rotate(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import forget_deleted, writing
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.secret_key import rotate

    new = _new_key(options.new_key_file)
    with _tables(options) as services:
        if new == services.settings.secret:
            raise ConfigurationError("the new secret key is the old one; make another")
        old_cipher, now = Cipher(services.settings.secret), services.now()
        with writing(services.sessions) as session:
            done = rotate(
                session,
                old_cipher,
                Cipher(new),
                by=OPERATOR,
                now=now,
                end_codes=options.end_codes,
            )
        forget_deleted(services.engine)
    print(
        json.dumps(
            {
                "rotated": not done.already,
                "sealed_anew": done.columns,
                "sessions_ended": done.sessions_ended,
                "codes_ended": done.codes_ended,
                "next": "put the new key into VIGIL_SECRET_KEY, then start the services",
            }
        )
    )
    return 0


def _new_key(file: Path | None) -> str:
    if file is None:
        new = os.environ.get(NEW_KEY, "")
    elif str(file) == "-":
        new = sys.stdin.readline().strip()
    else:
        new = file.read_text("utf-8").strip()
    if weak(new):
        raise ConfigurationError(
            f"{NEW_KEY}: give a new key of at least {SECRET_CHARACTERS} random characters, there"
            " or with --new-key-file (for example from `openssl rand -hex 32`)"
        )
    return new


def _adopt(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.secret_key import adopt

    with _tables(options) as services, writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        done = adopt(session, cipher, by=OPERATOR, now=services.now())
    said = {"adopted": True, "unreadable": done.lost, "codes_ended": done.codes_ended}
    print(json.dumps(said))
    return 0
