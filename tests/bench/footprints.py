"""Two million check-ins of 10,000 people at 188 stations: what a family waits for, twice.

On SQLite and PostgreSQL, over HTTP, the city's real application, one request after the other, p95
of 200 requests of as many people: a day's footprint, and the family's first page (who is mine, the
alerts, the footprint). A family has four people here; ``first_page_of_200`` is the page of an
account that looks after two hundred (a nursing home), which has as many names to open and as many
people's alerts to merge.
``footprints_last_place_ms``: where somebody was last, asked in the database as the search does.
``footprints_revoked_ms``: from the revocation's answer to the first refused request.

``VIGIL_FOOTPRINTS_STORES`` is ``postgresql`` or ``sqlite`` for one store alone, and
``VIGIL_FOOTPRINTS_VISITS`` the number of check-ins (2,000,000).
"""

from __future__ import annotations

import csv
import io
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from sqlalchemy import Engine, insert

import servers
from cloud_city import GATEWAY, City
from vigil_cloud.checkin import port
from vigil_cloud.checkin.models import Tag, Visit
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Consent, Guardian, Person
from vigil_cloud.identity.persons import add_person
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.identity.whereabouts import EVERYTHING, write

VISITS: Final = int(os.environ.get("VIGIL_FOOTPRINTS_VISITS", "2000000"))
STORES: Final = os.environ.get("VIGIL_FOOTPRINTS_STORES", "sqlite postgresql").split()
PEOPLE: Final = 10_000
STATIONS: Final = 188
ASKED: Final = 200
_BATCH: Final = 20_000
_DAYS: Final = 60
_IN_A_FAMILY: Final = 4


def people(city: City) -> None:
    """Everybody: an account for each four of those who are asked for, and one that may look at all
    of these."""
    city.account("daughter", Role.FAMILY)
    for number in range(0, ASKED, _IN_A_FAMILY):
        city.account(_family(number), Role.FAMILY)
    city.person("seed", "王", f"ibeacon:{'0' * 32}:0:0")
    with writing(city.services.sessions) as session:
        account = account_named(session, "daughter").id
        families = [account_named(session, _family(n)).id for n in range(ASKED)]
        sealed = session.get_one(Person, "seed")
        columns = {
            column.key: getattr(sealed, column.key)
            for column in Person.__table__.columns
            if column.key != "key"
        }
        keys = [f"p{number:05}" for number in range(PEOPLE)]
        for key in keys[:ASKED]:  # whose names are shown: each with a key of its own
            add_person(session, city.cipher, key=key, name=key, now=city.time)
        session.flush()
        session.execute(insert(Person), [{"key": key, **columns} for key in keys[ASKED:]])
        session.execute(
            insert(Tag),
            [{"tag": f"ibeacon:{'0' * 32}:1:{n}", "person_key": key} for n, key in enumerate(keys)],
        )
        session.execute(
            insert(Consent),
            [
                {
                    "person_key": key, "account_id": whose, "granted_by": "x",
                    "granted": city.time, "expires": city.time + timedelta(days=300),
                    "revoked": None, "scopes": write(EVERYTHING),
                }
                for number, key in enumerate(keys[:ASKED])
                for whose in (account, families[number])
            ],
        )  # fmt: skip
        session.add(Guardian(person_key=keys[0], account_id=account))
        session.execute(
            insert(Device),
            [
                {
                    "device": f"bench-{n}", "gateway": GATEWAY, "domain": "checkin",
                    "driver": "ble", "name": f"Station {n}", "latitude": 23.4 + n / 2000,
                    "longitude": 120.4 + n % 14 / 200, "described": True, "updated": city.time,
                }
                for n in range(STATIONS)
            ],
        )  # fmt: skip


def _family(number: int) -> str:
    """The account of a person's family."""
    return f"family-{number // _IN_A_FAMILY}"


def visits(city: City) -> None:
    """Of the last sixty days."""
    engine = city.services.engine
    for rows in _batches(city):
        if engine.dialect.name == "postgresql":
            _copy(engine, rows)
        else:
            with writing(city.services.sessions) as session:
                session.execute(insert(Visit), rows)
    if engine.dialect.name == "postgresql":  # as its autovacuum does after so many rows
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE) visits")


