"""``python -m vigil_edge``."""

import sys

from vigil_edge.cli import main

sys.exit(main())
