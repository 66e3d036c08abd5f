"""Who lives in the city and what stands in it: names, places, and the file that seeds the cloud."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from vigil_schemas.types import isoformat_utc
from vigil_sim import toml_text
from vigil_sim.demo.accounts import PASSWORD
from vigil_sim.week.assumptions import Assumptions
from vigil_sim.week.behaviour import Draw, Plan, Sizes, lapsed

LATITUDE: Final = 23.4801
LONGITUDE: Final = 120.4491
HALF_M: Final = 4_000.0
_DEGREE_M: Final = 111_195.0
TOKEN: Final = "token-of-{gateway}-in-the-simulated-week"  # noqa: S105 - of the demo alone
HOMES_A_GATEWAY: Final = 100
CABINETS_A_GATEWAY: Final = 10
THRESHOLD_DB: Final = 86.0
"""Of every camera, and the limit of its road: 50 km/h or less [S]."""
CODE: Final = "483920"
"""Of homes that have one."""
REVIEWERS: Final = ("reviewer-1", "reviewer-2", "reviewer-3")
STAFF: Final[Mapping[str, tuple[str, ...]]] = {
    "duty": ("dispatcher",),
    "inspector": ("inspector",),
    "inspector-water": ("inspector",),
    **dict.fromkeys(REVIEWERS, ("reviewer",)),
    "police": ("police",),
    "admin": ("administrator",),
}
_MOST_CALLED_M: Final = 1_500.0


def place(kind: str, index: int, seed: int) -> tuple[float, float]:
    """Latitude and longitude of one thing, always the same."""
    draw = random.Random(f"{seed}/place/{kind}/{index}")
    east, north = draw.uniform(-HALF_M, HALF_M), draw.uniform(-HALF_M, HALF_M)
    shrink = math.cos(math.radians(LATITUDE))
    return (
        round(LATITUDE + north / _DEGREE_M, 6),
        round(LONGITUDE + east / (_DEGREE_M * shrink), 6),
    )


def apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """As the crow flies, over a city."""
    east = (one[1] - other[1]) * _DEGREE_M * math.cos(math.radians(LATITUDE))
    return math.hypot(east, (one[0] - other[0]) * _DEGREE_M)


def tag(elder: int) -> str:
    """The beacon in an elder's amulet."""
    return f"ibeacon:{0xC41A:032x}:1:{elder}"


@dataclass(frozen=True, slots=True)
class Described:
    """A device as its gateway's birth describes it."""

    device: str
    domain: str
    name: str
    name_zh: str
    at: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Population:
    """A city of one size and seed. Names are made of numbers: nobody is meant by them."""

    seed: int
    size: Sizes
    given: Assumptions
    start: datetime

    def gateways(self) -> Iterator[tuple[str, list[Described]]]:
        """Every gateway with its devices."""
        for kind, domain, count, name, name_zh in (
            ("station", "checkin", self.size.stations, "Station", "站點"),
            ("probe", "water", self.size.probes, "Probe", "水質感測器"),
            ("camera", "noise", self.size.cameras, "Noise camera", "噪音相機"),
        ):
            for number in range(count):
                at = place(kind, number, self.seed)
                described = Described(
                    f"{kind}-{number}", domain, f"{name} {number}", f"{name_zh} {number}", at
                )
                yield f"gw-{kind}-{number}", [described]
        yield from self._shared("aed", "aed", self.size.aeds, CABINETS_A_GATEWAY)
        yield from self._shared("alarm", "smoke", self.size.homes, HOMES_A_GATEWAY)

    def _shared(
        self, kind: str, domain: str, count: int, each: int
    ) -> Iterator[tuple[str, list[Described]]]:
        words = {"aed": ("AED", "AED"), "alarm": ("Home", "住家")}[kind]
        for first in range(0, count, each):
            numbers = range(first, min(count, first + each))
            devices = [
                Described(
                    f"{kind}-{number}{part}",
                    domain,
                    f"{words[0]} {number}",
                    f"{words[1]} {number}",
                    place(kind, number, self.seed),
                )
                for number in numbers
                for part in (("",) if kind == "aed" else ("a", "b"))
            ]
            yield f"gw-{kind}-{first // each}", devices

    def opening_hours(self, site: int) -> str:
        """Opening hours of one AED's place."""
        draw = Draw(self.seed, "site", site)
        outdoors = draw.chance(self.given["aed.outdoors"])
        left = draw.uniform(0.0, sum(one.share for one in self.given.venues))
        if outdoors:
            return "24/7"
        for venue in self.given.venues:
            left -= venue.share
            if left <= 0:
                return venue.hours
        return self.given.venues[-1].hours

    def pads_expired(self, site: int) -> bool:
        """Whether its pads were too old when the week began."""
        return Draw(self.seed, "pads", site).chance(self.given["aed.pads_expired"])

    def near(self, cabinet: int) -> list[int]:
        """Volunteers who may be called to it, the nearest first."""
        here = place("aed", cabinet, self.seed)
        found = sorted(
            (apart_m(place("volunteer", one, self.seed), here), one)
            for one in range(self.size.volunteers)
        )
        return [one for metres, one in found if metres <= _MOST_CALLED_M][:60]


