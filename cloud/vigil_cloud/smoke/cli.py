"""``vigil-cloud smoke``: what the city tells of fires' surroundings."""

from __future__ import annotations

import argparse
from pathlib import Path

from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Its one action, ``hydrants``."""
    actions = add_subject(commands, "smoke", "fires in homes")
    text = "the city's hydrants, in place of those before; 119 is told the nearest"
    hydrants = add_command(actions, "hydrants", _hydrants, text, common)
    hydrants.add_argument("file", type=Path, metavar="FILE.geojson|FILE.csv")


def _hydrants(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.smoke import hydrants

    content = options.file.read_bytes()
    hydrants.parse(content)  # a bad file is told before the database is asked for
    with opened(options) as services, writing(services.sessions) as session:
        count = hydrants.replace(session, content)
    print(f"{count} hydrants; 119 is told the nearest of a fire from now on")
    return 0
