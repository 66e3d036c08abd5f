"""What a city sends when nothing happens: births, readings, visits, health."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.gateway import DeviceDescription, GatewayBirth, GatewayHealth
from vigil_schemas.types import ClockQuality, Lane
from vigil_sim.week.behaviour import DAY_S, HOUR_S, MINUTE_S
from vigil_sim.week.messages import Sent, record
from vigil_sim.week.population import CABINETS_A_GATEWAY, HOMES_A_GATEWAY, tag
from vigil_sim.week.stage import Stage

ROUND_S: Final = 30 * MINUTE_S
"""Gateways tell what piled up so long; a real agent sends its readings within a minute. 30 readings
of 5 parameters are 150 records a pack, of at most 200 that an agent puts into one."""
HEALTH_S: Final = 3 * HOUR_S
WATER: Final[Sequence[tuple[str, str | None, float, float, float]]] = (
    ("temperature", "Cel", 24.0, 2.0, 0.05),
    ("specific_conductance", "S/m", 0.045, 0.004, 0.0006),
    ("pH", "pH", 7.4, 0.15, 0.02),
    ("dissolved_oxygen", "kg/m3", 0.0068, 0.0011, 0.00008),
    ("turbidity_FNU", None, 14.0, 2.0, 0.8),
)
"""Parameter, unit, mean, half of the day's swing, noise."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """What of the volume is not sent, and by how much less."""

    what: str
    what_zh: str
    of: str
    of_zh: str


THINNED: Final = (
    Thinned(
        "readings are sent every 30 minutes",
        "每 30 分鐘傳送一次量測值",
        "by an agent within a minute; every reading of a probe (one a minute) is there",
        "實際閘道器於一分鐘內傳送；感測器每分鐘一筆，筆數不減",
    ),
    Thinned(
        "noise levels: one a minute",
        "噪音位準：每分鐘一筆",
        "one a second in service: 1 of 60",
        "實際每秒一筆：取 1/60",
    ),
    Thinned(
        "smoke alarms: one battery report a week, of one alarm a home",
        "住警器：每戶一具、每週一筆電量",
        "several a day: about 1 of 30",
        "實際每日數筆：約取 1/30",
    ),
    Thinned(
        "health of gateways: every 3 hours, of those that measure nothing",
        "閘道器健康狀態：每 3 小時，限不量測者",
        "once a minute: 1 of 180",
        "實際每分鐘一筆：取 1/180",
    ),
    Thinned(
        "volunteers: only those within 1.5 km of a cabinet whose button is pressed go on call",
        "志工：僅 AED 按鈕被按下時 1.5 公里內者待命",
        "all of them all the time, with a position every few minutes",
        "實際全員隨時待命並每數分鐘回報位置",
    ),
    Thinned(
        "burnt rice: 1 of 25",
        "烹調誤報：取 1/25",
        "0.14 a home and week",
        "每戶每週 0.14 次",
    ),
    Thinned(
        "accounts and telephones of those homes alone to which something happens",
        "僅發生事件之住戶有帳號與手機",
        "one a home",
        "實際每戶皆有",
    ),
    Thinned(
        "one MQTT connection carries every gateway",
        "單一 MQTT 連線代表所有閘道器",
        "one connection a gateway",
        "實際每具閘道器一條連線",
    ),
    Thinned(
        "sealed evidence holds one small file",
        "封存證據僅含一個小檔",
        "sound and pictures, some megabytes",
        "實際為聲音與影像，數 MB",
    ),
)


def key_of(gateway: str, seed: int) -> Ed25519PrivateKey:
    """What a gateway seals its evidence with."""
    return Ed25519PrivateKey.from_private_bytes(
        random.Random(f"{seed}/key/{gateway}").randbytes(32)
    )


