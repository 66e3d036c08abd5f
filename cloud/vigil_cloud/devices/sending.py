"""Commands and configurations out of their table and onto the broker.

A command goes when its gateway is there, and again until it is answered or expires. A
configuration is retained by the broker; to a gateway that is there it goes again until that has
answered (it takes each revision once, and answers again), since what a client was handed may not
have left it; to one that says that it knows the revision a few times more, for the answer alone;
to one that is away again at its next birth. Each in the version that the gateway's birth accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.downlinks import NO_ANSWER, NOT_REACHED, TOO_OLD, give_up
from vigil_cloud.devices.models import Downlink, Gateway
from vigil_schemas.control import (
    AnyCommand,
    AnyConfiguration,
    Command,
    CommandV1,
    Configuration,
    ConfigurationV1,
    ConfigurationV2,
)
from vigil_schemas.envelope import CLOUD_SOURCE, encode
from vigil_schemas.topics import CONFIG, topic

AT_ONCE: Final = 100
FIRST_AGAIN_S: Final = 30.0
LAST_AGAIN_S: Final = 600.0
ASKED_FOR_THE_ANSWER: Final = 8
"""So often, over some 40 minutes: the software of before answers no configuration twice."""

Publish = Callable[[str, bytes, bool], bool]
"""Topic, payload, retained → whether the broker took it."""


class GatewayTooOld(Exception):
    """No version that the gateway accepts can say it."""


def _due(now: datetime) -> ColumnElement[bool]:
    """What can be done now: the gateway is there, or the time is over."""
    there = and_(Gateway.connected, Gateway.offline.is_(False))
    return and_(
        Downlink.again <= now, or_(Downlink.channel == CONFIG, there, Downlink.expires <= now)
    )


def anything_waiting(session: Session, now: datetime) -> bool:
    """Asked often; takes no lock."""
    waiting = (
        select(Downlink.id)
        .outerjoin(Gateway, Gateway.gateway == Downlink.gateway)
        .where(_due(now))
        .limit(1)
    )
    return session.scalar(waiting) is not None


def send_waiting(session: Session, publish: Publish, now: datetime) -> int:
    """Send what waits, oldest first; returns how many. A crash in between sends one again,
    which its id makes harmless."""
    rows = session.execute(
        select(Downlink, Gateway)
        .outerjoin(Gateway, Gateway.gateway == Downlink.gateway)
        .where(_due(now))
        .order_by(Downlink.created, Downlink.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=Downlink)
    ).all()
    sent = 0
    for row, gateway in rows:
        if row.expires is not None and row.expires <= now:
            _expire(session, row, now)
            continue
        try:
            message = _message(row, [] if gateway is None else gateway.accepts)
        except ValidationError as error:  # of an older version: it must not hold up the others
            give_up(session, row, "wrong-command", str(error.errors()[0]["msg"]), now)
            continue
        except GatewayTooOld as error:
            give_up(session, row, TOO_OLD, str(error), now)
            continue
        if not publish(topic(row.gateway, row.channel), message, row.channel == CONFIG):
            break
        row.sent = row.sent or now
        pause = min(FIRST_AGAIN_S * 2**row.tries, LAST_AGAIN_S)
        goes_on = row.channel != CONFIG or _goes_on(row, gateway)
        row.again = now + timedelta(seconds=pause) if goes_on else None
        row.tries = min(row.tries + 1, 30)
        sent += 1
    return sent


def _goes_on(row: Downlink, gateway: Gateway | None) -> bool:
    """Whether a configuration is sent again: to whoever is there, and not endlessly for the sake
    of an answer alone."""
    if gateway is None or not gateway.connected or gateway.offline:
        return False
    known = (gateway.configuration or {}).get("revision", 0) >= row.payload["revision"]
    return not known or row.tries + 1 < ASKED_FOR_THE_ANSWER


def _expire(session: Session, row: Downlink, now: datetime) -> None:
    if row.sent is None:
        message = "the gateway was away until it expired; it was never sent"
        give_up(session, row, NOT_REACHED, message, now)
    else:
        message = "it was sent, and not answered before it expired; it may have been done"
        give_up(session, row, NO_ANSWER, message, now)


def _message(row: Downlink, accepts: list[str]) -> bytes:
    """Raises ``ValidationError``, ``GatewayTooOld``."""
    data = _configuration(row, accepts) if row.channel == CONFIG else _command(row, accepts)
    return encode(
        id=row.id,
        source=CLOUD_SOURCE,
        type=data.TYPE,
        subject=row.gateway,
        time=row.created,
        data=data,
    )


def _command(row: Downlink, accepts: list[str]) -> AnyCommand:
    if Command.TYPE in accepts and "expires" in row.payload:
        return Command.model_validate(row.payload)
    device = row.payload.get("device")
    first = {"command_id": row.payload.get("command_id"), "action": row.payload.get("action")}
    try:
        return CommandV1.model_validate({**first, "device": device} if device else first)
    except ValidationError as error:
        if "expires" not in row.payload:
            raise
        raise GatewayTooOld(f"its software does not know {row.payload['action']}") from error


def _configuration(row: Downlink, accepts: list[str]) -> AnyConfiguration:
    if Configuration.TYPE in accepts:
        return Configuration.model_validate(row.payload)
    if row.payload.get("devices"):
        raise GatewayTooOld("its software takes no devices from the cloud")
    if ConfigurationV2.TYPE in accepts:
        known = {k: v for k, v in row.payload.items() if k in ConfigurationV2.model_fields}
        return ConfigurationV2.model_validate(known)
    if row.payload.get("settings"):
        raise GatewayTooOld("its software takes no settings from afar")
    keys = ("revision", "health_interval_s", "paused_devices")
    given = {key: row.payload[key] for key in keys if row.payload.get(key) is not None}
    return ConfigurationV1.model_validate(given)
