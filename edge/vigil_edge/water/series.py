"""The series of a recording, each with the quality control of a gateway."""

from __future__ import annotations

from collections.abc import Sequence

from vigil_edge.water.sonde import SondeQc
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.series import Series


class SondeSeries(Series[SondeQc]):
    """Judged reading by reading; ``replay_columns`` has the same for columns."""

    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> SondeQc:  # noqa: ARG002  # their limits say it
        """Fresh."""
        return SondeQc(limits)
