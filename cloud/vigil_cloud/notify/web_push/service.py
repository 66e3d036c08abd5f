"""One request to a push service, RFC 8030. ``notify.exchanges`` hears what it answers."""

from __future__ import annotations

from datetime import UTC, datetime

import requests

from vigil_cloud.notify.web_push import vapid
from vigil_cloud.notify.web_push.addresses import Target
from vigil_cloud.notify.web_push.encryption import encrypt
from vigil_cloud.notify.web_push.note import Note


def post(target: Target, note: Note, timeout: tuple[float, float]) -> None:
    """``timeout``: to connect and to answer, seconds. Follows no redirection: only the services
    that are named are asked. Raises ``requests.RequestException``."""
    subscription = target.subscription
    body = encrypt(note.content(), subscription.public, subscription.secret)
    signed = vapid.headers(target.private, subscription.endpoint, target.contact, datetime.now(UTC))
    told = {
        **signed,
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(int(note.ttl.total_seconds())),
        "Urgency": note.urgency,
    }
    if note.topic:
        told["Topic"] = note.topic
    with requests.Session() as session:
        session.post(
            subscription.endpoint, data=body, headers=told, timeout=timeout, allow_redirects=False
        )
