"""``vigil-cloud person``, ``tag`` and ``amulet``: people who carry beacons, their beacons, and the
stock that families register from."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vigil_cloud.checkin import locate_command
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Add ``checkin locate``, ``person list|add|rotate-key|erase``, ``tag list|give|take`` and
    ``amulet list|add|add-rotating|reprint``."""
    person = add_subject(commands, "person", "people who carry a beacon")
    add_command(person, "list", _person_list, "one JSON object a line", common)
    make = add_command(person, "add", _person_add, "enrol one, or give another name", common)
    make.add_argument("person", help="a pseudonym: it stands in logs; no name")
    make.add_argument("name")
    rotate = "seal the name under a new key of the person's own"
    add_command(person, "rotate-key", _rotate, rotate, common).add_argument("person")
    erase = (
        "destroy the person's key and remove whatever names them or their tags; it cannot be undone"
    )
    add_command(person, "erase", _erase, erase, common).add_argument("person")
    tag = add_subject(commands, "tag", "beacons and stickers, and whose they are")
    add_command(tag, "list", _tag_list, "one JSON object a line", common)
    give = add_command(tag, "give", _tag_give, "it is this person's from now on", common)
    give.add_argument("tag")
    give.add_argument("person")
    take = add_command(tag, "take", _tag_take, "lost or handed back: it is nobody's", common)
    take.add_argument("tag")
    checkin = add_subject(commands, "checkin", "beacons among sensors")
    text = "a beacon's way through a hall, a JSON object a second; touches no database"
    locate_command.add_options(add_command(checkin, "locate", locate_command.run, text))
    amulet = add_subject(commands, "amulet", "the city's beacons that families register themselves")
    add_command(amulet, "list", _amulet_list, "one JSON object a line", common)
    text = "into the stock, each under a new code that is to be printed on it and is shown once"
    stock = add_command(amulet, "add", _amulet_add, text, common)
    stock.add_argument("tag", nargs="+")
    without = "its id is printed on it, and is what it is registered by (weaker: it sends that)"
    stock.add_argument("--without-code", action="store_true", help=without)
    text = "another code for each free one whose printed code fits no more (secret-key --end-codes)"
    add_command(amulet, "reprint", _amulet_reprint, text, common)
    text = "beacons whose id rotates (Eddystone-EID) into the stock, from a file; whole or nothing"
    rotating = add_command(amulet, "add-rotating", _amulet_add_rotating, text, common)
    wanted = "CSV: key (32 hex digits), exponent (8-15), the beacon's counter in seconds now"
    rotating.add_argument("file", type=Path, help=wanted)


def _person_list(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin.enrolment import people
    from vigil_cloud.identity.cipher import Cipher

    with opened(options) as services, services.sessions() as session:
        for person in people(session, Cipher(services.settings.secret), services.now()):
            print(person.model_dump_json())
    return 0


def _person_add(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.persons import enrol

    with opened(options) as services, writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        enrol(session, cipher, key=options.person, name=options.name, now=services.now())
    print(json.dumps({"person": options.person, "enrolled": True}))
    return 0


def _rotate(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher
    from vigil_cloud.identity.persons import rotate_key

    with opened(options) as services, writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        rotate_key(session, cipher, options.person, by=OPERATOR, now=services.now())
    print(json.dumps({"person": options.person, "key": "rotated"}))
    return 0


def _erase(options: argparse.Namespace) -> int:
    from vigil_cloud.identity.erasure import erase

    with opened(options) as services:
        done = erase(services, options.person, by=OPERATOR)
    print(
        json.dumps({"person": options.person, "removed": done.removed, "complete": done.complete})
    )
    return 0


def _tag_list(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin.enrolment import tags

    with opened(options) as services, services.sessions() as session:
        for tag, person in tags(session):
            print(json.dumps({"tag": tag, "person": person}))
    return 0


def _tag_give(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin.enrolment import give_typed_tag
    from vigil_cloud.database.engine import writing

    with opened(options) as services, writing(services.sessions) as session:
        give_typed_tag(session, options.tag, options.person, by=OPERATOR, now=services.now())
    print(json.dumps({"tag": options.tag, "person": options.person}))
    return 0


def _tag_take(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin.enrolment import take_tag
    from vigil_cloud.database.engine import writing

    with opened(options) as services, writing(services.sessions) as session:
        take_tag(session, options.tag, by=OPERATOR, now=services.now())
    print(json.dumps({"tag": options.tag, "person": None}))
    return 0


def _amulet_list(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin.amulets import stock, void

    with opened(options) as services, services.sessions() as session:
        void_ones = {one.tag for one in void(session)}
        for one in stock(session):
            coded = one.code_hash is not None
            said = {"amulet": one.tag, "state": one.state, "code": coded}
            print(json.dumps({**said, "void": True} if one.tag in void_ones else said))
    if void_ones:
        text = "have a printed code that fits no more: vigil-cloud amulet reprint"
        print(f"vigil-cloud: {len(void_ones)} {text}", file=sys.stderr)
    return 0


def _amulet_reprint(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin import amulets
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher

    with opened(options) as services:
        cipher = Cipher(services.settings.secret)
        while True:
            with writing(services.sessions) as session:
                codes = amulets.reprint(session, cipher, by=OPERATOR, now=services.now())
            for tag, code in codes.items():
                print(json.dumps({"amulet": tag, "code": code}))
            if not codes:
                return 0


def _amulet_add(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin import amulets
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher

    codes = {tag: None if options.without_code else amulets.new_code() for tag in options.tag}
    with opened(options) as services, writing(services.sessions) as session:
        cipher, now = Cipher(services.settings.secret), services.now()
        for tag, code in codes.items():
            amulets.add(session, cipher, tag, by=OPERATOR, now=now, code=code)
    for tag, code in codes.items():
        print(json.dumps({"amulet": tag, "code": code}))
    return 0


def _amulet_add_rotating(options: argparse.Namespace) -> int:
    from vigil_cloud.checkin import amulets, rotating
    from vigil_cloud.database.engine import writing
    from vigil_cloud.identity.cipher import Cipher

    try:
        text = options.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise rotating.BadBeaconFile(f"{options.file}: cannot be read: {error}") from error
    beacons = rotating.read_file(text.splitlines())
    codes: dict[str, str] = {}
    with opened(options) as services, writing(services.sessions) as session:
        cipher, now = Cipher(services.settings.secret), services.now()
        known, lost = rotating.names(session), rotating.unreadable(session)
        for beacon in beacons:
            tag = rotating.add(session, beacon, now, known=known)
            code = amulets.new_code()
            amulets.add(session, cipher, tag, by=OPERATOR, now=now, code=code)
            codes[tag] = code
    if lost:
        said = "beacons' keys cannot be opened with this secret key: add those beacons again"
        print(f"vigil-cloud: {len(lost)} {said}, and give them anew", file=sys.stderr)
    for tag, code in codes.items():
        print(json.dumps({"amulet": tag, "code": code}))
    return 0
