"""What a gateway offers to be changed from the cloud fits into what it reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from vigil_edge.configuration.gateway_file import ConfigError, check, load, read
from vigil_edge.configuration.remote import Otherwise, merged, values
from vigil_edge.registry import DOMAINS
from vigil_schemas.control import AddedDevice
from vigil_schemas.gateway import ConfigurationReport

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def written(folder: Path, **keys: Any) -> Path:
    sonde = {
        "device": "sonde-1",
        "driver": "modbus-tcp",
        "address": "127.0.0.1:502",
        "signal": [{"name": "pH"}],
        **keys,
    }
    file = folder / "gateway.toml"
    head = {"gateway": {"id": "gw-1", "data_dir": "data"}, "cloud": {"broker": "mqtt://x:1"}}
    file.write_text(tomlkit.dumps({**head, "water": [sonde]}))
    return file


@pytest.mark.parametrize("windows", [1, 50])
def test_windows_of_maintenance_fit_or_are_left_to_the_file(tmp_path: Path, windows: int) -> None:
    hours = [
        {"begin": NOON + timedelta(days=n), "end": NOON + timedelta(days=n, hours=1)}
        for n in range(windows)
    ]
    found = values(load(written(tmp_path, maintenance=hours), DOMAINS))
    ConfigurationReport(revision=0, in_force=False, settings=found)
    assert (found["sonde-1"]["maintenance"] is None) == (windows == 50)


def test_what_was_not_found_is_a_mistake_of_the_device_and_costs_the_file_nothing(
    tmp_path: Path,
) -> None:
    document = read(written(tmp_path))
    config = check(document, DOMAINS)
    wanted = Otherwise({}, {"canal-1": AddedDevice(found="0" * 16)})
    with pytest.raises(ConfigError) as refused:
        merged(document, config, wanted, DOMAINS, {})
    (mistake,) = refused.value.mistakes
    assert (mistake.key, "search" in mistake.message) == ("canal-1", True)
    assert merged(document, config, Otherwise({}, {}), DOMAINS, {}) is config