def seed_file(people: Population, plan: Plan, hook: str) -> str:
    """What ``vigil-cloud rehearse --seed`` reads. ``hook``: where channels lead to."""
    return toml_text.dumps(
        {
            "account": [*_accounts(people), *_of_homes(plan)],
            "gateway": [
                {"id": gateway, "token": TOKEN.format(gateway=gateway)}
                for gateway, _ in people.gateways()
            ],
            "person": [
                {
                    "key": f"elder-{number}",
                    "name": f"長者 {number}",
                    "guardians": [f"family-{number}"],
                }
                for number in range(people.size.elders)
            ],
            "tag": [
                {"tag": tag(number), "person": f"elder-{number}"}
                for number in range(people.size.elders)
            ],
            "consent": [
                {
                    "person": f"elder-{number}",
                    "account": f"family-{number}",
                    "expires_days": 365,
                    "scopes": ["last_place", "footprint", "live", "alerts"],
                }
                for number in range(people.size.elders)
            ],
            "household": [
                {
                    "key": f"home-{number}",
                    "name": f"Home {number}",
                    "address": f"{number} Week Road",
                    "latitude": place("alarm", number, people.seed)[0],
                    "longitude": place("alarm", number, people.seed)[1],
                    "devices": [f"alarm-{number}a", f"alarm-{number}b"],
                }
                for number in range(people.size.homes)
            ],
            "member": [
                {
                    "household": f"home-{number}",
                    "account": f"{who}-{number}",
                    "relation": relation,
                }
                for number in involved(plan)
                for who, relation in (("resident", "resident"), ("neighbour", "contact"))
            ],
            "channel": [
                {
                    "name": f"phone-{who}-{number}",
                    "url": f"{hook}/{who}-{number}",
                    "account": f"{who}-{number}",
                    "language": "zh-TW",
                }
                for number in involved(plan)
                for who in ("resident", "neighbour")
            ],
            **_things(people),
        }
    )


def involved(plan: Plan) -> list[int]:
    """Homes to which something happens: their people have accounts and telephones. The others
    have alarms and nobody who would be told of anything."""
    return sorted({one.home for one in plan.fires} | {one.home for one in plan.nuisances})


def _accounts(people: Population) -> Iterable[dict[str, Any]]:
    def account(name: str, *roles: str) -> dict[str, Any]:
        return {"username": name, "password": PASSWORD, "roles": list(roles)}

    yield from (account(name, *roles) for name, roles in STAFF.items())
    yield from (account(f"patrol-{one}", "maintainer") for one in range(people.size.patrollers))
    yield from (account(f"family-{one}", "family") for one in range(people.size.elders))
    yield from (account(f"volunteer-{one}", "volunteer") for one in range(people.size.volunteers))


def _of_homes(plan: Plan) -> list[dict[str, Any]]:
    """Accounts of those to whose homes something happens."""
    return [
        {"username": f"{who}-{number}", "password": PASSWORD, "roles": ["family"]}
        for number in involved(plan)
        for who in ("resident", "neighbour")
    ]


def _things(people: Population) -> dict[str, Any]:
    day, given, size = people.start.date(), people.given, people.size
    year = day + timedelta(days=365)
    sites = []
    for number in range(size.aeds):
        latitude, longitude = place("aed", number, people.seed)
        pads = day - timedelta(days=20) if people.pads_expired(number) else year
        sites.append(
            {
                "id": f"site-{number}",
                "name": f"AED {number}",
                "name_zh": f"AED {number}",
                "latitude": latitude,
                "longitude": longitude,
                "opening_hours": people.opening_hours(number),
                "pads_until": pads.isoformat(),
                "battery_until": year.isoformat(),
                "device": f"aed-{number}",
            }
        )
    cameras = range(size.cameras)
    return {
        "aed_site": sites,
        "volunteer": [
            {"username": f"volunteer-{one}", "certificate_until": year.isoformat()}
            for one in range(size.volunteers)
        ],
        "noise_intersection": [
            {
                "id": f"crossing-{one}",
                "name": f"Crossing {one}",
                "name_zh": f"路口 {one}",
                "latitude": place("camera", one, people.seed)[0],
                "longitude": place("camera", one, people.seed)[1],
            }
            for one in cameras
        ],
        "noise_road": [
            {
                "intersection": f"crossing-{one}",
                "valid_from": (day - timedelta(days=100)).isoformat(),
                "speed_limit_kmh": 50,
                "sign_distance_m": 100.0,
                "limits": [{"limit_db": THRESHOLD_DB}],
            }
            for one in cameras
        ],
        "noise_instrument": [{"serial": f"SLM-{one}"} for one in cameras],
        "noise_certificate": [
            {
                "instrument": f"SLM-{one}",
                "kind": kind,
                "number": f"{kind}-{one}",
                "valid_from": (day - timedelta(days=60)).isoformat(),
                "valid_until": (
                    day - timedelta(days=1)
                    if kind == "calibration" and lapsed(people.seed, one, given)
                    else year
                ).isoformat(),
            }
            for one in cameras
            for kind in ("verification", "comparison", "calibration")
        ],
        "noise_placement": [
            {
                "device": f"camera-{one}",
                "since": isoformat_utc(people.start - timedelta(days=50)),
                "intersection": f"crossing-{one}",
                "instrument": f"SLM-{one}",
            }
            for one in cameras
        ],
        "noise_rules": [
            {
                "valid_from": (day - timedelta(days=100)).isoformat(),
                "penalties": [
                    {"over_db": 0.0, "amount_twd": 1800},
                    {"over_db": 5.0, "amount_twd": 2700},
                    {"over_db": 10.0, "amount_twd": 3600},
                ],
            }
        ],
    }
