"""``vigil-cloud noise``: figures of the service."""

from __future__ import annotations

import argparse
from datetime import date

from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Its one action, ``statistics``."""
    actions = add_subject(commands, "noise", "loud vehicles")
    text = "exceedances, decisions, fines and complaints; one JSON object"
    figures = add_command(actions, "statistics", _statistics, text, common)
    figures.add_argument("--sites", action="store_true", help="by intersection and hour of the day")
    figures.add_argument("--start", type=date.fromisoformat, metavar="DAY", help="the first day")
    figures.add_argument(
        "--stop", type=date.fromisoformat, metavar="DAY", help="the day after the last"
    )


def _statistics(options: argparse.Namespace) -> int:
    from vigil_cloud.noise import site_statistics, statistics

    figures = site_statistics.figures if options.sites else statistics.figures
    with opened(options) as services, services.sessions() as session:
        found = figures(session, services.now(), options.start, options.stop)
    print(found.model_dump_json())
    return 0
