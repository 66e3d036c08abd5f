"""What the watch over gateways reads: of each only what it judges by, past the ORM.

A city has hundreds of gateways and tens of thousands of devices, and all are looked at every few
seconds, nearly always to find nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.domain.registry import domains
from vigil_schemas.types import Domain


@dataclass(frozen=True, slots=True)
class WatchedGateway:
    """The columns of ``Gateway`` that are judged."""

    gateway: str
    last_seen: datetime | None
    out_of_service_until: datetime | None
    conflicts: Sequence[str]
    second_box_seen: datetime | None
    health: Mapping[str, Any] | None
    health_time: datetime | None
    clock_mark: str | None


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on one gateway."""

    domains: Collection[Domain] = ()
    """Of all its devices."""
    described: Collection[Domain] = ()
    """Of those in its latest birth."""
    named: Sequence[Device] = ()
    """Devices that have failed, or whose domain nobody here knows."""


_GATEWAYS: Final = select(
    Gateway.gateway,
    Gateway.last_seen,
    Gateway.out_of_service_until,
    Gateway.conflicts,
    Gateway.second_box_seen,
    Gateway.health,
    Gateway.health_time,
    Gateway.clock_mark,
).order_by(Gateway.gateway)
_KINDS: Final = select(Device.gateway, Device.domain, Device.described).distinct()


def gateways(session: Session) -> list[WatchedGateway]:
    """All, in the order of their names."""
    return [WatchedGateway(*row) for row in session.execute(_GATEWAYS)]


def hanging(session: Session) -> dict[str, Hanging]:
    """By gateway; on one that is not in it hangs nothing."""
    every: dict[str, set[Domain]] = defaultdict(set)
    described: dict[str, set[Domain]] = defaultdict(set)
    for gateway, domain, is_described in session.execute(_KINDS):
        every[gateway].add(domain)
        if is_described:
            described[gateway].add(domain)
    named: dict[str, list[Device]] = defaultdict(list)
    for device in sorted(_named(session, every.values()), key=lambda one: one.device):
        named[device.gateway].append(device)
    return {one: Hanging(every[one], described[one], named[one]) for one in list(every)}


def _named(session: Session, kinds: Iterable[Collection[Domain]]) -> set[Device]:
    found = set(session.scalars(select(Device).where(Device.state == "failed")))
    known = {one.name for one in domains()}
    if unknown := set().union(*kinds) - known:
        found.update(session.scalars(select(Device).where(Device.domain.in_(unknown))))
    return found
