"""``vigil-cloud device``: devices and the gateways they belong to."""

from __future__ import annotations

import argparse
import json

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, release, remove."""
    actions = add_subject(commands, "device", "devices and the gateways they belong to")
    add_command(actions, "list", _list, "one JSON object a line", common)
    remove = add_command(
        actions,
        "remove",
        _remove,
        "take it off the list; it comes back with the next birth that describes it",
        common,
    )
    remove.add_argument("device")
    remove.add_argument(
        "--with-readings", action="store_true", help="delete its time series, too, for good"
    )
    release = add_command(
        actions, "release", _release, "let the next gateway that describes it have it", common
    )
    release.add_argument("device")


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.devices.service import all_devices

    with opened(options) as services, services.sessions() as session:
        for entry in all_devices(session):
            print(entry.model_dump_json())
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.removal import remove_device

    with opened(options) as services:
        with writing(services.sessions) as session:
            remove_device(session, options.device, by=OPERATOR, now=services.now())
        if options.with_readings:
            services.timeseries.delete(options.device)
    print(json.dumps({"device": options.device, "removed": True}))
    return 0


def _release(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.service import release

    with opened(options) as services, writing(services.sessions) as session:
        entry = release(session, options.device, OPERATOR, services.now())
    print(json.dumps({"device": entry.device, "released_from": entry.gateway}))
    return 0
