"""Overruling a veto over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from vigil_cloud.cases.routes import BenchDependency, asked
from vigil_cloud.cases.schema import Case, Reason
from vigil_cloud.noise import overruling

router = APIRouter(prefix="/noise", tags=["noise"])


class Overrule(BaseModel):
    """Which passage is a vehicle's after all, and why."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    exceedance: Annotated[
        str, StringConstraints(min_length=1, max_length=130, pattern=r"^[^\x00]*$")
    ]
    """Its id in the list of exceedances."""
    reason: Reason
    """What was heard and seen: it stands in the case's history."""


@router.post("/overrulings", operation_id="overrule_noise_veto", status_code=201)
def overrule_noise_veto(body: Overrule, request: Request, bench: BenchDependency) -> Case:
    """Make a case of a passage that the classifier vetoed. The classifier's verdict stays beside;
    whoever overrules does not decide the case."""
    return bench.change(
        asked(request, body), lambda desk: overruling.overrule(desk, body.exceedance, body.reason)
    )
