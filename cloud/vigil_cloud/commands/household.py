"""``vigil-cloud household`` and ``district``: homes, and the parts of the city."""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from typing import TYPE_CHECKING

from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

RELATIONS = ("resident", "contact", "guardian")


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add household list|put|add-member|remove-member|give-device|take-device|erase, district
    list|put|remove|limit|place."""
    _add_households(commands, common)
    _add_districts(commands, common)


def _add_households(commands: Commands, common: argparse.ArgumentParser) -> None:
    home = add_subject(commands, "household", "homes, who belongs to them and what stands in them")
    add_command(home, "list", _list, "one JSON object a line", common)
    put = add_command(home, "put", _put, "add one, or change what is said of it", common)
    put.add_argument("household", help="a pseudonym: it stands in logs; no name")
    put.add_argument("name")
    put.add_argument("--address", default="")
    put.add_argument("--district")
    put.add_argument("--position", type=finite, nargs=2, metavar=("LATITUDE", "LONGITUDE"))
    join = add_command(home, "add-member", _add_member, "somebody belongs to it", common)
    join.add_argument("household")
    who = join.add_mutually_exclusive_group(required=True)
    who.add_argument("--account")
    who.add_argument("--person")
    join.add_argument("--relation", choices=RELATIONS, default="resident")
    join.add_argument("--days", type=finite, help="for so long; else for good")
    leave = add_command(home, "remove-member", _remove_member, "they belong to it no more", common)
    leave.add_argument("household")
    leave.add_argument("number", type=int, help="from `household list`")
    for name, run, text in (
        ("give-device", _give_device, "it stands in this home, and in no other"),
        ("take-device", _take_device, "it stands there no more"),
    ):
        action = add_command(home, name, run, text, common)
        action.add_argument("household")
        action.add_argument("device")
    erase = "destroy its key and forget who and what belonged to it; it cannot be undone"
    add_command(home, "erase", _erase, erase, common).add_argument("household")


def _add_districts(commands: Commands, common: argparse.ArgumentParser) -> None:
    district = add_subject(commands, "district", "the parts of the city")
    add_command(district, "list", _districts, "one JSON object a line", common)
    put = add_command(district, "put", _put_district, "add one, or call it otherwise", common)
    put.add_argument("district")
    put.add_argument("name")
    put.add_argument("name_zh")
    remove = "not while accounts, devices, gateways or households rest on it"
    add_command(district, "remove", _remove_district, remove, common).add_argument("district")
    limit = add_command(district, "limit", _limit, "the districts an account sees", common)
    limit.add_argument("account")
    which = limit.add_mutually_exclusive_group(required=True)
    which.add_argument("--district", action="append", dest="districts")
    which.add_argument("--whole-city", action="store_true")
    place = add_command(district, "place", _place, "where a device or a gateway stands", common)
    place.add_argument("kind", choices=["device", "gateway"])
    place.add_argument("thing")
    place.add_argument("district", nargs="?", help="none: nowhere that is told")


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.identity import households
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.household_routes import entry

    with opened(options) as services, services.sessions() as session:
        cipher, now = Cipher(services.settings.secret), services.now()

        def pages() -> Iterator[households.Kept]:
            after: str | None = None
            while found := households.page(session, cipher, now, after=after):
                yield from found
                after = found[-1].key

        for home in pages():
            print(entry(home).model_dump_json())
    return 0


def _put(options: argparse.Namespace) -> int:
    from pydantic import TypeAdapter, ValidationError

    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import households
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.household_schema import HouseholdKey

    try:
        TypeAdapter(HouseholdKey).validate_python(options.household)
    except ValidationError as error:
        raise households.BadHousehold(
            f"household {options.household!r}: use 1 to 48 of A-Z, a-z, 0-9, '.', '_', '-'"
        ) from error
    position = tuple(options.position) if options.position else None
    wanted = households.Described(options.name, options.address, options.district, position)
    with opened(options) as services, writing(services.sessions) as session:
        cipher, now = Cipher(services.settings.secret), services.now()
        households.put(session, cipher, options.household, wanted, by=OPERATOR, now=now)
    print(json.dumps({"household": options.household, "put": True}))
    return 0


def _add_member(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import households
    from vigil_cloud.identity.reader import Relation
    from vigil_cloud.identity.service import account_named

    with opened(options) as services, writing(services.sessions) as session:
        now = services.now()
        number = households.add_member(
            session,
            options.household,
            by=OPERATOR,
            now=now,
            account=account_named(session, options.account) if options.account else None,
            person=options.person,
            relation=Relation(options.relation),
            until=now + timedelta(days=options.days) if options.days else None,
        )
    print(json.dumps({"household": options.household, "number": number}))
    return 0


def _remove_member(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import households

    with opened(options) as services, writing(services.sessions) as session:
        households.remove_member(
            session, options.household, options.number, by=OPERATOR, now=services.now()
        )
    print(json.dumps({"household": options.household, "removed": options.number}))
    return 0


def _give_device(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import households

    with opened(options) as services, writing(services.sessions) as session:
        households.give_device(
            session, options.household, options.device, by=OPERATOR, now=services.now()
        )
    print(json.dumps({"household": options.household, "device": options.device}))
    return 0


def _take_device(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import households

    with opened(options) as services, writing(services.sessions) as session:
        households.take_device(
            session, options.household, options.device, by=OPERATOR, now=services.now()
        )
    print(json.dumps({"household": None, "device": options.device}))
    return 0


def _erase(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import forget_deleted, writing
    from vigil_cloud.identity import households
    from vigil_cloud.identity.erasure import COMPACT_UP_TO

    with opened(options) as services:
        with writing(services.sessions) as session:
            households.erase(session, options.household, by=OPERATOR, now=services.now())
        complete = forget_deleted(services.engine, compact_up_to=COMPACT_UP_TO)
    print(json.dumps({"household": options.household, "erased": True, "complete": complete}))
    return 0


def _districts(options: argparse.Namespace) -> int:
    from vigil_cloud.identity import districts

    with opened(options) as services, services.sessions() as session:
        for one in districts.districts(session):
            told = {"district": one.district, "name": one.name, "name_zh": one.name_zh}
            print(json.dumps(told, ensure_ascii=False))
    return 0


def _put_district(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import districts

    with opened(options) as services, writing(services.sessions) as session:
        name, name_zh, now = options.name, options.name_zh, services.now()
        districts.put(session, options.district, name, name_zh, by=OPERATOR, now=now)
    print(json.dumps({"district": options.district, "put": True}))
    return 0


def _remove_district(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import districts

    with opened(options) as services, writing(services.sessions) as session:
        districts.remove(session, options.district, by=OPERATOR, now=services.now())
    print(json.dumps({"district": options.district, "removed": True}))
    return 0


def _limit(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import districts
    from vigil_cloud.identity.service import account_named

    wanted = options.districts or []
    with opened(options) as services, writing(services.sessions) as session:
        account = account_named(session, options.account)
        districts.limit(session, account, wanted, by=OPERATOR, now=services.now())
    print(json.dumps({"account": options.account, "districts": sorted(wanted) or None}))
    return 0


def _place(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity import districts

    with opened(options) as services, writing(services.sessions) as session:
        kind, thing, district = options.kind, options.thing, options.district
        districts.place(session, kind, thing, district, by=OPERATOR, now=services.now())
    print(json.dumps({options.kind: options.thing, "district": options.district}))
    return 0
