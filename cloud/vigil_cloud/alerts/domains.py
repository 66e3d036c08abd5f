"""What an alert can be about: a domain that is registered, or the platform itself."""

from __future__ import annotations

from typing import Final

from vigil_schemas.types import Domain

AlertDomain = Domain
"""The word of a device's domain, or ``PLATFORM``."""

PLATFORM: Final[Domain] = "platform"
"""The platform's own alerts; no device is of this domain."""
