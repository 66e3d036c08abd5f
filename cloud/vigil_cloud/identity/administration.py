"""Accounts over HTTP, for administrators. They are added on the command line or by the seed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import service
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import AccountList, Username, account_row

router = APIRouter(prefix="/accounts", tags=["accounts"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


@router.get("", operation_id="list_accounts")
def list_accounts(_administrator: Administrator, services: ServicesDependency) -> AccountList:
    """Everybody who may sign in or could."""
    with services.sessions() as session:
        return AccountList(accounts=[account_row(one) for one in service.accounts(session)])


@router.delete("/{username}", status_code=204, operation_id="remove_account")
def remove_account(
    username: Annotated[Username, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """With its sessions, consents, guardianships and channels. 409 for the last administrator."""
    with writing(services.sessions) as session:
        service.remove_account(session, username, by=administrator.username, now=services.now())
    services.changed.announce()
