"""What a volunteer says of a call afterwards: what was done, how they are. Sealed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.calls import GIVEN_BACK, CallUnknown
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.aed.service import CALL_NEWS
from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.reader import Reader

PURPOSE: Final = "aed.debrief"
Deed = Literal["cpr", "shock", "aed-brought", "was-there", "not-needed"]
Feeling = Literal["well", "shaken", "wants-to-talk"]


class Debrief(BaseModel):
    """What a volunteer says of a call."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    did: Annotated[list[Deed], Field(max_length=5)]
    feeling: Feeling
    """``wants-to-talk``: whoever leads sees that somebody should call them."""
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class NotYet(ApiError):
    """A call is told of once one has been there, or it is over. ``state``: where it stands."""

    code: ClassVar[str] = "aed-debrief-not-yet"
    remedy: ClassVar[str] = "Tell of it when you have been there, or the call is over."
    status: ClassVar[int] = 409

    def __init__(self, state: str) -> None:
        super().__init__(f"Of this call nothing is to be told yet: {state}.")
        self.state = state


def due(callout: AedCallout, call: AedCallRow) -> bool:
    """Whether this volunteer came, or was coming when it ended."""
    came = callout.answered is not None and callout.state not in GIVEN_BACK
    return came and (callout.state == "arrived" or call.state == "over")


def tell(
    session: Session, cipher: Cipher, reader: Reader, call_id: str, said: Debrief, now: datetime
) -> AedCallRow:
    """Kept sealed; told again it is written anew. Raises ``CallUnknown``, ``NotYet``."""
    feed.lock(session)
    call = session.get(AedCallRow, call_id)
    mine = session.scalar(
        select(AedCallout)
        .where(AedCallout.call_id == call_id, AedCallout.account_id == reader.account_id)
        .with_for_update()
    )
    if call is None or mine is None:
        raise CallUnknown("There is no such call for you.")
    if not due(mine, call):
        raise NotYet(mine.state)
    mine.debriefed, mine.debrief = now, cipher.seal(PURPOSE, said.model_dump_json())
    session.flush()
    audit.append(session, at=now, account=reader.username, action="aed.debriefed", subject=call_id)
    feed.append(session, CALL_NEWS, call_id, now)
    return call


def opened(cipher: Cipher, callout: AedCallout) -> Debrief | None:
    """``None``: nothing was said, or the secret key is another."""
    if callout.debrief is None:
        return None
    try:
        return Debrief.model_validate_json(cipher.open(PURPOSE, callout.debrief))
    except (Undecipherable, ValidationError):
        return None
