"""``vigil-cloud gateway``: gateways that may send."""

from __future__ import annotations

import argparse
import json
import secrets

from vigil_cloud import config
from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """add."""
    actions = add_subject(commands, "gateway", "gateways that may send")
    make = add_command(actions, "add", _add, "let one in and print its token", common)
    make.add_argument("gateway")


def _add(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.seen import enrol
    from vigil_cloud.identity.service import set_gateway_token
    from vigil_schemas.types import GatewayId

    try:
        name = TypeAdapter(GatewayId).validate_python(options.gateway)
    except ValidationError as error:
        raise config.ConfigurationError(
            f"gateway {options.gateway!r}: use 2 to 63 of a-z, 0-9 and '-'"
        ) from error
    token = secrets.token_urlsafe(32)
    with opened(options) as services, writing(services.sessions) as session:
        enrol(session, name, services.now())
        set_gateway_token(session, name, token, services.now())
    print(json.dumps({"gateway": name, "token": token}))
    return 0
