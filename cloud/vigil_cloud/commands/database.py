"""``vigil-cloud migrate`` and ``seed``: the tables, and what stands in them at first."""

from __future__ import annotations

import argparse
from pathlib import Path

from vigil_cloud.commands.opening import Commands, add_command, opened, stores


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """migrate, seed."""
    migrate = add_command(
        commands, "migrate", _migrate, "bring the database to this version's tables", common
    )
    migrate.add_argument(
        "--wait", action="store_true", help="for a database that is away, as the services do"
    )
    seed = add_command(
        commands, "seed", _seed, "accounts, gateways, people and consents from a TOML file", common
    )
    seed.add_argument("file", type=Path)


def _migrate(options: argparse.Namespace) -> int:
    from vigil_cloud.database.migrate import current
    from vigil_cloud.preparation import patiently, prepare_database

    with stores(options) as services:
        if options.wait:
            before = patiently(services, lambda: current(services.engine))
        else:
            before = current(services.engine)
        prepare_database(services, always=True)
        print(f"database: {before or 'empty'} -> {current(services.engine)}")
    return 0


def _seed(options: argparse.Namespace) -> int:
    from vigil_cloud import seed

    wanted = seed.read(options.file)
    with opened(options) as services:
        seed.apply(services, wanted, options.file.parent)
    return 0
