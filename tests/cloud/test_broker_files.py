"""A broker's files: what is in them, and what becomes of them where something fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import update

import servers
from cloud_city import City
from vigil_cloud.broker_files import BrokerFiles, Follower
from vigil_cloud.certificates.models import AuthorityRow
from vigil_cloud.database.engine import writing


def names_of(folder: Path) -> set[str]:
    made = x509.load_pem_x509_certificate((folder / "broker.pem").read_bytes())
    found = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_names_are_written_as_certificates_have_them(city: City, tmp_path: Path) -> None:
    names = ["b\u00fccher.example", "a" * 70, "127.0.0.1", "b\u00fccher.example"]
    files = BrokerFiles(city.services, tmp_path, names)
    assert files.write()
    assert names_of(tmp_path) == {"xn--bcher-kva.example", "127.0.0.1"}
    assert not files.write(), "it is the same the next time"


def test_a_certificate_of_a_clock_that_was_ahead_is_made_anew(city: City, tmp_path: Path) -> None:
    files = BrokerFiles(city.services, tmp_path, ["localhost"])
    files.write()
    city.later(days=350)
    assert files.write(), "it is renewed in time"
    city.time -= timedelta(days=350)
    assert files.write()
    made = x509.load_pem_x509_certificate((tmp_path / "broker.pem").read_bytes())
    assert made.not_valid_before_utc <= city.time


def test_a_key_that_cannot_be_read_ends_no_follower(city: City, tmp_path: Path) -> None:
    files = BrokerFiles(city.services, tmp_path, ["localhost"])
    files.write()
    told: list[bool] = []
    follower = Follower(files, lambda: told.append(True), look_s=0.02)
    with city.services.sessions() as session:
        key = session.get_one(AuthorityRow, 1).key
    follower.start()
    try:
        rewrite(city, key[:-1] + bytes([key[-1] ^ 1]))
        servers.eventually(lambda: "Undecipherable" in follower.failing, "it is told")
        rewrite(city, key)
        servers.eventually(lambda: not follower.failing and bool(told), "it goes on")
        assert not follower.died
    finally:
        follower.stop()


def test_a_follower_that_ends_says_so(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    files = BrokerFiles(city.services, tmp_path, ["localhost"])
    files.write()
    with city.services.sessions() as session:
        key = session.get_one(AuthorityRow, 1).key

    def fails() -> None:
        raise RuntimeError("as nobody foresaw")

    ended = threading.Event()
    follower = Follower(files, fails, look_s=0.02, ended=ended.set)
    follower.start()
    rewrite(city, key)
    assert ended.wait(30)
    assert follower.died
    assert "has ended" in follower.failing


def rewrite(city: City, key: bytes) -> None:
    with writing(city.services.sessions) as session:
        rises = {AuthorityRow.list_number: AuthorityRow.list_number + 1}
        session.execute(update(AuthorityRow).values({**rises, AuthorityRow.key: key}))


def test_mosquitto_is_told_at_the_start_of_files_that_were_there(
    city: City, tmp_path: Path
) -> None:
    folder, pid_file = tmp_path / "certificates", tmp_path / "pid"
    BrokerFiles(city.services, folder, ["localhost"]).write()
    pid_file.write_text(str(os.getpid()))
    told = threading.Event()
    before = signal.signal(signal.SIGHUP, lambda *_: told.set())
    settings = city.services.settings
    variables = {
        **os.environ,
        "VIGIL_DATA_DIR": str(settings.data_dir),
        "VIGIL_DATABASE_URL": settings.database,
        "VIGIL_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    words = ["broker-files", "follow", str(folder), "--name", "localhost"]
    child = subprocess.Popen(
        [sys.executable, "-m", "vigil_cloud", *words, "--pid-file", str(pid_file)], env=variables
    )
    try:
        servers.eventually(told.is_set, "it is told")
    finally:
        signal.signal(signal.SIGHUP, before)
        child.terminate()
        assert child.wait(30) == 0
