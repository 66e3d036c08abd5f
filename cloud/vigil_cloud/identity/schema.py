"""What the API says of accounts and sessions."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.identity.roles import Role
from vigil_schemas.types import UtcDatetime

NO_NUL = r"^[^\x00]*$"
Username = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")
]


class Credentials(BaseModel):
    """What is typed at the door."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class PasswordChange(BaseModel):
    """The password as it is, and as it shall be."""

    model_config = ConfigDict(extra="forbid")

    current: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    new: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class AccountEntry(BaseModel):
    """Who is signed in."""

    username: str
    display_name: str
    roles: list[Role]
    language: str


class SessionEntry(BaseModel):
    """The session; ``csrf`` goes into the header X-CSRF-Token of every change."""

    account: AccountEntry
    csrf: str


class ConsentRequest(BaseModel):
    """Let one relative know where the person is, until a moment at most a year ahead."""

    model_config = ConfigDict(extra="forbid")

    account: Username
    expires: UtcDatetime


class ConsentEntry(BaseModel):
    """One relative's consent; over when expired or revoked."""

    id: int
    account: str
    granted_by: str
    granted: UtcDatetime
    expires: UtcDatetime
    revoked: UtcDatetime | None


class ConsentList(BaseModel):
    """Every consent ever given for one person, newest first."""

    consents: list[ConsentEntry]


class AuditLine(BaseModel):
    """Who did what, and when."""

    number: int
    at: UtcDatetime
    account: str
    action: str
    subject: str


class AuditLines(BaseModel):
    """Newest first; ``next`` is the ``before`` of the following page."""

    entries: list[AuditLine]
    next: Annotated[int | None, Field(description="null on the last page")]
