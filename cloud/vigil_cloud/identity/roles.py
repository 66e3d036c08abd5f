"""The roles that an account may hold, several at once."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What each may see is decided in ``alerts.visibility`` and in the routes' ``require``."""

    FAMILY = "family"
    INSPECTOR = "inspector"
    REVIEWER = "reviewer"
    POLICE = "police"
    DISPATCHER = "dispatcher"
    VOLUNTEER = "volunteer"
    MAINTAINER = "maintainer"
    ADMINISTRATOR = "administrator"
