"""Cooking, steam and fires in homes: which of them reach 119, and when.

Each event is drawn (``vigil_sim.smoke.events``) and felt by two alarms, in its room and in the next
one, whose Zigbee2MQTT messages, of which a bad link swallows 2 %, are read by the edge's own codec
and state. What the edge tells goes to a cloud with real tables; its jobs look each second. Whoever
is at home takes a nuisance alarm back with the home's code: 90 % of them, after 20 s (log-normal,
median). Nothing that is published says how often people answer: smoke that goes on rising asks them
again, and each figure is told of people who answer ``each-time`` and of people who answer ``once``
and never again. Nobody takes a fire back; of the fires by themselves it is tried what becomes of
them where somebody does (``wrongly-taken-back``). Clocks are moved, nothing is waited for.

And the public table of a sensor board, judged by contiguous blocks: its labels run in 11 runs, so
that a random split would be judged on its own neighbours.
"""

from __future__ import annotations

import gzip
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Final, Literal, get_args

import numpy as np
from sqlalchemy import insert, select

import data
from cloud_city import City
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.identity import households
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify import planning
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.smoke import decision, fires
from vigil_cloud.smoke.fire_errors import CodeTakesNothingBack
from vigil_cloud.smoke.live import Watch
from vigil_cloud.smoke.models import Fire, FireStep
from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_schemas.smoke import SmokeAlarm
from vigil_sim.smoke import chamber, events
from vigil_sim.smoke.alarm import Condition, SensingChamber, ZigbeeAlarm, dumped, message
from vigil_sim.smoke.chamber import Felt, Kind

SCALE: Final = float(os.environ.get("VIGIL_SCALE", "0.25"))
"""Of the numbers below; the figures of decision 121 are of 0.5 and more."""
SEED: Final = int(os.environ.get("VIGIL_SEED", "20261127"))


def _number(variable: str, at_full_scale: int) -> int:
    return int(os.environ.get(variable, str(max(1, round(at_full_scale * SCALE)))))


EVENTS: Final[dict[Kind, int]] = {
    "cooking": _number("VIGIL_COOKING", 1200),
    "burnt-food": _number("VIGIL_BURNT", 120),
    "steam": _number("VIGIL_STEAM", 600),
    "smouldering": _number("VIGIL_FIRES", 100),
    "flaming": _number("VIGIL_FIRES", 100),
}
AT_HOME: Final = 0.9
ANSWERS_S: Final = 20.0
LOST: Final = 0.02
UNTIL_S: Final = 1_800
WATCHED_S: Final = int(os.environ.get("VIGIL_WATCHED_S", "300"))
"""After the first alarm of a home: the window, and ten seconds, and that once or twice more."""
PROGRESS_EVERY: Final = 30
Answers = Literal["each-time", "once", "wrongly-taken-back"]
TRIED: Final = os.environ.get("VIGIL_ANSWERS", " ".join(get_args(Answers))).split()
"""How people answer, in this run."""
EVENING: Final = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
"""18:00 in the city."""


@dataclass
class Home:
    """One event in one home, from the moment at which its first alarm rings."""

    number: int
    kind: Kind
    felt: list[Felt]
    threshold: float
    rng: random.Random
    begins_s: int = 0
    """Of ``felt``, at the bench's second 0."""
    alarms: list[SensingChamber] = field(default_factory=list)
    edge: Alarms | None = None
    sent: dict[str, tuple[Condition, float]] = field(default_factory=dict)
    answers_s: float | None = None
    """So long after they are asked; ``None``: nobody does (any more)."""
    person_s: float | None = None
    """The same as it was at first."""
    askings: list[datetime] = field(default_factory=list)
    """When the home was asked: at its first alarm, and of more smoke than was taken back."""
    answered: bool = False
    """It was taken back since then."""
    first: datetime | None = None
    second: datetime | None = None
    hot: datetime | None = None

    @property
    def key(self) -> str:
        return f"home-{self.number}"

    def at(self, t: float) -> Felt:
        return self.felt[min(max(int(t) + self.begins_s, 0), len(self.felt) - 1)]


