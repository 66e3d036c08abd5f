"""Alerts by the hundred under policies, while the processes that call people are killed and the
services that carry the calls fail: what became of each alert, counted at the receiving end."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

import servers
from cloud.notify import sender_process
from cloud.notify.sender_process import faster
from faults.city import Process
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.database.migrate import upgrade
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.passwords import hash_password
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, add_account
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.escalation import answers, policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.notify.models import Delivery, Escalation
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services

SPEED: Final = 40.0
SECRET: Final = "a test's own secret of more than thirty-two characters"
PER_GATEWAY: Final = 50
"""Fewer than join in one counted alert."""
LAST: Final = 3
_NAMED: Final = re.compile(r"(REMINDER: |REPEAT: )*fire (\d{5})")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is."""

    alerts: int
    per_policy: int
    """Alerts; at most 40, which is how many one message names."""
    kills: int
    failures: int
    """So many requests at least fail."""
    deadline_s: float


SHORT: Final = Size(alerts=30, per_policy=10, kills=2, failures=6, deadline_s=180.0)
FULL: Final = Size(alerts=1_000, per_policy=40, kills=60, failures=400, deadline_s=1_200.0)


@dataclass
class Outcome:
    """What was counted."""

    alerts: int = 0
    kills: int = 0
    accepted: int = 0
    at_policys_end: int = 0
    abandoned: int = 0
    """Neither accepted nor at its policy's end with its fallback told and reminded."""
    doubled: int = 0
    """Somebody was told of one alert more than once by messages that do not say so."""
    unattributed: int = 0
    """Accepted by nobody who was called."""
    after_the_fallback: int = 0
    """Somebody new was called after it."""
    administrators_not_told: int = 0
    messages: int = 0
    failures: int = 0
    """Answered with 429, 503, late or not at all."""
    repeats: int = 0
    """Messages' lines that say that they may be a repetition."""

    def __str__(self) -> str:
        return "\n".join(f"escalation {name}: {value}" for name, value in vars(self).items())


class Receiver:
    """The services behind all channels: a path for each person."""

    def __init__(self, seed: int) -> None:
        self.told: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        """By person and alert: first tellings, repeats, reminders."""
        self.news: list[tuple[str, int]] = []
        self.requests = self.messages = self.failures = 0
        self.calm = threading.Event()
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.answer(self, self.path.strip("/"), body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, who: str, body: dict[str, Any]) -> None:
        with self._lock:
            chance = 1.0 if self.calm.is_set() else self._random.random()
            self.requests += 1
            self.failures += chance < 0.4
        if chance < 0.15:
            request.send_response(429)
            request.send_header("Retry-After", str(1 + int(chance * 400)))
            request.end_headers()
        elif chance < 0.3:
            request.send_response(503)
            request.end_headers()
        elif chance < 0.35:  # it never comes to anybody, and nobody says so
            request.close_connection = True
        else:
            self._keep(who, f"{body['title']}\n{body['message']}")
            if chance < 0.4:  # it came, and nobody says so
                self.calm.wait(3)
            try:
                request.send_response(200)
                request.end_headers()
            except OSError:
                request.close_connection = True

    def _keep(self, who: str, text: str) -> None:
        with self._lock:
            self.messages += 1
            lines = {(found[0], found[2]) for found in _NAMED.finditer(text)}
            named: dict[int, str] = {}
            for whole, number in lines:
                # The title names one without its prefix cut off: the fuller wording counts.
                named[int(number)] = max(named.get(int(number), ""), whole, key=len)
            for number, whole in named.items():
                kind = "first"
                if "REMINDER" in whole:
                    kind = "reminder"
                elif "REPEAT" in whole:
                    kind = "repeat"
                self.told[who, number][kind] += 1
                self.news.append((who, number))


