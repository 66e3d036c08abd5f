"""What the API says of invitations, of joining by one, and of amulets, and what it takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.checkin.invitations import Capacity, State
from vigil_cloud.identity.schema import Username
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.parameters import NAME, ONE_LINE
from vigil_schemas.checkin import CarriedId
from vigil_schemas.types import UtcDatetime

NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=NAME)]
Note = Annotated[str, StringConstraints(max_length=200, pattern=ONE_LINE)]
Reason = Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=ONE_LINE)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
Typed = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NO_NUL)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=NO_NUL)]
Language = Literal["zh-TW", "en"]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class InviteRelative(_Body):
    """An invitation for a relative of one person."""

    note: Note = ""
    """For whom it is: shown to the person's guardians alone."""


class InviteFamily(_Body):
    """An invitation to enrol a new person and to guard them."""

    reason: Reason
    """Why: a visit, a call, a form of a day. Shown to whoever may enrol."""


class InvitationEntry(_Answer):
    """An invitation, as those see it who may make one like it."""

    id: str
    kind: Literal["relative", "enrol"]
    note: str
    state: State
    made_by: str
    made: UtcDatetime
    expires: UtcDatetime
    used: UtcDatetime | None
    used_by: str | None
    """User name of whoever joined with it."""
    link: str | None
    """The address to send or to show as a code, while it is open."""


class InvitationList(_Answer):
    """Newest first."""

    invitations: list[InvitationEntry]


class JoinToken(_Body):
    """What stands behind ``#`` of an invitation's address."""

    token: Token


class JoinOffer(_Answer):
    """What an open invitation is for. It names nobody."""

    kind: Literal["relative", "enrol"]
    expires: UtcDatetime


class NoticePoint(_Answer):
    """One thing that is said before anything is collected."""

    title: str
    title_zh: str
    text: str
    text_zh: str


class PurposeNotice(_Answer):
    """Who collects what of a person, why and for how long, and which rights there are."""

    version: str
    points: list[NoticePoint]


class JoinAccount(_Body):
    """An account of one's own, made with an invitation."""

    token: Token
    username: Username
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    display_name: Annotated[str, StringConstraints(max_length=120, pattern=ONE_LINE)] = ""
    language: Language = "zh-TW"


class Agreement(_Body):
    """The notice was read, and whoever signs in agrees to it."""

    notice: Version
    """The version that was shown."""
    language: Language
    capacity: Capacity
    """For oneself, or as whoever represents the person."""
    agreed: Literal[True]


class EnrolPerson(Agreement):
    """Whom to enrol."""

    name: Name
    amulet: Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)] = ""
    """As scanned or typed; empty: later."""
    own: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(max_length=4)] = []
    """What whoever enrols is to see and be told of, for a year: ``last_place``, ``footprint``,
    ``live``, ``alerts``. Empty: nothing is shown to them, and they are not called."""


class Join(_Body):
    """Use an invitation, signed in."""

    token: Token
    enrol: EnrolPerson | None = None
    """Of an invitation to enrol."""


class Joined(_Answer):
    """Whose relative or guardian the account is now."""

    kind: Literal["relative", "enrol"]
    person_key: str


class AmuletEntry(_Answer):
    """An amulet that a person carries, without the id that it sends."""

    amulet: str
    last_heard: UtcDatetime | None
    """By any station; that it works, and not where it is."""
    battery_mv: int | None


class AmuletList(_Answer):
    """What one person carries."""

    amulets: list[AmuletEntry]


class RegisterAmulet(Agreement):
    """Give a person an amulet."""

    code: Typed
    """As scanned or typed."""
    replaces: Annotated[str, StringConstraints(max_length=32, pattern=NO_NUL)] | None = None
    """The amulet that was lost, where this one takes its place."""


class EndAmulet(_Body):
    """It is the person's no more."""

    how: Literal["lost", "returned"]


class AddAmulets(_Body):
    """Beacons of the city's own for the stock."""

    tags: Annotated[list[CarriedId], Field(min_length=1, max_length=200)]


class NewAmulet(_Answer):
    """An amulet and the code that is to be printed on it; told once and kept nowhere."""

    tag: str
    code: str


class NewAmulets(_Answer):
    """In the order in which they were named."""

    amulets: list[NewAmulet]


class Stock(_Answer):
    """How many amulets there are of each state."""

    free: int
    carried: int
    lost: int
    returned: int
    void: int
    """Of the free ones: so many have a printed code that fits no more, and need another."""
