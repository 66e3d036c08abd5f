"""``python -m vigil_sim``: the same as ``vigil-sim``."""

from __future__ import annotations

import sys

from vigil_sim.cli import main

sys.exit(main())