def _batches(city: City) -> Iterator[list[dict[str, Any]]]:
    draw = random.Random(4)
    for first in range(0, VISITS, _BATCH):
        rows: list[dict[str, Any]] = []
        for number in range(first, min(first + _BATCH, VISITS)):
            person = number % PEOPLE
            begin = city.time - timedelta(seconds=draw.uniform(0, _DAYS * 86_400))
            end = begin + timedelta(seconds=draw.expovariate(1 / 600))
            rows.append(
                {
                    "id": f"{GATEWAY}:{number:08}", "tag": f"ibeacon:{'0' * 32}:1:{person}",
                    "person_key": f"p{person:05}", "gateway": GATEWAY,
                    "device": f"bench-{draw.randrange(STATIONS)}", "carrier": "ble",
                    "arrived": begin, "last_seen": end, "departed": end, "sightings": 30,
                    "late": False,
                }
            )  # fmt: skip
        yield rows


def _copy(engine: Engine, rows: list[dict[str, Any]]) -> None:
    """One by one they take PostgreSQL more than six minutes."""
    text = io.StringIO()
    csv.writer(text).writerows(row.values() for row in rows)
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            names = ", ".join(rows[0])
            with cursor.copy(f"COPY visits ({names}) FROM STDIN (FORMAT csv)") as copy:
                copy.write(text.getvalue())


def p95(act: Callable[[int], object]) -> float:
    """Milliseconds."""
    spans = []
    for number in range(ASKED):
        began = time.perf_counter()
        act(number)
        spans.append(time.perf_counter() - began)
    return 1000 * float(np.quantile(spans, 0.95))


def run(name: str, folder: Path, url: str) -> None:
    city = City(folder, url)
    city.birth()
    began = time.perf_counter()
    people(city)
    visits(city)
    print(f"footprints {name} loaded_s: {time.perf_counter() - began:.0f}", flush=True)
    client = city.client("daughter")
    api = "/api/v1"

    def last_place(number: int) -> None:
        with city.services.sessions() as session:
            port.latest_device(session, f"p{number:05}", city.time)

    def footprint(number: int) -> None:
        client.get(f"{api}/people/p{number:05}/footprints").raise_for_status()

    def first_page(number: int) -> None:
        of_home(number, city.client(_family(number)))

    def of_home(number: int, asking: httpx.Client = client) -> None:
        for path in ("people/mine", "alerts", f"people/p{number:05}/footprints"):
            asking.get(f"{api}/{path}").raise_for_status()

    footprint(0)
    print(f"footprints {name} visits: {VISITS}")
    print(f"footprints {name} last_place_p95_ms: {p95(last_place):.1f}")
    print(f"footprints {name} day_p95_ms: {p95(footprint):.1f}")
    for number in range(0, ASKED, _IN_A_FAMILY):
        city.client(_family(number))  # signing in is not the page
    print(f"footprints {name} first_page_p95_ms: {p95(first_page):.1f}", flush=True)
    print(f"footprints {name} first_page_of_200_p95_ms: {p95(of_home):.1f}", flush=True)
    given = client.get(f"{api}/people/p00000/consents").json()["consents"]
    (consent,) = (one for one in given if one["account"] == "daughter")
    began = time.perf_counter()
    client.delete(f"{api}/people/p00000/consents/{consent['id']}").raise_for_status()
    while client.get(f"{api}/people/p00000/footprints").status_code != 403:
        pass
    print(f"footprints {name} revoked_ms: {1000 * (time.perf_counter() - began):.0f}", flush=True)
    city.close()


def main() -> None:
    """Prints the figures."""
    if "sqlite" in STORES:
        with tempfile.TemporaryDirectory() as folder:
            run("sqlite", Path(folder), "")
    if "postgresql" in STORES:
        with tempfile.TemporaryDirectory() as folder:
            server = servers.postgres(Path(folder))
            try:
                run("postgresql", Path(folder), server.create("footprints"))
            finally:
                server.stop()


if __name__ == "__main__":
    main()
