"""What can be wrong with a check-in device or with what it sent."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class NotHexadecimal(VigilError):
    """A payload given on the command line is not hexadecimal."""

    code: ClassVar[str] = "not-hexadecimal"
    remedy: ClassVar[str] = "Give pairs of the digits 0-9 and a-f."


class UnreadableFile(VigilError):
    """A file given on the command line cannot be opened or read."""

    code: ClassVar[str] = "file-unreadable"
    remedy: ClassVar[str] = "Check the path and the file's rights."

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LlrpError(VigilError):
    """Bytes that are not LLRP. ``offset`` counts from the start of what was decoded."""

    code: ClassVar[str] = "llrp-malformed"
    remedy: ClassVar[str] = (
        "Check that the address is an LLRP reader and the line is sound; look at `offset`."
    )

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class LlrpTruncated(LlrpError):
    """A frame or parameter ends before the length that it states."""

    code: ClassVar[str] = "llrp-truncated"
    remedy: ClassVar[str] = (
        "Check the line to the reader; give the whole frame when decoding by hand."
    )


class LlrpOversized(LlrpError):
    """A frame states a length that no reader sends."""

    code: ClassVar[str] = "llrp-oversized"
    remedy: ClassVar[str] = "Check that the address is an LLRP reader (port 5084)."


class LlrpBadLength(LlrpError):
    """A stated length is smaller than its own header, or contradicts what is inside."""

    code: ClassVar[str] = "llrp-bad-length"
    remedy: ClassVar[str] = (
        "Check that the address is an LLRP reader (port 5084) and the line is sound."
    )


class LlrpBadVersion(LlrpError):
    """The version bits are none of LLRP's; most often this is not LLRP at all."""

    code: ClassVar[str] = "llrp-bad-version"
    remedy: ClassVar[str] = "Check that the address is an LLRP reader (port 5084)."


class LlrpUnknownParameter(LlrpError):
    """A parameter without a length of its own whose size is not known; the rest is unreadable."""

    code: ClassVar[str] = "llrp-unknown-parameter"
    remedy: ClassVar[str] = "Report the reader's model with the frame."


class LlrpUnknownMessage(LlrpError):
    """A message name or number that LLRP does not have."""

    code: ClassVar[str] = "llrp-unknown-message"
    remedy: ClassVar[str] = "Give a message's name or number as in LLRP 1.1."


class ReaderUnreachable(SourceError):
    """No TCP connection to the reader."""

    code: ClassVar[str] = "llrp-unreachable"
    remedy: ClassVar[str] = "Check the reader's address, port 5084 and the network."

    def __init__(self, device: str, address: str, reason: str) -> None:
        super().__init__(device, f"cannot reach {address}: {reason}")
        self.address = address
        self.reason = reason


class ReaderRefused(SourceError):
    """The reader answered that it will not, such as that another client is connected."""

    code: ClassVar[str] = "llrp-refused"
    remedy: ClassVar[str] = "Disconnect the other client, or correct what the reader's text names."


class ReaderSilent(SourceError):
    """Not even a keep-alive for too long."""

    code: ClassVar[str] = "llrp-silent"
    remedy: ClassVar[str] = (
        "Look at the reader's power and network; the agent connects again by itself."
    )


class ReaderLost(SourceError):
    """The reader closed the connection."""

    code: ClassVar[str] = "llrp-lost"
    remedy: ClassVar[str] = (
        "Nothing at first: it connects again by itself. If it recurs, look at the reader's "
        "power and network."
    )


class ReaderProtocol(SourceError):
    """The reader sent something that is not LLRP; ``code`` is that of the cause."""

    code: ClassVar[str] = "llrp-protocol"
    remedy: ClassVar[str] = (
        "Check that the address is an LLRP reader and the line is sound; the cause has its "
        "own code."
    )

    def __init__(self, device: str, cause: LlrpError) -> None:
        super().__init__(device, str(cause))
        self.code = cause.code  # type: ignore[misc]  # one path for several causes, as InvalidMessage


class RadioFailed(SourceError):
    """The Bluetooth radio could not be used for scanning."""

    code: ClassVar[str] = "ble-failed"
    remedy: ClassVar[str] = (
        "Check `bluetoothctl show` and that the agent may use D-Bus; the agent tries again by "
        "itself."
    )


class RadioBackendMissing(SourceError):
    """``backend`` names a class that cannot be loaded."""

    code: ClassVar[str] = "ble-backend"
    remedy: ClassVar[str] = "Give `backend` as `module:Class`, or leave it out for BlueZ."

    def __init__(self, device: str, backend: str, reason: str) -> None:
        super().__init__(device, f"backend {backend!r} {reason}")
        self.backend = backend
