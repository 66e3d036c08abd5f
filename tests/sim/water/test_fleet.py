"""``vigil-sim fleet`` as a process: what it says, what its ledger holds."""

from __future__ import annotations

import json
import random
import signal
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

import servers
from servers import eventually
from vigil_sim.ledger import LedgerReader
from vigil_sim.water.fleet import HIGH, plan_excursions


@given(st.integers(), st.integers(0, 3000), st.integers(0, 20))
def test_excursions_are_apart_and_end_before_the_end(seed: int, records: int, wanted: int) -> None:
    spans = plan_excursions(random.Random(seed), records, wanted)
    assert len(spans) <= wanted
    assert all(20 <= span.last - span.first + 1 <= 60 for span in spans)
    assert all(a.last + 60 < b.first for a, b in pairwise(spans))
    assert all(span.first >= 60 and span.last + 60 <= records for span in spans)


def test_the_fleet_produces_what_its_ledger_says(tmp_path: Path) -> None:
    ledger, ports = tmp_path / "ledger.db", tmp_path / "ports.json"
    process = servers.spawn(
        [
            *(sys.executable, "-m", "vigil_sim.water", "--sondes", "3", "--records", "400"),
            *("--rate", "1000", "--excursions", "2", "--seed", "5"),
            *("--ledger", str(ledger), "--ports-file", str(ports)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"kind": "ready", "sondes": 3}
        sondes = json.loads(ports.read_text())["sondes"]
        assert [sonde["gateway"] for sonde in sondes] == ["gw-001", "gw-002", "gw-003"]
        assert json.loads(process.stdout.readline())["kind"] == "produced"
        for sonde in sondes:
            _acknowledge_all(sonde["address"])
        assert json.loads(process.stdout.readline()) == {
            "kind": "acknowledged",
            "records": 1200,
            "overwritten": 0,
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    with LedgerReader(ledger) as truth:
        assert truth.count("reading") == 1200
        for sonde in sondes:
            device = sonde["device"]
            readings = [(e.time_us, e.value or 0.0) for e in truth.entries("reading", device)]
            assert len({time_us for time_us, _ in readings}) == 400
            above = [value > HIGH for _, value in readings]
            onsets = sum(b and not a for a, b in pairwise(above))
            assert truth.count("excursion-onset", device) == onsets == sonde["excursions"]
            assert truth.count("excursion-end", device) == onsets
            assert onsets > 0


def _acknowledge_all(address: str) -> None:
    host, port = address.rsplit(":", 1)
    client = ModbusTcpClient(host, port=int(port))
    assert client.connect()
    written = client.write_registers(2, list(struct.unpack(">HH", struct.pack(">I", 400))))
    assert not written.isError()
    client.close()


def test_a_ledger_is_read_while_it_is_written(tmp_path: Path) -> None:
    ledger, ports = tmp_path / "ledger.db", tmp_path / "ports.json"
    process = servers.spawn(
        [
            *(sys.executable, "-m", "vigil_sim.water", "--sondes", "1", "--records", "100000"),
            *("--rate", "100", "--ledger", str(ledger), "--ports-file", str(ports)),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(ports.exists, "the ports file")
        with LedgerReader(ledger) as truth:
            eventually(lambda: truth.count("reading") > 50, "readings")
    finally:
        process.terminate()
        process.communicate(timeout=60)
