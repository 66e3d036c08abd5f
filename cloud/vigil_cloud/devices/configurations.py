"""What is wanted of a gateway otherwise than its file says: whole, in revisions, each one's author
known. A revision is never changed; going back is another one with what the older one held.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.devices.commissioning_schema import (
    AddDeviceRequest,
    ConfigurationChange,
    RevisionEntry,
    RevisionList,
)
from vigil_cloud.devices.downlink_errors import (
    ConfigurationMoved,
    DeviceTaken,
    NotAdded,
    SettingUnknown,
    UnknownGateway,
    UnknownRevision,
)
from vigil_cloud.devices.downlinks import (
    SUPERSEDED,
    enqueue,
    give_up,
    lock_gateway,
    newest_configuration,
    shown,
)
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.devices.schema import (
    ConfigurationEntry,
    ConfigurationRequest,
    DeviceSettings,
    DownlinkEntry,
    SettingEntry,
    SettingsRequest,
)
from vigil_schemas.control import AddedDevice, Configuration, Setting
from vigil_schemas.gateway import ConfigurationReport
from vigil_schemas.topics import CONFIG

_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The contents of a revision."""

    health_interval_s: float | None = None
    paused_devices: list[str] = field(default_factory=list)
    settings: dict[str, dict[str, Setting]] = field(default_factory=dict)
    devices: dict[str, Any] = field(default_factory=dict)
    """Added ones, as JSON."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> _Wanted:
        """A revision's; those of before devices could be added have none."""
        return cls(
            payload.get("health_interval_s"),
            list(payload.get("paused_devices", [])),
            {device: dict(keys) for device, keys in payload.get("settings", {}).items()},
            dict(payload.get("devices", {})),
        )


