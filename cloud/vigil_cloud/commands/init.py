"""``vigil-cloud init``: from nothing to a cloud that can be started: settings, keys, administrator.

Asks where it may and is not told; given again it changes nothing that is there. A key is never
written over: whoever lost one would have lost every name and address that it sealed.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vigil_cloud import config, variables
from vigil_cloud.commands import init_units
from vigil_cloud.commands.opening import OPERATOR, PACKAGED, Commands, add_command
from vigil_schemas.errors import VigilError

if TYPE_CHECKING:
    from vigil_cloud.config import Settings
    from vigil_cloud.services import Services

DEFAULT: Final = Path("/etc/vigil/cloud.toml")


def add(commands: Commands, _common: argparse.ArgumentParser) -> None:
    """One command; it has a ``--config`` of its own, which need not be there yet."""
    init = add_command(
        commands,
        "init",
        _init,
        "write settings and keys, make the administrator; asks or takes flags",
    )
    init.add_argument("--config", type=Path, default=DEFAULT, metavar="CLOUD.toml")
    init.add_argument("--data-dir", type=Path, metavar="DIR", help="/var/lib/vigil-cloud")
    init.add_argument(
        "--public-url", help="the address that people open, https://…; may stay empty"
    )
    init.add_argument(
        "--broker", help="mosquitto (started by `serve`), embedded, or mqtt(s)://host:port"
    )
    init.add_argument(
        "--gateway-broker-url", help="where gateways reach the broker, mqtts://host:8883"
    )
    init.add_argument("--administrator", metavar="NAME", help="the first account's user name")
    init.add_argument("--password-stdin", action="store_true", help="its password, one line")
    init.add_argument(
        "--units", type=Path, metavar="DIR", help="write systemd's units there and say what is next"
    )
    init.add_argument("--no-questions", action="store_true", help="take what is not given as usual")


def _init(options: argparse.Namespace) -> int:
    ask = _asking(options)
    _tell_slips()
    file: Path = options.config
    if file == DEFAULT and PACKAGED.exists() and not file.exists():
        raise config.ConfigurationError(
            f"{PACKAGED} has this machine's cloud and its key, and this would make a second:"
            " use `vigil-cloud-admin init`, or name the file with --config"
        )
    made = not file.exists()
    _require_units(options, options.data_dir)
    if made:
        answers = _answers(options, ask)
        _require_units(options, Path(os.environ.get("VIGIL_DATA_DIR") or answers["data_dir"]))
        _write(file, answers)
    settings = _settings(options, made=made)
    try:
        administrator = _set_up(options, settings, ask)
    except VigilError as error:
        if made and error.code == "wrong-secret-key":
            file.unlink()  # nothing was sealed with its key
        raise
    steps = [f"vigil-cloud serve --config {shlex.quote(str(file))}"]
    if options.units is not None:
        steps = init_units.write(options.units, file.absolute(), settings.data_dir, _say)
    command = " && ".join(steps)
    told = {"config": str(file), "written": made, "administrator": administrator, "next": command}
    print(json.dumps(told))
    for step in steps:
        _say(f"Next: {step}")
    _say(
        "Then, for the first gateway:"
        f" vigil-cloud gateway enrol NAME --config {shlex.quote(str(file))}"
    )
    return 0


def _settings(options: argparse.Namespace, *, made: bool) -> Settings:
    """With their folder made; a file of settings that was just written goes where that fails."""
    try:
        settings = config.load(options.config)
        _require_units(options, settings.data_dir)
        _tell_unused(options, settings, made=made)
        _make_folder(settings.data_dir)
    except (VigilError, OSError):
        if made:
            options.config.unlink()
        raise
    return settings


def _require_units(options: argparse.Namespace, data: Path | None) -> None:
    """Raises ``ConfigurationError`` where no unit could be written for this folder of data."""
    if options.units is not None:
        init_units.require(options.units, options.config.absolute(), data)


def _answers(options: argparse.Namespace, ask: Callable[[str, str], str]) -> dict[str, Any]:
    """What the file says. The key is the environment's where that has one."""
    usual = "mosquitto" if _has_mosquitto() else "embedded"
    answers: dict[str, Any] = {
        "data_dir": str(
            (options.data_dir or Path(ask("Folder of the data", "/var/lib/vigil-cloud"))).absolute()
        ),
        "public_url": _given(options.public_url, ask, "Address that people open (empty: none)", ""),
        "broker_url": _given(options.broker, ask, "Broker (mosquitto, embedded, mqtts://…)", usual),
    }
    if answers["broker_url"] != "embedded":
        host = answers["public_url"].partition("//")[2].partition("/")[0].partition(":")[0]
        likely = f"mqtts://{host}:8883" if host else ""
        question = "Where gateways reach the broker (empty: on this machine alone)"
        answers["gateway_broker_url"] = _given(options.gateway_broker_url, ask, question, likely)
        if answers["broker_url"] == "mosquitto" and not answers["gateway_broker_url"]:
            answers["gateways_listen"] = "127.0.0.1:8883"
    if not os.environ.get("VIGIL_SECRET_KEY"):
        answers["secret_key"] = secrets.token_hex(32)
    return {key: value for key, value in answers.items() if value != ""}


