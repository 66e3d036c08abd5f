"""Volunteers whose certificate ends: from the next day on they are called no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedVolunteer
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.ends_soon import EndsSoon, Window, Words
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role

_NAMES: Final = Words("您的急救訓練證書", "Your first-aid certificate")
_REMEDY: Final = Words(
    "其後您將不會被召集；請將新證書交管理員登錄。",
    "From then on you are called no more: show the new one to an administrator.",
)


def certificates_end(
    session: Session, cipher: Cipher, window: Window, now: datetime
) -> Iterable[EndsSoon]:
    """Of those who consented to be called. It counts to the end of its last day."""
    del cipher, now
    query = (
        select(AedVolunteer, Account)
        .join(Account, Account.id == AedVolunteer.account_id)
        .where(
            AedVolunteer.consented.is_not(None),
            AedVolunteer.certificate_until >= window.first.date() - timedelta(days=2),
            AedVolunteer.certificate_until <= window.last.date() + timedelta(days=1),
        )
    )
    for row, account in session.execute(query):
        if row.certificate_until is None or Role.VOLUNTEER.value not in account.roles:
            continue
        last = row.certificate_until
        ends = datetime.combine(last + timedelta(days=1), time(), CITY_ZONE)
        what = f"aed certificate {account.id}"
        yield EndsSoon(what, account.id, None, ends, _NAMES, _REMEDY, "/aed", "AED certificate")
