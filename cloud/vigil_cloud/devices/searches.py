"""What gateways found and read for whoever is about to add a device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from vigil_cloud.devices.commissioning_schema import LookEntry, SearchEntry
from vigil_cloud.devices.downlink_errors import UnknownCommand
from vigil_cloud.devices.downlinks import shown
from vigil_cloud.devices.models import Downlink
from vigil_schemas.commands import Discover, Look
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.topics import COMMAND


def newest(session: Session, gateway: str) -> SearchEntry:
    """The newest search of a gateway, however many commands were sent since."""
    row = session.scalars(
        select(Downlink)
        .where(
            Downlink.gateway == gateway,
            Downlink.channel == COMMAND,
            Downlink.payload["action"].as_string() == Discover.ACTION,
        )
        .order_by(Downlink.created.desc(), Downlink.id)
        .limit(1)
        .options(undefer(Downlink.report))
    ).first()
    if row is None:
        return SearchEntry(asked=None, report=None)
    report = None
    if row.report is not None:
        report = DiscoveryReport.model_validate_json(json.dumps(row.report), strict=True)
    return SearchEntry(asked=shown(row), report=report)


def look(session: Session, gateway: str, command: str) -> LookEntry:
    """One look. Raises ``UnknownCommand``."""
    row = _with_report(session, gateway, command)
    if row is None or not _is(row.payload, Look.ACTION):
        raise UnknownCommand(gateway, command)
    report = None
    if row.report is not None:
        report = LookReport.model_validate_json(json.dumps(row.report), strict=True)
    return LookEntry(asked=shown(row), report=report)


def _is(payload: Mapping[str, Any], action: str) -> bool:
    return payload.get("action") == action


def _with_report(session: Session, gateway: str, command: str) -> Downlink | None:
    return session.scalars(
        select(Downlink)
        .where(Downlink.id == command, Downlink.gateway == gateway)
        .options(undefer(Downlink.report))
    ).one_or_none()
