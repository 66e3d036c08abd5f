"""A city of processes in which people follow alarms to their end, while parts of it are killed.

API, ingest and gateway are processes of their own; a person's client repeats a request, word for
word and with its key, until it is answered. Each journey is played once in peace: what the stores
then hold of it is what they have to hold after any kills.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import create_engine, text

import servers
from aed_town import Line119
from cases_office import noise_register
from cloud_city import GATEWAY, PASSWORD, SECRET, City, exceedance, excursion, populated
from faults.city import Process
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency.cap import NAMESPACE
from vigil_cloud.identity import households
from vigil_cloud.identity.models import Guardian
from vigil_cloud.identity.persons import add_person
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.noise import recording
from vigil_cloud.noise.register_schema import RegisterBody
from vigil_schemas.aed import AedCall
from vigil_schemas.checkin import CheckinSighting
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Model, isoformat_utc

PARTS: Final = ("api", "ingest", "gateway", "browser")
PLACE: Final = (23.48, 120.44)
ROUNDS: Final = 12
"""So many times each journey can be played: each has a device, a home and a person of its own."""


def tag(number: int) -> str:
    return f"ibeacon:0123456789abcdef0123456789abcdef:9:{number}"


def devices() -> list[dict[str, Any]]:
    kinds = {"mic": "noise", "sonde": "water", "station": "checkin", "alarm": "smoke", "aed": "aed"}
    place = {"driver": "test", "latitude": PLACE[0], "longitude": PLACE[1]}
    return [
        {"device": f"{word}-{n}", "domain": domain, "name": f"{word} {n}", **place}
        for word, domain in kinds.items()
        for n in range(1, ROUNDS + 1)
    ]


class Killer:
    """Which part dies in which step, drawn from a seed."""

    def __init__(self, seed: int, kills: int, first: str = "") -> None:
        self.random = random.Random(seed)
        self.left = kills
        self.done: Counter[str] = Counter()
        self._first = first
        self._threads: list[threading.Thread] = []

    def chance(self, steps_left: int, parts: Sequence[str] = PARTS) -> str | None:
        """The part that dies in this step; ``None``: none."""
        if self.left <= 0 or self.random.random() > self.left / max(1, steps_left):
            return None
        self.left -= 1
        part, self._first = self._first or self.random.choice(parts), ""
        self.done[part] += 1
        return part

    def later(self, kill: Callable[[], None]) -> None:
        """Within the next fifth of a second."""
        delay = self.random.random() * 0.2
        thread = threading.Timer(delay, kill)
        thread.start()
        self._threads.append(thread)

    def settle(self) -> None:
        for one in self._threads:
            one.join()
        self._threads.clear()


class Town:
    """The processes, the people and what they do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = Line119()
        self.mosquitto = servers.mosquitto(folder / "broker")
        self.port = servers.free_port()
        self._prepare(folder / "cloud")
        env = {
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_SECRET_KEY": SECRET,
            "VIGIL_BROKER_URL": self.mosquitto.url,
            "VIGIL_HTTP_PORT": str(self.port),
            "VIGIL_EMERGENCY_URL": self.line.url,
            "VIGIL_EMERGENCY_TOKEN": "of the line's own",
            "VIGIL_OPEN_ENROLMENT": "true",
        }
        program = [sys.executable, "-m", "vigil_cloud"]
        self.api = Process("api", [*program, "api"], folder / "api.log", env)
        self.ingest = Process("ingest", [*program, "ingest"], folder / "ingest.log", env)
        self.sender: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._clients: dict[str, httpx.Client] = {}
        self.killer = Killer(0, 0)
        self._engine = create_engine(f"sqlite:///{folder / 'cloud' / 'vigil.sqlite3'}")

    def _prepare(self, folder: Path) -> None:
        city: City = populated(folder)
        try:
            for name, role in (("ana", Role.REVIEWER), ("bo", Role.REVIEWER)):
                city.account(name, role)
            for name in ("vera", "vic"):
                city.account(name, Role.VOLUNTEER)
            city.account("resident", Role.FAMILY)
            with writing(city.services.sessions) as session:
                entries = RegisterBody.model_validate(noise_register())
                recording.enter(session, entries, "keeper", city.time)
                resident = account_named(session, "resident")
                for n in range(1, ROUNDS + 1):
                    key = f"missing-{n}"
                    add_person(session, city.cipher, key=key, name=f"Lin {n}", now=city.time)
                    session.add(Guardian(person_key=key, account_id=resident.id))
                    session.flush()
                    give_tag(session, tag(n), key, by="operator", now=city.time)
                    home = households.Described(f"Home {n}", "Road 1", None, PLACE)
                    households.put(session, city.cipher, f"home-{n}", home, by="t", now=city.time)
                    households.add_member(
                        session,
                        f"home-{n}",
                        by="t",
                        now=city.time,
                        account=resident,
                        relation=Relation.RESIDENT,
                    )
        finally:
            city.close()

    def start(self) -> None:
        """Everything up; and what is entered over HTTP once: volunteers, whose alarm it is."""
        self.api.start()
        self.ingest.start()
        self._start_sender()
        servers.eventually(
            lambda: self.rows("SELECT 1 FROM devices WHERE device = 'aed-1'"), "born"
        )
        for name in ("vera", "vic"):
            path = f"/api/v1/aed/volunteers/{name}/certificate"
            self.ask("administrator", "PUT", path, {"until": "2030-01-01"})
            self.ask(name, "PUT", "/api/v1/aed/volunteer/consent", {"consent": True})
            where = {"position": [PLACE[1], PLACE[0]]}
            self.ask(name, "PUT", "/api/v1/aed/volunteer/on-call", where)
        for n in range(1, ROUNDS + 1):
            self.ask("administrator", "PUT", f"/api/v1/households/home-{n}/devices/alarm-{n}", None)

    # -- processes ---------------------------------------------------------------------------

    def _start_sender(self) -> None:
        script = Path(__file__).with_name("sender.py")
        command = [sys.executable, str(script), str(self.mosquitto.port), GATEWAY]
        command += [str(self.folder / "gateway.state"), json.dumps(devices())]
        with (self.folder / "gateway.log").open("ab") as log:
            self.sender = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    def _stop_sender(self) -> None:
        if self.sender is None:
            return
        self.sender.kill()
        self.sender.wait()
        for stream in (self.sender.stdin, self.sender.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def kill(self, part: str) -> None:
        """SIGKILL, and started again at once."""
        if part == "gateway":
            with self._lock:
                self._stop_sender()
                self._start_sender()
        elif part in ("api", "ingest"):
            process = self.api if part == "api" else self.ingest
            process.kill()
            process.start()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._stop_sender()
        self.api.stop()
        self.ingest.stop()
        self.mosquitto.stop()
        self.line.close()
        self._engine.dispose()

    # -- what people and devices do -----------------------------------------------------------

    def client(self, who: str) -> httpx.Client:
        if who not in self._clients:
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False
            )
            body = {"username": who, "password": PASSWORD}
            answer = self._repeated(lambda: client.post("/api/v1/session", json=body))
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            self._clients[who] = client
        return self._clients[who]

    def _repeated(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        deadline = time.monotonic() + servers.DEADLINE_S
        while True:
            try:
                answer = send()
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.api.log.read_text()[-3000:]
            time.sleep(0.02)

    def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The same request until it is answered."""
        client = self.client(who)
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = self._repeated(
            lambda: client.request(method, path, json=body, headers=headers, **more)
        )
        assert answer.is_success, f"{method} {path} by {who}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def step(self, steps_left: int, who: str, method: str, path: str, body: Any = None) -> Any:
        """A step of a journey, in which something may die."""
        part = self.killer.chance(steps_left)
        if part is None:
            return self.ask(who, method, path, body)
        client = self.client(who)
        headers = {"Idempotency-Key": uuid.uuid4().hex}

        def send() -> httpx.Response:
            return client.request(method, path, json=body, headers=headers)

        if part == "browser":  # it dies once the request has left; the person does it again
            with suppress(httpx.TransportError):
                client.request(
                    method, path, json=body, headers=headers, timeout=httpx.Timeout(60, read=0.001)
                )
        else:
            self.killer.later(lambda: self.kill(part))
        answer = self._repeated(send)
        if part != "browser":
            self.killer.settle()
            answer = self._repeated(send)  # and whether it was answered or not, once more
        assert answer.is_success, f"{method} {path} by {who}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def happens(self, steps_left: int, lane: str, device: str, said: Model) -> None:
        """A device's fact, which its gateway keeps; something may die meanwhile."""
        part = self.killer.chance(steps_left, ("ingest", "gateway"))
        if part is not None:
            self.killer.later(lambda: self.kill(part))
        key = uuid.uuid4().hex
        fact = {"key": key, "lane": lane, "type": said.TYPE, "subject": device}  # type: ignore[attr-defined]
        line = json.dumps({**fact, "data": said.model_dump(mode="json", exclude_none=True)})
        self._tell(key, line)
        self.killer.settle()
        self._tell(key, line)

    def _tell(self, key: str, line: str) -> None:
        deadline = time.monotonic() + servers.DEADLINE_S
        while time.monotonic() < deadline:
            sender = self.sender
            assert sender is not None
            try:
                assert sender.stdin is not None
                assert sender.stdout is not None
                sender.stdin.write(f"{line}\n".encode())
                sender.stdin.flush()
                if sender.stdout.readline().decode() == f"kept {key}\n":
                    return
            except (OSError, ValueError):
                time.sleep(0.02)
        raise AssertionError((self.folder / "gateway.log").read_text()[-2000:])

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def one(self, query: str, what: str, **values: Any) -> Any:
        """The one value that a query finds once it finds one."""
        return servers.eventually(lambda: self.rows(query, **values), what)[0][0]

    def calls_119(self) -> Counter[str]:
        """By alert: distinct messages that the emergency line took."""
        found: set[tuple[str, str]] = set()
        for one in list(self.line.received):
            root = ET.fromstring(one)
            kind = root.findtext(f"{{{NAMESPACE}}}msgType") or ""
            found.add((root.findtext(f"{{{NAMESPACE}}}identifier") or "", kind))
        return Counter(kind for _, kind in found)


def now() -> datetime:
    return datetime.now(UTC)


def seen(town: Town, who: str, case: str) -> Any:
    return town.ask(who, "GET", f"/api/v1/cases/{case}")


def noise(town: Town, n: int) -> str:
    """Two inspectors decide."""
    town.happens(7, "event", f"mic-{n}", exceedance(now(), f"exceedance-{n}"))
    alert = town.one("SELECT id FROM alerts WHERE device = :d", "the alert", d=f"mic-{n}")
    body = {"kind": "noise-exceedance", "alerts": [alert]}
    case = town.step(6, "inspector", "POST", "/api/v1/cases", body)["id"]
    path = f"/api/v1/cases/{case}"
    for left, who in ((5, "ana"), (4, "bo")):
        said = {"version": seen(town, who, case)["version"], "outcome": "dismissed"}
        said |= {"reason": "Below the limit."}
        town.step(left, who, "POST", f"{path}/decisions", said)
    town.step(3, "inspector", "POST", f"{path}/notes", {"text": "Told the reporter."})
    version = seen(town, "inspector", case)["version"]
    town.step(2, "inspector", "POST", f"{path}/close", {"version": version, "resolution": "filed"})
    return str(case)


def water(town: Town, n: int) -> str:
    """One inspection."""
    town.happens(8, "event", f"sonde-{n}", excursion(now(), id=f"excursion-{n}"))
    alert = town.one("SELECT id FROM alerts WHERE device = :d", "the alert", d=f"sonde-{n}")
    body = {"kind": "water-inspection", "alerts": [alert]}
    case = town.step(7, "inspector", "POST", "/api/v1/cases", body)["id"]
    entries = f"/api/v1/water/cases/{case}/entries"
    for left, entry in (
        (6, {"kind": "visit", "text": "A hose behind the wall"}),
        (5, {"kind": "sample", "number": f"W-{n}", "text": "Two bottles"}),
        (4, {"kind": "result", "number": f"W-{n}", "text": "Cu 12 mg/L"}),
    ):
        town.step(left, "inspector", "POST", entries, {"at": isoformat_utc(now()), **entry})
    path = f"/api/v1/cases/{case}"
    said = {"version": seen(town, "inspector", case)["version"], "outcome": "source-found"}
    town.step(3, "inspector", "POST", f"{path}/decisions", {**said, "reason": "Seen."})
    version = seen(town, "inspector", case)["version"]
    town.step(2, "inspector", "POST", f"{path}/close", {"version": version, "resolution": "mended"})
    return str(case)


def search(town: Town, n: int) -> str:
    """Reported missing, found."""
    report = {"person_key": f"missing-{n}", "clothes": "Red coat"}
    case = town.step(5, "resident", "POST", "/api/v1/search/reports", report)["case_id"]
    path = f"/api/v1/cases/{case}"
    town.step(4, "police", "POST", f"{path}/access", {"reason": f"Call 110-{n}"})
    hit = CheckinSighting(
        sighting_id=f"sighting-{n}", tag=tag(n), carrier="ble", seen=now(), rssi_dbm=-71.0
    )
    town.happens(3, "event", f"station-{n}", hit)
    town.one("SELECT id FROM search_hits WHERE search_hits.case_id = :c", "the hit", c=case)
    version = seen(town, "police", case)["version"]
    said = {"version": version, "outcome": "found-well", "text": "At the temple."}
    town.step(1, "police", "POST", f"/api/v1/search/cases/{case}/end", said)
    return str(case)


def fire(town: Town, n: int) -> str:
    """The home, 119, all clear."""
    said = SmokeAlarm(alarm_id=f"alarm-{n}-fire", condition="smoke", active=True, since=now())
    town.happens(7, "alarm", f"alarm-{n}", said)
    query = "SELECT id FROM fires WHERE household = :h"
    found = town.one(query, "the fire", h=f"home-{n}")
    path = f"/api/v1/smoke/fires/{found}"
    before = town.calls_119().total()
    town.step(6, "resident", "POST", f"{path}/burns")
    servers.eventually(lambda: town.calls_119().total() > before, "119 is told")
    for left, act in ((5, "acknowledge"), (4, "arrived"), (3, "all-clear")):
        town.step(left, "dispatcher", "POST", f"{path}/lead/{act}")
    town.step(1, "dispatcher", "POST", f"{path}/cause", {"cause": "cooking"})
    return str(town.one("SELECT case_id FROM fires WHERE id = :f", "its case", f=found))


def aed(town: Town, n: int) -> str:
    """The button, volunteers, the end."""
    before = town.calls_119().total()
    call = f"call-{n:04d}"
    town.happens(6, "alarm", f"aed-{n}", AedCall(call_id=call, pressed=now()))
    key = f"{GATEWAY}:{call}"
    servers.eventually(lambda: town.calls_119().total() > before, "119 is told")
    query = "SELECT id FROM aed_callouts WHERE call_id = :c"
    servers.eventually(lambda: len(town.rows(query, c=key)) >= 1, "volunteers are called")
    account = "SELECT username FROM accounts JOIN aed_callouts ON aed_callouts.account_id ="
    account += " accounts.id WHERE call_id = :c ORDER BY aed_callouts.id LIMIT 1"
    who = town.rows(account, c=key)[0][0]
    for left, word in ((5, "accepted"), (4, "on-the-way"), (3, "arrived")):
        town.step(left, who, "POST", f"/api/v1/aed/calls/{key}/answer", {"answer": word})
    case = str(town.one("SELECT case_id FROM aed_calls WHERE id = :c", "its case", c=key))
    path = f"/api/v1/cases/{case}"
    version = seen(town, "dispatcher", case)["version"]
    said = {"version": version, "outcome": "rosc", "reason": "Pulse."}
    town.step(2, "dispatcher", "POST", f"{path}/decisions", said)
    version = seen(town, "dispatcher", case)["version"]
    town.step(1, "dispatcher", "POST", f"{path}/close", {"version": version, "resolution": "filed"})
    return case


JOURNEYS: Final[dict[str, Callable[[Town, int], str]]] = {
    "noise": noise,
    "water": water,
    "search": search,
    "fire": fire,
    "aed": aed,
}
_OF_CASE: Final = {
    "event": "SELECT action, account FROM case_events WHERE case_id = :c",
    "alert": "SELECT domain, kind FROM alerts JOIN case_alerts ON alert_id = alerts.id"
    " WHERE case_alerts.case_id = :c",
    "hit": "SELECT 'hit', device FROM search_hits WHERE search_hits.case_id = :c",
    "fire": "SELECT what, who FROM fire_steps JOIN fires ON fires.id = fire"
    " WHERE fires.case_id = :c",
    "call": "SELECT 'callout', aed_callouts.state FROM aed_callouts JOIN aed_calls"
    " ON aed_calls.id = call_id WHERE aed_calls.case_id = :c",
    "state": "SELECT state, outcome FROM cases WHERE id = :c",
}


def stored(town: Town, case: str, n: int) -> Counter[tuple[str, ...]]:
    """Every step of a journey as the stores hold it; the round's own number left out."""
    return Counter(
        (what, *(str(value).replace(f"-{n}", "-N") for value in row))
        for what, query in _OF_CASE.items()
        for row in town.rows(query, c=case)
    )


def closed(town: Town, case: str) -> bool:
    return town.rows("SELECT state FROM cases WHERE id = :c", c=case) == [("closed",)]


def play(town: Town, name: str, kills: int, seed: int) -> tuple[int, int, int]:
    """Once in peace, then until so many kills are done: kills, steps lost, steps doubled."""
    peaceful = JOURNEYS[name](town, 1)
    assert closed(town, peaceful)
    wanted = stored(town, peaceful, 1)
    killer = town.killer = Killer(seed, 0, "api")
    lost = doubled = 0
    n = 1
    left = kills
    while left:
        n += 1
        killer.left = some = min(left, max(2, -(-kills // (ROUNDS - 1))))
        case = JOURNEYS[name](town, n)
        killer.left, unused = 0, killer.left
        left -= some - unused
        assert closed(town, case)
        found = stored(town, case, n)
        lost += (wanted - found).total()
        doubled += (found - wanted).total()
        if found != wanted:
            print(f"kills {name}: lost {wanted - found}, doubled {found - wanted}")
    return killer.done.total(), lost, doubled


def environment_seed(usual: int = 0) -> int:
    """``VIGIL_SEED``; without one ``usual``, or where that is 0 another one each time."""
    return int(os.environ.get("VIGIL_SEED", usual)) or int.from_bytes(os.urandom(4), "big")
