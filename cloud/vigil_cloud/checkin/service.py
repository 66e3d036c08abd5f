"""Check-ins: visits become footprints, and an alert for relatives who may know."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import Place, places_of
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin.models import Amulet, Tag, Visit
from vigil_cloud.checkin.relatives import tell_relatives
from vigil_cloud.devices.models import Gateway
from vigil_cloud.domain.aside import Aside
from vigil_cloud.domain.port import Complaint, Received
from vigil_cloud.domain.presence import PersonSeen, TagSeen
from vigil_cloud.domain.registry import tag_owner, tell_person_seen, tell_tag_seen
from vigil_cloud.identity import audit, looks
from vigil_cloud.identity.models import Person
from vigil_schemas.checkin import DOMAIN, CheckinSighting, CheckinVisit
from vigil_schemas.types import isoformat_utc

LONGEST_FOOTPRINT: Final = timedelta(days=62)
MOST_VISITS: Final = 5000


class TagOfThing(ApiError):
    """The tag sticks on a thing. ``domain``: whose that is."""

    code: ClassVar[str] = "tag-of-a-thing"
    remedy: ClassVar[str] = "Take the tag from the thing first, or give another one."
    status: ClassVar[int] = 409

    def __init__(self, tag: str, domain: str) -> None:
        super().__init__(f"Tag {tag!r} is on a thing of {domain}.")
        self.domain = domain


class CheckinHandler:
    """Takes visits, and sightings of who is looked for. Arrival and departure may come in any
    order and any number of times."""

    types: frozenset[str] = frozenset({CheckinVisit.TYPE, CheckinSighting.TYPE})

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Merge one phase into its visit and raise or clear the relatives' alert. What other
        domains make of it costs neither."""
        event = message.data
        feed.lock(session)
        if isinstance(event, CheckinSighting):
            _tell_sighting(session, message, event)
            return None
        aside = Aside(session)
        assert isinstance(event, CheckinVisit)  # noqa: S101 - ingest decodes by type
        # With the person's row, which the alert needs as well: one statement for both.
        carrier, person = _carrier(session, event.tag)
        visit = _merge(session, message, event, carrier)
        if visit is None:
            return None
        now = message.received
        feed.append(session, "visit", visit.id, now)
        if visit.person_key is not None:
            tell_relatives(session, visit, now, message.marks)
            seen = PersonSeen(
                person_key=visit.person_key,
                gateway=visit.gateway,
                device=visit.device,
                first=visit.arrived,
                last=visit.last_seen,
                received=now,
                at_once=False,
                marks=message.marks,
            )
            aside.do("person-seen", lambda: tell_person_seen(session, seen), None)
        else:
            thing = TagSeen(
                tag=visit.tag,
                gateway=visit.gateway,
                device=visit.device,
                last=visit.last_seen,
                received=now,
                marks=message.marks,
            )
            aside.do("tag-seen", lambda: tell_tag_seen(session, thing), None)
        del person  # kept until here: a session forgets what nobody holds
        return aside.complaint


def _carrier(session: Session, tag: str) -> tuple[str | None, Person | None]:
    """Whose the tag is."""
    query = (
        select(Tag.person_key, Person)
        .outerjoin(Person, Person.key == Tag.person_key)
        .where(Tag.tag == tag)
    )
    row = session.execute(query).one_or_none()
    return (None, None) if row is None else (row[0], row[1])


def _tell_sighting(session: Session, message: Received, event: CheckinSighting) -> None:
    """For whoever looks for this person. Nothing of it is kept here: the visit comes by itself."""
    person_key = session.scalar(select(Tag.person_key).where(Tag.tag == event.tag))
    if person_key is None:
        return
    _, seen, _ = _corrected(session, message, event.seen, event.seen)
    told = PersonSeen(
        person_key=person_key,
        gateway=message.gateway,
        device=message.envelope.subject,
        first=seen,
        last=seen,
        received=message.received,
        at_once=True,
        marks=message.marks,
    )
    tell_person_seen(session, told)


