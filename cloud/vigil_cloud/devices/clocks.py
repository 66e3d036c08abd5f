"""How far a gateway's clock lies behind ours, as far as that can be told from a delay.

What waits in an outbox and what a slow clock stamps look alike: both come with a time that has
passed. But a birth is said at the moment of connecting and health goes out each minute: the least
delay of these within one connection is what the clock is behind at most. Where a gateway calls its
clock synchronised and every message of its connection is half an hour old, its clock is slow, and
an alarm of now is no late one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Gateway
from vigil_cloud.domain.port import Received

KEPT: Final = timedelta(seconds=60)
"""So far two clocks that are kept may lie apart, the way of a message included."""
# Made once: asked for every alarm, and to make a statement costs more than to run it.
_LEAST_DELAY: Final = select(Gateway.least_delay_s).where(Gateway.gateway == bindparam("of"))


def behind(session: Session, gateway: str) -> timedelta:
    """By how much; zero where its clock is kept, or nothing is known of it."""
    least = session.scalar(_LEAST_DELAY, {"of": gateway})
    slow = timedelta(seconds=least or 0.0)
    return slow if slow > KEPT else timedelta()


def put_right(moment: datetime, slow: timedelta, received: datetime) -> datetime:
    """A time that a gateway told, by our clock: not later than its receipt."""
    try:
        return min(moment + slow, max(moment, received))
    except OverflowError:
        return moment


def connected(gateway: Gateway, message: Received) -> None:
    """A birth of a new connection: what is known of the clock begins anew. One that the broker
    had kept while ingest was away tells nothing: what waits in outboxes is as old, and late."""
    gateway.least_delay_s = None if message.retained else _delay_s(message)


def heard(gateway: Gateway, message: Received) -> None:
    """Something that waits behind alarms: if that was fresh, the clock is kept."""
    delay_s = _delay_s(message)
    if gateway.least_delay_s is None or delay_s < gateway.least_delay_s:
        gateway.least_delay_s = delay_s


def _delay_s(message: Received) -> float:
    claimed = message.marks.get("claimed_times", {}).get("time")
    said = datetime.fromisoformat(claimed) if claimed else message.envelope.time
    return (message.received - said).total_seconds()
