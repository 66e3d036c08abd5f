"""Benches over each database, closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest_bench import NOW, Bench, Recorder
from vigil_cloud.config import load
from vigil_cloud.database.migrate import upgrade
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services


@pytest.fixture
def build_bench(tmp_path: Path, database_url: str) -> Iterator[Callable[[], Bench]]:
    built: list[Services] = []

    def build() -> Bench:
        clock = [NOW]
        settings = load(demo=True, data_dir=tmp_path / "cloud", database_url=database_url)
        services = build_services(settings, now=lambda: clock[0])
        built.append(services)
        upgrade(services.engine)
        return Bench(services, Recorder(), clock)

    yield build
    for services in built:
        services.close()


@pytest.fixture
def bench(build_bench: Callable[[], Bench]) -> Bench:
    return build_bench()
