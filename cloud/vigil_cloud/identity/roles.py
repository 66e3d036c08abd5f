"""The roles that an account may hold, several at once."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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
    IRRIGATION = "irrigation"
    """An irrigation association: told of its gates alone."""
    HOST = "host"
    """Whoever has a device of the city on their wall: told of that device alone."""
    REGISTRAR = "registrar"
    """Staff who enrol people for the health bureau: invites families and sees nobody's places."""


PUBLIC_VIEW: Final = frozenset(Role) - {Role.IRRIGATION, Role.HOST, Role.REGISTRAR}
"""Who sees the devices that stand in public view: all but those who are told of one thing alone."""
