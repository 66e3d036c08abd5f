"""What can be wrong with smoke alarms, their broker, or what they sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_edge.smoke.report import AlarmReport
from vigil_schemas.errors import VigilError


class PayloadMalformed(VigilError):
    """A device's payload is not JSON, or not a JSON object, and says nothing of a fire."""

    code: ClassVar[str] = "smoke-payload-malformed"
    remedy: ClassVar[str] = (
        "Look at the device's converter in Zigbee2MQTT; the payload is in the log."
    )


class FrameMalformed(PayloadMalformed):
    """A LoRaWAN frame is no frame of this device: its length, checksum, type or port is wrong.

    ``may_be_fire``: what can be made out of it says fire. ``whole``: that part of it is a frame
    as documented, with its checksum, which says fire.
    """

    code: ClassVar[str] = "smoke-frame-malformed"
    remedy: ClassVar[str] = (
        "Check that the codec is the device's own; a checksum that is wrong again and again is a"
        " broken device."
    )

    def __init__(
        self, message: str, *, may_be_fire: bool = False, whole: AlarmReport | None = None
    ) -> None:
        super().__init__(message)
        self.may_be_fire = may_be_fire
        self.whole = whole


class CodecUnknown(VigilError):
    """``--codec`` names none that there is."""

    code: ClassVar[str] = "codec-unknown"
    remedy: ClassVar[str] = "Give one of the codecs that the message lists."

    def __init__(self, codec: str, known: Iterable[str]) -> None:
        super().__init__(f"--codec {codec!r}: there is {', '.join(known)}")
        self.codec = codec
        self.known = list(known)


class BrokerUnreachable(SourceError):
    """No connection to the broker that the alarms are on."""

    code: ClassVar[str] = "broker-unreachable"
    remedy: ClassVar[str] = (
        "Check the address of `[[smoke]] broker` and that Zigbee2MQTT's broker runs."
    )


class BrokerRefused(SourceError):
    """The broker refused the connection or the subscription."""

    code: ClassVar[str] = "broker-refused"
    remedy: ClassVar[str] = "Check user, password and access rules for `[[smoke]] broker`."


class BrokerLost(SourceError):
    """The connection to the broker broke."""

    code: ClassVar[str] = "broker-lost"
    remedy: ClassVar[str] = (
        "Nothing at first: it connects again by itself. If it recurs, look at the broker's "
        "log and the network."
    )
