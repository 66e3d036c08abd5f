"""Packages and Compose migrate while the release before goes on: it has to be able to.

A service that is restarted a moment later writes rows by the models of its own release. A column
that it does not know and must fill, or one that it knows and that is gone, would turn what
gateways send into dead letters meanwhile. Such a change takes two releases: add, then drop.
"""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import FOLDER, upgrade

SINCE = "0085"
"""Those before were written before this was asked of them."""

Columns = dict[str, dict[str, bool]]


def columns(engine: Engine) -> Columns:
    """By table and name: whether a row may leave it out."""
    found = inspect(engine)
    return {
        table: {
            one["name"]: bool(
                one["nullable"]
                or one["default"] is not None
                or one.get("computed")
                or one.get("primary_key")
            )
            for one in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


def test_the_release_before_goes_on_with_the_tables_of_the_next(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    engine = build_engine(f"sqlite:///{tmp_path / 'vigil.sqlite3'}")
    try:
        upgrade(engine, SINCE)
        before = columns(engine)
        for revision in reversed(revisions[: revisions.index(SINCE)]):
            upgrade(engine, revision)
            after = columns(engine)
            for table, known in before.items():
                assert table in after, f"{revision} drops table {table}"
                gone = known.keys() - after[table].keys()
                assert not gone, f"{revision} drops {table}: {gone}"
                for name, optional in after[table].items():
                    needed = name not in known or known[name]
                    assert optional or not needed, f"{revision}: {table}.{name} has to be filled"
            before = after
    finally:
        engine.dispose()
