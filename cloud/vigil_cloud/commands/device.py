"""``vigil-cloud device``: devices and the gateways they belong to."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened

if TYPE_CHECKING:
    from vigil_cloud.devices.shelves import ShelfKind


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """list, release, remove; shelves, shelve, unshelve."""
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
    add_command(actions, "shelves", _shelves, "what is put aside, one JSON object a line", common)
    shelve = add_command(
        actions,
        "shelve",
        _shelve,
        "put a device or one parameter aside: what it raises is stored and calls nobody",
        common,
    )
    shelve.add_argument("device")
    shelve.add_argument("--reason", required=True, help="shown with it")
    shelve.add_argument("--hours", type=finite, help="its end; needed but for --out-of-service")
    shelve.add_argument("--parameter", default="", help="this one alone")
    shelve.add_argument(
        "--out-of-service", action="store_true", help="also what is critical calls nobody"
    )
    unshelve = add_command(actions, "unshelve", _unshelve, "end it before its time", common)
    unshelve.add_argument("device")
    unshelve.add_argument("number", type=int, help="as `device shelves` lists it")


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


def _shelves(options: argparse.Namespace) -> int:
    from sqlalchemy import select

    from vigil_cloud.devices.models import DeviceShelf
    from vigil_cloud.devices.shelves import shown

    query = select(DeviceShelf).where(DeviceShelf.ended.is_(None)).order_by(DeviceShelf.id)
    with opened(options) as services, services.sessions() as session:
        for shelf in session.scalars(query):
            print(shown(shelf).model_dump_json())
    return 0


def _shelve(options: argparse.Namespace) -> int:
    from vigil_cloud.alerts import shelving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.shelves import Wanted, shown

    with opened(options) as services, writing(services.sessions) as session:
        now = services.now()
        until = None if options.hours is None else now + timedelta(hours=options.hours)
        kind: ShelfKind = "out-of-service" if options.out_of_service else "shelved"
        wanted = Wanted(kind, options.reason, until, options.parameter)
        shelf = shelving.begin(session, options.device, wanted, by=OPERATOR, now=now)
        print(shown(shelf).model_dump_json())
    return 0


def _unshelve(options: argparse.Namespace) -> int:
    from vigil_cloud.alerts import shelving
    from vigil_cloud.database.engine import writing
    from vigil_cloud.devices.shelves import shown

    with opened(options) as services, writing(services.sessions) as session:
        by, now = OPERATOR, services.now()
        shelf = shelving.end(session, options.device, options.number, by=by, now=now)
        print(shown(shelf).model_dump_json())
    return 0
