"""AED: a cabinet with a defibrillator: its door, its button, and whether it is in its place.

Observed parameters of a cabinet: ``door_open``, ``aed_present`` (1 or 0, no unit).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from vigil_schemas.commands import PlayVoice
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Domain, Model, Ordinal, UtcDatetime

DOMAIN: Final[Domain] = "aed"

EventId = Annotated[str, Field(min_length=8, max_length=64)]

CabinetCondition = Literal["device_fault", "door_left_open", "contact_stuck", "voice_failed"]
"""``device_fault``: the defibrillator's own self test says so. ``contact_stuck``: the button has
been down for longer than anybody presses it. ``voice_failed``: nothing was heard at the box."""
VoicePrompt = Literal["door_opened", "call_sent", "help_coming", "removed"]
"""``door_opened``: what to do. ``call_sent``: the button was pressed, 119 is being told.
``help_coming``: somebody has accepted. ``removed``: it was taken without the door."""
PROMPTS: Final[tuple[VoicePrompt, ...]] = ("door_opened", "call_sent", "help_coming", "removed")


class AedCall(Model):
    """``city.vigil.aed.call.v1``: the button was pressed: somebody's heart has stopped.

    Pressed again within a short time it is the same call (``call_id``) with more ``presses``.
    """

    TYPE: ClassVar[str] = "city.vigil.aed.call.v1"

    call_id: EventId
    pressed: UtcDatetime
    """The first time."""
    presses: Ordinal = 1
    last_pressed: UtcDatetime | None = None
    door_open: bool | None = None


class AedRemoval(Model):
    """``city.vigil.aed.removal.v1``: the defibrillator left its place, or is back in it.

    On the alarm lane where the door was not opened before (``opened`` is not true).
    """

    TYPE: ClassVar[str] = "city.vigil.aed.removal.v1"

    removal_id: EventId
    """The same for both phases."""
    phase: Literal["taken", "returned"]
    taken: UtcDatetime
    returned: UtcDatetime | None = None
    opened: bool | None
    """Whether the door was opened before; none: nobody looked at that time."""


class AedDoor(Model):
    """``city.vigil.aed.door.v1``: the cabinet's door was opened, or closed again."""

    TYPE: ClassVar[str] = "city.vigil.aed.door.v1"

    opening_id: EventId
    """The same for both phases."""
    phase: Literal["opened", "closed"]
    opened: UtcDatetime
    closed: UtcDatetime | None = None


class AedCondition(Model):
    """``city.vigil.aed.condition.v1``: something of a cabinet needs a look, or is well again."""

    TYPE: ClassVar[str] = "city.vigil.aed.condition.v1"

    condition_id: EventId
    """The same for both."""
    condition: CabinetCondition
    active: bool
    since: UtcDatetime
    """When this state began."""
    message: Annotated[str, Field(max_length=200)] = ""


class AedPrompt(Model):
    """``city.vigil.aed.prompt.v1``: what was said at the box."""

    TYPE: ClassVar[str] = "city.vigil.aed.prompt.v1"

    prompt: VoicePrompt
    languages: list[Annotated[str, Field(max_length=16)]] = Field(max_length=8)
    """In the order in which they were heard; empty where only the attention tone was."""
    outcome: Literal["played", "tone-only", "failed"]
    message: Annotated[str, Field(max_length=200)] = ""


CONTRACT: Final = DomainContract(
    name=DOMAIN,
    events=(AedCall, AedRemoval, AedDoor, AedCondition, AedPrompt),
    alarms=(AedCall, AedRemoval),
    commands=(PlayVoice,),
)
