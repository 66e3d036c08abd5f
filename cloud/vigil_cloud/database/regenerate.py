"""Write the initial migration anew from the models, as long as nothing is released.

Run ``python -m vigil_cloud.database.regenerate`` after a model has changed. Once a
version is released, its migration is frozen and a change gets a revision of its own:
``python -m vigil_cloud.database.regenerate 0002 "what changed"``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import FOLDER, configuration, upgrade


def regenerate(revision: str = "0001", message: str = "initial") -> Path:
    """Write one revision; 0001 replaces itself. Returns its file."""
    for old in (FOLDER / "versions").glob(f"{revision}_*.py"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        engine = build_engine(f"sqlite:///{folder}/empty.sqlite3")
        if revision != "0001":
            upgrade(engine)
        with engine.connect() as connection:
            command.revision(
                configuration(connection), message=message, autogenerate=True, rev_id=revision
            )
        engine.dispose()
    return next((FOLDER / "versions").glob(f"{revision}_*.py"))


if __name__ == "__main__":
    print(regenerate(*sys.argv[1:]))  # noqa: T201 - a command
