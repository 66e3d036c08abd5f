"""The counting agent, which tells with every new connection what is in force: the pause between
two such reports is longer than a test waits."""

from __future__ import annotations

import runpy
from pathlib import Path

from vigil_edge import agent

if __name__ == "__main__":
    agent.CONFIGURATION_TOLD_S = 0.0  # type: ignore[misc]
    runpy.run_path(str(Path(__file__).with_name("counting_agent.py")), run_name="__main__")
