"""Statements that the cities of a process have compiled: text and processors are kept for the next.

An engine compiles each statement once, and each test has an engine of its own, which took a third
of what its cities did. What a statement becomes hangs on the kind of its database alone, as all
engines are made alike: one that another engine compiled is the same, letter by letter.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from vigil_cloud.database import engine as engines

DIALECTS: Final = (SQLiteDialect_pysqlite, PGDialect_psycopg)
_MOST: Final = 5000


def share(patch: pytest.MonkeyPatch) -> None:
    """Until ``patch`` is undone."""
    kept: LRUCache[Any, Any] = LRUCache(_MOST)

    def create_engine(url: Any, **options: Any) -> Engine:
        made = sqlalchemy.create_engine(url, **options)
        made.update_execution_options(compiled_cache=kept)
        return made

    patch.setattr(engines, "create_engine", create_engine)
    for kind in DIALECTS:  # the key of what was compiled begins with its dialect
        patch.setattr(kind, "__hash__", lambda self: hash(type(self)))
        patch.setattr(kind, "__eq__", lambda self, other: type(self) is type(other))
