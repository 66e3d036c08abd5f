"""``vigil-cloud serve``, and its parts alone."""

from __future__ import annotations

import argparse

from vigil_cloud.commands.opening import Commands, add_command, settings_of, stores
from vigil_cloud.stopping import stoppable


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """serve, api, ingest, broker."""
    for name, run, text in (
        ("serve", _serve, "API, ingest and (unless another is named) the broker, in one process"),
        ("api", _api, "the HTTP API alone"),
        ("ingest", _ingest, "ingest alone; any number may share a VIGIL_SHARED_GROUP"),
        ("broker", _broker, "the embedded broker alone"),
    ):
        add_command(commands, name, run, text, common)


def _serve(options: argparse.Namespace) -> int:
    from vigil_cloud import serving

    with stoppable(serving.ended) as stop, stores(options) as services:
        settings = services.settings
        serving.await_database(services, always=True)
        stop.hold()
        with serving.running_broker(services) as broker:
            address = serving.broker_address(settings, broker)
            with (
                serving.running_ingest(services, address),
                serving.running_jobs(services, ingest=True),
            ):
                serving.serve_api(
                    services,
                    stop,
                    lambda port: serving.say(
                        kind="ready",
                        url=f"http://{settings.http_host}:{port}",
                        broker=f"mqtt://{address.host}:{address.port}",
                    ),
                )
    return 0


def _api(options: argparse.Namespace) -> int:
    from vigil_cloud import serving

    with stoppable(serving.ended) as stop, stores(options) as services:
        serving.await_database(services, always=False)
        stop.hold()
        host = services.settings.http_host
        with serving.running_jobs(services, ingest=False):
            serving.serve_api(
                services, stop, lambda port: serving.say(kind="ready", url=f"http://{host}:{port}")
            )
    return 0


def _ingest(options: argparse.Namespace) -> int:
    from vigil_cloud import serving

    with stoppable(serving.ended) as stop, stores(options) as services:
        serving.await_database(services, always=False)
        address = serving.broker_address(services.settings, None)
        stop.hold()
        with (
            serving.running_ingest(services, address),
            serving.running_jobs(services, ingest=True),
        ):
            where = f"mqtt://{address.host}:{address.port}"
            serving.serve_operations(
                services, stop, lambda: serving.say(kind="ready", broker=where)
            )
    return 0


def _broker(options: argparse.Namespace) -> int:
    from vigil_cloud import serving
    from vigil_cloud.broker import EmbeddedBroker

    with stoppable() as stop:
        broker = EmbeddedBroker(settings_of(options).broker_listen)
        stop.hold()
        broker.start()
        try:
            serving.say(kind="ready", broker=broker.url)
            stop.wait()
        finally:
            broker.stop()
    return 0
