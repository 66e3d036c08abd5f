"""``vigil-cloud``: serve, or its parts alone, and what an operator does by hand."""

from __future__ import annotations

import argparse
import getpass
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from vigil_cloud import config
from vigil_cloud.config import Settings
from vigil_cloud.log import set_up_logging
from vigil_schemas.errors import VigilError

OPERATOR: Final = "vigil-cloud"
"""Who the audit log says did what was asked for on the command line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 done, 2 a mistake that the message names."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except VigilError as error:
        print(f"vigil-cloud: {error.code}: {error}", file=sys.stderr)
    except SQLAlchemyError as error:
        first = str(error).strip().splitlines()[0]
        print(f"vigil-cloud: database-unavailable: {first}", file=sys.stderr)
    except OSError as error:  # a folder or a certificate that cannot be used
        print(f"vigil-cloud: file-unavailable: {error}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vigil-cloud", description="Vigil's cloud")
    parser.add_argument("--version", action="version", version=version("vigil-city"))
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="CLOUD.toml", help="settings; VIGIL_* variables win over it"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> None:
        commands.add_parser(name, parents=[common], help=text, description=text).set_defaults(
            run=run
        )

    command("serve", _serve, "API, ingest and (unless another is named) the broker, in one process")
    command("api", _api, "the HTTP API alone")
    command("ingest", _ingest, "ingest alone; any number may share a VIGIL_SHARED_GROUP")
    command("broker", _broker, "the embedded broker alone")
    command("migrate", _migrate, "bring the database to this version's tables")
    seed = commands.add_parser(
        "seed", parents=[common], help="accounts, gateways, people and consents from a TOML file"
    )
    seed.add_argument("file", type=Path)
    seed.set_defaults(run=_seed)
    openapi = commands.add_parser("export-openapi", help="the API's description as JSON")
    openapi.add_argument("file", type=Path, nargs="?", help="default: standard output")
    openapi.set_defaults(run=_export_openapi)
    _add_account(commands, common)
    _add_gateway(commands, common)
    _add_device(commands, common)
    _add_audit(commands, common)
    return parser


def _add_account(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    account = commands.add_parser("account", help="accounts of people")
    actions = account.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", parents=[common], help="make one; the password is asked for")
    add.add_argument("username")
    add.add_argument("--role", action="append", required=True, dest="roles")
    add.add_argument("--display-name", default="")
    add.add_argument("--email", default="")
    add.add_argument("--language", default="zh-TW", choices=["zh-TW", "en"])
    add.add_argument("--password-stdin", action="store_true", help="read it from standard input")
    add.set_defaults(run=_account_add)
    password = actions.add_parser(
        "password", parents=[common], help="give one a new password; its browsers are signed out"
    )
    password.add_argument("username")
    password.add_argument("--password-stdin", action="store_true", help="read it from there")
    password.set_defaults(run=_account_password)
    for name, text in (
        ("close", "nobody signs in with it any more and it is told nothing"),
        ("open", "undo closing"),
    ):
        action = actions.add_parser(name, parents=[common], help=text)
        action.add_argument("username")
        action.set_defaults(run=_account_active, active=name == "open")


def _add_gateway(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    gateway = commands.add_parser("gateway", help="gateways that may send")
    actions = gateway.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", parents=[common], help="let one in and print its token")
    add.add_argument("gateway")
    add.set_defaults(run=_gateway_add)


def _add_device(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    device = commands.add_parser("device", help="devices and the gateways they belong to")
    actions = device.add_subparsers(required=True, metavar="ACTION")
    release = actions.add_parser(
        "release", parents=[common], help="let the next gateway that describes it have it"
    )
    release.add_argument("device")
    release.set_defaults(run=_device_release)


def _add_audit(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    audit = commands.add_parser("audit", help="the log of who read and changed what")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify", parents=[common], help="check its chain; print its length and its last hash"
    )
    verify.set_defaults(run=_audit_verify)


def _settings(options: argparse.Namespace) -> Settings:
    settings = config.load(options.config)
    set_up_logging(settings.log_level)
    return settings


def _serve(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        settings = services.settings
        serving.await_database(services, always=True)
        with serving.running_broker(services) as broker:
            address = serving.broker_address(settings, broker)
            with serving.running_ingest(services, address):
                serving.serve_api(
                    services,
                    lambda port: serving.say(
                        kind="ready",
                        url=f"http://{settings.http_host}:{port}",
                        broker=f"mqtt://{address.host}:{address.port}",
                    ),
                )
    return serving.ended()


def _api(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.await_database(services, always=False)
        host = services.settings.http_host
        serving.serve_api(
            services, lambda port: serving.say(kind="ready", url=f"http://{host}:{port}")
        )
    return serving.ended()


def _ingest(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.await_database(services, always=False)
        address = serving.broker_address(services.settings, None)
        with serving.running_ingest(services, address):
            where = f"mqtt://{address.host}:{address.port}"
            serving.serve_operations(services, lambda: serving.say(kind="ready", broker=where))
    return serving.ended()


def _broker(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.broker import EmbeddedBroker

    broker = EmbeddedBroker(_settings(options).broker_listen)
    broker.start()
    try:
        serving.wait_for_signal(lambda: serving.say(kind="ready", broker=broker.url))
    finally:
        broker.stop()
    return 0


def _migrate(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import build_engine
    from vigil_cloud.database.migrate import current, upgrade

    engine = build_engine(_settings(options).database)
    before = current(engine)
    upgrade(engine)
    print(f"database: {before or 'empty'} -> {current(engine)}")
    engine.dispose()
    return 0


def _seed(options: argparse.Namespace) -> int:
    from vigil_cloud import seed, serving
    from vigil_cloud.stores import build_services

    wanted = seed.read(options.file)
    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        seed.apply(services, wanted)
    return 0


def _account_add(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.roles import Role
    from vigil_cloud.identity.service import add_account
    from vigil_cloud.stores import build_services

    try:
        roles = [Role(role) for role in options.roles]
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise config.ConfigurationError(f"--role: {error}; known are {known}") from error
    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
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


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(f"Password of {options.username}: ")


def _account_password(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.service import set_password
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        password, demo = _password(options), services.settings.demo
        with writing(services.sessions) as session:
            now = services.now()
            set_password(session, options.username, password, by=OPERATOR, now=now, demo=demo)
    print(f"account {options.username}: password changed, signed out everywhere")
    return 0


def _account_active(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.service import set_active
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        with writing(services.sessions) as session:
            now = services.now()
            set_active(session, options.username, options.active, by=OPERATOR, now=now)
    print(f"account {options.username}: {'open' if options.active else 'closed'}")
    return 0


def _audit_verify(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.identity.audit import verify
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        with services.sessions() as session:
            lines, head = verify(session)
    print(json.dumps({"lines": lines, "head": head}))
    return 0


def _gateway_add(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from vigil_cloud import serving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.seen import enrol
    from vigil_cloud.identity.service import set_gateway_token
    from vigil_cloud.stores import build_services
    from vigil_schemas.types import GatewayId

    try:
        name = TypeAdapter(GatewayId).validate_python(options.gateway)
    except ValidationError as error:
        raise config.ConfigurationError(
            f"gateway {options.gateway!r}: use 2 to 63 of a-z, 0-9 and '-'"
        ) from error
    token = secrets.token_urlsafe(32)
    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        with writing(services.sessions) as session:
            enrol(session, name, services.now())
            set_gateway_token(session, name, token, services.now())
    print(json.dumps({"gateway": name, "token": token}))
    return 0


def _device_release(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.service import release
    from vigil_cloud.stores import build_services

    with closing(build_services(_settings(options))) as services:
        serving.prepare_database(services, always=False)
        with writing(services.sessions) as session:
            entry = release(session, options.device, OPERATOR, services.now())
    print(json.dumps({"device": entry.device, "released_from": entry.gateway}))
    return 0


def _export_openapi(options: argparse.Namespace) -> int:
    from vigil_cloud.app import openapi_document

    text = json.dumps(openapi_document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if options.file is None:
        sys.stdout.write(text)
    else:
        options.file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
