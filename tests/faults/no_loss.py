"""The no-loss run: readings and events of many gateways while every part is killed repeatedly."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

from faults.city import City, Size, settled
from vigil_sim.ledger import LedgerReader

FULL = Size(gateways=20, records=5000, rate=20.0, kills=10)
SHORT = Size(gateways=2, records=300, rate=25.0, kills=1)


@dataclass
class Outcome:
    """What the ledger says was produced, and what the stores hold in the end."""

    produced: int
    stored: int
    lost: int
    duplicated: int
    """Points in the store that no sonde produced: a repeated point under another time or tag."""
    events: int
    events_lost: int
    events_repeated: int
    dead_letters: int
    kills: Counter[str]
    seconds: float


def schedule(size: Size, parts: list[str], seed: int) -> list[tuple[float, str, int]]:
    """Seeded kills: (fraction of the production time, part, which one), in order."""
    rng = random.Random(seed)
    kills = [
        (rng.uniform(0.02, 0.98), part, rng.randrange(1000))
        for part in parts
        for _ in range(size.kills)
    ]
    return sorted(kills)


def points(city: City) -> set[tuple[str, str, int, float]]:
    """Every stored reading: device, parameter, microsecond, value."""
    path = next((city.folder / "cloud").glob("*timeseries*.sqlite3"))
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT device, parameter, time_us, value FROM point JOIN series ON series.id = series"
            " WHERE domain = 'water'"
        ).fetchall()
    return {tuple(row) for row in rows}


def count_points(city: City) -> int:
    path = next((city.folder / "cloud").glob("*timeseries*.sqlite3"), None)
    if path is None:
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60) as database:
        return int(
            database.execute(
                "SELECT count(*) FROM point JOIN series ON series.id = series"
                " WHERE domain = 'water'"
            ).fetchone()[0]
        )


def run(folder: Path, size: Size, seed: int, relational: str) -> Outcome:
    """One whole run. Leaves everything stopped."""
    city = City(folder, size, seed, relational)
    kills: Counter[str] = Counter()
    began = time.monotonic()
    try:
        city.start()
        producing = size.records / size.rate
        start = time.monotonic()
        for fraction, part, which in schedule(size, city.parts(), seed):
            time.sleep(max(0.0, start + fraction * producing - time.monotonic()))
            city.kill(part, which)
            kills[part] += 1
        time.sleep(max(0.0, start + producing - time.monotonic()))
        wanted = size.gateways * size.records
        settled(lambda: count_points(city), wanted, patience_s=240)
        city.check_running()
        # Only now is every event noted, and known how many there must be.
        city.end_production()
        settled(lambda: len(onsets(city)), expected_events(city), patience_s=240)
        found = outcome(city, kills, time.monotonic() - began)
        if found.lost or found.events_lost:
            print(where_it_is(city))
        return found
    finally:
        city.stop()


def where_it_is(city: City) -> str:
    """What did not arrive: how much of it waits in each gateway, and what everybody said last."""
    said = []
    for agent in city.agents:
        path = city.folder / agent.name / "data" / "outbox.sqlite"
        if path.exists():
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60) as database:
                query = "SELECT lane, count(*), sum(records) FROM message GROUP BY lane"
                said.append(f"{agent.name} keeps {database.execute(query).fetchall()}")
        else:
            said.append(f"{agent.name} has no outbox")
    said += [
        f"{process.name}: {process.log.read_text(errors='replace')[-2000:]}"
        for process in (city.ingest, *city.agents)
    ]
    return "\n".join(said)


def expected_events(city: City) -> int:
    with LedgerReader(city.ledger) as ledger:
        return ledger.count("excursion-onset")


def onsets(city: City) -> list[str]:
    """The device of every excursion whose onset the cloud keeps."""
    engine = create_engine(database(city))
    try:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT device FROM water_excursions")).fetchall()
    finally:
        engine.dispose()
    return [row[0] for row in rows]


def database(city: City) -> str:
    default = f"sqlite:///{city.folder / 'cloud' / 'vigil.sqlite3'}"
    return city.cloud_env.get("VIGIL_DATABASE_URL", default)


def outcome(city: City, kills: Counter[str], seconds: float) -> Outcome:
    """Count the stores against the ledger."""
    with LedgerReader(city.ledger) as ledger:
        produced = {
            (entry.device, entry.parameter, entry.time_us): entry.value
            for entry in ledger.entries("reading")
        }
        events = Counter(entry.device for entry in ledger.entries("excursion-onset"))
    stored = points(city)
    kept = {(device, parameter, time_us) for device, parameter, time_us, _ in stored}
    arrived = Counter(onsets(city))
    engine = create_engine(database(city))
    with engine.connect() as connection:
        dead = connection.execute(text("SELECT count(*) FROM dead_letters")).scalar_one()
    engine.dispose()
    return Outcome(
        produced=len(produced),
        stored=len(stored),
        lost=len(produced.keys() - kept),
        duplicated=len(kept - produced.keys()),
        events=sum(events.values()),
        events_lost=sum((events - arrived).values()),
        events_repeated=sum((arrived - events).values()),
        dead_letters=int(dead),
        kills=kills,
        seconds=seconds,
    )
