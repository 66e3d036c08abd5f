"""The entrance of ``vigil-sim``, also as ``python -m vigil_sim``."""

from __future__ import annotations

import sys

from vigil_schemas.entrance import enter


def main() -> int:
    """The console script; returns the exit status."""
    return enter("vigil-sim", "sim", "vigil_sim.cli")


if __name__ == "__main__":
    sys.exit(main())
