"""Why a box could not be enrolled: each one sentence and what to do."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class EnrolmentFailed(VigilError):
    """The cloud does not take this box; nothing was changed on it."""

    code: ClassVar[str] = "enrolment-refused"
    remedy: ClassVar[str] = "Do what the message says; the same command may be given again."
    cloud_code: str = ""
    """The cloud's own code for it, where it is the cloud that refuses."""
    status: int = 0
    """Of its answer."""


class CloudUnreachable(EnrolmentFailed):
    """No answer from the cloud, or none that it gives."""

    code: ClassVar[str] = "cloud-unreachable"
    remedy: ClassVar[str] = (
        "Check the address, the network and that the cloud runs; the same command may be given"
        " again."
    )


class CloudCertificateWrong(EnrolmentFailed):
    """What answers there does not prove to be the cloud."""

    code: ClassVar[str] = "cloud-certificate-wrong"
    remedy: ClassVar[str] = (
        "Check the address. Where the cloud's certificate is of an authority of your own, give"
        " that with `--ca-file`; where this box's clock is wrong, set it."
    )


class ClockWrong(EnrolmentFailed):
    """This box's clock is too far off for certificates to be valid."""

    code: ClassVar[str] = "box-clock-wrong"
    remedy: ClassVar[str] = (
        "Set the clock (`timedatectl set-ntp true`, or `date --set`), then give the command again."
    )


class NotOurs(EnrolmentFailed):
    """Files of another gateway lie there, and they are not overwritten."""

    code: ClassVar[str] = "box-has-another-name"
    remedy: ClassVar[str] = (
        "Give another folder with `--dir` and `--data-dir`, or move the former gateway's files"
        " away."
    )
