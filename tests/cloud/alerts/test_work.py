"""The priority that the database computes is the one that ``work`` says, for every state."""

from __future__ import annotations

import itertools
from typing import get_args

from sqlalchemy import insert, select

from cloud_city import GATEWAY, City
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.work import PRIORITIES, priority, severity_of, work_of
from vigil_cloud.database.engine import writing

FLAGS = ("active", "called_on", "acknowledged", "confirmed")
STATES = [
    (severity, dict(zip(FLAGS, flags, strict=True)))
    for severity in get_args(Severity)
    for flags in itertools.product((False, True), repeat=len(FLAGS))
]


def test_the_database_computes_what_work_says(either_city: City) -> None:
    city = either_city
    rows = [
        {
            "id": f"{number:036d}",
            "key": f"noise:{GATEWAY}:{number}",
            "version": 1,
            "domain": "noise",
            "kind": "exceedance",
            "gateway": GATEWAY,
            "device": "mic-1",
            "title": "Loud",
            "title_zh": "噪音",
            "severity": severity,
            "momentary": False,
            "out_of_service": False,
            "raised": city.time,
            "event_time": city.time,
            "detail": {},
            **flags,
        }
        for number, (severity, flags) in enumerate(STATES)
    ]
    with writing(city.services.sessions) as session:
        session.execute(insert(AlertRow), rows)
        found = list(session.scalars(select(AlertRow.priority).order_by(AlertRow.id)))
    assert found == [priority(severity, **_work(flags)) for severity, flags in STATES]


def _work(flags: dict[str, bool]) -> dict[str, bool]:
    """What of a row's flags the work depends on."""
    stands = flags["active"] or flags["called_on"]
    return {
        "stands": stands,
        "acknowledged": flags["acknowledged"],
        "confirmed": flags["confirmed"],
    }


def test_priorities_tell_work_and_severity_apart() -> None:
    for severity, flags in STATES:
        work, its = work_of(severity, **_work(flags)), priority(severity, **_work(flags))
        low, high = PRIORITIES[work]
        assert low <= its <= high
        if its > 0:
            assert severity_of(its) == severity
