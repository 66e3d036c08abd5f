"""Check-ins: visits become footprints, and alerts where a person's rules say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import late_ids, rotating, visits
from vigil_cloud.checkin.models import Amulet, PersonRule, Tag
from vigil_cloud.checkin.positions import position_of, position_of_visit
from vigil_cloud.checkin.relatives import SEEN, is_told, tell_relatives
from vigil_cloud.checkin.rules import begin, tell_of_visit
from vigil_cloud.checkin.tags import is_on_a_thing
from vigil_cloud.domain.aside import Aside, handled_in_parts
from vigil_cloud.domain.port import Complaint, Received
from vigil_cloud.domain.presence import PersonSeen, TagSeen
from vigil_cloud.domain.registry import tag_owner, tell_person_seen, tell_tag_seen
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Person
from vigil_schemas.checkin import (
    DOMAIN,
    CheckinSighting,
    CheckinSightingV2,
    CheckinVisit,
    CheckinVisitV2,
)

_VISITS: Final = (CheckinVisit, CheckinVisitV2)
_SIGHTINGS: Final = (CheckinSighting, CheckinSightingV2)


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

    types: frozenset[str] = frozenset(model.TYPE for model in (*_VISITS, *_SIGHTINGS))

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Merge one phase into its visit, and raise what the person's rules say. What other
        domains make of it costs neither. A rotating id that is nobody's is kept nowhere."""
        event = message.data
        feed.lock(session)
        if isinstance(event, CheckinSighting):
            _tell_sighting(session, message, event)
            return None
        assert isinstance(event, CheckinVisit)  # noqa: S101 - ingest decodes by type
        if event.tag.startswith(rotating.SENT):
            _, last, _ = visits.corrected(session, message, event.arrived, event.last_seen)
            if late_ids.is_for_later(session, event.tag, last, message.received):
                return late_ids.put_aside(session, message, last)
        # With the person's row, which an alert needs as well: one statement for all.
        found = _carrier(session, message, event.tag, event.arrived, event.last_seen)
        if found is None:
            return None
        merged = visits.merge(session, message, event, found.carried)
        if merged is None:
            return None
        rules = found.rules
        complaint = handled_in_parts(
            session, lambda aside: self._tell(session, message, merged, rules, aside)
        )
        del found  # kept until here: a session forgets what nobody holds
        return complaint

    @staticmethod
    def _tell(
        session: Session,
        message: Received,
        merged: visits.Merged,
        rules: Sequence[PersonRule],
        aside: Aside,
    ) -> None:
        now, visit = message.received, merged.visit
        feed.append(session, "visit", visit.id, now)
        if visit.person_key is None:
            thing = TagSeen(
                tag=visit.tag,
                gateway=visit.gateway,
                device=visit.device,
                last=visit.last_seen,
                received=now,
                position=position_of_visit(visit),
                marks=message.marks,
            )
            aside.do("tag-seen", lambda: tell_tag_seen(session, thing), None)
            return
        for other in visits.mark_conflicts(session, merged):
            if other is not visit:
                feed.append(session, "visit", other.id, now)
        seen_rule = next((row for row in rules if row.kind == SEEN), None)
        if is_told(session, seen_rule, visit, now):
            tell_relatives(session, visit, now, message.marks)
        if others := [row for row in rules if row.kind != SEEN]:
            told = dict(message.marks)
            aside.do("rules", lambda: tell_of_visit(session, visit, others, now, told), None)
        seen = PersonSeen(
            person_key=visit.person_key,
            gateway=visit.gateway,
            device=visit.device,
            first=visit.arrived,
            last=visit.last_seen,
            received=now,
            at_once=False,
            position=position_of_visit(visit),
            marks=_marks(message, visit.doubt),
        )
        aside.do("person-seen", lambda: tell_person_seen(session, seen), None)


class _Found(NamedTuple):
    carried: visits.Carried
    person: Person | None
    rules: Sequence[PersonRule]


def _marks(message: Received, doubt: str | None) -> dict[str, Any]:
    return {**message.marks, "identity_doubtful": doubt} if doubt else dict(message.marks)


# Made once: asked for every visit, and to make a statement costs more than to run it.
_CARRIER: Final = (
    select(Tag.person_key, Person, PersonRule)
    .outerjoin(Person, Person.key == Tag.person_key)
    .outerjoin(PersonRule, PersonRule.person_key == Tag.person_key)
    .where(Tag.tag == bindparam("of"))
)


def _carrier(
    session: Session, message: Received, said: str, first: datetime, last: datetime
) -> _Found | None:
    """Whose the tag is, and what is to be told of them. ``None``: a rotating id of nobody's."""
    tag, doubt = said, None
    if said.startswith(rotating.SENT):
        first, last, _ = visits.corrected(session, message, first, last)
        known = rotating.resolve(session, said, first, last, message.received)
        if known is None:
            return None
        tag, doubt = known.tag, known.doubt
    rows = session.execute(_CARRIER, {"of": tag}).all()
    if not rows:
        return _Found(visits.Carried(tag, None, doubt), None, ())
    rules = [row[2] for row in rows if row[2] is not None]
    return _Found(visits.Carried(tag, rows[0][0], doubt), rows[0][1], rules)


def _tell_sighting(session: Session, message: Received, event: CheckinSighting) -> None:
    """For whoever looks for this person, or this thing. Nothing of it is kept here: the visit comes
    by itself."""
    _, seen, _ = visits.corrected(session, message, event.seen, event.seen)
    if late_ids.is_for_later(session, event.tag, seen, message.received):
        return  # nobody is found by where they were days ago; the visit tells it
    found = _carrier(session, message, event.tag, event.seen, event.seen)
    if found is None:
        return
    marks, position = _marks(message, found.carried.doubt), position_of(event.position)
    if found.carried.person_key is None:
        thing = TagSeen(
            tag=found.carried.tag,
            gateway=message.gateway,
            device=message.envelope.subject,
            last=seen,
            received=message.received,
            at_once=True,
            position=position,
            marks=marks,
        )
        tell_tag_seen(session, thing)
        return
    told = PersonSeen(
        person_key=found.carried.person_key,
        gateway=message.gateway,
        device=message.envelope.subject,
        first=seen,
        last=seen,
        received=message.received,
        at_once=True,
        position=position,
        marks=marks,
    )
    tell_person_seen(session, told)


def give_tag(session: Session, tag: str, person_key: str, *, by: str, now: datetime) -> None:
    """The tag is this person's from now on; visits before stay whose they were.

    Written down for whom it was taken from and for whom it was given to: whoever moves a
    tag to somebody whose whereabouts they may see could follow its carrier. Raises ``TagOfThing``.
    """
    # Whoever registers a thing with it locks the same row.
    session.get(Amulet, tag, with_for_update=True)
    if (domain := tag_owner(session, tag, beside=DOMAIN)) is not None:
        raise TagOfThing(tag, domain)
    if is_on_a_thing(session, tag):
        raise TagOfThing(tag, DOMAIN)
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
    begin(session, person_key, by=by, now=now)
