"""What the API says of accounts and sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.identity.models import Account, AuditEntry, Look
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.parameters import NAME
from vigil_schemas.types import UtcDatetime

NO_NUL = r"^[^\x00]*$"
Username = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")
]


class Credentials(BaseModel):
    """What is typed at the door."""

    model_config = ConfigDict(strict=True, extra="forbid")

    username: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class PasswordChange(BaseModel):
    """The password as it is, and as it shall be."""

    model_config = ConfigDict(strict=True, extra="forbid")

    current: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    new: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class ProfileChange(BaseModel):
    """What one may change of one's own account oneself."""

    model_config = ConfigDict(strict=True, extra="forbid")

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=NAME)]
    language: Literal["zh-TW", "en"]


class AccountEntry(BaseModel):
    """Who is signed in."""

    username: str
    display_name: str
    roles: list[Role]
    language: str


class AccountRow(BaseModel):
    """An account as administrators see it."""

    username: str
    display_name: str
    email: str
    roles: list[Role]
    active: bool
    created: UtcDatetime


class AccountList(BaseModel):
    """By user name."""

    accounts: list[AccountRow]


def account_row(account: Account) -> AccountRow:
    """Without what signs it in."""
    return AccountRow(
        username=account.username,
        display_name=account.display_name,
        email=account.email,
        roles=[Role(role) for role in account.roles],
        active=account.active,
        created=account.created,
    )


class SessionEntry(BaseModel):
    """The session; ``csrf`` goes into the header X-CSRF-Token of every change."""

    account: AccountEntry
    csrf: str


Scopes = Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=4)]
FootprintFrom = UtcDatetime | Literal["now"] | None


class ConsentScopes(BaseModel):
    """What a consent opens: ``last_place``, ``footprint``, ``live`` (open pages follow), ``alerts``
    (messages and the list of alerts)."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    scopes: Scopes
    footprint_from: FootprintFrom = None
    """Of the footprint, nothing older; ``now``: from now on; null: all that is kept."""


class ConsentRequest(ConsentScopes):
    """Let one relative know where the person is, until a moment at most a year ahead. Without
    scopes: the last place and the footprint."""

    account: Username
    expires: UtcDatetime
    scopes: Scopes = [Scope.LAST_PLACE, Scope.FOOTPRINT]


class ConsentEntry(BaseModel):
    """One relative's consent; over when expired or revoked."""

    id: int
    account: str
    granted_by: str
    granted: UtcDatetime
    expires: UtcDatetime
    revoked: UtcDatetime | None
    scopes: list[Scope]
    footprint_from: UtcDatetime | None


class ConsentList(BaseModel):
    """Every consent ever given for one person, newest first."""

    consents: list[ConsentEntry]


class AuditLine(BaseModel):
    """Who did what, and when. A look is one line, from ``at`` until ``until``."""

    number: int
    at: UtcDatetime
    account: str
    action: str
    subject: str
    """``footprints``, ``alert {id}``, ``alerts``, ``stream``, a file; whom or what it concerns."""
    until: UtcDatetime | None
    """Of a look: when it was last seen to go on; null for what is no look."""
    count: int
    """How often somebody asked for it within one look."""
    start: UtcDatetime | None
    """Of footprints: the first moment that was looked at."""
    stop: UtcDatetime | None
    alert: str | None
    """The alert that a file belongs to."""
    scopes: list[Scope]
    """Of a consent: what it opens (since then, where it was narrowed); empty of anything else, and
    of consents from before there were scopes."""
    footprint_from: UtcDatetime | None
    """Of a consent: its footprint's beginning."""


def audit_line(entry: AuditEntry, look: Look | None) -> AuditLine:
    """A line as people see it."""
    detail = entry.detail
    return AuditLine(
        number=entry.number,
        at=entry.at,
        account=entry.account,
        action=entry.action,
        subject=entry.subject,
        until=look.last if look else None,
        count=look.count if look else 1,
        start=detail.get("start"),
        stop=detail.get("stop"),
        alert=detail.get("alert"),
        scopes=detail.get("scopes", []),
        footprint_from=detail.get("footprint_from"),
    )


class AuditLines(BaseModel):
    """Newest first; ``next`` is the ``before`` of the following page."""

    entries: list[AuditLine]
    next: Annotated[int | None, Field(description="null on the last page")]


class HeldScope(BaseModel):
    """One part of what consents open to the reader."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    scope: Scope
    until: UtcDatetime
    """It ends then, if it is not taken back before."""
    since: UtcDatetime | None
    """Of the footprint: nothing older is shown; null: all that is kept."""


class PersonEntry(BaseModel):
    """A person whom the reader may follow, or guards, or both."""

    key: str
    name: str
    guardian: bool
    consent_expires: UtcDatetime | None
    """When the last of the scopes ends. Null: the reader decides for this person but may not see
    where they are."""
    scopes: list[HeldScope]
    """What the reader may see; what is not named is closed."""
    ends_soon: UtcDatetime | None
    """When the first of the reader's consents ends that closes something, from a month before.
    Null: nothing ends soon."""


class NewPerson(BaseModel):
    """How the person is called; sealed under a key of their own."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=NAME)]


class ErasureEntry(BaseModel):
    """What was removed, by kind. ``complete``: free pages and logs of the files are clean as
    well; else `vigil-cloud person erase` again in a quiet hour finishes it."""

    person: str
    removed: dict[str, int]
    complete: bool


class PersonList(BaseModel):
    """By name."""

    people: list[PersonEntry]


class SetupState(BaseModel):
    """Whether this cloud waits for its first account."""

    open: bool


class SetupRequest(BaseModel):
    """The first account, with the code that stands in the service's log."""

    model_config = ConfigDict(strict=True, extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    username: Username
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    language: Literal["zh-TW", "en"] = "zh-TW"
