"""A flood that is larger than the disk, on a real disk of 40 MB: no fire is lost.

Figures, of a flood of twice the disk: `make bench ARGS=disk`; the same under `VIGIL_FULL=1`.
"""

from __future__ import annotations

import os
import shutil

import pytest

import servers
from bench.disk import DISK, FLOOD, FLOODS, Small, flood, small_disk
from gateways import Gateway

SIZE = FLOOD if os.environ.get("VIGIL_FULL") else 5 * DISK // 4


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.full] if kind in {"events", "alarms"} else [])
        for kind in FLOODS
    ],
)
def test_no_fire_is_lost_while_a_gateway_floods_a_small_disk(kind: str) -> None:
    if reason := Small.missing():
        pytest.skip(reason)
    with small_disk() as small:
        found = flood(small, kind, SIZE)
        assert found.sent_bytes > 1.2 * DISK
        assert found.fires_stored == found.fires
        if kind == "dead letters":
            assert "dead-letters" in found.dropped
            assert found.others_letters == 1, "another sender's letter is kept"
        # What was held back was told, and nothing of it is refused for good.
        late = Gateway(small.mqtt)
        small.fire(late, 1)
        late.close()
        # Full at one moment perhaps (a checkpoint copies before it gives room back), not for good.
        servers.eventually(lambda: shutil.disk_usage(small.folder).free > 0, "there is room again")
