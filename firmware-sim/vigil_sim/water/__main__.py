"""``python -m vigil_sim.water``: the same as ``vigil-sim fleet``."""

from __future__ import annotations

import argparse
import sys

from vigil_sim.water import fleet

parser = argparse.ArgumentParser(prog="python -m vigil_sim.water", description=fleet.__doc__)
fleet.add_arguments(parser)
sys.exit(fleet.main(parser.parse_args()))
