"""Real servers for tests: started on free ports and temporary folders, stopped by process id.

Programs are looked for on PATH, then in ``$VIGIL_SERVERS``. A test that needs
one that is absent skips and says what installs it; with ``VIGIL_REQUIRE=all``
(or that name in a comma-separated list) it fails instead.
"""

from .bus import DBus, dbus
from .mqtt import Iotcore, Mosquitto, iotcore, mosquitto
from .network import Toxiproxy, toxiproxy
from .objects import S3, versitygw
from .ports import free_port, http_ok, listening
from .process import DEADLINE_S, Server, eventually
from .programs import SERVERS, find, missing, need, required
from .relational import Postgres, postgres
from .sound import PulseAudio, pulseaudio
from .timeseries import Influx, influxd
from .warm import run, spawn

__all__ = [
    "DEADLINE_S",
    "S3",
    "SERVERS",
    "DBus",
    "Influx",
    "Iotcore",
    "Mosquitto",
    "Postgres",
    "PulseAudio",
    "Server",
    "Toxiproxy",
    "dbus",
    "eventually",
    "find",
    "free_port",
    "http_ok",
    "influxd",
    "iotcore",
    "listening",
    "missing",
    "mosquitto",
    "need",
    "postgres",
    "pulseaudio",
    "required",
    "run",
    "spawn",
    "toxiproxy",
    "versitygw",
]
