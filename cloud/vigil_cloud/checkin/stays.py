"""One stay from several visits. Pure.

A visit is what one station heard without a longer pause. Somebody who sits between two stations,
or behind a wall, is heard by one and the other in turn, and was at one place all the time:

* visits to one station with a pause of at most ``PAUSE`` are one;
* a station that moves (``position``) is at another place with each of its visits;
* stays at neighbouring stations (``NEIGHBOURS_M``) that overlap in time are one. Who walks from
  one to the next is heard by the first, then by the second, and was at two places.

What is doubtful is never merged with what is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.checkin.schema import VisitEntry
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity.whereabouts import Opening

PAUSE: Final = timedelta(minutes=15)
NEIGHBOURS_M: Final = 150.0


def merged(visits: Iterable[VisitEntry]) -> list[VisitEntry]:
    """Stays, by arrival. The order of the visits does not matter."""
    ordered = sorted(visits, key=lambda visit: (visit.arrived, visit.visit_id))
    groups: list[list[VisitEntry]] = []
    newest: dict[tuple[str, str | None], list[VisitEntry]] = {}
    for visit in ordered:
        # A station that moves is at another place with each visit.
        where = visit.device if visit.position is None else visit.visit_id
        key = (where, visit.doubt)
        group = newest.get(key)
        if group is not None and visit.arrived - _end(group) <= PAUSE:
            group.append(visit)
        else:
            newest[key] = [visit]
            groups.append(newest[key])
    return sorted(map(_one, _joined(groups)), key=lambda stay: (stay.arrived, stay.visit_id))


def opened(visits: Iterable[VisitEntry], opening: Opening) -> list[VisitEntry]:
    """Of single visits those that are open: nothing of before ``opening.since``, neither a visit
    that was over nor how one began that went on."""
    since = opening.since
    if since is None:
        return list(visits)
    return [
        visit if opening.reaches(visit.arrived) else _cut(visit, since)
        for visit in visits
        if opening.reaches(visit.departed or visit.last_seen)
    ]


def _cut(visit: VisitEntry, since: datetime) -> VisitEntry:
    still = visit.still_since
    return visit.model_copy(
        update={
            "arrived": since,
            "began_before": True,
            "still_since": None if still is None else max(still, since),
        }
    )


def _joined(groups: Sequence[list[VisitEntry]]) -> list[list[VisitEntry]]:
    """Groups of neighbouring stations that overlap in time, together: connected components."""
    open_groups: list[list[VisitEntry]] = []
    done: list[list[VisitEntry]] = []
    for group in sorted(groups, key=lambda one: one[0].arrived):
        begin = group[0].arrived
        done += [one for one in open_groups if _end(one) < begin]
        open_groups = [one for one in open_groups if _end(one) >= begin]
        near = [one for one in open_groups if _neighbours(one, group)]
        open_groups = [one for one in open_groups if not any(one is other for other in near)]
        open_groups.append([visit for one in (*near, group) for visit in one])
    return done + open_groups


def _neighbours(one: Sequence[VisitEntry], other: Sequence[VisitEntry]) -> bool:
    if one[0].doubt != other[0].doubt:
        return False
    for a in _places(one):
        for b in _places(other):
            if distance_m(a, b) <= NEIGHBOURS_M:
                return True
    return False


def _places(group: Sequence[VisitEntry]) -> set[tuple[float, float]]:
    return {
        (visit.latitude, visit.longitude)
        for visit in group
        if visit.latitude is not None and visit.longitude is not None
    }


def _end(group: Sequence[VisitEntry]) -> datetime:
    return max(visit.last_seen for visit in group)


def _one(group: Sequence[VisitEntry]) -> VisitEntry:
    """At the station that heard it most; it goes on while one of them says so, and what the
    latest sign says of its end holds else."""
    if len(group) == 1:
        return group[0]
    group = sorted(group, key=lambda visit: (visit.arrived, visit.visit_id))
    heard: dict[str, int] = {}
    for visit in group:
        heard[visit.device] = heard.get(visit.device, 0) + visit.sightings
    device = max(heard, key=lambda name: (heard[name], name))
    main = next(visit for visit in group if visit.device == device)
    last = max(group, key=lambda visit: (visit.last_seen, visit.departed is None))
    present = any(visit.present for visit in group)
    return main.model_copy(
        update={
            "visit_id": group[0].visit_id,
            "arrived": group[0].arrived,
            "last_seen": last.last_seen,
            "departed": None if present else last.departed,
            "silent_since": None if present else last.silent_since,
            "present": present,
            "sightings": sum(visit.sightings for visit in group),
            "late": all(visit.late for visit in group),
            "still_since": last.still_since,
            "merged": [visit.visit_id for visit in group[1:]],
            "began_before": group[0].began_before,
            "also": sorted({visit.name for visit in group} - {main.name}),
        }
    )
