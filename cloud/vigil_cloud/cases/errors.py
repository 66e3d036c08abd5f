"""Refusals of the cases room. Each message says what to do instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import ClassVar, Literal

from vigil_cloud.api_errors import ApiError


class CaseUnknown(ApiError):
    """No such case, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "case-unknown"
    remedy: ClassVar[str] = "Check the case's number and the role that you are signed in with."
    status: ClassVar[int] = 404


class CaseNeedsReason(ApiError):
    """The reader's role may open this case for a limited time, with a reason."""

    code: ClassVar[str] = "case-needs-reason"
    remedy: ClassVar[str] = "Open it again with a reason; that is written into the audit log."
    status: ClassVar[int] = 403

    def __init__(self, case: str) -> None:
        super().__init__(
            f"Case {case} is shown for a limited time and with a reason: POST /cases/{{id}}/access."
        )
        self.case = case


class CaseForbidden(ApiError):
    """The reader sees the case, but this step is for other roles."""

    code: ClassVar[str] = "case-forbidden"
    remedy: ClassVar[str] = "Ask somebody with the role that the step is for."
    status: ClassVar[int] = 403

    def __init__(self, act: str, roles: Collection[str]) -> None:
        super().__init__(
            f"In a case of this kind, {act} is for: {', '.join(sorted(roles)) or 'nobody'}."
        )
        self.act = act
        self.roles = sorted(roles)


class CaseKindUnknown(ApiError):
    """No domain has described such a kind of case, or none that this reader may open."""

    code: ClassVar[str] = "case-kind-unknown"
    remedy: ClassVar[str] = "Choose one of the kinds that the page offers."
    status: ClassVar[int] = 404

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no kind of case named {kind!r} for you.")
        self.kind = kind


class CaseChanged(ApiError):
    """The reader acted on an older version of the case."""

    code: ClassVar[str] = "case-changed"
    remedy: ClassVar[str] = "Look at the case as it is now, and decide again."
    status: ClassVar[int] = 409


class WrongState(ApiError):
    """The step is not possible from where the case stands."""

    code: ClassVar[str] = "case-wrong-state"
    remedy: ClassVar[str] = "Load the case again; it shows which steps are possible."
    status: ClassVar[int] = 409

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state = state


class AccessOver(WrongState):
    """Somebody asks to see a case that is closed: it is shown to nobody for a time any more."""

    def __init__(self, case: str) -> None:
        super().__init__(f"Case {case} is closed; access to it has ended.", state="closed")
        self.case = case


class AlertTaken(ApiError):
    """The alert belongs to another case already."""

    code: ClassVar[str] = "alert-in-a-case"
    remedy: ClassVar[str] = "Open the case that has it."
    status: ClassVar[int] = 409

    def __init__(self, case: str) -> None:
        super().__init__(f"This alert belongs to case {case} already.")
        self.case = case


class NotForThisKind(ApiError):
    """A case of this kind cannot be opened from, or extended by, what was named."""

    code: ClassVar[str] = "case-kind-mismatch"
    remedy: ClassVar[str] = "Choose a kind that fits the alert or device."
    status: ClassVar[int] = 422


class DecidedAlready(ApiError):
    """This person has given their decision in this round."""

    code: ClassVar[str] = "decided-already"
    remedy: ClassVar[str] = "Nothing: wait for the others of this round."
    status: ClassVar[int] = 409


class NotImpartial(ApiError):
    """The rule of the domain bars this person: who opened the case, or decided it before."""

    code: ClassVar[str] = "not-impartial"
    remedy: ClassVar[str] = (
        "Have somebody decide who neither opened the case nor decided it before."
    )
    status: ClassVar[int] = 403


class BadDecision(ApiError):
    """An outcome that this kind does not have, or a wrong amount."""

    code: ClassVar[str] = "bad-decision"
    remedy: ClassVar[str] = "Choose one of the kind's outcomes, and an amount within its bounds."
    status: ClassVar[int] = 422

    def __init__(self, message: str, *, chosen: str, offered: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.chosen = chosen
        self.offered = list(offered)


class OutcomeBarred(ApiError):
    """What is known of the case forbids this outcome."""

    code: ClassVar[str] = "outcome-barred"
    remedy: ClassVar[str] = "Choose another outcome; the message says what bars this one."
    status: ClassVar[int] = 409


class CannotTakeCase(ApiError):
    """The account named is closed or may not work on this kind of case."""

    code: ClassVar[str] = "cannot-take-case"
    remedy: ClassVar[str] = "Name an open account with a role of this kind."
    status: ClassVar[int] = 422

    def __init__(self, account: str) -> None:
        super().__init__(f"{account!r} is no open account that may work on a case of this kind.")
        self.account = account


class BadDeadline(ApiError):
    """A deadline lies in the past, too far ahead, or was met before."""

    code: ClassVar[str] = "bad-deadline"
    remedy: ClassVar[str] = "Give a time in the future, within the bounds that the message names."
    status: ClassVar[int] = 422


class PhotographRefused(ApiError):
    """Not a picture that can be kept: its type, its size, or it cannot be read."""

    code: ClassVar[str] = "photograph-refused"
    remedy: ClassVar[str] = "Send a JPEG, PNG or WebP picture that opens elsewhere."
    status: ClassVar[int] = 422


class PhotographTooLarge(ApiError):
    """More bytes or pixels than a photograph may have."""

    code: ClassVar[str] = "photograph-too-large"
    remedy: ClassVar[str] = "Make the picture smaller and send it again."
    status: ClassVar[int] = 413

    def __init__(self, most: int, of: Literal["bytes", "pixels"]) -> None:
        super().__init__(f"A photograph may have {most} {of}.")
        self.most = most
        self.of = of


class PhotographUnknown(ApiError):
    """The case has no such photograph."""

    code: ClassVar[str] = "photograph-unknown"
    remedy: ClassVar[str] = "Load the case again; the photograph may have been removed."
    status: ClassVar[int] = 404


class CaseFull(ApiError):
    """The case has as many notes, photographs or deadlines as one may have."""

    code: ClassVar[str] = "case-full"
    remedy: ClassVar[str] = "Open a further case and refer to this one."
    status: ClassVar[int] = 409

    def __init__(self, most: int, of: str) -> None:
        super().__init__(f"A case may have {most} {of}.")
        self.most = most
        self.of = of
