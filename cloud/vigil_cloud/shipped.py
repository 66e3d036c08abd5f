"""The domains that this cloud has: the one list of them. A further one is added here.

Each has a room of its name with a ``domain.py`` whose ``DOMAIN`` describes it.
"""

from __future__ import annotations

from typing import Final

SHIPPED: Final[tuple[str, ...]] = (
    *("noise", "water", "checkin", "smoke", "search", "aed", "irrigation"),
)
