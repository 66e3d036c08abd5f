"""Who did what to an entry of a register: the audit log's lines of one kind of thing, of one key,
since the key was given to this entry.

The log names its subjects by key alone. A device, an account, a district and a home may all be
called ``north``, and an account's name may belong to somebody else next year: without the kind and
the beginning, one entry would show what was done to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.downlinks import COMMAND_OF, OF_DEVICE, OF_GATEWAY
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.registers.port import Register

_COMMANDS: Final = "command."
_NOT_OF: Final = {"devices": OF_GATEWAY, "gateways": OF_DEVICE}
"""Commands go to a gateway or to a device of its: whose such a line is, it says itself (those from
before it did are shown to both)."""


def lines_of(session: Session, register: Register, key: str, limit: int) -> Sequence[AuditEntry]:
    """What was done to the entry, the newest first. Of one that ended and whose key nobody has
    taken since, what was done to it and how it ended."""
    whose = AuditEntry.person_key if register.people else AuditEntry.subject
    its = and_(whose == key, _told(register))
    lines = select(AuditEntry).where(its)
    if register.ended_by:
        ended = AuditEntry.action.in_(register.ended_by)
        last = select(func.max(AuditEntry.number)).where(its, ~ended).scalar_subquery()
        begun = select(func.max(AuditEntry.number)).where(its, ended, AuditEntry.number < last)
        lines = lines.where(AuditEntry.number > func.coalesce(begun.scalar_subquery(), 0))
    return session.scalars(lines.order_by(AuditEntry.number.desc()).limit(limit)).all()


def _told(register: Register) -> ColumnElement[bool]:
    told = or_(*(AuditEntry.action.startswith(one) for one in register.told_by))
    other = _NOT_OF.get(register.name)
    if other is None:
        return told
    of = func.coalesce(AuditEntry.detail[COMMAND_OF].as_string(), "")
    return and_(told, or_(~AuditEntry.action.startswith(_COMMANDS), of != other))
