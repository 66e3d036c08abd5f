"""What the demo finds at the end of its night, and how what 119 got is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from vigil_sim.demo.night import Console, Night, checked_evidence
from vigil_sim.demo.processes import DemoFailed
from vigil_sim.demo.servers import Influx

EVIDENCE_TIMEOUT_S: Final = 60.0


def verify(
    console: Console,
    night: Night,
    influx: Influx | None,
    step: Callable[[str], None],
    say: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    """Each domain's alert is whole: its evidence as it was sealed, its readings stored. ``check``
    is called while waiting, and may raise. Raises ``DemoFailed``."""
    for domain, awaited in night.awaited.items():
        alert = night.arrived[domain].alert
        if awaited.evidence:
            _verify_evidence(console, alert, awaited.evidence, step, check)
        if awaited.readings and influx is not None:
            count = influx.points(domain, alert["device"])
            if not count:
                raise DemoFailed(f"InfluxDB holds no readings of {alert['device']}")
            step(f"read back from InfluxDB: {count} readings of {alert['device']}")
    for domain in night.awaited:
        say(f"alert: {domain} {night.arrived[domain].seconds:.2f}")


def _verify_evidence(
    console: Console,
    alert: Mapping[str, Any],
    wanted: frozenset[str],
    step: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    deadline = time.monotonic() + EVIDENCE_TIMEOUT_S
    roles = checked_evidence(console, alert["id"], deadline, check)
    if missing := wanted - set(roles):
        raise DemoFailed(f"the sealed evidence lacks: {', '.join(sorted(missing))}")
    step(f"sealed evidence arrived, every digest right: {', '.join(roles)}")


def called_119(said: Mapping[str, Any]) -> str:
    """What the stand-in for 119 got, in one line."""
    if mistakes := said.get("mistakes"):
        return f"119 refused what is no CAP 1.2 ({said['answer']}): {'; '.join(mistakes)}"
    return f"119 {said['msg_type']} ({said['answer']}): {said['headline']}"
