"""Refusals of the enrolment room: each one sentence with what to do."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from vigil_cloud.api_errors import ApiError


class EnrolmentCodeUnknown(ApiError):
    """No code of ours, or one that was withdrawn or made before its gateway was thrown out."""

    code: ClassVar[str] = "enrolment-code-unknown"
    remedy: ClassVar[str] = (
        "Compare it with the one that was shown; if it is the same, ask for a new one"
        " (`vigil-cloud gateway enrol NAME`)."
    )
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__(
            "There is no such enrolment code: compare it with the one that was shown, or ask for a"
            " new one."
        )


class EnrolmentCodeExpired(ApiError):
    """Its time is over."""

    code: ClassVar[str] = "enrolment-code-expired"
    remedy: ClassVar[str] = "Ask for a new one (`vigil-cloud gateway enrol NAME`)."
    status: ClassVar[int] = 410

    def __init__(self, gateway: str, expired: datetime) -> None:
        super().__init__(f"The enrolment code of {gateway} ended at {expired:%Y-%m-%d %H:%M} UTC.")
        self.gateway = gateway
        self.expired = expired


class EnrolmentCodeUsed(ApiError):
    """Another key has used it."""

    code: ClassVar[str] = "enrolment-code-used"
    remedy: ClassVar[str] = (
        "If that was not your box, revoke the gateway (`vigil-cloud gateway revoke NAME`); then"
        " ask for a new code with `--replace`."
    )
    status: ClassVar[int] = 409

    def __init__(self, gateway: str, used: datetime) -> None:
        super().__init__(
            f"The enrolment code of {gateway} was used at {used:%Y-%m-%d %H:%M} UTC by another box;"
            " if that was not yours, have the gateway revoked."
        )
        self.gateway = gateway
        self.used = used


class GatewayEnrolled(ApiError):
    """A box has this name, with a certificate that is valid or a token that it sends with."""

    code: ClassVar[str] = "gateway-enrolled"
    remedy: ClassVar[str] = (
        "If another box takes its place, ask for a code that replaces it (`--replace`); otherwise"
        " choose another name."
    )
    status: ClassVar[int] = 409

    def __init__(self, gateway: str, ends: datetime | None) -> None:
        has = (
            "has a token, which ends where another box becomes this gateway"
            if ends is None
            else f"is enrolled; its certificate is valid until {ends:%Y-%m-%d}"
        )
        super().__init__(f"Gateway {gateway!r} {has}.")
        self.gateway = gateway
        self.ends = ends


class GatewayNameReserved(ApiError):
    """The cloud's own name at the broker."""

    code: ClassVar[str] = "gateway-name-reserved"
    remedy: ClassVar[str] = "Choose another name for the gateway."
    status: ClassVar[int] = 422

    def __init__(self, gateway: str) -> None:
        super().__init__(f"{gateway!r} is the cloud's own name at the broker.")
        self.gateway = gateway


class BrokerAddressUnknown(ApiError):
    """Nobody has said where gateways reach the broker."""

    code: ClassVar[str] = "broker-address-unknown"
    remedy: ClassVar[str] = (
        "Set `VIGIL_GATEWAY_BROKER_URL` to the broker's address as gateways reach it, such as"
        " `mqtts://broker.example:8883`, and start the cloud again."
    )
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__("It is not set where gateways reach the broker.")


class RenewalRefused(ApiError):
    """A renewal that no valid certificate of this gateway's vouches for."""

    code: ClassVar[str] = "renewal-refused"
    remedy: ClassVar[str] = (
        "Enrol the box again with a new code (`vigil-cloud gateway enrol NAME --replace`)."
    )
    status: ClassVar[int] = 403
