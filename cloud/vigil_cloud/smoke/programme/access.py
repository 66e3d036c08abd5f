"""Who may do what in the programme, and what its addresses name."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Path

from vigil_cloud.identity.dependencies import require
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.identity.roles import Role

OFFICE: Final = (Role.DISPATCHER, Role.ADMINISTRATOR)
FIELD: Final = (Role.MAINTAINER, Role.ADMINISTRATOR)
STAFF: Final = (Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR)
Office = Annotated[Reader, Depends(require(*OFFICE))]
Field = Annotated[Reader, Depends(require(*FIELD))]
Staff = Annotated[Reader, Depends(require(*STAFF))]
Referrer = Annotated[Reader, Depends(require(Role.REGISTRAR, *OFFICE))]
OfHome = Annotated[Reader, Depends(require(Role.FAMILY))]
HomeId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
LIVES_THERE: Final = frozenset({Relation.RESIDENT, Relation.GUARDIAN})
"""Those who act for the home."""
JPEG: Final = {"schema": {"type": "string", "format": "binary"}}
CSV: Final = {"schema": {"type": "string"}}
