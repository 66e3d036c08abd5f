"""What else a cabinet tells: removals and conditions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aed_town import alert_of, tell
from cloud_city import City
from vigil_schemas.aed import AedCondition, AedRemoval


@pytest.mark.parametrize(
    ("opened", "severity", "kind"),
    [(False, "major", "theft"), (None, "major", "theft"), (True, "minor", "taken")],
)
def test_what_is_taken_is_told_to_the_police_where_it_is_a_theft(
    town: City, opened: bool | None, severity: str, kind: str
) -> None:
    taken = AedRemoval(removal_id="removal-1", phase="taken", taken=town.time, opened=opened)
    tell(town, taken)
    alert = alert_of(town, "police")
    assert (alert["severity"], alert["kind"]) == (severity, kind)
    (site,) = town.client("family").get("/api/v1/aed/sites").json()["sites"]
    assert (site["taken"], site["usable"]) == (True, False)
    tell(
        town,
        taken.model_copy(
            update={"phase": "returned", "returned": town.time + timedelta(minutes=1)}
        ),
    )
    assert alert_of(town, "police")["state"]["active"] is False
    (site,) = town.client("family").get("/api/v1/aed/sites").json()["sites"]
    assert site["usable"] is True


def test_a_condition_is_an_alert_until_it_is_over(town: City) -> None:
    stuck = AedCondition(
        condition_id="condition-1", condition="contact_stuck", active=True, since=town.time
    )
    tell(town, stuck)
    assert alert_of(town, "maintainer")["severity"] == "major"
    tell(town, stuck.model_copy(update={"active": False}))
    assert alert_of(town, "maintainer")["state"]["active"] is False
