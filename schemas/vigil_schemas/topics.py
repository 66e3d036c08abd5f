"""MQTT topics: ``vigil/v1/{gateway}/{lane | status | receipt | command | config}``."""

from __future__ import annotations

from typing import Final, NamedTuple

from vigil_schemas.types import Lane

ROOT: Final = "vigil/v1"
STATUS: Final = "status"
RECEIPT: Final = "receipt"
COMMAND: Final = "command"
CONFIG: Final = "config"
UP: Final = (*(lane.value for lane in Lane), STATUS)
DOWN: Final = (RECEIPT, COMMAND, CONFIG)
MAX_MESSAGE_BYTES: Final = 256 * 1024
"""No message of the contract is larger; ingest refuses what is."""


class Topic(NamedTuple):
    """A parsed topic: whose branch, and which channel of it."""

    gateway: str
    channel: str


def topic(gateway: str, channel: str) -> str:
    """The topic of one channel of one gateway."""
    return f"{ROOT}/{gateway}/{channel}"


def parse(name: str) -> Topic | None:
    """``None`` where the name is not one of ours."""
    parts = name.split("/")
    if len(parts) != 4 or f"{parts[0]}/{parts[1]}" != ROOT:
        return None
    if parts[3] not in UP and parts[3] not in DOWN:
        return None
    return Topic(parts[2], parts[3])


def uplink_filters(shared_group: str | None = None) -> list[str]:
    """Subscription filters that catch everything sent up, shared by a group if one is named."""
    prefix = f"$share/{shared_group}/" if shared_group else ""
    return [f"{prefix}{ROOT}/+/{channel}" for channel in UP]