def _write(file: Path, answers: dict[str, Any]) -> None:
    """For its owner alone, only where there is none, and whole: one that a full disk cut off would
    be taken for the settings by the next ``init``. Raises ``OSError``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Written by `vigil-cloud init`; a VIGIL_* variable wins over each line.",
        "# secret_key seals names and addresses: keep a copy apart from the backups.",
        *(f"{key} = {json.dumps(value)}" for key, value in answers.items()),
    ]
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            raise
        except OSError:  # no links: FAT, some network drives
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Before anything is sealed with a key that is then taken away. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=folder):
        pass  # it can be written to


def _tell_slips() -> None:
    for slip in variables.unread():
        _say(f"{slip}.")


def _tell_unused(options: argparse.Namespace, settings: Settings, *, made: bool) -> None:
    """Flags that say otherwise than what counts: a file that is there is never written over, and
    a variable of the environment wins."""
    wanted = {
        "--data-dir": (options.data_dir and options.data_dir.absolute(), settings.data_dir),
        "--public-url": (options.public_url, settings.public_url),
        "--broker": (options.broker, settings.broker_url),
        "--gateway-broker-url": (options.gateway_broker_url, settings.gateway_broker_url),
    }
    why = "a VIGIL_* variable wins over it" if made else f"{options.config} is there already"
    for flag, (value, counts) in wanted.items():
        if value is not None and str(value) != str(counts):
            _say(f"{flag} {value} was not taken, {str(counts)!r} counts: {why}.")


def _set_up(
    options: argparse.Namespace, settings: Settings, ask: Callable[[str, str], str]
) -> str | None:
    """Tables, the authority and the administrator; who that is, where one was made.

    Raises ``WrongSecretKey`` and ``WeakPassword``.
    """
    from contextlib import closing

    from vigil_cloud.certificates import issued
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.preparation import prepare_database
    from vigil_cloud.stores import build_services

    with closing(build_services(settings)) as services:
        prepare_database(services, always=True)
        with writing(services.sessions) as session:
            issued.authority(session, Cipher(settings.secret), services.now())
        return _administrator(options, services, ask)


def _administrator(
    options: argparse.Namespace, services: Services, ask: Callable[[str, str], str]
) -> str | None:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import audit
    from vigil_cloud.identity.roles import Role
    from vigil_cloud.identity.service import accounts, add_account

    with services.sessions() as session:
        there = [one.username for one in accounts(session) if Role.ADMINISTRATOR in one.roles]
    if there:
        _say(f"There is an administrator: {there[0]}.")
        return None
    name = options.administrator or ask("User name of the administrator", "administrator")
    password = _password(options, name)
    if password is None:
        _say(
            "No administrator was made: there is no password. The first page of the cloud makes"
            " one with the setup code in its log, and so does this command given again."
        )
        return None
    now = services.now()
    with writing(services.sessions) as session:
        add_account(
            session,
            username=name,
            password=password,
            roles=[Role.ADMINISTRATOR, Role.MAINTAINER],
            now=now,
            demo=services.settings.demo,
        )
        audit.append(session, at=now, account=OPERATOR, action="account.first", subject=name)
    return str(name)


def _password(options: argparse.Namespace, name: str) -> str | None:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if options.no_questions or not sys.stdin.isatty():
        return None
    try:
        return getpass.getpass(f"Password of {name}: ")
    except EOFError as error:
        raise config.ConfigurationError("init: no password was typed") from error


def _asking(options: argparse.Namespace) -> Callable[[str, str], str]:
    """Asks at a terminal, and takes what is usual elsewhere."""
    if options.no_questions or options.password_stdin or not sys.stdin.isatty():
        return lambda _question, usual: usual

    def ask(question: str, usual: str) -> str:
        print(f"{question} [{usual}]: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() or usual

    return ask


def _given(value: str | None, ask: Callable[[str, str], str], question: str, usual: str) -> str:
    return ask(question, usual) if value is None else value


def _has_mosquitto() -> bool:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    return shutil.which("mosquitto", path=places) is not None


def _say(text: str) -> None:
    print(f"vigil-cloud: {text}", file=sys.stderr)