def drawn(answers: Answers, seed: int = SEED) -> list[Home]:
    """Those in which an alarm rings at all; the same events however people answer."""
    rng, homes, number = random.Random(seed), [], 0
    for kind, count in EVENTS.items():
        for _ in range(count):
            number += 1
            own = random.Random(rng.random())
            if answers == "wrongly-taken-back" and kind not in chamber.FIRES:
                continue
            felt = list(chamber.felt(events.source(kind, own), events.room(kind, own), UNTIL_S))
            home = Home(number, kind, felt, own.uniform(2.0, 4.5), own)
            rings = next(
                (f.t for f in felt if home.threshold <= max(f.obscuration, f.beyond)), None
            )
            if rings is not None:
                home.begins_s = int(rings) - own.randrange(20, 60)
                homes.append(home)
    return homes


def installed(home: Home, answers: Answers) -> None:
    """Two alarms behind a bridge; half of them tell a temperature."""
    tells = home.rng.random() < 0.5
    places = {"kitchen": lambda t: home.at(t).obscuration, "hall": lambda t: home.at(t).beyond}
    for place, smoke in places.items():
        warm = (lambda t: home.at(t).celsius) if tells and place == "kitchen" else None
        made = ZigbeeAlarm(
            place, f"{home.key}-{place}", smoke, threshold=home.threshold, celsius=warm
        )
        home.alarms.append(SensingChamber(made))
    home.edge = Alarms(None, EVENING, 0.0)
    nuisance = home.kind not in chamber.FIRES and home.rng.random() < AT_HOME
    if nuisance or answers == "wrongly-taken-back":
        home.person_s = home.answers_s = ANSWERS_S * home.rng.lognormvariate(0, 0.6)


def told(home: Home, t: int, now: datetime) -> Iterator[tuple[str, SmokeAlarm]]:
    """What the edge makes of what its alarms say at this second."""
    assert home.edge is not None
    for each in home.alarms:
        condition = each.sense(t)
        before, then = home.sent.get(each.alarm.device, (None, -1e9))
        due = t - then >= (5 if condition.smoke else 60)
        if before is not None and not condition.differs(before) and not due:
            continue
        home.sent[each.alarm.device] = (condition, t)
        if events.radio_lost(home.rng, LOST):
            continue
        said = dumped(message(each.alarm, condition, each.link_quality(), now.timestamp()))
        receipt = Receipt(now, float(t), trace=f"{each.alarm.device}-{t}")
        yield from home.edge.take(each.alarm.device, zigbee2mqtt.read(said), receipt)


class Cloud:
    """A city with every home that rings."""

    def __init__(self, folder: Path, homes: list[Home], answers: Answers) -> None:
        self.answers = answers
        self.city = City(folder, emergency_url="http://127.0.0.1:9/cap")
        self.city.time = EVENING - timedelta(days=1)
        self.seconds = 0.0
        self.watch = Watch(lambda: self.seconds)
        with writing(self.city.services.sessions) as session:
            session.execute(insert(Account), [self._account(home) for home in homes])
        with writing(self.city.services.sessions) as session:
            for home in homes:
                self._furnish(session, home)
        self.city.time = EVENING

    def _account(self, home: Home) -> dict[str, object]:
        return {
            "username": home.key,
            "display_name": "",
            "password_hash": "-",
            "roles": [Role.FAMILY.value],
            "created": self.city.time,
        }

    def _furnish(self, session: object, home: Home) -> None:
        city = self.city
        account = account_named(session, home.key)  # type: ignore[arg-type]
        described = households.Described(home.key, "1 Road", None, (23.48, 120.44))
        households.put(session, city.cipher, home.key, described, by="b", now=city.time)  # type: ignore[arg-type]
        households.add_member(
            session,  # type: ignore[arg-type]
            home.key,
            by="b",
            now=city.time,
            account=account,
            relation=Relation.RESIDENT,
        )
        for each in home.alarms:
            households.give_device(session, home.key, each.alarm.device, by="b", now=city.time)  # type: ignore[arg-type]
        session.add(self._channel(home, account.id))  # type: ignore[attr-defined]

    def _channel(self, home: Home, account_id: int) -> Channel:
        sealed = self.city.cipher.seal("channel.url", "json://127.0.0.1:9/")
        return Channel(
            name=home.key,
            url=sealed,
            account_id=account_id,
            enabled=True,
            language="en",
            domains=[],
            minimum="info",
            escalate_after_s=0,
        )

    def second(self, t: int, homes: list[Home]) -> None:
        now = self.city.time = EVENING + timedelta(seconds=t)
        self.seconds = float(t)
        for home in homes:
            for device, event in told(home, t, now):
                self.city.send(event, device, f"gw-{home.number}")
                if event.active:
                    follow(home, device, event, now)
        self._answers(homes, now)
        planning.plan(self.city.services.sessions, now)
        self.watch.look(self.city.services)

    def _answers(self, homes: list[Home], now: datetime) -> None:
        for home in homes:
            if home.answers_s is None or not home.askings or home.answered:
                continue
            if (now - home.askings[-1]).total_seconds() < home.answers_s:
                continue
            with writing(self.city.services.sessions) as session:
                newest = select(Fire).where(Fire.household == home.key).order_by(Fire.opened.desc())
                row = session.scalars(newest.limit(1)).first()
                if row is not None and row.phase in ("asking", "called"):
                    try:
                        fires.code_given(session, row, home.key, now)
                        home.answered = True
                    except CodeTakesNothingBack:
                        home.answers_s = None  # a second alarm rings
            if self.answers != "each-time":
                home.answers_s = None


