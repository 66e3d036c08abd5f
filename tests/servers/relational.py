"""PostgreSQL."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .ports import ON_DISK, free_port
from .process import Server
from .programs import need

_FLEETING: Final = (
    *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
    # It would look through the databases of all tests again and again.
    *("-c", "autovacuum=off", "-c", "checkpoint_timeout=1h", "-c", "max_wal_size=4GB"),
)
"""Of a cluster that nobody asks for again after a power failure."""


@dataclass
class Postgres(Server):
    port: int = 0
    data: Path = Path()
    """The cluster's folder."""

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://vigil@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template0") -> str:
        """Make an empty database, or a copy of one that nobody uses, and return its address."""
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user=vigil dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def stop(self, deadline_s: float = 30.0) -> None:
        # SIGTERM waits for every client to leave; SIGINT disconnects them.
        self._end(signal.SIGINT, deadline_s)


def postgres(folder: Path, *, port: int | None = None, durable: bool = True) -> Postgres:
    """A started PostgreSQL cluster with the superuser ``vigil``.

    Not ``durable``, its commits survive the end of every process, but not a power failure.
    """
    initdb = need("initdb", "apt-get install postgresql")
    program = need("postgres", "apt-get install postgresql")
    folder.mkdir(parents=True, exist_ok=True)
    user, home = None, folder
    if os.geteuid() == 0:
        # PostgreSQL refuses root, and pytest closes its folders to everybody else.
        user = "postgres"
        home = Path(tempfile.mkdtemp(prefix="vigil-postgres-", dir=ON_DISK))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        shutil.chown(home, user)
    port = port or free_port()
    data = home / "data"
    subprocess.run(
        [str(initdb), "-D", str(data), "-U", "vigil", "--auth=trust", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    server = Postgres(
        "postgres",
        [
            *(str(program), "-D", str(data), "-p", str(port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}"),
            *("-c", "max_connections=200"),
            *(() if durable else _FLEETING),
        ],
        lambda: _postgres_answers(port),
        folder / "postgres.log",
        user=user,
        cwd=Path("/"),
        port=port,
        data=data,
    )
    server.start()
    return server


def _postgres_answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(
            f"host=127.0.0.1 port={port} user=vigil dbname=postgres connect_timeout=2"
        ).close()
    except psycopg.Error:
        return False
    return True
