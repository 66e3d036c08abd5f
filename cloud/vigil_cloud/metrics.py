"""What operators watch: counters and histograms in a registry of this process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

LOGGED = Counter(
    "vigil_log_events",
    "Warnings and errors that our own code wrote to the log, by what happened",
    ["level", "event"],
    registry=None,
)
"""Of the whole process: whatever is survived and only logged is counted, too."""
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
_AGES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0, 86400.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """One per process; a registry of its own, so that tests do not see each other's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(LOGGED)
        self.messages = Counter(
            "vigil_ingest_messages",
            "Messages received from gateways, by lane",
            ["lane"],
            registry=self.registry,
        )
        self.points = Counter(
            "vigil_ingest_points", "Readings stored in the time series", registry=self.registry
        )
        self.duplicates = Counter(
            "vigil_ingest_duplicates",
            "Messages that were already stored and only receipted again",
            registry=self.registry,
        )
        self.refused = Counter(
            "vigil_ingest_refused",
            "Messages put into the dead-letter table, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.receipts = Counter(
            "vigil_ingest_receipts", "Receipts published", registry=self.registry
        )
        self.batch_messages = Histogram(
            "vigil_ingest_batch_messages",
            "Messages per group commit",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.receipt_seconds = Histogram(
            "vigil_ingest_receipt_seconds",
            "From a message's arrival to its receipt",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.event_age_seconds = Histogram(
            "vigil_ingest_event_age_seconds",
            "From the device's time stamp to stored, for alarms and events",
            ["lane"],
            buckets=_AGES,
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "vigil_ingest_queue_depth", "Messages waiting for the writer", registry=self.registry
        )
        self.store_failures = Counter(
            "vigil_ingest_store_failures",
            "Group commits that a store refused for now, by store",
            ["store"],
            registry=self.registry,
        )
        self.reading_failures = Counter(
            "vigil_ingest_reading_failures",
            "Readings that a domain's handler failed on: stored, but not looked at by it",
            ["handler"],
            registry=self.registry,
        )
        self.connected = Gauge(
            "vigil_ingest_broker_connected",
            "1 while ingest is connected to the broker",
            registry=self.registry,
        )
        self.http_connections = Gauge(
            "vigil_http_connections", "Open HTTP connections", registry=self.registry
        )
        self.http_ended = Counter(
            "vigil_http_connections_ended",
            "Connections that a deadline or a limit ended, or that were not taken, by reason",
            ["reason"],
            registry=self.registry,
        )

        self.job_runs = Counter(
            "vigil_job_runs",
            "Turns of background jobs in this process: done, failed, or lost to another process",
            ["job", "outcome"],
            registry=self.registry,
        )
        self.job_seconds = Histogram(
            "vigil_job_seconds",
            "How long a turn of a background job took",
            ["job"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.work_done = Counter(
            "vigil_work",
            "Pieces of heavy work in this process: done, failed, or lost to another process",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.work_waiting = Gauge(
            "vigil_work_waiting", "Pieces of heavy work in the queue", registry=self.registry
        )
        self.work_dropped = Gauge(
            "vigil_work_dropped",
            "Pieces of heavy work that found no room in their queue, since the first",
            ["kind"],
            registry=self.registry,
        )
        self.jobs_wrong = Gauge(
            "vigil_jobs_wrong", "Background jobs that fail or are late", registry=self.registry
        )
        self.notifications = Counter(
            "vigil_notify_messages",
            "Messages handed to a notification service, by what became of them",
            ["verdict"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "vigil_notify_deliveries",
            "Deliveries of alerts that came to their end: sent, failed (given up), skipped",
            ["state"],
            registry=self.registry,
        )

    def exposition(self) -> tuple[bytes, str]:
        """The text for ``/metrics`` and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
