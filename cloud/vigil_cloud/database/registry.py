"""Every room's tables in one place: importing this module declares all of them.

A room that adds a ``models.py`` is listed here; migrations and their check compare
against what this module declares.
"""

from __future__ import annotations

import importlib
from typing import Final

from sqlalchemy import MetaData

from vigil_cloud.database.base import Base

ROOMS: Final = (
    "alerts",
    "capacity",
    "cases",
    "checkin",
    "database",
    "devices",
    "evidence",
    "identity",
    "ingest",
    "jobs",
    "noise",
    "notify",
    "smoke",
    "water",
)


def metadata() -> MetaData:
    """All tables."""
    for room in ROOMS:
        importlib.import_module(f"vigil_cloud.{room}.models")
    return Base.metadata
