"""Jobs as the API shows them."""

from __future__ import annotations

from pydantic import BaseModel

from vigil_cloud.jobs.supervision import JobState
from vigil_schemas.types import UtcDatetime


class JobEntry(BaseModel):
    """One periodic job, whichever process did it last."""

    name: str
    state: JobState
    period_s: float
    due: UtcDatetime
    holder: str | None
    """Machine, process and run that holds the lease, or held it last."""
    leased_until: UtcDatetime | None
    started: UtcDatetime | None
    finished: UtcDatetime | None
    succeeded: UtcDatetime | None
    runs: int
    failures: int
    error: str | None


class JobList(BaseModel):
    """The background jobs of this service."""

    jobs: list[JobEntry]
