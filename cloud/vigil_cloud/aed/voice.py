"""What the cloud has a cabinet say."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedCallRow
from vigil_cloud.devices.downlink_errors import UnknownGateway
from vigil_cloud.devices.downlinks import send_command
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.schema import CommandRequest
from vigil_schemas.commands import PlayVoice

PROMPT: Final = "help_coming"
_LONGEST_S: Final = 120.0
"""Later than this nobody stands there to be comforted."""


def help_is_coming(session: Session, call: AedCallRow, now: datetime) -> None:
    """Said at the box once somebody has accepted, where it takes such a command."""
    device = session.get(Device, call.device)
    if device is None or PlayVoice.ACTION not in device.commands:
        return
    request = CommandRequest(
        action=PlayVoice.ACTION,
        device=call.device,
        arguments={"prompt": PROMPT},
        expires_in_s=_LONGEST_S,
    )
    try:
        send_command(session, call.gateway, request, "platform", now)
    except UnknownGateway:  # removed meanwhile
        return
