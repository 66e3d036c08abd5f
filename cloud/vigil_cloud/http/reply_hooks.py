"""Answers that web hooks bring: a control room, a gateway for text messages, a chat service.

The request is signed as the messages to the hook are (``notify.hook_signatures``), so it needs no
session. It names the reply token of the message that it answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.notify import replies
from vigil_cloud.notify.hook_signatures import SECRET_COLUMN, SignatureWrong, check
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.reply_links import TOKEN
from vigil_cloud.services import Services
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/replies", tags=["replies"])


class HookReply(BaseModel):
    """One answer to one message."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    id: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[!-~]+$")]
    """Of this answer, made by the sender: the same one sent twice is one answer."""
    token: Annotated[str, Field(pattern=TOKEN)]
    """`X-Vigil-Reply-Token` of the message, or what follows `/r/` in its links."""
    answer: Literal["accepted", "declined", "false-alarm", "burns"]
    code: Annotated[str, Field(max_length=40, pattern=r"^[^\x00]*$")] = ""
    """The home's, where a false alarm needs it."""


class HookOutcome(BaseModel):
    """What stands now."""

    alert: str
    answer: Literal["accepted", "declined", "false-alarm", "burns"]
    at: UtcDatetime
    repeated: bool
    """It was answered before, and nothing was changed now."""


async def raw_body(request: Request) -> bytes:
    """As it was signed."""
    return await request.body()


def signed_channel(
    request: Request,
    services: ServicesDependency,
    body: Annotated[bytes, Depends(raw_body)],
    channel: Annotated[str, Path(max_length=80, pattern=r"^[^\x00]*$")],
    timestamp: Annotated[str, Header(alias="X-Vigil-Timestamp", max_length=20)] = "",
    signature: Annotated[str, Header(alias="X-Vigil-Signature", max_length=80)] = "",
) -> int:
    """Whose request it is, by its signature. Raises ``SignatureWrong``, ``SignatureStale``."""
    with services.sessions() as session:
        row = session.scalar(select(Channel).where(Channel.name == channel, Channel.enabled))
    if row is None or row.hook_secret is None:
        _count(services, request)
        raise SignatureWrong("The signature does not fit.")
    secret = Cipher(services.settings.secret).open(SECRET_COLUMN, row.hook_secret)
    try:
        check(secret, timestamp, signature, body, services.now())
    except SignatureWrong:
        _count(services, request)
        raise
    return row.id


SignedChannel = Annotated[int, Depends(signed_channel)]


@router.post("/hook/{channel}", operation_id="reply_by_hook")
def reply_by_hook(
    body: HookReply, channel_id: SignedChannel, services: ServicesDependency
) -> HookOutcome:
    """Answer an alert for the channel that was told of it. Each answer counts once, and after one
    only what says more of a home's fire (`false-alarm`, then `burns`); whatever else comes is
    told again what was answered. 404 for a token that is not this channel's, 410 after its
    time, 409 where the `id` was used for another message."""
    proof = replies.verify(services, body.token, body.answer, body.code, channel_id=channel_id)
    with writing(services.sessions) as session:
        outcome = replies.answer(
            session,
            Cipher(services.settings.secret),
            body.token,
            body.answer,
            services.now(),
            request=replies.HookRequest(channel_id, body.id),
            proof=proof,
        )
    if not outcome.repeated:
        services.changed.announce()
    return HookOutcome(
        alert=outcome.alert_id, answer=outcome.answer, at=outcome.at, repeated=outcome.repeated
    )


def _count(services: Services, request: Request) -> None:
    """Raises ``TooManyAttempts``."""
    address = request.client.host if request.client else ""
    with writing(services.sessions) as session:
        attempts.count(session, attempts.guesses("hook", address), services.now())
