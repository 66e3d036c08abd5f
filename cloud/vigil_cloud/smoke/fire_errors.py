"""What a fire refuses, as the API tells it."""

from __future__ import annotations

from typing import ClassVar

from vigil_cloud.api_errors import ApiError, NotFound


class FireUnknown(NotFound):
    """No such fire, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "fire-unknown"
    remedy: ClassVar[str] = "Open the page again: it shows the fires that you may see."


class FireOutOfTurn(ApiError):
    """This step does not follow where the fire stands. ``phase``: where that is."""

    code: ClassVar[str] = "fire-out-of-turn"
    remedy: ClassVar[str] = "Look at the fire as it stands now."
    status: ClassVar[int] = 409

    def __init__(self, phase: str, why: str) -> None:
        super().__init__(f"This cannot be done now: {why}.")
        self.phase = phase


class CodeTakesNothingBack(ApiError):
    """The code is right, and the fire goes on. ``why``: ``confirmed``, ``arrived`` or ``over``."""

    code: ClassVar[str] = "fire-code-takes-nothing-back"
    remedy: ClassVar[str] = (
        "Get out. If nobody is in danger, tell the firefighters, or call 119 by telephone."
    )
    status: ClassVar[int] = 409

    def __init__(self, why: str) -> None:
        told = {
            "confirmed": "A second alarm of the home rings: firefighters come all the same.",
            "arrived": "The firefighters are there: tell them.",
            "over": "It is over already.",
        }
        super().__init__(told[why])
        self.why = why
