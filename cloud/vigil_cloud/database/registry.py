"""Every room's tables in one place: importing this module declares all of them.

A room of the platform that adds a ``models.py`` is listed here, the domains are in
``vigil_cloud.shipped``; migrations and their check compare
against what this module declares.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Final

from sqlalchemy import MetaData

from vigil_cloud.database.base import Base
from vigil_cloud.shipped import SHIPPED

ROOMS: Final = (
    "alerts",
    "capacity",
    "cases",
    "certificates",
    "database",
    "devices",
    "emergency",
    "enrolment",
    "evidence",
    "identity",
    "ingest",
    "jobs",
    "notify",
    "refusals",
    "street_map",
)


def metadata() -> MetaData:
    """All tables."""
    for room in (*ROOMS, *SHIPPED):
        name = f"vigil_cloud.{room}.models"
        if room in ROOMS or importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    return Base.metadata
