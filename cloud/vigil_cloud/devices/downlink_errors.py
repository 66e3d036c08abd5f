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


class DeviceTaken(ApiError):
    """The id is that of a device that is there already."""

    code: ClassVar[str] = "device-taken"
    remedy: ClassVar[str] = "Choose another id: each is one device's, in the whole city."
    status: ClassVar[int] = 409

    def __init__(self, device: str) -> None:
        super().__init__(f"There is a device {device!r} already.")
        self.device = device


class NotAdded(ApiError):
    """The device is one of the gateway's own file, or none."""

    code: ClassVar[str] = "device-not-added"
    remedy: ClassVar[str] = (
        "Take devices of the gateway's own file out of that file; from here only those go that"
        " were added from here."
    )
    status: ClassVar[int] = 404

    def __init__(self, device: str) -> None:
        super().__init__(f"{device!r} was not added from the cloud.")
        self.device = device


class UnknownRevision(ApiError):
    """No such revision of the gateway's configuration."""

    code: ClassVar[str] = "unknown-revision"
    remedy: ClassVar[str] = "Look at the list of revisions again, and choose one of them."
    status: ClassVar[int] = 404

    def __init__(self, gateway: str, revision: int) -> None:
        super().__init__(f"{gateway} has no revision {revision}.")
        self.gateway = gateway
        self.revision = revision


class UnknownCommand(ApiError):
    """No such command of this gateway, or one of another kind."""

    code: ClassVar[str] = "unknown-command"
    remedy: ClassVar[str] = "Ask again: commands are removed after a while."
    status: ClassVar[int] = 404

    def __init__(self, gateway: str, command: str) -> None:
        super().__init__(f"{gateway} was asked nothing as {command!r}.")
        self.gateway = gateway
        self.command = command
