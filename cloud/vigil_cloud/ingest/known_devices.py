"""What a gateway's devices are: asked of a damaged alarm that does not say it itself."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.devices.models import Device
from vigil_cloud.domain.registry import alarm_readings
from vigil_schemas.types import Domain

_log: Final = structlog.get_logger(__name__)


class KnownDevices:
    """Looks it up in the database, which rarely happens: such an alarm is rare."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def domain_of(self, gateway: str, device: str | None) -> Domain | None:
        """The device's; of one that is not known, the only one of the gateway's devices that has
        alarms at all. ``None`` where there are several, or nobody can be asked."""
        alarming = set(alarm_readings())
        query = select(Device.device, Device.domain).where(
            Device.gateway == gateway, Device.domain.in_(sorted(alarming))
        )
        try:
            with self._sessions() as session:
                known: dict[str, Domain] = {
                    row.device: row.domain for row in session.execute(query)
                }
        except SQLAlchemyError:  # the alarm is told all the same, by whoever takes everything
            _log.exception("devices-not-looked-up", gateway=gateway)
            return None
        if device is not None and device in known:
            return known[device]
        domains = set(known.values())
        return domains.pop() if len(domains) == 1 else None
