"""What the nodes of a network say of its flows and velocities, and what that leaves open."""

from __future__ import annotations

import numpy as np
import pytest

from channel_files import network, point, reach
from vigil_cloud.water.channels import Channels, read
from vigil_cloud.water.flow_balance import balanced
from vigil_cloud.water.responses import Responses


def chain(*velocities: float) -> Channels:
    """Reaches one behind the other, of one section."""
    return read(network(*(
        reach(f"r{number}", f"n{number}", f"n{number + 1}", 800, 2.0, velocity, 2.0)
        for number, velocity in enumerate(velocities)
    )))  # fmt: skip


def test_what_flows_on_is_what_came() -> None:
    """Of four reaches one says a fifth more: it is taken to run slower than it says, the others a
    little faster."""
    found = balanced(chain(0.5, 0.5, 0.6, 0.5))
    assert found.faster["r2"] < 0.93
    assert all(1.0 < found.faster[name] < 1.06 for name in ("r0", "r1", "r3"))
    flows = list(found.flows.values())
    assert max(flows) / min(flows) < 1.07
    assert 1.0 < np.mean(flows) < 1.1


def test_no_flow_is_taken_for_too_small_beforehand() -> None:
    """Errors of a share of the truth: low values are not believed more than high ones."""
    above, below = (balanced(chain(0.5, 0.5 * off)).flows for off in (1.2, 1 / 1.2))
    assert above["r0"] * below["r0"] == pytest.approx(1.0, abs=0.005)


def test_where_much_more_leaves_than_comes_velocities_are_believed() -> None:
    found = balanced(chain(0.5, 2.0))
    assert found.faster == pytest.approx({"r0": 1.0, "r1": 1.0}, abs=0.05)


def test_errors_that_stay_are_shared_along_the_water() -> None:
    """How fast a chain runs as a whole its nodes do not tell: a station below four reaches knows
    their mean as well as before, and each of them better."""
    names = [f"r{number}" for number in range(4)]
    found = balanced(chain(0.5, 0.5, 0.5, 0.5))
    off = found.covariance(names)
    assert np.sqrt(np.diag(off)) == pytest.approx(np.full(4, 0.08), abs=0.02)
    mean = np.full(4, 0.25)
    assert mean @ off @ mean == pytest.approx(found.sd**2 / 4, rel=0.02)
    assert (off > 0).all()
    assert np.linalg.eigvalsh(off).min() > 0


def test_velocities_that_are_known_are_not_moved() -> None:
    given = network(
        reach("r0", "a", "b", 800, 2.0, 0.5, 2.0), reach("r1", "b", "c", 800, 2.0, 0.6, 2.0)
    )
    found = balanced(read({**given, "velocity_within": 0.01}))
    assert found.faster == pytest.approx({"r0": 1.0, "r1": 1.0}, abs=0.003)


def test_what_a_height_hangs_on() -> None:
    """Below a fork the load is shared as the water is: the height is that of all water."""
    channels = read(network(
        reach("a", "n0", "n1", 800, 2.0, 0.5, 2.0),
        reach("b", "n1", "n2", 800, 1.4, 0.5, 2.0),
        reach("c", "n1", "n3", 800, 0.6, 0.5, 2.0),
        point("o", "outfall", "a", 200), point("s", "station", "b", 600),
        point("up", "station", "a", 600),
    ))  # fmt: skip
    found = Responses(channels, {"s", "up"}, period_s=20_000, count=256).of("a", 200)
    assert found["s"].gain == pytest.approx(1 / 1.0)
    assert found["s"].grows == pytest.approx({"b": -0.7, "c": -0.3})
    assert found["up"].grows == pytest.approx({"a": -1.0})


def test_a_part_of_a_reach_takes_another_share_of_its_time() -> None:
    """Water that slows down towards the end of its reach: a quarter of the reach is left."""
    channels = read(network(
        reach("a", "n0", "n1", 800, 2.0, 0.5, 0.0), reach("b", "n1", "n2", 800, 2.0, 0.5, 0.0),
        reach("c", "n2", "n3", 800, 2.0, 0.5, 0.0),
        point("o", "outfall", "a", 600), point("s", "station", "c", 400),
        point("near", "station", "a", 700),
    ))  # fmt: skip
    found = Responses(channels, {"s", "near"}, period_s=20_000, count=256).of("a", 600)

    def later(begin: float, end: float, uneven: float) -> float:
        """Of a slowness that grows evenly along the reach, against its mean; in thousand steps."""
        at = (np.arange(1000) + 0.5) / 1000
        inside = (at > begin) & (at < end)
        return float((uneven * (2 * at[inside] - 1)).sum()) * 1600 / 1000

    # One standard deviation: nothing is said of slopes, so velocities change by what they are off.
    within = channels.velocity_within
    assert found["s"].uneven_s == pytest.approx(
        {"a": later(0.75, 1.0, within), "c": later(0.0, 0.5, within)}
    )
    assert found["near"].uneven_s == pytest.approx({"a": later(0.75, 0.875, within)})
