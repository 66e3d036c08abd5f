"""The counting agent, which tells with every new connection what is in force: the pause between
two such reports is longer than a test waits."""

from __future__ import annotations

import sys

from edge.counting_agent import COUNTER, DOMAIN
from vigil_edge import agent
from vigil_edge.cli import main
from vigil_edge.registry import DOMAINS

if __name__ == "__main__":
    agent.CONFIGURATION_TOLD_S = 0.0  # type: ignore[misc]
    others = [domain for domain in DOMAINS if domain.key != DOMAIN]
    sys.exit(main(domains=[*others, COUNTER]))
