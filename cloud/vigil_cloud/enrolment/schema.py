"""What the routes of enrolment take and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vigil_schemas.types import UtcDatetime

Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Request = Annotated[str, Field(min_length=1, max_length=8192, pattern=r"^[^\x00]*$")]
Line = Annotated[str, Field(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CodeRequest(BaseModel):
    """A one-time code for a box that is to become this gateway."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    name: Line = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    replaces: bool = False
    """Another box takes the place of the one that has this name: devices and history stay."""
    lasts_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3600

    @model_validator(mode="after")
    def _whole_place(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("a place has a latitude and a longitude")
        return self


class CodeEntry(BaseModel):
    """Shown once: only a keyed hash of the code is kept."""

    gateway: str
    code: str
    expires: UtcDatetime
    command: str
    """What is typed on the box."""
    picture: str
    """The same as a QR code (SVG)."""


class Offer(BaseModel):
    """A code as it was typed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    code: Code


class OfferEntry(BaseModel):
    """What a code is for."""

    gateway: str
    expires: UtcDatetime
    now: UtcDatetime
    """The cloud's clock: a box whose own is far off cannot use a certificate."""


class EnrolmentRequest(BaseModel):
    """A code with a certificate request (PKCS #10 in PEM) whose common name is the gateway."""

    model_config = ConfigDict(strict=True, extra="forbid")

    code: Code
    request: Request


class EnrolmentEntry(BaseModel):
    """What a box needs to start."""

    gateway: str
    certificate: str
    authority: str
    ends: UtcDatetime
    token: str
    broker: str
    name: str
    latitude: float | None
    longitude: float | None


class RenewalRequest(BaseModel):
    """A request for another certificate, vouched for by the one before."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    request: Request
    serial: Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
    """Of the certificate before, hexadecimal."""
    signature: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]
    """Base64, over the request in DER, with the key of the certificate before (ECDSA, SHA-256)."""


class RenewalEntry(BaseModel):
    """The certificate after it."""

    certificate: str
    authority: str
    ends: UtcDatetime


class GatewayCertificate(BaseModel):
    """One certificate that was signed for a gateway."""

    serial: str
    issued: UtcDatetime
    ends: UtcDatetime
    revoked: UtcDatetime | None
    reason: Literal["thrown-out", "replaced", "renewed", "by-hand"] | None
    by: str


class GatewayCertificates(BaseModel):
    """The newest first."""

    certificates: list[GatewayCertificate]
    code_expires: UtcDatetime | None
    """Somebody made a code for this gateway that nobody has used; null: none."""