@dataclass
class Run:
    """One run, from the first alert to the last answer."""

    folder: Path
    size: Size
    seed: int
    database_url: str
    began: float = field(default_factory=time.time)
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now: Callable[[], datetime] = faster(self.began, SPEED)
        self.receiver = Receiver(self.seed)
        self.environment = {
            "VIGIL_DATA_DIR": str(self.folder / "cloud"),
            "VIGIL_DATABASE_URL": self.database_url,
            "VIGIL_SECRET_KEY": SECRET,
            "VIGIL_TEST_BEGAN": str(self.began),
            "VIGIL_TEST_SPEED": str(SPEED),
        }
        settings = load(
            None,
            data_dir=self.folder / "cloud",
            database_url=self.database_url,
            secret_key=SECRET,
        )
        self.services: Services = build_services(settings, now=self.now)
        # Nobody answers a third of all alerts; of the others somebody does, called in some step.
        self.answers = {
            number: self.random.choice("abc")
            for number in range(self.size.alerts)
            if self.random.random() < 0.67
        }

    def policies(self) -> int:
        return -(-self.size.alerts // self.size.per_policy)

    def prepare(self) -> None:
        """Accounts with their channels, and a policy for each forty alerts."""
        upgrade(self.services.engine)
        cipher = Cipher(self.services.settings.secret)
        address = f"json://127.0.0.1:{self.receiver.port}"
        once = hash_password("four unrelated quiet words")
        with writing(self.services.sessions) as session:
            for step in "abc":
                for number in range(self.policies()):
                    who = f"{step}{number}"
                    add_account(
                        session,
                        username=who,
                        roles=[Role.DISPATCHER],
                        now=self.now(),
                        language="en",
                        password_hash=once,
                    )
                    put_channel(
                        session,
                        cipher,
                        name=who,
                        url=f"{address}/{who}?cto=2&rto=2",
                        account=account_named(session, who),
                        language="en",
                    )
            for number in range(self.policies()):
                policies.put(session, self._policy(number), by="test", now=self.now())

    def _policy(self, number: int) -> Any:
        def step(after_s: float, who: str) -> dict[str, Any]:
            return {"after_s": after_s, "channel": "webhook", "persons": [f"{who}{number}"]}

        return parse(
            {
                "name": f"policy {number}",
                "match": {"kind": f"smoke{number}"},
                "remind_s": 120,
                "step": [step(0, "a"), step(60, "b")],
                "fallback": step(180, "c"),
            }
        )

    def play(self) -> Outcome:
        """Raise, kill, answer; then leave it alone until everything has come to its end."""
        self.prepare()
        senders = [self._sender(number) for number in range(2)]
        try:
            for sender in senders:
                sender.start()
            self._chaos(senders)
            self.receiver.calm.set()
            servers.eventually(self._settled, "the end of each alert", self.size.deadline_s)
        finally:
            for sender in senders:
                sender.kill()
            self.receiver.calm.set()
            self.receiver.close()
        self._count()
        return self.outcome

    def _sender(self, number: int) -> Process:
        script = sender_process.__file__
        log = self.folder / f"sender-{number}.log"
        return Process(f"sender {number}", [sys.executable, script], log, self.environment)

    def _chaos(self, senders: list[Process]) -> None:
        """As fast as the machine is: each kill waits for something to be in somebody's hands."""
        raised, killed, kill_at = 0, 0, 1
        ends = time.monotonic() + self.size.deadline_s
        while raised < self.size.alerts or killed < self.size.kills or not self._failed_enough():
            assert time.monotonic() < ends, "the senders got nowhere"
            if raised < self.size.alerts:
                self._raise(range(raised, min(raised + 5, self.size.alerts)))
                raised += 5
            if killed < self.size.kills and self.receiver.requests >= kill_at:
                sender = self.random.choice(senders)
                sender.kill()
                sender.start()
                killed += 1
                kill_at = self.receiver.requests + self.random.randint(1, 6)
            self._answer()
            time.sleep(0.05)
        self.outcome.kills = killed

    def _failed_enough(self) -> bool:
        return self.receiver.failures >= self.size.failures

    def _raise(self, numbers: range) -> None:
        for number in numbers:
            occurrence = Occurrence(
                domain="smoke",
                reference=f"alarm-{number:05}",
                kind=f"smoke{number // self.size.per_policy}",
                gateway=f"gw-{number // PER_GATEWAY}",
                device=f"alarm-{number}",
                title=f"fire {number:05}",
                title_zh=f"fire {number:05}",
                severity="critical",
                event_time=self.now(),
                active=True,
            )
            with writing(self.services.sessions) as session:
                record(session, occurrence, self.now())

    def _answer(self) -> None:
        """Who was told, and means to, accepts: some at once, some twice."""
        with self.receiver._lock:
            news, self.receiver.news = self.receiver.news, []
        for who, number in news:
            if self.answers.get(number) != who[0]:
                continue
            with self.services.sessions() as session:
                query = select(AlertRow.id).where(AlertRow.device == f"alarm-{number}")
                alert = session.scalars(query).one()
            for _ in range(1 + (number % 7 == 0)):
                with writing(self.services.sessions) as session:
                    answers.record(session, alert, who, "accepted", self.now(), via="link")

    def _settled(self) -> bool:
        time.sleep(0.25)  # each look reads every escalation
        self._answer()
        with self.services.sessions() as session:
            rows = session.execute(
                select(AlertRow.id, AlertRow.acknowledged, Escalation.state)
                .join(Escalation, Escalation.alert_id == AlertRow.id, isouter=True)
                .where(AlertRow.domain == "smoke")
            ).all()
            waiting = set(
                session.scalars(
                    select(Delivery.alert_id).where(
                        Delivery.state == "waiting", Delivery.purpose != "reminder"
                    )
                )
            )
        ended = [
            row.state is not None
            and row.id not in waiting
            and (row.acknowledged or (row.state["reached"] == LAST and row.state["reminders"] > 0))
            for row in rows
        ]
        return len(ended) == self.size.alerts and all(ended)

    def _count(self) -> None:
        outcome, told = self.outcome, self.receiver.told
        outcome.messages, outcome.failures = self.receiver.messages, self.receiver.failures
        outcome.doubled = sum(1 for counts in told.values() if counts["first"] > 1)
        outcome.repeats = sum(counts["repeat"] for counts in told.values())
        with self.services.sessions() as session:
            rows = session.execute(
                select(AlertRow, Escalation)
                .join(Escalation, Escalation.alert_id == AlertRow.id)
                .where(AlertRow.domain == "smoke")
            ).all()
            unanswered = {
                str(row.detail["alert"])
                for row in session.scalars(
                    select(AlertRow).where(AlertRow.kind == "unanswered", AlertRow.active)
                )
            }
        outcome.alerts = len(rows)
        for row in rows:
            number = int(row.AlertRow.device.removeprefix("alarm-"))
            calls = row.Escalation.state["calls"]
            heard = {call["person"] for call in calls if (call["person"], number) in told}
            if row.AlertRow.acknowledged:
                outcome.accepted += 1
                outcome.unattributed += row.AlertRow.acknowledged_by not in heard
                continue
            last = [call["person"] for call in calls if call["step"] == LAST]
            at_end = bool(last) and set(last) <= heard and row.Escalation.state["reminders"] > 0
            outcome.at_policys_end += at_end
            outcome.abandoned += not at_end
            outcome.administrators_not_told += row.AlertRow.id not in unanswered
            called = [call["step"] for call in calls]
            outcome.after_the_fallback += called != sorted(called) or called.count(LAST) != 1


def run(folder: Path, size: Size, seed: int, database_url: str = "") -> Outcome:
    """Play it to its end."""
    made = Run(folder, size, seed, database_url)
    with closing(made.services):
        return made.play()


if __name__ == "__main__":  # pragma: no cover - by hand
    import tempfile

    drawn = int(os.environ.get("VIGIL_SEED", "1"))
    print(run(Path(tempfile.mkdtemp()), SHORT, drawn))
