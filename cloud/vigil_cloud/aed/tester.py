"""What a tester of defibrillators measured on a patrol. Pure.

A tester takes the shock instead of a person and says how much energy came. Bounds are those of IEC
60601-2-4: within 15 % of what is rated, or 3 J where that is more.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

SHARE: Final = 0.15
LEAST_J: Final = 3.0
LONGEST_CHARGE_S: Final = 15.0
"""From the analysis to the shock, as IEC 60601-2-4 asks of a device with a full battery."""
_Line = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f]*$")]
_Energy = Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)]


class TesterResult(BaseModel):
    """One measurement, as it is kept with the patrol."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    tester: _Line
    """Which instrument: its serial number."""
    passed: bool
    """What the instrument itself says."""
    rated_j: _Energy | None = None
    """The energy that the device was to give, J."""
    measured_j: _Energy | None = None
    charge_s: Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)] | None = None
    """From the analysis to the shock, seconds."""


def troubles(result: TesterResult) -> list[str]:
    """Why nobody may be sent for this device; empty: the tester found it well."""
    found = [] if result.passed else ["tester-failed"]
    if result.rated_j is not None and result.measured_j is not None:
        bound = max(LEAST_J, SHARE * result.rated_j)
        if abs(result.measured_j - result.rated_j) > bound:
            found.append("energy-off")
    if result.charge_s is not None and result.charge_s > LONGEST_CHARGE_S:
        found.append("charges-slowly")
    return found