def follow(home: Home, device: str, event: SmokeAlarm, now: datetime) -> None:
    """When which sign was there first, and since when the home is asked: the edge repeats nothing,
    so that whatever it tells after the code is more than was taken back."""
    if event.condition not in ("smoke", "heat"):
        return
    if home.answered or not home.askings:
        home.askings.append(now)
        home.answered = False
    if home.first is None:
        home.first = now
        home.sent["first"] = home.sent[device]
    first = next(name for name in home.sent if name != "first")
    if home.second is None and (device != first or "second_alarm" in event.signs):
        home.second = now
    if home.hot is None and (event.condition == "heat" or "heat" in event.signs):
        home.hot = now


def main() -> int:
    print(f"nuisance_watched_s: {WATCHED_S}")
    print(f"nuisance_seed: {SEED}")
    for answers in get_args(Answers):
        if answers in TRIED:
            of_people(answers)
    table()
    return 0


def of_people(answers: Answers) -> None:
    """Every event once, with people who answer like this."""
    homes = drawn(answers)
    for home in homes:
        installed(home, answers)
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        cloud = Cloud(Path(folder), homes, answers)
        began = monotonic()
        for t in range(WATCHED_S):
            cloud.second(t, homes)
            if (t + 1) % PROGRESS_EVERY == 0:
                left_s = (monotonic() - began) / (t + 1) * (WATCHED_S - t - 1)
                said = f"{len(homes)} homes, second {t + 1} of {WATCHED_S}, {left_s:.0f} s left"
                print(f"nuisance {answers}: {said}", file=sys.stderr)
        report(cloud, homes)
        cloud.city.close()


def report(cloud: Cloud, homes: list[Home]) -> None:
    with cloud.city.services.sessions() as session:
        home_of = {row.id: row.household or "" for row in session.scalars(select(Fire))}
        called: dict[str, list[datetime]] = {}
        asked = select(EmergencyCall).where(EmergencyCall.takes_back.is_(None))
        for call in session.scalars(asked.order_by(EmergencyCall.asked)):
            called.setdefault(home_of[call.id.split(":")[1]], []).append(call.asked)
        decided: dict[str, str] = {}
        lines = select(FireStep).where(FireStep.what.startswith("called:")).order_by(FireStep.id)
        for line in session.scalars(lines):
            decided.setdefault(home_of[line.fire], line.what.partition(":")[2])
        late = [
            (row.due - row.queued).total_seconds()
            for row in session.scalars(select(Delivery).where(Delivery.purpose == "raised"))
            if row.queued is not None
        ]
    name = f"nuisance_{cloud.answers.replace('-', '_')}"
    shares(name, homes, called)
    reasons(name, homes, decided)
    timings(name, homes, called)
    print(f"{name}_home_call_delayed_s_worst: {max(late, default=0):.1f}")


def shares(name: str, homes: list[Home], called: dict[str, list[datetime]]) -> None:
    """Of the events of each kind, how many rang and how many reached 119."""
    for kind, number in EVENTS.items():
        rang = [home for home in homes if home.kind == kind]
        if not rang:
            continue
        reached = [home for home in rang if home.key in called]
        print(f"{name}_{kind}_events: {number}")
        print(f"{name}_{kind}_rang_percent: {100 * len(rang) / number:.1f}")
        print(f"{name}_{kind}_reached_119_percent: {100 * len(reached) / number:.1f}")
    nuisance = [home for home in homes if home.kind not in chamber.FIRES]
    if not nuisance:
        return
    count = _nuisances()
    reached = [home for home in nuisance if home.key in called]
    print(f"{name}_reached_119_percent: {100 * len(reached) / count:.2f}")
    print(f"{name}_of_alarms_reached_119_percent: {100 * len(reached) / len(nuisance):.1f}")


