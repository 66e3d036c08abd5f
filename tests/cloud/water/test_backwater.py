"""How velocities change along a reach, against the simulator's gradually varied flow."""

from __future__ import annotations

import numpy as np
import pytest

from channel_files import network, point, reach
from vigil_cloud.water.backwater import uneven
from vigil_cloud.water.channels import BadChannels, read
from vigil_cloud.water.responses import Responses
from vigil_sim.water.canals.city_file import geojson
from vigil_sim.water.canals.flow import Waters
from vigil_sim.water.canals.plan import tree


def test_canals_back_up_as_their_slopes_and_sections_say() -> None:
    """About half of what canals change by is left, and about a quarter of how much slower they are
    at their ends on the average: the estimate is drawn towards none."""
    changes, said, expected = [], [], []
    for seed in range(3):
        plan = tree(800_000_000 + seed)
        flow = Waters(plan, 20.0).steady()
        channels = read(geojson(plan, flow))
        for name, one in channels.reaches.items():
            areas = flow.areas[name]
            at = (np.arange(len(areas)) + 0.5) / len(areas) * 2 - 1
            changes.append(float((areas / areas.mean() - 1) @ at / (at @ at)))
            found = uneven(one, channels.velocity_within)
            said.append(found.share)
            expected.append(found.sd)
    left = np.array(changes) - said
    assert np.sqrt((left**2).mean()) < 0.55 * np.sqrt(np.square(changes).mean())
    assert abs(left.mean()) < np.mean(changes) / 3
    assert (np.abs(left) < 2 * np.array(expected)).mean() > 0.9


def test_without_a_slope_it_may_change_either_way() -> None:
    one = read(network(reach("r", "a", "b", 800, 2.0, 0.5, 2.0))).reaches["r"]
    assert uneven(one, 0.2) == (0.0, 0.2)


def test_velocities_that_are_known_do_not_change_along_a_reach() -> None:
    given = network(reach("r", "a", "b", 800, 2.0, 0.2, 2.0, slope=1e-3))
    one = read(given).reaches["r"]
    assert abs(uneven(one, 0.001).share) < 0.001 > uneven(one, 0.001).sd - 1e-9


def test_a_reach_that_flows_back_flows_up_its_bed() -> None:
    given = network(reach("r", "a", "b", 800, 2.0, -0.2, 2.0, slope=1e-3))
    one = read(given).reaches["r"]
    assert one.slope == -1e-3
    assert uneven(one, 0.2).share < 0


def test_a_part_of_a_backed_up_reach_takes_longer_at_its_end() -> None:
    def takes(**slope: float) -> float:
        channels = read(network(
            reach("r", "a", "b", 800, 2.0, 0.2, 0.0, **slope),
            point("o", "outfall", "r", 600), point("s", "station", "r", 800),
        ))  # fmt: skip
        found = Responses(channels, {"s"}, period_s=20_000, count=256).of("r", 600)
        return found["s"].mean_s

    assert takes() == pytest.approx(1000)
    assert 1050 < takes(slope=1e-3) < 1500


def test_a_slope_that_is_no_number_is_refused() -> None:
    feature = reach("r", "a", "b", 800, 2.0, 0.2, 0.0)
    feature["properties"]["slope"] = "steep"
    with pytest.raises(BadChannels, match="slope"):
        read(network(feature))