class Everyday:
    """Rounds of half an hour."""

    def __init__(self, stage: Stage, length_s: float) -> None:
        self._stage = stage
        self._length_s = length_s
        self._noise = np.random.default_rng(stage.population.seed)
        self._random = random.Random(f"{stage.population.seed}/everyday")
        self._leaving: list[tuple[float, int, CheckinVisit, int]] = []
        self._visits = 0

    def schedule(self) -> None:
        """Births at once, then a round each half hour."""
        self._stage.at(0.0, self._births)
        rounds = int(self._length_s // ROUND_S)
        for number in range(1, rounds + 1):
            self._stage.at(number * ROUND_S, self._round)

    def _births(self, at_s: float) -> None:
        stage, births = self._stage, []
        at = stage.moment(at_s)
        for gateway, devices in stage.population.gateways():
            public = key_of(gateway, stage.population.seed).public_key().public_bytes_raw().hex()
            birth = GatewayBirth(
                session=1,
                started=at,
                software="vigil-sim week",
                epoch=stage.outboxes.epoch,
                public_key=public,
                devices=[
                    DeviceDescription(
                        device=one.device,
                        domain=one.domain,
                        driver="simulated",
                        name=one.name,
                        name_zh=one.name_zh,
                        latitude=one.at[0],
                        longitude=one.at[1],
                    )
                    for one in devices
                ],
            )
            births.append(stage.outboxes.birth(gateway, at, birth))
        stage.uplink.send(births)
        # No receipt confirms a birth; one of health, in the same intake behind it, does.
        stage.tell(*self._health(at_s, every_gateway=True))

    def _round(self, at_s: float) -> None:
        self._stage.uplink.send(self._readings(at_s))
        self._stage.uplink.send(self._people(at_s))
        if at_s % HEALTH_S == 0:
            self._stage.uplink.send(self._health(at_s, every_gateway=False))
        self._stage.uplink.flush()

    def _readings(self, at_s: float) -> Iterator[Sent]:
        stage, size = self._stage, self._stage.population.size
        first, at = stage.moment(at_s - ROUND_S), stage.moment(at_s)
        minutes = int(ROUND_S // MINUTE_S)
        swing = np.sin(2 * np.pi * (at_s - ROUND_S + np.arange(minutes) * MINUTE_S) / DAY_S)
        for probe in range(size.probes):
            records = [
                record(parameter, unit, offset * MINUTE_S, value)
                for parameter, unit, mean, half, noise in WATER
                for offset, value in enumerate(
                    (mean + half * swing + noise * self._noise.standard_normal(minutes)).tolist()
                )
            ]
            name = f"probe-{probe}"
            yield stage.outboxes.pack(f"gw-{name}", "water", name, at, records, first)
        for camera in range(size.cameras):
            levels = (62.0 + 6.0 * swing + self._noise.standard_normal(minutes)).tolist()
            records = [
                record(parameter, "dB", offset * MINUTE_S, level + more)
                for parameter, more in (("LAeq", 0.0), ("LAFmax", 9.0))
                for offset, level in enumerate(levels)
            ]
            name = f"camera-{camera}"
            yield stage.outboxes.pack(f"gw-{name}", "noise", name, at, records, first)
        for station in range(size.stations):
            name = f"station-{station}"
            records = [
                record(parameter, "count", offset * 10 * MINUTE_S, float(value))
                for parameter, most in (("tags_seen", 5), ("adverts", 400))
                for offset, value in enumerate(self._noise.integers(0, most, 3).tolist())
            ]
            yield stage.outboxes.pack(f"gw-{name}", "checkin", name, at, records, first)
        yield from self._batteries(at_s)

    def _batteries(self, at_s: float) -> Iterator[Sent]:
        """Each home once in the week, spread over its rounds."""
        stage = self._stage
        rounds = max(1, int(self._length_s // ROUND_S))
        turn = int(at_s // ROUND_S) % rounds
        for home in range(turn, stage.population.size.homes, rounds):
            level = record("battery", "%", 0.0, 60.0 + home % 40)
            yield stage.outboxes.pack(
                f"gw-alarm-{home // HOMES_A_GATEWAY}",
                "smoke",
                f"alarm-{home}a",
                stage.moment(at_s),
                [level],
                stage.moment(at_s - 60),
            )

    def _people(self, at_s: float) -> Iterator[Sent]:
        """Visits that began or ended since the last round; between six and twenty-one o'clock."""
        stage, draw = self._stage, self._random
        given = stage.population.given["checkin.visits_per_elder_day"]
        hour = (at_s - ROUND_S) % DAY_S / HOUR_S
        share = given * ROUND_S / (15 * HOUR_S) if 6 <= hour < 21 else 0.0
        began: list[tuple[float, CheckinVisit, int]] = []
        for elder in range(stage.population.size.elders):
            if elder in stage.away or draw.random() >= share:
                continue
            at = at_s - draw.uniform(0.0, ROUND_S)
            visit, station = self.visit(elder, at), draw.randrange(stage.population.size.stations)
            began.append((at, visit, station))
        for at, visit, station in sorted(began, key=lambda one: one[0]):
            yield self.told(visit, station, at)
            stays = draw.uniform(3, 25) * MINUTE_S
            self._visits += 1
            heapq.heappush(self._leaving, (at + stays, self._visits, visit, station))
        while self._leaving and self._leaving[0][0] <= at_s:
            left, _, visit, station = heapq.heappop(self._leaving)
            gone = visit.model_copy(
                update={"phase": "departed", "last_seen": stage.moment(left), "sightings": 20}
            )
            yield self.told(gone, station, left)

    def visit(self, elder: int, at_s: float) -> CheckinVisit:
        """An arrival."""
        at = self._stage.moment(at_s)
        return CheckinVisit(
            visit_id=f"v-{elder}-{round(at_s * 1000)}",
            phase="arrived",
            tag=tag(elder),
            carrier="ble",
            arrived=at,
            last_seen=at,
            sightings=2,
            rssi_max_dbm=-64.0,
        )

    def told(self, visit: CheckinVisit, station: int, at_s: float) -> Sent:
        """As the station's gateway sends it."""
        name = f"station-{station}"
        at = self._stage.moment(at_s)
        return self._stage.outboxes.event(Lane.EVENT, f"gw-{name}", name, at, visit)

    def _health(self, at_s: float, *, every_gateway: bool) -> Iterator[Sent]:
        stage, size = self._stage, self._stage.population.size
        quiet = [f"gw-aed-{one}" for one in range(-(-size.aeds // CABINETS_A_GATEWAY))]
        quiet += [f"gw-alarm-{one}" for one in range(-(-size.homes // HOMES_A_GATEWAY))]
        names = [name for name, _ in stage.population.gateways()] if every_gateway else quiet
        for name in names:
            health = GatewayHealth(
                uptime_s=at_s,
                resident_bytes=90_000_000,
                cpu_percent=4.0,
                disk_free_bytes=8_000_000_000,
                clock_quality=ClockQuality.SYNCHRONISED,
                outbox=[],
                sources=[],
            )
            yield stage.outboxes.event(Lane.EVENT, name, name, stage.moment(at_s), health)
