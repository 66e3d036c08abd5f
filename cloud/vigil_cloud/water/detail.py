"""What an alert of a water parameter out of its bounds says."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.water import WaterExcursion


class ExcursionDetail(AlertDetail, WaterExcursion):
    """The excursion as its gateway told it, onset and end together."""

    type: Literal["water-excursion"] = "water-excursion"
