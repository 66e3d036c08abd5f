"""``vigil-cloud gateway``: gateways that may send."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from vigil_cloud import config
from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, enrol, certificates, add, rotate-token, revoke, readmit."""
    actions = add_subject(commands, "gateway", "gateways that may send")
    add_command(actions, "list", _list, "one JSON object a line", common)
    enrol = add_command(
        actions, "enrol", _enrol, "make a one-time code for a box that is to be this one", common
    )
    enrol.add_argument("gateway")
    enrol.add_argument("--name", default="", help="for people, as `North gate`")
    enrol.add_argument("--latitude", type=finite, help="degrees, WGS 84")
    enrol.add_argument("--longitude", type=finite)
    enrol.add_argument("--hours", type=finite, default=1.0, help="the code's time (1)")
    enrol.add_argument(
        "--replace",
        action="store_true",
        help="another box takes its place: devices and history stay, the former box is out",
    )
    certificates = add_command(
        actions, "certificates", _certificates, "what was signed for it, one a line", common
    )
    certificates.add_argument("gateway")
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


def _enrol(options: argparse.Namespace) -> int:
    from datetime import timedelta

    from pydantic import ValidationError

    from vigil_cloud.database.engine import writing
    from vigil_cloud.enrolment import codes, service
    from vigil_cloud.enrolment.schema import CodeRequest
    from vigil_cloud.identity.cipher import Cipher

    gateway = _gateway_id(options.gateway)
    try:
        asked = CodeRequest(
            name=options.name,
            latitude=options.latitude,
            longitude=options.longitude,
            replaces=options.replace,
            lasts_s=round(options.hours * 3600),
        )
    except (ValidationError, ValueError, OverflowError) as error:
        raise config.ConfigurationError(
            "gateway enrol: a name has at most 120 characters in one line, a latitude lies within"
            " 90 degrees and a longitude within 180, and neither stands alone, a code lasts from a"
            " minute to 168 hours"
        ) from error
    lasts = timedelta(seconds=asked.lasts_s)
    wanted = codes.Wanted(
        gateway, asked.name, asked.latitude, asked.longitude, asked.replaces, lasts
    )
    with opened(options) as services:
        settings = services.settings
        service.broker_url(settings)
        with writing(services.sessions) as session:
            cipher = Cipher(settings.secret)
            made = codes.new_code(session, cipher, wanted, by=OPERATOR, now=services.now())
    address = settings.public_url or f"http://{settings.http_host}:{settings.http_port}"
    command = f"vigil-edge enrol {address.rstrip('/')} {made.code}"
    told = {"gateway": gateway, "code": made.code, "expires": made.expires.isoformat()}
    print(json.dumps({**told, "command": command}))
    if sys.stderr.isatty():
        import segno

        segno.make(command, error="m", micro=False).terminal(out=sys.stderr, compact=True)
        print(f"On the box, within {asked.lasts_s // 60} minutes:\n  {command}", file=sys.stderr)
    return 0


def _certificates(options: argparse.Namespace) -> int:
    from vigil_cloud.certificates import issued
    from vigil_cloud.devices.downlink_errors import UnknownGateway
    from vigil_cloud.devices.models import Gateway

    with opened(options) as services, services.sessions() as session:
        found = issued.of_gateway(session, options.gateway)
        if not found and session.get(Gateway, options.gateway) is None:
            raise UnknownGateway(options.gateway)
        for row in found:
            revoked = row.revoked.isoformat() if row.revoked is not None else None
            told = {"serial": row.serial, "issued": row.issued.isoformat()}
            told |= {"ends": row.ends.isoformat(), "by": row.account}
            print(json.dumps({**told, "revoked": revoked, "reason": row.reason}))
    return 0


def _gateway_id(text: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from vigil_schemas.types import GatewayId

    try:
        return str(TypeAdapter(GatewayId).validate_python(text))
    except ValidationError as error:
        raise config.ConfigurationError(
            f"gateway {text!r}: use 2 to 63 of a-z, 0-9 and '-'"
        ) from error


def _with_token(options: argparse.Namespace, act: Callable[..., str], name: str) -> int:
    from vigil_cloud.database.engine import writing

    with opened(options) as services, writing(services.sessions) as session:
        token = act(session, name, by=OPERATOR, now=services.now())
    print(json.dumps({"gateway": name, "token": token}))
    return 0


def _add(options: argparse.Namespace) -> int:
    from vigil_cloud.devices import removal

    return _with_token(options, removal.add, _gateway_id(options.gateway))


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
