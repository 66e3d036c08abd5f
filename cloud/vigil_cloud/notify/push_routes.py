"""Web Push over HTTP: a browser asks to be told, for its account and as long as it is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import (
    CurrentAccount,
    ServicesDependency,
    current_session,
)
from vigil_cloud.identity.service import account_named
from vigil_cloud.identity.sessions import SignedIn
from vigil_cloud.notify import subscriptions
from vigil_cloud.notify.web_push import vapid
from vigil_cloud.notify.web_push.addresses import LONGEST_ENDPOINT, Subscription

router = APIRouter(prefix="/push", tags=["push"])
Session = Annotated[SignedIn, Depends(current_session)]
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_=-]+$")]


class PushKeys(BaseModel):
    """What messages to the browser are encrypted with (RFC 8291), base64url."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    p256dh: Key
    """Its public key of P-256."""
    auth: Key
    """What it authenticates messages with."""


class NewPush(BaseModel):
    """As ``PushSubscription`` of the Push API has it."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    endpoint: Annotated[str, Field(min_length=1, max_length=LONGEST_ENDPOINT, pattern=r"^[!-~]+$")]
    """At one of the services that the operator names."""
    keys: PushKeys


class PushState(BaseModel):
    """Whether this browser is told."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    public_key: str | None
    """What a browser subscribes with (RFC 8292), base64url; `null`: this city has no Web Push."""
    on: bool
    """This browser is told, in this session."""
    browsers: int
    """Of the account, that are told."""


@router.get("", operation_id="get_push")
def get_push(reader: CurrentAccount, signed_in: Session, services: ServicesDependency) -> PushState:
    """What a browser needs to ask for notifications, and whether it is told."""
    cipher = Cipher(services.settings.secret)
    public = None
    if services.settings.push_services:
        with services.sessions() as session:
            private = subscriptions.kept_key(session, cipher)
        if private is None:  # every page asks: only the first of all has something to write
            with writing(services.sessions) as session:
                private = subscriptions.private_key(session, cipher, services.now())
        public = vapid.public_key(private)
    with services.sessions() as session:
        return PushState(
            public_key=public,
            on=subscriptions.is_on(session, reader.account_id, signed_in.token_sha256),
            browsers=subscriptions.count(session, reader.account_id),
        )


@router.put("/subscription", status_code=204, operation_id="subscribe_push")
def put_subscription(
    body: NewPush, reader: CurrentAccount, signed_in: Session, services: ServicesDependency
) -> None:
    """Tell this browser, for this account alone, until it signs out. The same again changes
    nothing."""
    cipher, now = Cipher(services.settings.secret), services.now()
    asked = Subscription(body.endpoint, body.keys.p256dh, body.keys.auth)
    token = signed_in.token_sha256
    with services.sessions() as session:
        if subscriptions.is_kept(session, cipher, reader.account_id, asked, token):
            return
    with writing(services.sessions) as session:
        account = account_named(session, reader.username)
        allowed = services.settings.push_services
        subscriptions.subscribe(session, cipher, account, asked, token, allowed, now)


@router.delete("/subscription", status_code=204, operation_id="unsubscribe_push")
def delete_subscription(
    reader: CurrentAccount, signed_in: Session, services: ServicesDependency
) -> None:
    """Tell this browser nothing more."""
    with writing(services.sessions) as session:
        account = account_named(session, reader.username)
        subscriptions.unsubscribe(session, account, signed_in.token_sha256, services.now())
