"""What a command may ask for: one model of arguments per action, the same word in every domain.

A domain's descriptor on the edge says which of these its pipelines take; a domain may bring
models of its own.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from vigil_schemas.types import ChoiceKey, ChoiceValue, Domain, FoundId, Model, Ordinal, UtcDatetime


class CommandArguments(Model):
    """Base of every command's arguments; subclasses set ``ACTION``."""

    ACTION: ClassVar[str]
    PRIVATE: ClassVar[bool] = False
    """Its arguments stand for people: sent by the cloud itself alone, shown to nobody, and gone
    from the cloud's own record as soon as it is answered."""


class ReportHealth(CommandArguments):
    """The gateway tells how it is, now."""

    ACTION: ClassVar[str] = "report_health"


class ResendBirth(CommandArguments):
    """The gateway says its birth again."""

    ACTION: ClassVar[str] = "resend_birth"


class RestartSource(CommandArguments):
    """A device's pipeline is started anew."""

    ACTION: ClassVar[str] = "restart_source"


class ReloadThresholds(CommandArguments):
    """``gateway.toml`` is read again, as by SIGHUP."""

    ACTION: ClassVar[str] = "reload_thresholds"


class RotateCertificate(CommandArguments):
    """The gateway makes another key and has it signed, now, as it does by itself in time."""

    ACTION: ClassVar[str] = "rotate_certificate"


class Discover(CommandArguments):
    """The gateway looks for devices: on its own lines and radios, and where it is told to."""

    ACTION: ClassVar[str] = "discover"

    domain: Domain | None = None
    """Of one domain alone."""
    addresses: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]],
        Field(max_length=16),
    ] = Field(default_factory=list)
    """Where to look as well: ``192.0.2.10:502``, ``/dev/ttyUSB0``, ``mqtt://192.0.2.11:1883``. Only
    what the gateway's ``[discovery]`` allows."""
    first_unit: Annotated[int, Field(ge=0, le=255)] = 1
    last_unit: Annotated[int, Field(ge=0, le=255)] = 16
    """Of devices that share a line, those with these numbers, both included."""


class Look(CommandArguments):
    """The gateway reads something that it found, once, and tells the raw values."""

    ACTION: ClassVar[str] = "look"

    found: FoundId
    choices: Annotated[dict[ChoiceKey, ChoiceValue], Field(max_length=8)] = Field(
        default_factory=dict
    )


class SampleNow(CommandArguments):
    """The device is read now, whatever its interval."""

    ACTION: ClassVar[str] = "sample_now"


class SelfTest(CommandArguments):
    """The device tests itself; an alarm sounds."""

    ACTION: ClassVar[str] = "self_test"


class Mute(CommandArguments):
    """The device's sounder is silent, as long as the device itself allows."""

    ACTION: ClassVar[str] = "mute"


class PlayVoice(CommandArguments):
    """Something is said at the device: a recording that it has (``prompt``), or a sentence
    (``text``) where it can speak. One of the two."""

    ACTION: ClassVar[str] = "play_voice"

    text: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    prompt: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    """Name of a recording, such as ``help_coming``: every language that the device has it in."""
    language: Literal["zh-TW", "en"] = "zh-TW"
    """Of ``text``."""

    @model_validator(mode="after")
    def _one_of_two(self) -> PlayVoice:
        if (self.text is None) == (self.prompt is None):
            raise ValueError("give either text or prompt")
        return self


class Watched(Model):
    """One identity, without a word of whose it is or why."""

    id: Annotated[str, Field(min_length=1, max_length=160)]
    """A tag as its domain writes it."""
    until: UtcDatetime
    """Forgotten then, also by a device that is never told anything again."""


class WatchList(CommandArguments):
    """Identities that are told of at once where they are seen: the whole list, in place of any
    earlier one. Empty: none."""

    ACTION: ClassVar[str] = "watch_list"
    PRIVATE: ClassVar[bool] = True

    revision: Ordinal
    """Rises with each change of the list: an older one that comes later changes nothing."""
    entries: list[Watched] = Field(max_length=1000)


OF_THE_GATEWAY: Final[tuple[type[CommandArguments], ...]] = (
    ReportHealth,
    ResendBirth,
    ReloadThresholds,
    RotateCertificate,
    Discover,
    Look,
)
"""Taken by the agent itself."""
OF_ANY_DEVICE: Final[tuple[type[CommandArguments], ...]] = (RestartSource,)
"""Taken by the agent for each of its devices."""
_OF_DOMAINS: Final[tuple[type[CommandArguments], ...]] = (
    SampleNow,
    SelfTest,
    Mute,
    PlayVoice,
    WatchList,
)
COMMANDS: Final[dict[str, type[CommandArguments]]] = {
    model.ACTION: model for model in (*OF_THE_GATEWAY, *OF_ANY_DEVICE, *_OF_DOMAINS)
}
"""By action."""
