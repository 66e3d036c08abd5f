"""What every command begins with: settings, logging, and the stores where it needs them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from vigil_cloud import config, variables
from vigil_cloud.config import Settings
from vigil_cloud.log import set_up_logging

if TYPE_CHECKING:
    from vigil_cloud.services import Services

_log = structlog.get_logger(__name__)
PACKAGED: Final = Path("/etc/vigil-cloud")
"""Where Debian's package keeps settings and key, which its services read."""

OPERATOR: Final = "vigil-cloud"
"""Who the audit log says did what was asked for on the command line."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]


def common_options() -> argparse.ArgumentParser:
    """Options of every command that reads the settings: a parent of its parser."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="CLOUD.toml", help="settings; VIGIL_* variables win over it"
    )
    return common


def add_command(
    commands: Commands, name: str, run: Run, text: str, *parents: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """One command; returns its parser, for further arguments."""
    parser = commands.add_parser(name, parents=list(parents), help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def add_subject(commands: Commands, name: str, text: str) -> Commands:
    """A command that has actions of its own: ``vigil-cloud NAME ACTION``."""
    parser = commands.add_parser(name, help=text, description=text)
    return parser.add_subparsers(required=True, metavar="ACTION")


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings, read once, with logging set up; what nobody reads is told.

    Raises ``ConfigurationError`` and ``SecretsUnreadable``.
    """
    slips = variables.unread()
    try:
        settings = config.load(options.config)
    except config.ConfigurationError as error:
        error = config.ConfigurationError("; ".join([str(error), *slips]))
        if PACKAGED.is_dir() and "VIGIL_SECRETS_DIR" not in os.environ:
            raise config.ConfigurationError(
                f"{error}. This machine's cloud, of the package, is asked by `vigil-cloud-admin`"
            ) from None
        raise error from None
    set_up_logging(settings.log_level, settings.log_format)
    for slip in slips:
        _log.warning("variable-unknown", reason=slip)
    return settings


@contextmanager
def stores(options: argparse.Namespace) -> Iterator[Services]:
    """The stores, not looked at yet: for services that wait for their database."""
    from vigil_cloud.stores import build_services

    with closing(build_services(settings_of(options))) as services:
        yield services


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Services]:
    """The stores with a database whose tables are this version's.

    Raises ``DatabaseOutdated`` and SQLAlchemy's errors.
    """
    from vigil_cloud.preparation import prepare_database

    with stores(options) as services:
        prepare_database(services, always=False)
        yield services
