"""The watch list of a station: tags that are told of at once. Pure: time comes in.

It holds nothing but tag ids and until when each is looked for. What is over is forgotten by
itself, whether the cloud is there to say so or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid5

from vigil_edge.checkin.track import Sighting
from vigil_edge.checkin.visits import NAMESPACE, Carrier
from vigil_schemas.checkin import CheckinSighting, sighting_model
from vigil_schemas.commands import WatchList
from vigil_schemas.senml import instant, microseconds

AGAIN: Final = timedelta(seconds=60)
"""A tag that stays is told of again this often."""
_AGAIN_US: Final = AGAIN // timedelta(microseconds=1)


class Watch:
    """One station's list, and when each tag of it was told of last."""

    def __init__(self, station: str, carrier: Carrier, state: bytes | None = None) -> None:
        self._station = station
        self._carrier: Carrier = carrier
        self._revision = 0
        self._until_us: dict[str, int] = {}
        self._told_us: dict[str, int] = {}
        if state:
            kept = json.loads(state)
            self._revision, self._until_us = kept["revision"], kept["until_us"]

    def __len__(self) -> int:
        return len(self._until_us)

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = {"revision": self._revision, "until_us": self._until_us}
        return json.dumps(kept, separators=(",", ":")).encode()

    def replaced(self, wanted: WatchList, now: datetime) -> Watch | None:
        """As the cloud wants it; ``None`` where the list that is here is as new or newer."""
        if wanted.revision <= self._revision:
            return None
        new = Watch(self._station, self._carrier)
        now_us = microseconds(now)
        new._revision = wanted.revision
        for entry in wanted.entries:
            if (until_us := microseconds(entry.until)) > now_us:
                new._until_us[entry.id] = until_us
        new._told_us = {tag: at for tag, at in self._told_us.items() if tag in new._until_us}
        return new

    def forget(self, now: datetime) -> bool:
        """Drop what is over by now; whether anything was."""
        now_us = microseconds(now)
        over = [tag for tag, until_us in self._until_us.items() if until_us <= now_us]
        for tag in over:
            del self._until_us[tag]
            self._told_us.pop(tag, None)
        return bool(over)

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by so much: how long ago something was told does not change."""
        step_us = step // timedelta(microseconds=1)
        self._told_us = {tag: at + step_us for tag, at in self._told_us.items()}

    def take(self, sightings: Iterable[Sighting]) -> list[CheckinSighting]:
        """What is told at once: the first sign of a tag that is looked for, and later ones."""
        found: list[CheckinSighting] = []
        for sighting in sightings if self._until_us else ():
            if sighting.tag not in self._until_us:
                continue
            seen_us = microseconds(sighting.time)
            told_us = self._told_us.get(sighting.tag)
            if told_us is not None and seen_us - told_us < _AGAIN_US:
                continue
            self._told_us[sighting.tag] = seen_us
            found.append(self._told(sighting, seen_us))
        return found

    def _told(self, sighting: Sighting, seen_us: int) -> CheckinSighting:
        rssi = sighting.rssi
        return sighting_model(sighting.tag)(
            sighting_id=str(uuid5(NAMESPACE, f"{self._station}/seen/{sighting.tag}/{seen_us}")),
            tag=sighting.tag,
            carrier=self._carrier,
            seen=instant(seen_us),
            rssi_dbm=None if rssi is None else min(max(rssi, -130.0), 20.0),
            antenna=sighting.antenna,
            position=sighting.position,
        )
