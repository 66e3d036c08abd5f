"""1,000 simulated arrests at the cabinets of a city: from the button to the first summons.

A city of the size of the service that this follows: 250 AEDs, 5,025 volunteers on call, streets in
a grid of 100 m over 8 by 8 km. Each press is stored as ingest stores it and led as the job leads
it, in one process on SQLite. The job looks each second: what a press waits for it is added, drawn
evenly. ``reach`` counts whom the plan could call, ``500m`` the rule of the service that this
follows.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from datetime import timedelta
from math import cos, hypot, radians
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from sqlalchemy import insert, select, update

from cloud_city import City
from vigil_cloud.aed import live
from vigil_cloud.aed.models import AedCallout, AedCallRow, AedSite, AedVolunteer
from vigil_cloud.aed.on_call import POSITION_COLUMN
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_schemas.aed import AedCall

ARRESTS: Final = 1_000
VOLUNTEERS: Final = 5_025
AEDS: Final = 250
CENTRE: Final = (120.4437, 23.4801)
HALF_M: Final = 4_000
BLOCK_M: Final = 100
_DEGREE_M: Final = 111_195.0
Point = tuple[float, float]


def at(east_m: float, north_m: float) -> Point:
    """Longitude and latitude."""
    shrink = cos(radians(CENTRE[1]))
    return CENTRE[0] + east_m / (_DEGREE_M * shrink), CENTRE[1] + north_m / _DEGREE_M


def apart_m(one: Point, other: Point) -> float:
    east = (one[0] - other[0]) * _DEGREE_M * cos(radians(CENTRE[1]))
    return hypot(east, (one[1] - other[1]) * _DEGREE_M)


def grid() -> str:
    """Streets as GeoJSON."""
    steps = range(-HALF_M, HALF_M + 1, BLOCK_M)
    lines = [[at(x, y) for x in steps] for y in steps] + [[at(x, y) for y in steps] for x in steps]
    shapes = [{"type": "LineString", "coordinates": line} for line in lines]
    return json.dumps({"type": "GeometryCollection", "geometries": shapes})


class Furnished:
    """The city, and where everybody is."""

    def __init__(self, folder: Path, seed: int = 20260718) -> None:
        self.random = random.Random(seed)
        self.city = City(folder)
        (folder / live.STREETS).write_text(grid(), "utf-8")
        self.people = [self._somewhere() for _ in range(VOLUNTEERS)]
        self.aeds = [self._somewhere() for _ in range(AEDS)]
        with writing(self.city.services.sessions) as session:
            accounts = [
                {
                    "username": f"v{number:04}",
                    "display_name": "",
                    "password_hash": "-",
                    "roles": [Role.VOLUNTEER.value],
                    "created": self.city.time,
                }
                for number in range(VOLUNTEERS)
            ]
            session.execute(insert(Account), accounts)
            ids = session.scalars(select(Account.id).order_by(Account.username)).all()
            cipher = self.city.cipher
            session.execute(
                insert(AedVolunteer),
                [
                    {
                        "account_id": account,
                        "consented": self.city.time,
                        "certificate_until": (self.city.time + timedelta(days=999)).date(),
                        "on_call": True,
                        "speed_mps": self.random.choice((1.4, 1.8, 2.3, 5.0)),
                        "position": cipher.seal(POSITION_COLUMN, json.dumps(where)),
                        "located": self.city.time,
                    }
                    for account, where in zip(ids, self.people, strict=True)
                ],
            )
            session.execute(
                insert(AedSite),
                [
                    {
                        "id": f"aed-{number}",
                        "name": f"AED {number}",
                        "longitude": where[0],
                        "latitude": where[1],
                        "device": f"aed-{number}",
                        "opening_hours": "24/7" if number % 7 else "Mo-Su 08:00-22:00",
                        "updated": self.city.time,
                    }
                    for number, where in enumerate(self.aeds)
                ],
            )

    def _somewhere(self) -> Point:
        side = (-HALF_M, HALF_M)
        return at(self.random.uniform(*side), self.random.uniform(*side))

    def arrest(self, number: int) -> tuple[float, int, float | None]:
        """Seconds from the press to the first summons, how many could come, and when the first
        of those who are called is expected."""
        city, cabinet = self.city, self.random.randrange(AEDS)
        city.later(minutes=self.random.uniform(5, 60))
        with writing(city.services.sessions) as session:
            session.execute(update(AedVolunteer).values(located=city.time))
        call = f"call-{number:05}"
        waits_s = self.random.uniform(0, live.EVERY.total_seconds())
        began = time.perf_counter()
        city.send(AedCall(call_id=call, pressed=city.time), f"aed-{cabinet}", f"gw-{cabinet}")
        live.look(city.services)
        took_s = time.perf_counter() - began + waits_s
        with writing(city.services.sessions) as session:
            row = session.get_one(AedCallRow, f"gw-{cabinet}:{call}")
            predicted = session.scalars(
                select(AedCallout.predicted_s).where(AedCallout.call_id == row.id)
            ).all()
            alert = session.get_one(AlertRow, row.alert_id)
            alert.confirmed = True
        live.look(city.services)
        near = sum(apart_m(self.aeds[cabinet], one) <= 500 for one in self.people)
        return took_s, near, min(predicted, default=None)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-aed-") as name:
        furnished = Furnished(Path(name))
        found = [furnished.arrest(number) for number in range(ARRESTS)]
        furnished.city.close()
    took = [seconds for seconds, _, _ in found]
    coming = [first for _, _, first in found if first is not None]
    print(f"aed_button_to_summons_p50_s: {median(took):.2f}")
    print(f"aed_button_to_summons_p95_s: {quantiles(took, n=20)[-1]:.2f}")
    print(f"aed_somebody_in_reach_percent: {100 * len(coming) / len(found):.1f}")
    near = sum(number > 0 for _, number, _ in found)
    print(f"aed_somebody_within_500m_percent: {100 * near / len(found):.1f}")
    print(f"aed_first_expected_median_s: {median(coming):.0f}")
    return 0