def reasons(name: str, homes: list[Home], decided: dict[str, str]) -> None:
    """What had 119 called to cooking, burnt food and steam, and who was there to take it back:
    what nobody could is the least that any rule leaves which calls when nobody answers."""
    found: Counter[str] = Counter()
    for home in homes:
        if home.kind in chamber.FIRES or home.key not in decided:
            continue
        window_s = decision.WINDOW.total_seconds()
        there = "nobody_home" if home.person_s is None else "somebody_home"
        if home.person_s is not None and home.person_s > window_s:
            there = "answers_after_the_window"
        found[f"{decided[home.key].replace('-', '_')}_{there}"] += 1
    for reason, number in sorted(found.items()):
        print(f"{name}_119_because_{reason}_percent: {100 * number / _nuisances():.2f}")


def _nuisances() -> int:
    return sum(EVENTS[kind] for kind in EVENTS if kind not in chamber.FIRES)


def timings(name: str, homes: list[Home], called: dict[str, list[datetime]]) -> None:
    """From the sign that decides to the call to 119, by the cloud's clock in steps of a second.
    A window runs since the home was asked last: before that somebody had taken it back."""
    waits: dict[str, list[float]] = {"two": [], "heat": [], "window": []}
    for home in homes:
        for at in called.get(home.key, []):
            asked = max(one for one in home.askings if one <= at)
            signs = [(home.second, "two"), (home.hot, "heat")]
            # What was there before the home was asked last had been taken back.
            known = [(when, sign) for when, sign in signs if when and asked <= when <= at]
            since, decides = min(known, default=(asked, "window"))
            waits[decides].append((at - since).total_seconds())
    missed = sum(home.kind in chamber.FIRES and home.key not in called for home in homes)
    print(f"{name}_fires_not_called: {missed}")
    for sign, found in waits.items():
        print(f"{name}_119_{sign}_count: {len(found)}")
        print(f"{name}_119_{sign}_worst_s: {max(found, default=0):.0f}")
        print(f"{name}_119_{sign}_mean_s: {mean(found) if found else 0:.1f}")


def learned(
    features: np.ndarray, label: np.ndarray, rounds: int = 30, ridge: float = 1e-3
) -> Callable[[np.ndarray], np.ndarray]:
    """Logistic regression by Newton's method, on standardised features."""
    centre, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)

    def design(some: np.ndarray) -> np.ndarray:
        return np.column_stack((np.ones(len(some)), (some - centre) / scale))

    x, weights = design(features), np.zeros(features.shape[1] + 1)
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (label - p) - ridge * len(x) * weights
        curve = (x * (p * (1 - p))[:, None]).T @ x + ridge * len(x) * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return lambda some: design(some) @ weights > 0


def table(blocks: int = 10) -> None:
    """Logistic regression on the public table: each block by what the others taught."""
    file = data.SHARED / "smoke" / "smoke_iot_3_features.csv.gz"
    if not file.is_file():
        print("nuisance_table: not here")
        return
    with gzip.open(file, "rt") as opened:
        names = opened.readline().strip().split(",")
        rows = np.loadtxt(opened, delimiter=",")
    label = rows[:, -1] > 0.5
    features = rows[:, 1:-1]  # without the number of the row, which tells the label alone
    right = np.zeros(len(rows), bool)
    for block in np.array_split(np.arange(len(rows)), blocks):
        rest = np.ones(len(rows), bool)
        rest[block] = False
        right[block] = learned(features[rest], label[rest])(features[block]) == label[block]
    share = max(label.mean(), 1 - label.mean())
    print(f"nuisance_table_rows: {len(rows)} ({', '.join(names)})")
    print(f"nuisance_table_blocks: {blocks} contiguous")
    print(f"nuisance_table_accuracy_percent: {100 * right.mean():.1f}")
    print(f"nuisance_table_majority_percent: {100 * share:.1f}")
