"""What the API says of cohorts of volunteers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import Field

from vigil_cloud.aed.cohorts import Kind
from vigil_cloud.aed.schema import Answer, Body, text

CohortId = Annotated[str, Path(pattern=r"^[\w][\w.-]{0,39}$")]


class CohortBody(Body):
    """Volunteers who were trained or are on the road together."""

    name: Annotated[str, text(120, 1)]
    name_zh: Annotated[str, text(120)] = ""
    kind: Kind
    hours: Annotated[str, text(255, 1)]
    """As OpenStreetMap's opening_hours: nobody of it is called outside of them."""
    speed_mps: Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)] | None = None
    """Of those on wheels, m/s; null: each member's own."""


class CohortEntry(Answer):
    """One cohort."""

    id: str
    name: str
    name_zh: str
    kind: Kind
    hours: str
    speed_mps: float | None
    members: int
    open_now: bool
    """Within its hours."""


class CohortList(Answer):
    """By their ids."""

    cohorts: list[CohortEntry]


class JoinBody(Body):
    """Of which cohort a volunteer is; null: of none."""

    cohort: Annotated[str, text(40, 1)] | None


class CertifiedCohort(Answer):
    """Whose certificates were noted."""

    members: int
