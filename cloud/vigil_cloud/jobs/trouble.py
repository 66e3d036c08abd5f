"""One finding of the watch over gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.alerts.schema import Severity


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong now."""

    kind: PlatformKind
    subject: str
    severity: Severity
    title: str
    title_zh: str
    gateway: str = ""
    device: str = ""
    since: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same finding as an earlier one."""
        return self.kind, self.subject[:60], self.gateway
