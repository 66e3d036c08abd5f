"""The entrance of ``vigil-cloud``, also as ``python -m vigil_cloud``."""

from __future__ import annotations

import sys

from vigil_schemas.entrance import enter


def main() -> int:
    """The console script; returns the exit status."""
    return enter("vigil-cloud", "cloud", "vigil_cloud.cli")


if __name__ == "__main__":
    sys.exit(main())
