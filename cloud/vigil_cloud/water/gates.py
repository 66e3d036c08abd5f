"""What this domain asks of irrigation associations: through their port alone."""

from __future__ import annotations

from typing import ClassVar

from vigil_cloud.api_errors import ApiError
from vigil_cloud.irrigation.port import Gate, ask_to_close, may_open, orders_of

__all__ = ["BadGateTime", "Gate", "GateUnknown", "ask_to_close", "may_open", "orders_of"]


class GateUnknown(ApiError):
    """The water of this incident comes by no such gate."""

    code: ClassVar[str] = "gate-unknown"
    remedy: ClassVar[str] = "Choose one of the gates that the incident's page lists."
    status: ClassVar[int] = 404


class BadGateTime(ApiError):
    """A gate may open at a time that lies too far ahead."""

    code: ClassVar[str] = "bad-gate-time"
    remedy: ClassVar[str] = "Give a time within the bounds that the message names."
    status: ClassVar[int] = 422
