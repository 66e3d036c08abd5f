"""Databases of the newest revision, without what Alembic does where there is nothing to do."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import Engine

from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import current, head, upgrade

_newest = functools.cache(head)


@functools.cache
def migrated_file() -> Path:
    """An SQLite file with all tables and nothing in them, made once by each process: to copy."""
    folder = Path(tempfile.mkdtemp(prefix="vigil-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = build_engine(f"sqlite:///{folder / 'vigil.sqlite3'}")
    upgrade(engine)
    engine.dispose()  # its log is written into the file
    return folder / "vigil.sqlite3"


def tables_in(folder: Path) -> None:
    """In a data folder of programs that would otherwise migrate before the test begins."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (path := folder / "vigil.sqlite3").exists():
        shutil.copyfile(migrated_file(), path)


def bring_up(engine: Engine) -> None:
    """As ``upgrade``; a file that is not there yet is a copy, and one of the newest revision is
    left alone: Alembic would read the files of all revisions."""
    path = Path(engine.url.database or "")
    if engine.dialect.name == "sqlite" and not path.exists():
        shutil.copyfile(migrated_file(), path)
    elif current(engine) != _newest():
        upgrade(engine)
