"""The one place where settings become stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vigil_cloud.alerts.flood import MOST
from vigil_cloud.alerts.personal import AlertsOfPersons
from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.capacity.disk import Disk
from vigil_cloud.capacity.probe import probe
from vigil_cloud.cases.personal import CasesOfPersons
from vigil_cloud.config import ConfigurationError, Settings
from vigil_cloud.database.engine import build_engine, build_sessions
from vigil_cloud.database.server_clock import ServerClock
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.domain.registry import domains
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.personal_records import RECORDS, PersonalRecords
from vigil_cloud.ingest.personal import LettersThatName
from vigil_cloud.notify.escalation.answers import InHand
from vigil_cloud.notify.subscriptions import Subscriptions
from vigil_cloud.objects.folder import FolderObjects
from vigil_cloud.objects.port import Objects
from vigil_cloud.services import Services, utc_now
from vigil_cloud.timeseries.port import TimeSeries
from vigil_cloud.timeseries.sqlite import SqliteTimeSeries


def personal_records() -> tuple[PersonalRecords, ...]:
    """Every room's. Alerts first: their lock is the first of every transaction that takes it."""
    of_domains = (records for one in domains() for records in one.personal_records)
    return (
        AlertsOfPersons(),
        CasesOfPersons(case_kinds),
        *of_domains,
        LettersThatName(),
        Subscriptions(),
        InHand(),
    )


def build_timeseries(settings: Settings) -> TimeSeries:
    """SQLite in ``data_dir`` or InfluxDB."""
    if settings.timeseries == "sqlite":
        return SqliteTimeSeries(settings.data_dir / "timeseries.sqlite3")
    # Its client is large: a city on the embedded files never loads it.
    from vigil_cloud.timeseries.influx import InfluxTimeSeries

    return InfluxTimeSeries(
        settings.influx_url,
        org=settings.influx_org,
        bucket=settings.influx_bucket,
        token=settings.influx_token.get_secret_value(),
    )


def build_objects(settings: Settings) -> Objects:
    """A folder or a bucket. Raises ``ConfigurationError`` for an address of neither kind."""
    if not settings.objects_url:
        return FolderObjects(settings.data_dir / "objects")
    parts = urlsplit(settings.objects_url)
    if parts.scheme == "file":
        return FolderObjects(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        from vigil_cloud.objects.s3 import S3Objects

        return S3Objects(
            parts.netloc,
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
        )
    raise ConfigurationError(
        f"objects_url: {settings.objects_url!r} is neither file:///folder nor s3://bucket"
    )


def build_services(settings: Settings, now: Callable[[], datetime] | None = None) -> Services:
    """Everything that rooms are given. Connects to nothing but the embedded files. ``now``: another
    clock than the platform's (``database.server_clock``)."""
    engine = build_engine(settings.database)
    if now is None:
        now = utc_now if engine.dialect.name == "sqlite" else ServerClock(engine)
    timeseries = build_timeseries(settings)
    objects = build_objects(settings)
    services = Services(
        settings=settings,
        engine=engine,
        sessions=build_sessions(
            engine,
            **{
                MOST: settings.quotas.alerts_a_minute,
                RECORDS: personal_records(),
                CIPHER: Cipher(settings.secret),
            },
        ),
        timeseries=timeseries,
        objects=objects,
        now=now,
        disk=Disk(settings.data_dir, settings.disk),
    )
    services.readiness["database"] = lambda: probe(services.sessions)
    services.readiness["disk"] = services.disk.check
    services.readiness["timeseries"] = timeseries.ping
    services.readiness["objects"] = objects.ping
    return services
