"""``vigil-sim`` with a fifth domain: nothing but the list of domains is different."""

from __future__ import annotations

import sys

from sim.toy.bell import BELL
from vigil_sim.cli import main
from vigil_sim.registry import DOMAINS

sys.exit(main(domains=(*DOMAINS, BELL)))
