"""Processes: the API, ingest and the embedded broker, alone or together, started and stopped."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final, TypeAlias

import structlog
import uvicorn
from fastapi import FastAPI

from vigil_cloud.app import (
    create_app,
    create_operations_app,
    handlers,
    jobs,
    reading_handlers,
    work_kinds,
)
from vigil_cloud.broker import EmbeddedBroker
from vigil_cloud.capacity.connections import file_handles, most_connections, most_per_client
from vigil_cloud.config import ConfigurationError, Settings, host_and_port
from vigil_cloud.enrolment.service import broker_names
from vigil_cloud.http.acceptor import GuardedServer
from vigil_cloud.http.guard import Guard, trusted_proxies
from vigil_cloud.identity import first_start
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.jobs import runner
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.mosquitto_broker import MosquittoBroker
from vigil_cloud.preparation import patiently, prepare_database
from vigil_cloud.services import Services
from vigil_cloud.stopping import Stop
from vigil_schemas.errors import VigilError
from vigil_schemas.service_manager import ServiceManager

EMBEDDED: Final = "embedded"
MOSQUITTO: Final = "mosquitto"
Broker: TypeAlias = EmbeddedBroker | MosquittoBroker
SWITCH_S: Final = 0.001
"""So long one thread computes while others wait for the interpreter. An alarm asks the database
two dozen times, and gives the interpreter away each time: with Python's 5 ms it waits behind every
busy thread for longer than for the disk."""
_MIGRATING_S: Final = 3600.0
_DRAIN_S: Final = 3
"""Event streams never end by themselves: so long they may at a shutdown."""
_LEFT_S: Final = 2.0
_log = structlog.get_logger(__name__)


class PortTaken(VigilError):
    """Somebody else listens there."""

    code: ClassVar[str] = "port-taken"
    remedy: ClassVar[str] = "Stop whatever listens there, or choose another port."

    def __init__(self, host: str, port: int, reason: str, variable: str) -> None:
        super().__init__(f"{host}:{port}: {reason}; choose another {variable}")
        self.host = host
        self.port = port
        self.reason = reason
        self.variable = variable


def await_database(services: Services, *, always: bool) -> None:
    """``prepare_database``, asked again for ``database_patience_s`` while a server does not let
    us in: after a power cut everything starts at once, and the database is rarely the first.

    A file that cannot be opened is a mistake and not waited for. Raises ``DatabaseOutdated``,
    and SQLAlchemy's error where the patience was not enough.
    """
    # A large database's migration takes longer than systemd waits for a start.
    _tell(lambda: ServiceManager.of().waiting(_MIGRATING_S, "waiting: migrating the database"))
    patiently(services, lambda: prepare_database(services, always=always))


def broker_address(settings: Settings, ours: Broker | None) -> BrokerAddress:
    """Where ingest connects. Raises ``ConfigurationError``."""
    if ours is not None:
        return BrokerAddress.parse(ours.url, username=ours.username, password=ours.password)
    if settings.broker_url == MOSQUITTO:
        raise ConfigurationError(
            "broker_url: `mosquitto` is started by `vigil-cloud serve`; give a process of its own"
            " the broker's address"
        )
    if settings.broker_url == EMBEDDED:
        host, port = host_and_port(settings.broker_listen)
        return BrokerAddress(host, port)
    try:
        return BrokerAddress.parse(
            settings.broker_url,
            ca_file=settings.broker_ca_file,
            certificate_file=settings.broker_certificate_file,
            key_file=settings.broker_key_file,
            username=settings.broker_username,
            password=settings.broker_password.get_secret_value(),
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


@contextlib.contextmanager
def running_broker(services: Services) -> Iterator[Broker | None]:
    """The broker that the settings ask us to run, if any. Raises ``BrokerFailed``."""
    settings = services.settings
    broker: Broker
    if settings.broker_url == EMBEDDED:
        broker = EmbeddedBroker(settings.broker_listen)
    elif settings.broker_url == MOSQUITTO:
        broker = MosquittoBroker(services, broker_names(settings))
    else:
        yield None
        return
    broker.start()
    services.readiness["broker"] = broker.check
    try:
        yield broker
    finally:
        broker.stop()


def settle_interpreter() -> None:
    """Share it out finely, and take what was loaded at the start out of the garbage collector's
    rounds, and let more pile up between them: readings come by the thousand and none of them is
    in a cycle. Looking through the whole program every few hundred objects cost more than
    decoding."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(SWITCH_S)


