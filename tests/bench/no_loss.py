"""The long no-loss run as figures: 100,000 readings of 20 gateways, each part killed ten times."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import servers
from faults import no_loss


def main() -> int:
    seed = int(os.environ.get("VIGIL_SEED", "20261123"))
    relational = "postgresql" if servers.find("initdb") else "sqlite"
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        found = no_loss.run(Path(folder), no_loss.FULL, seed, relational)
    print(f"no_loss VIGIL_SEED: {seed}")
    print(f"no_loss relational: {relational}")
    for name in ("produced", "stored", "lost", "duplicated", "events", "events_lost"):
        print(f"no_loss {name}: {getattr(found, name)}")
    print(f"no_loss events_repeated: {found.events_repeated}")
    for part, count in sorted(found.kills.items()):
        print(f"no_loss kills_{part}: {count}")
    print(f"no_loss seconds: {found.seconds:.0f}")
    return 0
