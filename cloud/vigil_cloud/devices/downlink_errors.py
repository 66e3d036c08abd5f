"""Refusals of commands and configurations on their way down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from vigil_cloud.api_errors import ApiError


class UnknownGateway(ApiError):
    """No such gateway."""

    code: ClassVar[str] = "unknown-gateway"
    remedy: ClassVar[str] = "Check the gateway's name."
    status: ClassVar[int] = 404

    def __init__(self, gateway: str, why: str = "is not known, or not for this account") -> None:
        super().__init__(f"Gateway {gateway!r} {why}.")
        self.gateway = gateway


class WrongCommand(ApiError):
    """The command lacks something, or nobody knows it."""

    code: ClassVar[str] = "wrong-command"
    remedy: ClassVar[str] = "Add what the message names."
    status: ClassVar[int] = 422


class SettingUnknown(ApiError):
    """The gateway has not said that this key may be changed from here."""

    code: ClassVar[str] = "setting-unknown"
    remedy: ClassVar[str] = "Choose one of the settings that the device says it has."
    status: ClassVar[int] = 422

    def __init__(self, gateway: str, settings: Sequence[str]) -> None:
        super().__init__(f"{gateway} does not offer {', '.join(settings)}.")
        self.gateway = gateway
        self.settings = settings


class ConfigurationMoved(ApiError):
    """Somebody else changed it since the form was opened."""

    code: ClassVar[str] = "configuration-moved"
    remedy: ClassVar[str] = "Look at the configuration as it is now, and change it again."
    status: ClassVar[int] = 409
