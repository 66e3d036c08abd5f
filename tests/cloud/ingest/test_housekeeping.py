"""What ingest clears away by itself."""

from __future__ import annotations

from datetime import timedelta

from gateways import new_name
from ingest_bench import NOW, Bench
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Downlink, Gateway
from vigil_cloud.devices.sending import anything_waiting, send_waiting
from vigil_cloud.jobs.platform import forget_old, sweep_silent


def test_old_dead_letters_are_removed(bench: Bench) -> None:
    """Given two refusals, one of which came again later, only the forgotten one goes."""
    topic = f"vigil/v1/{new_name()}/event"
    writer = bench.writer()
    days = bench.services.settings.dead_letter_days
    writer.store([bench.arrived(topic, payload) for payload in (b"once", b"again")])

    bench.clock[0] = NOW + timedelta(days=days)
    writer.store([bench.arrived(topic, b"again")])
    forget_old(bench.services)
    assert len(bench.dead_letters()) == 2

    bench.clock[0] += timedelta(seconds=1)
    sweep_silent(bench.services)
    assert len(bench.dead_letters()) == 2
    forget_old(bench.services)
    assert [(one.payload, one.count) for one in bench.dead_letters()] == [(b"again", 2)]


def test_a_command_that_is_none_any_more_holds_up_no_other(bench: Bench) -> None:
    """Given a row of an older version that no longer validates, the next one is sent."""
    gateway = new_name()
    rows = {
        name: {"command_id": name, "action": action}
        for name, action in (("command-old", "dance"), ("command-new", "report_health"))
    }
    sent: list[str] = []

    def publish(topic: str, payload: bytes, retain: bool) -> bool:
        del payload, retain
        sent.append(topic)
        return True

    with writing(bench.services.sessions) as session:
        session.add(Gateway(gateway=gateway, added=NOW, updated=NOW, connected=True))
        for n, (name, payload) in enumerate(rows.items()):
            created = NOW + timedelta(seconds=n)
            fields = {"gateway": gateway, "channel": "command", "account": "li", "again": NOW}
            session.add(Downlink(id=name, payload=payload, created=created, **fields))
    with writing(bench.services.sessions) as session:
        assert send_waiting(session, publish, NOW) == 1

    assert sent == [f"vigil/v1/{gateway}/command"]
    with bench.services.sessions() as session:
        old = session.get_one(Downlink, "command-old")
        assert (old.accepted, old.code) == (False, "wrong-command")
        assert not anything_waiting(session, NOW)