def send_configuration(
    session: Session, gateway: str, request: ConfigurationRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Write a configuration, one revision above the last. Raises ``UnknownGateway``, and
    ``ConfigurationMoved`` where another revision than the one that was looked at is the newest,
    ``DeviceTaken`` for a device of another gateway that this one did not have."""
    if request.revision is not None:
        before = _looked_at(session, gateway, request.revision)
    else:
        lock_gateway(session, gateway)
        before = _Wanted.of(_payload(newest_configuration(session, gateway)))
    wanted = _Wanted(
        request.health_interval_s,
        list(request.paused_devices),
        {device: dict(keys) for device, keys in request.settings.items()},
        before.devices
        if request.devices is None
        else {k: one.model_dump(mode="json") for k, one in request.devices.items()},
    )
    _refuse_taken(session, gateway, wanted.devices.keys() - before.devices.keys())
    return _write(session, gateway, wanted, account, now)


def change_settings(
    session: Session, device: Device, request: SettingsRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Change keys of one device; the rest of what is wanted stays.

    Raises ``SettingUnknown`` for a key that the gateway does not offer, ``ConfigurationMoved``
    where another revision than the one that was looked at is the newest.
    """
    wanted = _looked_at(session, device.gateway, request.revision)
    offered = _reported(session, device.gateway, device.device)
    known = {*offered, *wanted.settings.get(device.device, {})}
    unknown = sorted(request.settings.keys() - known)
    if unknown:
        raise SettingUnknown(device.gateway, unknown)
    changed = {**wanted.settings.pop(device.device, {}), **request.settings}
    mine = {key: value for key, value in changed.items() if value is not None}
    if mine:
        wanted.settings[device.device] = mine
    return _write(session, device.gateway, wanted, account, now)


def add_device(
    session: Session, gateway: str, request: AddDeviceRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Make a found device one of the gateway's. Whether it was found there, and whether it is right
    as it is, the gateway says.

    Raises ``UnknownGateway``, ``ConfigurationMoved``, ``DeviceTaken``.
    """
    wanted = _looked_at(session, gateway, request.revision)
    name = request.device
    there = session.get(Device, name)
    elsewhere = there is not None and there.claimed and there.gateway != gateway
    if elsewhere or (there is not None and there.described):
        raise DeviceTaken(name)
    # One that the gateway refused, or has not taken yet, is mended by saying it anew.
    added = AddedDevice(found=request.found, choices=request.choices)
    wanted.devices[name] = added.model_dump(mode="json")
    said = {key: getattr(request, key) for key in ("name", "name_zh", "latitude", "longitude")}
    settings = {key: value for key, value in said.items() if value not in (None, "")}
    if settings:
        wanted.settings[name] = settings
    return _write(session, gateway, wanted, account, now)


def remove_device(
    session: Session, gateway: str, device: str, revision: int, account: str, now: datetime
) -> DownlinkEntry:
    """Have the gateway read an added device no more, with all that is wanted of it.

    Raises ``UnknownGateway``, ``ConfigurationMoved``, ``NotAdded``.
    """
    wanted = _looked_at(session, gateway, revision)
    if wanted.devices.pop(device, None) is None:
        raise NotAdded(device)
    wanted.settings.pop(device, None)
    if device in wanted.paused_devices:
        wanted.paused_devices.remove(device)
    return _write(session, gateway, wanted, account, now)


def restore(
    session: Session, gateway: str, revision: int, looked_at: int, account: str, now: datetime
) -> DownlinkEntry:
    """Want again what an older revision wanted; 0: nothing otherwise than the file.

    Raises ``UnknownGateway``, ``ConfigurationMoved``, ``UnknownRevision``, ``DeviceTaken`` for a
    device that is another gateway's by now.
    """
    before = _looked_at(session, gateway, looked_at)
    if revision == 0:
        return _write(session, gateway, _Wanted(), account, now)
    row = session.scalars(
        select(Downlink).where(
            Downlink.gateway == gateway,
            Downlink.channel == CONFIG,
            Downlink.payload["revision"].as_integer() == revision,
        )
    ).one_or_none()
    if row is None:
        raise UnknownRevision(gateway, revision)
    wanted = _Wanted.of(row.payload)
    _refuse_taken(session, gateway, wanted.devices.keys() - before.devices.keys())
    return _write(session, gateway, wanted, account, now)


def _refuse_taken(session: Session, gateway: str, names: Collection[str]) -> None:
    """Two gateways do not read one device. Raises ``DeviceTaken``."""
    query = select(Device.device).where(
        Device.device.in_(names), Device.claimed, Device.gateway != gateway
    )
    if (taken := session.scalar(query.order_by(Device.device).limit(1))) is not None:
        raise DeviceTaken(taken)


def added(session: Session, gateway: str) -> frozenset[str]:
    """Devices that were added from here, also those that have not been born yet."""
    return frozenset(_Wanted.of(_payload(newest_configuration(session, gateway))).devices)


def revisions(session: Session, gateway: str) -> RevisionList:
    """The newest ones with what each changed. Raises ``UnknownGateway``."""
    if session.get(Gateway, gateway) is None:
        raise UnknownGateway(gateway)
    rows = session.scalars(
        select(Downlink)
        .where(Downlink.gateway == gateway, Downlink.channel == CONFIG)
        .order_by(Downlink.payload["revision"].as_integer().desc())
        .limit(_LISTED + 1)
    ).all()
    older: list[Mapping[str, Any]] = [*(row.payload for row in rows[1:]), {}]
    entries = [
        RevisionEntry(
            revision=int(row.payload["revision"]),
            account=row.account,
            created=row.created,
            answered=row.answered,
            accepted=row.accepted,
            code=row.code,
            message=row.message,
            changes=list(_changes(_Wanted.of(before), _Wanted.of(row.payload))),
        )
        for row, before in zip(rows[:_LISTED], older, strict=False)
    ]
    newest = _Wanted.of(rows[0].payload) if rows else _Wanted()
    return RevisionList(
        revisions=entries,
        newest=entries[0].revision if entries else 0,
        added={device: one["found"] for device, one in newest.devices.items()},
    )


def _changes(before: _Wanted, after: _Wanted) -> Iterator[ConfigurationChange]:
    if before.health_interval_s != after.health_interval_s:
        yield ConfigurationChange(
            device=None,
            key="health_interval_s",
            before=before.health_interval_s,
            after=after.health_interval_s,
        )
    for key, was, now in (
        ("added", set(before.devices), set(after.devices)),
        ("paused", set(before.paused_devices), set(after.paused_devices)),
    ):
        for device in sorted(was ^ now):
            there = device in now
            yield ConfigurationChange(device=device, key=key, before=not there, after=there)
    for device in sorted({*before.settings, *after.settings}):
        old, new = before.settings.get(device, {}), after.settings.get(device, {})
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield ConfigurationChange(
                    device=device, key=key, before=old.get(key), after=new.get(key)
                )


def configuration(session: Session, gateway: str) -> ConfigurationEntry:
    """What is wanted of a gateway and what it says is in force. Raises ``UnknownGateway``."""
    row = session.get(Gateway, gateway)
    if row is None:
        raise UnknownGateway(gateway)
    newest = newest_configuration(session, gateway)
    return ConfigurationEntry(
        wanted=None if newest is None else shown(newest),
        reported=None if row.configuration is None else _report(row.configuration),
        reported_at=row.configuration_time,
    )


def settings_of(session: Session, device: Device) -> DeviceSettings:
    """A device's keys that may be changed from here, with what is in force and what is wanted."""
    newest = newest_configuration(session, device.gateway)
    payload = _payload(newest)
    wanted = payload.get("settings", {}).get(device.device, {})
    gateway = session.get_one(Gateway, device.gateway)
    report = None if gateway.configuration is None else _report(gateway.configuration)
    now = {} if report is None else report.settings.get(device.device, {})
    of_file = {} if report is None else {(c.device, c.key): c.file for c in report.cloud}
    edited = set() if report is None else {(c.device, c.key) for c in report.edited}
    refused = None if report is None else report.refused
    return DeviceSettings(
        revision=payload.get("revision", 0),
        reported_revision=None if report is None else report.revision,
        in_force=report is not None and report.in_force,
        dropped=report is not None and report.dropped,
        sent=None if newest is None else newest.sent,
        answered=None if newest is None else newest.answered,
        accepted=None if newest is None else newest.accepted,
        message=None if newest is None else newest.message,
        mistakes=[] if refused is None else refused.mistakes,
        settings=[
            SettingEntry(
                key=key,
                value=value,
                wanted=wanted.get(key),
                file=of_file.get((device.device, key)),
                by_cloud=(device.device, key) in of_file,
                edited=(device.device, key) in edited,
            )
            for key, value in now.items()
        ],
    )


def _looked_at(session: Session, gateway: str, revision: int) -> _Wanted:
    """What is wanted now, its gateway locked, where that is what somebody looked at. Raises
    ``UnknownGateway``, ``ConfigurationMoved``."""
    lock_gateway(session, gateway)
    payload = _payload(newest_configuration(session, gateway))
    if revision != int(payload.get("revision", 0)):
        raise ConfigurationMoved("Somebody else changed it meanwhile: look again.")
    return _Wanted.of(payload)


def _write(
    session: Session, gateway: str, wanted: _Wanted, account: str, now: datetime
) -> DownlinkEntry:
    """One revision above all that are known. The gateway's row is locked."""
    newest = session.scalar(
        select(func.max(Downlink.payload["revision"].as_integer())).where(
            Downlink.gateway == gateway, Downlink.channel == CONFIG
        )
    )
    # A gateway takes nothing older than what it knows: our tables may have been put back.
    known = session.get_one(Gateway, gateway).configuration
    reported = 0 if known is None else _report(known).revision
    revision = Configuration(
        revision=1 + max(newest or 0, reported),
        health_interval_s=wanted.health_interval_s,
        paused_devices=wanted.paused_devices,
        settings=wanted.settings,
        devices={name: AddedDevice.model_validate(one) for name, one in wanted.devices.items()},
    )
    _supersede_older(session, gateway, now)
    name = f"config-{revision.revision}-{uuid.uuid5(uuid.NAMESPACE_OID, gateway).hex[:8]}"
    row = Downlink(id=name, channel=CONFIG, payload=revision.model_dump(mode="json"))
    return shown(enqueue(session, row, gateway, account, now, gateway))


def _supersede_older(session: Session, gateway: str, now: datetime) -> None:
    """None of them is to be sent any more. An answer that is on its way is still taken."""
    older = Downlink.gateway == gateway, Downlink.channel == CONFIG
    waiting = select(Downlink).where(*older, Downlink.answered.is_(None)).with_for_update()
    for row in session.scalars(waiting.order_by(Downlink.id)).all():
        give_up(session, row, SUPERSEDED, "a newer revision took its place", now)
    session.execute(
        update(Downlink)
        .where(*older)
        .values(again=None)
        .execution_options(synchronize_session=False)
    )


def _payload(row: Downlink | None) -> Mapping[str, Any]:
    return {} if row is None else row.payload


def _reported(session: Session, gateway: str, device: str) -> Mapping[str, Any]:
    row = session.get(Gateway, gateway)
    if row is None or row.configuration is None:
        return {}
    return _report(row.configuration).settings.get(device, {})


def _report(kept: Mapping[str, Any]) -> ConfigurationReport:
    return ConfigurationReport.model_validate_json(json.dumps(dict(kept)), strict=True)
