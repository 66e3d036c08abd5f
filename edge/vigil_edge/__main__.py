"""The entrance of ``vigil-edge``, also as ``python -m vigil_edge``."""

from __future__ import annotations

import sys

from vigil_schemas.entrance import enter


def main() -> int:
    """The console script; returns the exit status."""
    return enter("vigil-edge", "edge", "vigil_edge.cli")


if __name__ == "__main__":
    sys.exit(main())
