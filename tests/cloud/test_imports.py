"""What a process does not need it does not load: a start waits for it, and memory holds it.

By name and not by time: a module that is loaded early is found on any machine.
"""

from __future__ import annotations

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
OF_A_DOSSIER = {"typst", "fontTools"}
OF_PHOTOGRAPHS = {"PIL"}
OF_NOTIFICATIONS = {"apprise", "requests"}
OF_OTHER_STORES = {"influxdb_client", "obstore", "psycopg"}
OF_DEVELOPERS = {"pytest", "hypothesis"}
OF_THE_EDGE = {"cv2", "numpy", "scipy"}
OF_THE_API = {"fastapi", "uvicorn", "sqlalchemy", "alembic", "paho", "iotcore"}

NEVER = OF_A_DOSSIER | OF_PHOTOGRAPHS | OF_NOTIFICATIONS | OF_OTHER_STORES | OF_DEVELOPERS
NEVER |= OF_THE_EDGE


@pytest.mark.parametrize(
    ("code", "unwanted"), [(HELP, NEVER | OF_THE_API), (SERVE, NEVER)], ids=["help", "serve"]
)
def test_it_starts_without_what_others_need(code: str, unwanted: set[str], tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules, file=sys.stderr)", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(said.stderr.splitlines()[-1].split())
    assert "vigil_cloud" in loaded
    assert unwanted & loaded == set()
