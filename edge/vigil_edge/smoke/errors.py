"""What can be wrong with smoke alarms, their broker, or what they sent."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class PayloadMalformed(VigilError):
    """A device's payload is not JSON, or not a JSON object, and says nothing of a fire."""

    code: ClassVar[str] = "smoke-payload-malformed"


class CodecUnknown(VigilError):
    """``--codec`` names none that there is."""

    code: ClassVar[str] = "codec-unknown"


class BrokerUnreachable(SourceError):
    """No connection to the broker that the alarms are on."""

    code: ClassVar[str] = "broker-unreachable"


class BrokerRefused(SourceError):
    """The broker refused the connection or the subscription."""

    code: ClassVar[str] = "broker-refused"


class BrokerLost(SourceError):
    """The connection to the broker broke."""

    code: ClassVar[str] = "broker-lost"
