"""The ledger keeps every entry, whoever writes and whoever reads meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from vigil_sim.ledger import Ledger, LedgerReader


def test_a_hundred_thousand_from_four_threads(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:

        def produce(device: str) -> None:
            for number in range(25_000):
                ledger.append("reading", "gw", device, "pH", number, number / 7)

        threads = [threading.Thread(target=produce, args=(f"d{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ledger.flush()
        with LedgerReader(tmp_path / "ledger.db") as reader:
            assert reader.count() == 100_000
            assert reader.count("reading", "d2") == 25_000
            assert reader.count("event") == 0
            numbers = [entry.time_us for entry in reader.entries(device="d3")]
            assert numbers == list(range(25_000))


def test_opened_again_it_goes_on(tmp_path: Path) -> None:
    for number in range(2):
        with Ledger(tmp_path / "ledger.db") as ledger:
            ledger.append("smoke", "gw", "a", "smoke", number, None, f"id-{number}")
    with LedgerReader(tmp_path / "ledger.db") as reader:
        assert [entry.id for entry in reader.entries("smoke", gateway="gw")] == ["id-0", "id-1"]


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%41 b" / "ledger.db"
    with Ledger(path, batch=1) as ledger:
        other = sqlite3.connect(path)
        other.execute("ALTER TABLE produced RENAME TO away")
        with pytest.raises(sqlite3.OperationalError):
            ledger.append("reading", "g", "d", "p", 1, 1.0)
        other.execute("ALTER TABLE away RENAME TO produced")
        other.close()
        ledger.append("reading", "g", "d", "p", 2, 2.0)
        with LedgerReader(path) as truth:
            assert [entry.time_us for entry in truth.entries()] == [1, 2]