@contextlib.contextmanager
def running_ingest(services: Services, address: BrokerAddress) -> Iterator[Ingest]:
    """Ingest with every room's handlers."""
    ingest = Ingest(services, handlers(services), address, reading_handlers(services))
    services.readiness["ingest"] = ingest.check
    settle_interpreter()
    ingest.start()
    try:
        yield ingest
    finally:
        ingest.stop()


def running_jobs(services: Services, *, ingest: bool) -> AbstractContextManager[JobRunner]:
    """This process' share of the background work."""
    return runner.running(services, jobs(services, ingest=ingest), work_kinds())


def serve_api(
    services: Services, stop: Stop, ready: Callable[[int], None], *, sends: bool = True
) -> None:
    """The API until SIGTERM or SIGINT; ``ready`` is told the port once it answers. ``sends``:
    notifications go out as they fall due (a rehearsal sends them at its own steps).

    Raises ``PortTaken``.
    """
    # Only whoever sends loads what sends; and who could not, must not start as if it could.
    import vigil_cloud.notify.sending  # noqa: F401

    settings = services.settings
    first_start.offer(services.sessions, Cipher(settings.secret), services.now())
    if not settings.public_url:
        _log.warning("reply-links-off", reason="VIGIL_PUBLIC_URL is not set: no links are sent")
    elif not settings.public_url.startswith("https://") and not settings.demo:
        _log.warning("reply-links-in-clear", reason="VIGIL_PUBLIC_URL is not https: links are keys")
    listener = _listen(settings.http_host, settings.http_port, "VIGIL_HTTP_PORT")
    _serve(services, create_app(services), listener, stop, ready, lifespan=sends)


def serve_operations(services: Services, stop: Stop, ready: Callable[[], None]) -> None:
    """What ``operations_listen`` asks for, or nothing, until SIGTERM or SIGINT.

    Raises ``PortTaken``.
    """
    listen = services.settings.operations_listen
    if not listen:
        ready()
        stop.wait()
        return
    listener = _listen(*host_and_port(listen), "VIGIL_OPERATIONS_LISTEN")
    _serve(services, create_operations_app(services), listener, stop, lambda _port: ready())


def _serve(
    services: Services,
    app: FastAPI,
    listener: socket.socket,
    stop: Stop,
    ready: Callable[[int], None],
    *,
    lifespan: bool = True,
) -> None:
    port = int(listener.getsockname()[1])
    limits = services.settings.http_limits
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="auto" if lifespan else "off",
        timeout_keep_alive=math.ceil(limits.keep_alive_s),
        timeout_graceful_shutdown=_DRAIN_S,
    )
    guard = build_guard(services)

    def answers() -> None:
        # From its start on uvicorn takes the signals itself, and gives each back at its end.
        server.should_exit = server.should_exit or stop.asked
        ready(port)

    server = GuardedServer(config, listener, guard, answers)
    with listener:
        server.run()


def build_guard(services: Services) -> Guard:
    """With as many connections as the file handles of this process allow."""
    limits = services.settings.http_limits
    handles, in_use = file_handles(selects="ingest" in services.readiness)
    most = most_connections(limits.connections, handles, in_use)
    if limits.connections > most:
        _log.warning("too-few-file-handles", connections=most, wanted=limits.connections)
    metrics = services.metrics
    guard = Guard(
        limits,
        most,
        most_per_client(limits.connections_per_client, most),
        trusted=trusted_proxies(os.environ),
        ended=lambda reason: metrics.http_ended.labels(reason).inc(),
    )
    metrics.http_connections.set_function(lambda: float(len(guard.connections)))
    return guard


def ended() -> None:
    """Once everything was stopped. Python would now wait for threads that ask a store which
    hangs: they hold nothing that was promised to anybody, so the process ends without them."""
    end = time.monotonic() + _LEFT_S
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                _log.warning("ended-without", thread=thread.name)
                logging.shutdown()
                sys.stdout.flush()
                os._exit(0)


def say(**fields: Any) -> None:
    """One JSON line on standard output, for whoever started us; ``ready`` also to systemd."""
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    if fields.get("kind") == "ready":
        _tell(ServiceManager.of().ready)


def _tell(tell: Callable[[], None]) -> None:
    """To systemd, where it started us; that it does not listen ends nothing."""
    try:
        tell()
    except OSError as error:
        _log.warning("service-manager-away", error=str(error))


def _listen(host: str, port: int, variable: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(host, port, str(error.strerror), variable) from error
    listener.set_inheritable(True)
    return listener
