"""Processes that start at once open one new file, and none of them is refused."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from vigil_cloud.database.engine import build_engine, build_sessions, writing
from vigil_cloud.database.wal import write_ahead


def test_many_who_open_a_new_file_at_once_all_write(tmp_path: Path) -> None:
    """About one in thirty of such files was refused to somebody."""
    problems: list[BaseException] = []

    def start(url: str, begin: threading.Barrier) -> None:
        engine = build_engine(url)
        begin.wait(60)
        try:
            with writing(build_sessions(engine)) as session:
                session.execute(text("CREATE TABLE IF NOT EXISTS here (who INTEGER)"))
        except BaseException as error:
            problems.append(error)
        finally:
            engine.dispose()

    for number in range(60):
        begin = threading.Barrier(5)
        url = f"sqlite:///{tmp_path / str(number)}.sqlite3"
        threads = [threading.Thread(target=start, args=(url, begin)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not problems


def test_a_refusal_is_asked_again_until_patience_ends(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite3"
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    other = sqlite3.connect(file, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(other.cursor(), 0.05)
    holder.execute("COMMIT")
    write_ahead(other.cursor(), 60.0)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    holder.close()
    other.close()
