"""Commands and configurations on their way down: asked for, answered, and told about.

Who sends them is ``sending``. Everything that is asked, and what became of it, is audited.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.devices.downlink_errors import (
    ConfigurationMoved,
    SettingUnknown,
    UnknownGateway,
    WrongCommand,
)
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.devices.schema import (
    CommandRequest,
    ConfigurationEntry,
    ConfigurationRequest,
    DeviceSettings,
    DownlinkEntry,
    SettingEntry,
    SettingsRequest,
)
from vigil_cloud.identity import audit
from vigil_schemas.commands import (
    COMMANDS,
    OF_ANY_DEVICE,
    OF_THE_GATEWAY,
    CommandArguments,
)
from vigil_schemas.control import Command, Configuration, Setting
from vigil_schemas.gateway import CommandResult, ConfigurationReport
from vigil_schemas.topics import COMMAND, CONFIG

_CONFIGURATION: Final = re.compile(r"config-(\d{1,9})")
"""What a gateway answers to a configuration: it knows the revision, not our row's id."""
_OF_GATEWAY: Final = frozenset(each.ACTION for each in OF_THE_GATEWAY)
_OF_DEVICE: Final = frozenset(each.ACTION for each in OF_ANY_DEVICE)


def send_command(
    session: Session, gateway: str, request: CommandRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Write a command for ingest to send. Raises ``UnknownGateway``, ``WrongCommand``."""
    if request.action not in _OF_GATEWAY and request.device is None:
        raise WrongCommand(f"{request.action} needs a device.")
    expires = now + timedelta(seconds=request.expires_in_s)
    arguments = COMMANDS[request.action]
    try:
        checked = arguments.model_validate_json(json.dumps(request.arguments), strict=True)
    except ValidationError as error:
        raise _wrong(error) from error
    row = ask(session, gateway, request.device, checked, by=account, expires=expires, now=now)
    return shown(row)


def ask(  # noqa: PLR0913 - one command's columns, most of them by name
    session: Session,
    gateway: str,
    device: str | None,
    arguments: CommandArguments,
    *,
    by: str,
    expires: datetime,
    now: datetime,
) -> Downlink:
    """The same of arguments that are typed already. Raises ``UnknownGateway``, ``WrongCommand``."""
    _lock(session, gateway)
    name = uuid.uuid4().hex
    try:
        command = Command(
            command_id=name,
            action=arguments.ACTION,
            device=device,
            arguments=arguments.model_dump(mode="json"),
            expires=expires,
        )
    except ValidationError as error:
        raise _wrong(error) from error
    payload = command.model_dump(mode="json", exclude_none=True)
    row = Downlink(id=name, channel=COMMAND, payload=payload, expires=expires)
    return _enqueue(session, row, gateway, by, now, device or gateway)


def _wrong(error: ValidationError) -> WrongCommand:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return WrongCommand(f"{where}: {first['msg']}")


def send_configuration(
    session: Session, gateway: str, request: ConfigurationRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Write a configuration, one revision above the last. Raises ``UnknownGateway``."""
    _lock(session, gateway)
    return _new_configuration(
        session,
        gateway,
        account,
        now,
        health_interval_s=request.health_interval_s,
        paused_devices=request.paused_devices,
        settings=request.settings,
    )


def change_settings(
    session: Session, device: Device, request: SettingsRequest, account: str, now: datetime
) -> DownlinkEntry:
    """Change keys of one device; the rest of what is wanted stays.

    Raises ``SettingUnknown`` for a key that the gateway does not offer, ``ConfigurationMoved``
    where another revision than the one that was looked at is the newest.
    """
    _lock(session, device.gateway)
    newest = _newest(session, device.gateway)
    revision = 0 if newest is None else int(newest.payload["revision"])
    if request.revision != revision:
        raise ConfigurationMoved("Somebody else changed it meanwhile: look again.")
    offered = _reported(session, device.gateway, device.device)
    unknown = sorted(request.settings.keys() - offered.keys())
    if unknown:
        raise SettingUnknown(device.gateway, unknown)
    before = {} if newest is None else dict(newest.payload)
    wanted: dict[str, dict[str, Setting]] = dict(before.get("settings", {}))
    changed = {**wanted.pop(device.device, {}), **request.settings}
    mine = {key: value for key, value in changed.items() if value is not None}
    if mine:
        wanted[device.device] = mine
    return _new_configuration(
        session,
        device.gateway,
        account,
        now,
        health_interval_s=before.get("health_interval_s"),
        paused_devices=before.get("paused_devices", []),
        settings=wanted,
    )


def configuration(session: Session, gateway: str) -> ConfigurationEntry:
    """What is wanted of a gateway and what it says is in force. Raises ``UnknownGateway``."""
    row = session.get(Gateway, gateway)
    if row is None:
        raise UnknownGateway(gateway)
    newest = _newest(session, gateway)
    return ConfigurationEntry(
        wanted=None if newest is None else shown(newest),
        reported=None if row.configuration is None else _report(row.configuration),
        reported_at=row.configuration_time,
    )


def settings_of(session: Session, device: Device) -> DeviceSettings:
    """A device's keys that may be changed from here, with what is in force and what is wanted."""
    newest = _newest(session, device.gateway)
    payload = {} if newest is None else newest.payload
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


def downlinks(session: Session, gateway: str, limit: int) -> list[DownlinkEntry]:
    """The newest commands and configurations of a gateway. Raises ``UnknownGateway``."""
    _lock(session, gateway)
    rows = session.scalars(
        select(Downlink)
        .where(Downlink.gateway == gateway)
        .order_by(Downlink.created.desc(), Downlink.id)
        .limit(limit)
    )
    return [shown(row) for row in rows]


def send_again(session: Session, gateway: str, now: datetime) -> None:
    """The gateway has connected anew, perhaps as another version: what waits goes now, and so
    does the newest configuration, in the version that it understands."""
    session.execute(
        update(Downlink)
        .where(
            Downlink.gateway == gateway,
            Downlink.channel == COMMAND,
            Downlink.answered.is_(None),
            Downlink.again.is_not(None),
        )
        .values(again=now)
        .execution_options(synchronize_session=False)
    )
    newest = _newest(session, gateway)
    if newest is not None and (newest.accepted is None or newest.code == TOO_OLD):
        newest.again = now


def reconcile(session: Session, gateway: str, report: ConfigurationReport, now: datetime) -> None:
    """What a gateway says is in force, against what is wanted of it. One that knows of an older
    revision alone (another box under its name, a disk that was replaced, a broker that lost what
    it had retained) gets the newest again; it takes each once."""
    newest = _newest(session, gateway)
    if newest is None or report.revision >= int(newest.payload["revision"]) or newest.sent is None:
        return
    newest.again = now
    newest.answered = newest.accepted = newest.code = newest.message = None


def answered(
    session: Session, gateway: str, result: CommandResult, at: datetime, now: datetime
) -> None:
    """What a gateway answered. The first answer counts, and one that overtakes our giving up."""
    asked = Downlink.id == result.command_id
    revision = _CONFIGURATION.fullmatch(result.command_id)
    if revision:
        asked = and_(
            Downlink.channel == CONFIG,
            Downlink.payload["revision"].as_integer() == int(revision[1]),
        )
    row = session.scalars(
        select(Downlink).where(asked, Downlink.gateway == gateway).with_for_update()
    ).one_or_none()
    if row is None or (row.answered is not None and row.code not in GIVEN_UP):
        return
    row.answered, row.accepted, row.again = at, result.accepted, None
    row.code, row.message = result.code, result.message
    row.payload = _without_private(row.payload)
    _audited(session, row, now)


NO_ANSWER: Final = "no-answer"
NOT_REACHED: Final = "not-reached"
TOO_OLD: Final = "gateway-too-old"
"""The gateway's software knows nothing of what it was asked for."""
SUPERSEDED: Final = "superseded"
"""Another command took its place before it was answered."""
GIVEN_UP: Final = frozenset({NO_ANSWER, NOT_REACHED, TOO_OLD, SUPERSEDED})


def give_up(session: Session, row: Downlink, code: str, message: str, now: datetime) -> None:
    """It is not sent any more, and whoever asked is told why."""
    row.answered, row.accepted, row.again = now, False, None
    row.code, row.message = code, message[:400]
    row.payload = _without_private(row.payload)
    _audited(session, row, now)


def supersede(session: Session, name: str, now: datetime) -> None:
    """A command that waits is not sent any more: another one says what it said, or otherwise.
    Idempotent."""
    row = session.get(Downlink, name, with_for_update=True, populate_existing=True)
    if row is not None and row.answered is None:
        give_up(session, row, SUPERSEDED, "another command took its place", now)


def lock_all(session: Session, names: Collection[str]) -> None:
    """Lock these before anything is written down of one of them: whoever gives one up holds it
    while it waits for the end of the audit log."""
    if names:
        waiting = select(Downlink.id).where(Downlink.id.in_(names)).order_by(Downlink.id)
        session.execute(waiting.with_for_update())


def _audited(session: Session, row: Downlink, now: datetime) -> None:
    audit.append(
        session,
        at=now,
        account=row.gateway,
        action=f"{row.channel}.answered",
        subject=row.payload.get("device") or row.gateway,
        detail={"id": row.id, "accepted": row.accepted, "code": row.code},
    )


def _without_private(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Without arguments that stand for people."""
    model = COMMANDS.get(payload.get("action", ""))
    private = model is not None and model.PRIVATE
    return {**payload, "arguments": {}} if private else dict(payload)


def shown(row: Downlink) -> DownlinkEntry:
    """As the API shows it."""
    return DownlinkEntry(
        id=row.id,
        channel=row.channel,
        payload=_without_private(row.payload),
        account=row.account,
        created=row.created,
        expires=row.expires,
        sent=row.sent,
        answered=row.answered,
        accepted=row.accepted,
        code=row.code,
        message=row.message,
    )


def _new_configuration(  # noqa: PLR0913 - a whole configuration, by name
    session: Session,
    gateway: str,
    account: str,
    now: datetime,
    *,
    health_interval_s: float | None,
    paused_devices: list[str],
    settings: Mapping[str, Mapping[str, Setting]],
) -> DownlinkEntry:
    newest = session.scalar(
        select(func.max(Downlink.payload["revision"].as_integer())).where(
            Downlink.gateway == gateway, Downlink.channel == CONFIG
        )
    )
    # A gateway takes nothing older than what it knows: our tables may have been put back.
    known = session.get_one(Gateway, gateway).configuration
    reported = 0 if known is None else _report(known).revision
    wanted = Configuration(
        revision=1 + max(newest or 0, reported),
        health_interval_s=health_interval_s,
        paused_devices=paused_devices,
        settings={device: dict(keys) for device, keys in settings.items()},
    )
    # Of the older ones, none is to be sent any more.
    session.execute(
        update(Downlink)
        .where(Downlink.gateway == gateway, Downlink.channel == CONFIG)
        .values(again=None)
        .execution_options(synchronize_session=False)
    )
    name = f"config-{wanted.revision}-{uuid.uuid5(uuid.NAMESPACE_OID, gateway).hex[:8]}"
    row = Downlink(id=name, channel=CONFIG, payload=wanted.model_dump(mode="json"))
    return shown(_enqueue(session, row, gateway, account, now, gateway))


def _newest(session: Session, gateway: str) -> Downlink | None:
    return session.scalars(
        select(Downlink)
        .where(Downlink.gateway == gateway, Downlink.channel == CONFIG)
        .order_by(Downlink.payload["revision"].as_integer().desc())
        .limit(1)
    ).one_or_none()


def _reported(session: Session, gateway: str, device: str) -> Mapping[str, Any]:
    row = session.get(Gateway, gateway)
    if row is None or row.configuration is None:
        return {}
    return _report(row.configuration).settings.get(device, {})


def _report(kept: Mapping[str, Any]) -> ConfigurationReport:
    return ConfigurationReport.model_validate_json(json.dumps(dict(kept)), strict=True)


def _lock(session: Session, gateway: str) -> None:
    # Locked, so that two configurations do not get the same revision.
    if session.get(Gateway, gateway, with_for_update=True) is None:
        raise UnknownGateway(gateway)


def _enqueue(
    session: Session, row: Downlink, gateway: str, account: str, now: datetime, subject: str
) -> Downlink:
    row.gateway, row.account, row.created, row.again = gateway, account, now, now
    session.add(row)
    session.flush()
    audit.append(
        session,
        at=now,
        account=account,
        action=f"{row.channel}.sent",
        subject=subject,
        detail={"id": row.id, "what": row.payload.get("action") or row.payload.get("revision")},
    )
    return row
