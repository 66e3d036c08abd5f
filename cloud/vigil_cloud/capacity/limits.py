"""What one gateway may take up, and everybody together. None of it holds on the alarm lane's
alarms: those are always taken (above a rate they join one counted alert)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB
_SHARE_OF_DISK: Final = 0.1
_SHARE_OF_ONE: Final = 0.25


class Quotas(BaseModel):
    """``[quotas]`` or ``VIGIL_QUOTAS__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dead_letters: Annotated[int, Field(gt=0)] = 1_000
    """Kept of one gateway that concern no alarm. Beyond, its own oldest go."""
    dead_letter_bytes: Annotated[int, Field(gt=0)] = 8 * MIB
    alarm_dead_letters: Annotated[int, Field(gt=0)] = 2_000
    """Kept of one gateway that do concern an alarm; the others never push them out."""
    alarm_dead_letter_bytes: Annotated[int, Field(gt=0)] = 32 * MIB
    all_dead_letter_bytes: Annotated[int, Field(gt=0)] = 512 * MIB
    """Of all gateways, and never more than a tenth of the disk; beyond, whoever has most loses
    its oldest."""
    evidence_day_bytes: Annotated[int, Field(gt=0)] = 4 * GIB
    """Evidence that one gateway may put within a day; it keeps the rest and comes again."""
    evidence_uploads: Annotated[int, Field(gt=0)] = 2
    """Of one gateway at once."""
    devices: Annotated[int, Field(gt=0)] = 1_000
    """Of one gateway that readings may bring up; a birth may describe any number."""
    parameters: Annotated[int, Field(gt=0)] = 64
    """Series of one device."""
    epochs: Annotated[int, Field(gt=0)] = 32
    """Openings of one gateway's outbox whose marks are kept, by lane."""
    alerts_a_minute: Annotated[int, Field(gt=0)] = 100
    """Of one gateway; above it, its alarms join one counted alert that lists each device."""


class DeadLetterShare(BaseModel):
    """What of the quotas a disk of a given size leaves for dead letters."""

    model_config = ConfigDict(frozen=True)

    ordinary: int
    alarm: int
    everybody: int


def dead_letter_share(quotas: Quotas, disk_bytes: int | None) -> DeadLetterShare:
    """Bytes; ``disk_bytes`` is ``None`` where the database lies somewhere else."""
    everybody = quotas.all_dead_letter_bytes
    if disk_bytes is not None:
        everybody = min(everybody, int(disk_bytes * _SHARE_OF_DISK))
    one = int(everybody * _SHARE_OF_ONE)
    return DeadLetterShare(
        ordinary=min(quotas.dead_letter_bytes, one),
        alarm=min(quotas.alarm_dead_letter_bytes, 2 * one),
        everybody=everybody,
    )


class DiskLimits(BaseModel):
    """``[disk]`` or ``VIGIL_DISK__…``: free bytes of the disk under ``data_dir``, and the share
    of a small disk, of which the lower counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_bytes: Annotated[int, Field(gt=0)] = 5 * GIB
    low_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Below: an alert to the administrator."""
    readings_bytes: Annotated[int, Field(gt=0)] = GIB
    readings_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Below: readings and evidence wait at their gateways. Below half of it events wait too, and
    below an eighth the service says that it is not ready; alarms never wait."""
    reserve_bytes: Annotated[int, Field(ge=0)] = 64 * MIB
    reserve_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Laid by in a file, and given up for an alarm that finds the disk full all the same."""
