"""``vigil-cloud gateway``: gateways that may send."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from vigil_cloud import config
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, add, rotate-token, revoke, readmit."""
    actions = add_subject(commands, "gateway", "gateways that may send")
    add_command(actions, "list", _list, "one JSON object a line", common)
    for name, run, text in (
        ("add", _add, "let a new one in and print its token"),
        ("rotate-token", _rotate, "another token; the old one ends at once"),
        ("readmit", _readmit, "let one in again that was revoked, with a new token"),
    ):
        add_command(actions, name, run, text, common).add_argument("gateway")
    revoke = add_command(
        actions,
        "revoke",
        _revoke,
        "throw one out (stolen, sold): nothing it sends is taken any more, token and key are"
        " void, its devices are released",
        common,
    )
    revoke.add_argument("gateway")
    revoke.add_argument(
        "--retire-devices", action="store_true", help="take its devices off the list, too"
    )


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.http.gateways import entries

    with opened(options) as services, services.sessions() as session:
        for entry in entries(session, services.now()):
            print(entry.model_dump_json(exclude={"health"}))
    return 0


def _with_token(options: argparse.Namespace, act: Callable[..., str], name: str) -> int:
    from vigil_cloud.database.engine import writing

    with opened(options) as services, writing(services.sessions) as session:
        token = act(session, name, by=OPERATOR, now=services.now())
    print(json.dumps({"gateway": name, "token": token}))
    return 0


def _add(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from vigil_cloud.devices import removal
    from vigil_schemas.types import GatewayId

    try:
        name = TypeAdapter(GatewayId).validate_python(options.gateway)
    except ValidationError as error:
        raise config.ConfigurationError(
            f"gateway {options.gateway!r}: use 2 to 63 of a-z, 0-9 and '-'"
        ) from error
    return _with_token(options, removal.add, name)


def _rotate(options: argparse.Namespace) -> int:
    from vigil_cloud.devices import removal

    return _with_token(options, removal.rotate_token, options.gateway)


def _readmit(options: argparse.Namespace) -> int:
    from vigil_cloud.devices import removal

    return _with_token(options, removal.readmit, options.gateway)


def _revoke(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices import removal

    with opened(options) as services, writing(services.sessions) as session:
        devices = removal.revoke(
            session,
            options.gateway,
            by=OPERATOR,
            now=services.now(),
            retire=options.retire_devices,
        )
    what = "retired" if options.retire_devices else "released"
    print(json.dumps({"gateway": options.gateway, "revoked": True, what: devices}))
    return 0
