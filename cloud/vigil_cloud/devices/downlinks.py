"""Commands on their way down, and what is answered to them and to configurations.

What is wanted of a gateway is ``configurations``; who sends both is ``sending``. Everything that
is asked, and what became of it, is audited.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.devices.downlink_errors import UnknownGateway, WrongCommand
from vigil_cloud.devices.models import Downlink, Gateway
from vigil_cloud.devices.schema import CommandRequest, DownlinkEntry
from vigil_cloud.identity import audit
from vigil_schemas.commands import (
    COMMANDS,
    OF_ANY_DEVICE,
    OF_THE_GATEWAY,
    CommandArguments,
)
from vigil_schemas.control import Command
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.gateway import CommandResult, ConfigurationReport
from vigil_schemas.topics import COMMAND, CONFIG

COMMAND_OF: Final = "of"
"""In the detail of a command's line of the log: what kind of thing its subject is, since a device
may be called as a gateway is."""
OF_DEVICE: Final = "device"
OF_GATEWAY: Final = "gateway"
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
    lock_gateway(session, gateway)
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
    return enqueue(session, row, gateway, by, now, device or gateway)


def _wrong(error: ValidationError) -> WrongCommand:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return WrongCommand(f"{where}: {first['msg']}")


def downlinks(session: Session, gateway: str, limit: int) -> list[DownlinkEntry]:
    """The newest commands and configurations of a gateway. Raises ``UnknownGateway``."""
    lock_gateway(session, gateway)
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
    newest = newest_configuration(session, gateway)
    if newest is not None and (newest.accepted is None or newest.code == TOO_OLD):
        newest.again = now


def reconcile(session: Session, gateway: str, report: ConfigurationReport, now: datetime) -> None:
    """What a gateway says is in force, against what is wanted of it. One that knows of an older
    revision alone (another box under its name, a disk that was replaced, a broker that lost what
    it had retained) gets the newest again; it takes each once. One that knows it and whose answer
    was lost is asked for that; ``sending`` says how often."""
    newest = newest_configuration(session, gateway)
    if newest is None or newest.sent is None:
        return
    revision = int(newest.payload["revision"])
    if report.revision == revision and report.in_force and newest.accepted is False:
        # Refused at first, for a device that the gateway found meanwhile.
        newest.accepted, newest.code, newest.message = True, "ok", ""
    if report.revision == revision and newest.answered is None:
        newest.tries = 0
        return
    if report.revision >= revision:
        newest.again = None  # there it is, whatever became of an answer
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


def found(session: Session, gateway: str, report: DiscoveryReport | LookReport) -> None:
    """What a search or a look found, kept with the command that asked for it. One of somebody
    else's command, or of none, is no news; a search that ended goes on no more."""
    row = session.scalars(
        select(Downlink)
        .where(Downlink.id == report.command_id, Downlink.gateway == gateway)
        .with_for_update()
    ).one_or_none()
    if row is None or row.channel != COMMAND:
        return
    before = row.report
    if isinstance(report, DiscoveryReport) and before and before.get("state") == "done":
        return
    row.report = report.model_dump(mode="json")


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
        detail={
            "id": row.id,
            "accepted": row.accepted,
            "code": row.code,
            COMMAND_OF: _kind(row.payload),
        },
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


def newest_configuration(session: Session, gateway: str) -> Downlink | None:
    """What is wanted of a gateway; none where nobody ever wanted anything."""
    return session.scalars(
        select(Downlink)
        .where(Downlink.gateway == gateway, Downlink.channel == CONFIG)
        .order_by(Downlink.payload["revision"].as_integer().desc())
        .limit(1)
    ).one_or_none()


def lock_gateway(session: Session, gateway: str) -> None:
    """Locked, so that two configurations do not get the same revision. Raises
    ``UnknownGateway``."""
    if session.get(Gateway, gateway, with_for_update=True) is None:
        raise UnknownGateway(gateway)


def enqueue(
    session: Session, row: Downlink, gateway: str, account: str, now: datetime, subject: str
) -> Downlink:
    """Write it for ingest to send, and down in the audit log."""
    row.gateway, row.account, row.created, row.again = gateway, account, now, now
    session.add(row)
    session.flush()
    audit.append(
        session,
        at=now,
        account=account,
        action=f"{row.channel}.sent",
        subject=subject,
        detail={
            "id": row.id,
            "what": row.payload.get("action") or row.payload.get("revision"),
            COMMAND_OF: _kind(row.payload),
        },
    )
    return row


def _kind(payload: Mapping[str, Any]) -> str:
    return OF_DEVICE if payload.get("device") else OF_GATEWAY
