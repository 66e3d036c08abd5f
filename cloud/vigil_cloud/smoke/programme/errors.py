"""What the programme refuses, as the API tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import ClassVar

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.smoke.programme.eligibility import Objection
from vigil_cloud.smoke.programme.progress import NotWhatHangs, OutOfTurn
from vigil_cloud.smoke.programme_models import ProgrammeHome


class HomeUnknown(NotFound):
    """No such home of the programme, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "programme-home-unknown"
    remedy: ClassVar[str] = "Open the list again: it shows the homes that you may see."


class ProgrammeOutOfTurn(ApiError):
    """This step does not follow where the home stands. ``phase``: where that is."""

    code: ClassVar[str] = "programme-out-of-turn"
    remedy: ClassVar[str] = "Look at the home as it stands now."
    status: ClassVar[int] = 409

    def __init__(self, phase: str, why: str) -> None:
        super().__init__(f"This cannot be done now: {why}.")
        self.phase = phase


class NotEligible(ApiError):
    """The home is not one that the programme is for. ``objections``: why."""

    code: ClassVar[str] = "programme-not-eligible"
    remedy: ClassVar[str] = "Refuse the application, or correct what it says."
    status: ClassVar[int] = 409

    def __init__(self, objections: Collection[Objection]) -> None:
        super().__init__(f"The home is not eligible: {', '.join(objections)}.")
        self.objections = list(objections)


class NoProof(ApiError):
    """An installation is proven by a photograph that was taken since the last one."""

    code: ClassVar[str] = "programme-no-proof"
    remedy: ClassVar[str] = "Take a photograph of each alarm where it hangs, and send it first."
    status: ClassVar[int] = 409


class AlarmsChanged(ApiError):
    """Other alarms hang there than the ones that were looked at, or it is another round. Nothing
    was signed."""

    code: ClassVar[str] = "programme-alarms-changed"
    remedy: ClassVar[str] = "Look at the alarms that hang there now, and sign for those."
    status: ClassVar[int] = 409


@contextmanager
def in_turn(row: ProgrammeHome) -> Iterator[None]:
    """What ``progress`` refuses, as the API tells it."""
    try:
        yield
    except NotWhatHangs as refused:
        raise AlarmsChanged(f"This cannot be signed: {refused}.") from None
    except OutOfTurn as refused:
        raise ProgrammeOutOfTurn(row.phase, str(refused)) from None
