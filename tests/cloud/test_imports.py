"""What a process does not need it does not load: a start waits for it, and memory holds it.

By name and not by time: a module that is loaded early is found on any machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELP = """
import sys
from contextlib import suppress
from vigil_cloud.cli import main
with suppress(SystemExit):
    main(["--help"])
"""
SERVE = """
import sys
from pathlib import Path
import vigil_cloud.serving
from vigil_cloud.app import create_app
from vigil_cloud.config import load
from vigil_cloud.preparation import prepare_database
from vigil_cloud.stores import build_services
services = build_services(load(None, demo=True, data_dir=Path(sys.argv[1])))
prepare_database(services, always=False)
create_app(services)
services.close()
"""
COMMAND = """
import sys
from vigil_cloud.cli import main
assert main(["account", "list"]) == 0
"""
OF_A_DOSSIER = {"typst", "fontTools"}
OF_PHOTOGRAPHS = {"PIL"}
OF_NOTIFICATIONS = {"apprise", "requests"}
OF_OTHER_STORES = {"influxdb_client", "obstore", "psycopg"}
OF_DEVELOPERS = {"pytest", "hypothesis"}
OF_THE_EDGE = {"cv2", "numpy", "scipy"}
OF_A_SERVER = {"uvicorn", "iotcore", "paho", "vigil_cloud.app", "vigil_cloud.http"}
OF_THE_API = {"fastapi", "uvicorn", "sqlalchemy", "alembic", "paho", "iotcore"}

NEVER = OF_A_DOSSIER | OF_PHOTOGRAPHS | OF_NOTIFICATIONS | OF_OTHER_STORES | OF_DEVELOPERS
NEVER |= OF_THE_EDGE


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [(HELP, NEVER | OF_THE_API), (COMMAND, NEVER | OF_A_SERVER), (SERVE, NEVER)],
    ids=["help", "command", "serve"],
)
def test_it_starts_without_what_others_need(code: str, unwanted: set[str], tmp_path: Path) -> None:
    settings = {
        "VIGIL_DATA_DIR": str(tmp_path / "data"),
        "VIGIL_SECRET_KEY": "0123456789abcdef" * 2,
    }
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules, file=sys.stderr)", str(tmp_path)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(said.stderr.splitlines()[-1].split())
    assert "vigil_cloud" in loaded
    assert unwanted & loaded == set()
