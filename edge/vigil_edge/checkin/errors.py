"""What can be wrong with a check-in device or with what it sent."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class NotHexadecimal(VigilError):
    """A payload given on the command line is not hexadecimal."""

    code: ClassVar[str] = "not-hexadecimal"


class UnreadableFile(VigilError):
    """A file given on the command line cannot be opened or read."""

    code: ClassVar[str] = "file-unreadable"


class LlrpError(VigilError):
    """Bytes that are not LLRP. ``offset`` counts from the start of what was decoded."""

    code: ClassVar[str] = "llrp-malformed"

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class LlrpTruncated(LlrpError):
    """A frame or parameter ends before the length that it states."""

    code: ClassVar[str] = "llrp-truncated"


class LlrpOversized(LlrpError):
    """A frame states a length that no reader sends."""

    code: ClassVar[str] = "llrp-oversized"


class LlrpBadLength(LlrpError):
    """A stated length is smaller than its own header, or contradicts what is inside."""

    code: ClassVar[str] = "llrp-bad-length"


class LlrpBadVersion(LlrpError):
    """The version bits are none of LLRP's; most often this is not LLRP at all."""

    code: ClassVar[str] = "llrp-bad-version"


class LlrpUnknownParameter(LlrpError):
    """A parameter without a length of its own whose size is not known; the rest is unreadable."""

    code: ClassVar[str] = "llrp-unknown-parameter"


class LlrpUnknownMessage(LlrpError):
    """A message name or number that LLRP does not have."""

    code: ClassVar[str] = "llrp-unknown-message"


class ReaderUnreachable(SourceError):
    """No TCP connection to the reader."""

    code: ClassVar[str] = "llrp-unreachable"


class ReaderRefused(SourceError):
    """The reader answered that it will not, such as that another client is connected."""

    code: ClassVar[str] = "llrp-refused"


class ReaderSilent(SourceError):
    """Not even a keep-alive for too long."""

    code: ClassVar[str] = "llrp-silent"


class ReaderLost(SourceError):
    """The reader closed the connection."""

    code: ClassVar[str] = "llrp-lost"


class ReaderProtocol(SourceError):
    """The reader sent something that is not LLRP; ``code`` is that of the cause."""

    code: ClassVar[str] = "llrp-malformed"

    def __init__(self, device: str, cause: LlrpError) -> None:
        super().__init__(device, str(cause))
        self.code = cause.code  # type: ignore[misc]  # one path for several causes, as InvalidMessage


class RadioFailed(SourceError):
    """The Bluetooth radio could not be used for scanning."""

    code: ClassVar[str] = "ble-failed"


class RadioBackendMissing(SourceError):
    """``backend`` names a class that cannot be loaded."""

    code: ClassVar[str] = "ble-backend"