def _merge(
    session: Session, message: Received, event: CheckinVisit, carrier: str | None
) -> Visit | None:
    """The visit as known now; ``None`` where the message brings nothing new."""
    visit_id = f"{message.gateway}:{event.visit_id}"
    arrived, last_seen, offset_s = _corrected(session, message, event.arrived, event.last_seen)
    departed = last_seen if event.phase == "departed" else None
    visit = session.get(Visit, visit_id)
    if visit is None:
        visit = Visit(
            id=visit_id,
            tag=event.tag,
            person_key=carrier,
            gateway=message.gateway,
            device=message.envelope.subject,
            carrier=event.carrier,
            arrived=arrived,
            last_seen=last_seen,
            departed=departed,
            sightings=event.sightings,
            rssi_max_dbm=event.rssi_max_dbm,
            battery_mv=event.battery_mv,
            clock_offset_s=offset_s,
        )
        session.add(visit)
        session.flush()
        return visit
    before = (visit.arrived, visit.last_seen, visit.departed, visit.sightings, visit.silent_since)
    visit.arrived = min(visit.arrived, arrived)
    visit.last_seen = max(visit.last_seen, last_seen)
    visit.departed = visit.departed or departed
    visit.sightings = max(visit.sightings, event.sightings)
    visit.silent_since = None  # the station has spoken
    visit.battery_mv = event.battery_mv or visit.battery_mv
    levels = [rssi for rssi in (visit.rssi_max_dbm, event.rssi_max_dbm) if rssi is not None]
    visit.rssi_max_dbm = max(levels, default=None)
    after = (visit.arrived, visit.last_seen, visit.departed, visit.sightings, visit.silent_since)
    return visit if before != after else None


def _corrected(
    session: Session, message: Received, arrived: datetime, last_seen: datetime
) -> tuple[datetime, datetime, float | None]:
    """Arrival and last sign by our clock, and by how much the station's was ahead of it.

    A station that is minutes ahead would put its visits behind later ones elsewhere. What
    its health last said of its clock is taken off, and nothing is later than its receipt.
    """
    offset_s = None
    if "time_quality" not in message.marks:
        gateway = session.get(Gateway, message.gateway)
        offset_s = ((gateway.health if gateway else None) or {}).get("clock_offset_s")
    if offset_s is not None:
        try:
            step = timedelta(seconds=offset_s)
            arrived, last_seen = arrived - step, last_seen - step
        except OverflowError:  # it says that its clock is off by more than calendars reach
            offset_s = None
    last_seen = min(last_seen, message.received)
    return min(arrived, last_seen), last_seen, offset_s


def give_tag(session: Session, tag: str, person_key: str, *, by: str, now: datetime) -> None:
    """The tag is this person's from now on; visits before stay whose they were.

    Written down for whom it was taken from and for whom it was given to: whoever moves a
    tag to somebody whose whereabouts they may see could follow its carrier. Raises ``TagOfThing``.
    """
    if (domain := tag_owner(session, tag, beside=DOMAIN)) is not None:
        raise TagOfThing(tag, domain)
    row = session.get(Tag, tag)
    before = row.person_key if row is not None else None
    if before == person_key:
        return
    session.merge(Tag(tag=tag, person_key=person_key))
    session.execute(update(Amulet).where(Amulet.tag == tag).values(state="carried", changed=now))
    for key, action in ((before, "tag.taken"), (person_key, "tag.given")):
        if key is not None:
            audit.append(
                session,
                at=now,
                account=by,
                action=action,
                subject=tag,
                person_key=key,
            )


def carries(session: Session, tag: str) -> bool:
    """Whether the tag is a person's."""
    return session.get(Tag, tag) is not None


def footprints(  # noqa: PLR0913 - whose, when and who looks, all by name
    session: Session,
    *,
    person_key: str,
    start: datetime,
    stop: datetime,
    by: str,
    now: datetime,
    automatic: bool = False,
) -> list[tuple[Visit, Place]]:
    """Visits that touch ``[start, stop)``, oldest first; the look is written down.

    The caller has checked the consent. ``automatic``: an open page asks again by itself.
    """
    looks.note(
        session,
        account=by,
        action="location.read",
        subject="footprints",
        thing=_period(start, stop, now),
        person_key=person_key,
        now=now,
        detail={"start": isoformat_utc(start), "stop": isoformat_utc(stop)},
        automatic=automatic,
    )
    return visits_between(session, person_key, start, stop)


def visits_between(
    session: Session, person_key: str, start: datetime, stop: datetime
) -> list[tuple[Visit, Place]]:
    """Visits that touch ``[start, stop)``, oldest first, the latest ``MOST_VISITS`` of them. The
    caller has asked the right to them and writes down the look."""
    visits = session.scalars(
        select(Visit)
        .where(
            Visit.person_key == person_key,
            Visit.arrived < stop,
            # Also what began before and was still going on: nobody vanishes by staying.
            or_(Visit.departed.is_(None), Visit.departed >= start),
            or_(
                Visit.departed.is_not(None), Visit.silent_since.is_(None), Visit.last_seen >= start
            ),
        )
        .order_by(Visit.arrived.desc())
        .limit(MOST_VISITS)
    )
    found = list(reversed(list(visits)))
    places = places_of(session, {visit.device for visit in found})
    return [(visit, places[visit.device]) for visit in found]


def _period(start: datetime, stop: datetime, now: datetime) -> str:
    """The same for two requests for the same days: "the last day" moves on with the clock."""
    if stop >= now - looks.WINDOW:
        return f"last {round((stop - start) / timedelta(minutes=10))}"
    return f"{isoformat_utc(start)} {isoformat_utc(stop)}"
